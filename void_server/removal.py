"""One shot from frames to frames, in numbered steps: the file to read first.

::

    plate EXR -1 check-2 crop-3 light, raster-+                             +-6 back to the crop-+
    mattes ----1 check-2 crop-3 quadmask------+-4 engine void, both passes--+                    +-7 over the plate,
    plate, mattes -1 check-5 engine draft, at plate resolution, frame by frame-------------------+   EXR

2 finds the takes, which lie between two cuts, and their segments, which have a crop each; 3 to 7 are for each take.
Each shot has a thread of its own, 4 is done on the one thread that the model has: while it is at one shot the next is
read and checked, and the one before merged and written.
Runs in the worker process. Knows frames and engines, no sockets and no jobs.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from void_server import __version__
from void_server.engine.cuts import Cuts
from void_server.engine.detail import Detail
from void_server.engine.draft import DraftEngine
from void_server.engine.flow import open_flow
from void_server.engine.time_base import rebuild, sampled
from void_server.frames.color import ColorTransform
from void_server.frames.color_config import config_label
from void_server.frames.crop import choose_fit
from void_server.frames.decoded_files import DecodedFiles
from void_server.frames.exr import limit_decoder
from void_server.frames.geometry import Floats
from void_server.frames.matte import KEEP, Classes, compose_quadmask
from void_server.frames.overlay import overlay, write_png
from void_server.frames.rate import frames_per_answer
from void_server.frames.segments import Take, plan_takes
from void_server.frames.shot_checks import ShotReport, check_shot
from void_server.job_folder import JobFolder
from void_server.merge import Answer, Merge, Parts, complete
from void_server.metadata import PROMPT_LEFT_OUT, metadata
from void_server.model_input import ModelInput, model_inputs
from void_server.model_thread import ModelThread
from void_server.progress import Progress, share_of
from void_server.record import Record
from void_server.shot import Shot, TakeSource, drawn_on
from void_server.signs import summary
from void_server.window_plan import WindowPlan
from void_server.writing import Writing, Written
from void_wire.messages import THUMBNAILS, JobSpec, Role, Signs, Stage, VoidSettings

if TYPE_CHECKING:
    from void_server.engine.void import Decoded, VoidEngine


class Made(Protocol):
    """Called with every frame that is whole on disk. May raise Cancelled."""

    def __call__(self, role: Role, frame: int, path: Path) -> None:
        """Announce the frame."""


class Told(Protocol):
    """Called with the signs of a frame of the result, after `Made` and some frames later. May raise Cancelled."""

    def __call__(self, frame: int, signs: Signs) -> None:
        """Tell how the frame was judged."""


@dataclass(frozen=True)
class Machine:
    """What the worker was told about itself."""

    weights: Path
    raft_weights: Path | None
    device: str
    memory: str
    speed: str = "plain"
    prompts: Path | None = None  # what the text encoder made of them; None: kept nowhere
    private: bool = False  # prompts are left out of what leaves


class Model(Protocol):
    """What answers at the raster: engine void, or one that knows the answer, to measure everything around it."""

    @property
    def record(self) -> dict[str, str]:
        """What makes the frames; it may change while they are made."""

    def remove(
        self,
        plate: npt.NDArray[np.float32],
        quadmask: npt.NDArray[np.uint8],
        prompt: str,
        settings: VoidSettings,
        progress: Progress,
        milestones: Path,
        noise_at: int,
    ) -> Iterator[Decoded]:
        """See `VoidEngine.remove`."""


@dataclass(frozen=True, eq=False)
class _Chunk:
    """Frames that came out of the model."""

    number: int  # of the segment in its take, from 0
    role: Role  # the pass: RESULT for the last
    first: int  # position of the first frame, of those that the model was shown
    stop: int  # of the one after the last
    whole: Floats  # (F, h, w, 3) 0..1, in a file: all that the pass makes of the segment
    record: dict[str, str]  # what made them

    @property
    def frames(self) -> Floats:
        """(n, h, w, 3)."""
        return np.asarray(self.whole[self.first : self.stop])


class Removal:
    """Does jobs, each on the thread that calls it, and keeps the loaded model for all of them.

    Args:
        machine: what it works on.
        model: in place of engine void.
        failed: called with what ends the model's work for a job, before another job has the model.
    """

    def __init__(
        self,
        machine: Machine,
        model: Model | None = None,
        failed: Callable[[BaseException], None] = lambda error: None,
    ) -> None:
        self._machine = machine
        self._model = model
        self._engine: VoidEngine | None = None  # of the model's thread
        self._model_thread = ModelThread(failed)
        limit_decoder()

    def remove(
        self,
        spec: JobSpec,
        folder: JobFolder,
        progress: Progress,
        made: Made,
        judged: Told = lambda frame, signs: None,
    ) -> dict[str, str]:
        """Write the job's frames into ``folder``; returns what made them.

        Raises ShotError, SettingsError, EngineError; lets Cancelled through, between steps.
        """
        began = time.monotonic()
        with DecodedFiles() as decoded:
            says = self._remove(spec, folder, progress, made, judged, decoded)
        return {**says, "seconds": f"{time.monotonic() - began:.1f}"}

    def _remove(
        self,
        spec: JobSpec,
        folder: JobFolder,
        progress: Progress,
        made: Made,
        judged: Told,
        decoded: DecodedFiles,
    ) -> dict[str, str]:
        picture = spec.picture
        color = ColorTransform(picture.colorspace, picture.encoding)
        files = {role: {n: folder.frame(role, n) for n in spec.frames.numbers()} for role in spec.roles}
        cuts = Cuts()
        seen = check_shot(  # 1
            spec,
            files,
            lambda done, of: progress(Stage.DECODE, done, 2 * of),
            lambda small: cuts.see_plate(small.plate, small.marked),
            decoded.read,
        )
        shot = Shot(spec, folder, color.light, ColorTransform(picture.colorspace).encode, decoded)
        signs: dict[int, Signs] = {}

        def judge() -> None:
            for index, found in shot.meter.told():
                signs[shot.frames[index]] = found
                judged(shot.frames[index], found)

        record = Record({"void version": __version__, "colour": f"{picture.colorspace} of {config_label()}"})
        if self._machine.private:
            record.whole["prompt"] = PROMPT_LEFT_OUT
        # 2
        takes = _takes(shot, seen, cuts.found)
        marked = [take for take in takes if take.segments]
        plan = None if spec.void is None else _plan(shot, marked, spec.void.as_run(), record)
        for take in takes:
            if not take.segments:
                frames = _untouched(shot, take, record)
            else:
                told = share_of(progress, marked.index(take), len(marked))
                if plan is None:
                    frames = _by_draft(shot, color, take, record, told, made)
                else:
                    frames = self._by_void(shot, color, take, plan, record, told, made)
            for role, index in frames:
                small = THUMBNAILS[role]  # first: a frame that is ready has one
                made(small, shot.frames[index], folder.frame(small, shot.frames[index]))
                made(role, shot.frames[index], folder.frame(role, shot.frames[index]))
                judge()
                if role is Role.RESULT:  # pass 1's are written while the model is at pass 2
                    progress(Stage.ENCODE, index + 1, len(shot.frames))
            shot.meter.end()
            judge()
        return {**record.summary(), **summary(signs)}

    def _by_void(
        self,
        shot: Shot,
        color: ColorTransform,
        take: Take,
        plan: WindowPlan,
        record: Record,
        progress: Progress,
        made: Made,
    ) -> Iterator[Written]:
        with (
            tempfile.TemporaryDirectory(prefix="void-take-", ignore_cleanup_errors=True) as folder,
            Writing() as writing,
        ):
            # 3
            detail = Detail(shot.spec.picture.detail, TakeSource(shot, take.first, take.stop), Path(folder))
            inputs, color, light = model_inputs(shot, take, color, Path(folder), progress, detail.look)
            record.whole["encoding"] = shot.spec.picture.encoding
            for one in inputs:
                for position in range(len(one.segment)):
                    index = one.segment.first + position
                    _save_overlay(shot, index, one.plates[position], one.quadmasks[position], made)
            merge = Merge(shot, take, color, inputs, record, light, Path(folder), writing)
            detailed = shot.spec.picture.detail != "raw"
            # 4
            with closing(self._answers(inputs, shot, plan, Path(folder), record, progress)) as answers:
                for role, index, parts in complete(take, answers):
                    if role is Role.RESULT:
                        shot.meter.kept(index, *_kept(inputs, index, parts, color))
                    if detailed and role is Role.RESULT:
                        merge.keep(index, parts)  # the other frames are needed first
                    else:
                        yield from merge.put(role, index, parts)  # 6, 7
                    if role is Role.PASS1 and index == parts[-1][0].stop - 1:
                        yield from writing.rest()  # to be seen while pass 2 is made
            if detailed:
                yield from merge.detailed(detail, progress)  # 6, 7
            yield from writing.rest()

    def _answers(
        self,
        inputs: Sequence[ModelInput],
        shot: Shot,
        plan: WindowPlan,
        folder: Path,
        record: Record,
        progress: Progress,
    ) -> Generator[Answer, None, None]:
        """What the model makes of each frame of each segment: both passes, each in order.

        At the model's time base it sees only every n-th frame, and a pass is rebuilt once it is complete.
        """
        every = plan.every
        places = [sampled(len(one.segment), every) for one in inputs]
        shown = [one if every == 1 else one.only(at, folder) for one, at in zip(inputs, places, strict=True)]

        def work(told: Progress) -> Generator[_Chunk, None, None]:
            return self._chunks(shown, shot, plan, folder, told)

        with closing(self._model_thread.run(work, progress)) as chunks:
            for chunk in chunks:
                record.whole.update(chunk.record)
                one, at = inputs[chunk.number], places[chunk.number]
                segment = one.segment
                if every == 1:
                    for index, frame in enumerate(chunk.frames, segment.first + chunk.first):
                        yield chunk.role, index, segment, frame
                elif chunk.stop == len(at):
                    told = share_of(progress, chunk.number, len(inputs))
                    flow = open_flow("dis")
                    whole = rebuild(chunk.whole, at, one.plates, one.quadmasks, flow=flow, progress=told)
                    for index, frame in enumerate(whole, segment.first):
                        yield chunk.role, index, segment, frame

    def _chunks(
        self, shown: Sequence[ModelInput], shot: Shot, plan: WindowPlan, folder: Path, progress: Progress
    ) -> Generator[_Chunk, None, None]:
        """What the model makes of what it is ``shown``. In its thread."""
        model = self._loaded(plan.largest, progress)
        for number, one in enumerate(shown):
            segment, told = one.segment, share_of(progress, number, len(shown))
            settings, left = plan.settings_of(segment), shot.folder.milestones(segment.first)
            wholes: dict[Role, Floats] = {}
            noise_at = plan.noise_at(segment)
            for decoded in model.remove(
                one.plates, one.quadmasks, shot.spec.prompt, settings, told, left, noise_at
            ):
                role = Role.RESULT if decoded.passes == settings.passes else Role.PASS1
                if role is Role.PASS1 and not settings.show_pass1:
                    continue
                if role not in wholes:
                    path = folder / f"answers-{role.value}-{segment.first}"
                    wholes[role] = np.memmap(path, np.float32, "w+", shape=one.plates.shape)
                stop = decoded.first + len(decoded.frames)
                wholes[role][decoded.first : stop] = decoded.frames
                yield _Chunk(number, role, decoded.first, stop, wholes[role], model.record)

    def _loaded(self, largest: tuple[int, int], progress: Progress) -> Model:
        """The model, for a job of this raster at the most."""
        if self._model is not None:
            return self._model
        if self._engine is None:
            progress(Stage.LOAD, 0, 1)  # torch takes seconds to import: only when it is used
            gc.disable()  # modules are no garbage: to look for it takes a sixth of the import
            try:
                from void_server.engine.void import VoidEngine
            finally:
                gc.enable()

            self._engine = VoidEngine(
                self._machine.weights,
                device=self._machine.device,
                memory=self._machine.memory,
                speed=self._machine.speed,
                prompts=self._machine.prompts,
                raft_weights=self._machine.raft_weights,
            )
        self._engine.settle(largest, progress)
        return self._engine


def _kept(
    inputs: Sequence[ModelInput], index: int, parts: Parts, color: ColorTransform
) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """Light of what the model saw of a frame and of its answer, in the last segment that has it, and what it keeps."""
    segment, answer = parts[-1]
    seen = next(one for one in inputs if one.segment == segment)
    position = index - segment.first
    kept = np.asarray(seen.quadmasks[position] == KEEP)
    return color.unfold(np.asarray(seen.plates[position])), color.unfold(answer), kept


def _by_draft(
    shot: Shot, color: ColorTransform, take: Take, record: Record, progress: Progress, made: Made
) -> Iterator[Written]:
    if shot.spec.picture.overlay:
        for index in range(take.first, take.stop):
            _save_overlay(shot, index, color.encode(shot.canvas(index)), _drawn(shot, index), made)
            progress(Stage.DECODE, len(shot.frames) + index + 1, 2 * len(shot.frames))
    # 5
    engine = DraftEngine()
    record.whole.update(engine.record)
    with Writing() as writing:
        for position, fill, invented in engine.fill(TakeSource(shot, take.first, take.stop), progress):
            index = take.first + position
            write = partial(
                shot.write,
                Role.RESULT,
                index,
                drawn_on(fill, shot.display),
                shot.display,
                metadata(shot.spec, Role.RESULT, record.whole),
                generated=invented,
                quadmask=_drawn(shot, index) if "quadmask" in shot.spec.picture.layers else None,
            )
            yield from writing.put((Role.RESULT, index), write)  # 7
        yield from writing.rest()


def _drawn(shot: Shot, index: int) -> Classes:
    """What the draft engine is shown: both mattes as they are drawn."""
    mattes = shot.mattes(index)
    return compose_quadmask(mattes.remove, mattes.affected, affected_shape="drawn")


def _untouched(shot: Shot, take: Take, record: Record) -> Iterator[Written]:
    """Frames of a take that nothing is marked in: the plate."""
    says = record.part(shot.range_text(take.first, take.stop), {"untouched": "nothing is marked here"})
    void = shot.spec.void
    both = void is not None and void.as_run().passes == 2 and void.show_pass1
    for role in (Role.PASS1, Role.RESULT) if both else (Role.RESULT,):
        for index in range(take.first, take.stop):
            attributes = metadata(shot.spec, role, {**record.whole, **says})
            shot.write(role, index, shot.plate(index).over, shot.display, attributes)
            yield role, index


def _takes(shot: Shot, seen: ShotReport, cuts: list[int]) -> list[Take]:
    """Step 2: cuts, and segments with their boxes."""
    picture, void = shot.spec.picture, shot.spec.void or VoidSettings()
    asked = (void.raster_height_px, void.raster_width_px)
    auto = picture.segments == "auto"
    takes = plan_takes(
        seen.marked,
        cuts if auto else [],
        lambda marked: choose_fit(picture, asked, shot.display, marked, shot.pixel_aspect),
        split=auto and picture.crop == "auto" and shot.spec.void is not None,
    )
    return [take.halved() for take in takes] if void.preview else takes


def _plan(shot: Shot, takes: Sequence[Take], settings: VoidSettings, record: Record) -> WindowPlan:
    """Which frames the model sees together, told in the record."""
    every = frames_per_answer(settings, shot.first)
    shot.spec.check_noise_range(every)
    plan = WindowPlan(settings, [one for take in takes for one in take.segments], shot.frames, every)
    record.whole["windows"] = str(plan)
    record.whole["time base"] = "every frame" if every == 1 else f"one frame in {every}, the others rebuilt"
    return plan


def _save_overlay(shot: Shot, index: int, plate: Floats, quadmask: Classes, made: Made) -> None:
    if shot.spec.picture.overlay:
        path = shot.folder.frame(Role.OVERLAY, shot.frames[index])
        write_png(path, overlay(plate, quadmask))
        made(Role.OVERLAY, shot.frames[index], path)
