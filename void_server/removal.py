"""One shot from frames to frames, in numbered steps: the file to read first.

::

    plate EXR -1 check-2 crop-3 light, raster-+                             +-6 back to the crop-+
    mattes ----1 check-2 crop-3 quadmask------+-4 engine void, both passes--+                    +-7 over the plate,
    plate, mattes -1 check-5 engine draft, at plate resolution, frame by frame-------------------+   EXR

Runs in the worker process. Knows frames and engines, no sockets and no jobs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from void_server import __version__
from void_server.engine.detail import Detail
from void_server.engine.draft import DraftEngine
from void_server.engine.flow import open_flow
from void_server.engine.time_base import rebuild, sampled
from void_server.frames.color import ColorTransform, config_name
from void_server.frames.crop import choose_fit, describe
from void_server.frames.exposure import LightMeter
from void_server.frames.exr import limit_decoder
from void_server.frames.geometry import Box, Fit, Floats
from void_server.frames.grain import NONE, Grain, measure
from void_server.frames.matte import Classes, compose_quadmask, grow, grow_remove, resize_quadmask
from void_server.frames.matte_files import Mattes
from void_server.frames.overlay import overlay, write_png
from void_server.frames.rate import frames_per_answer
from void_server.frames.shot_checks import check_shot
from void_server.job_folder import JobFolder
from void_server.progress import Progress
from void_server.shot import Shot
from void_wire.messages import JobSpec, PictureSettings, Role, Stage, VoidSettings

if TYPE_CHECKING:
    from void_server.engine.void import VoidEngine

Written = tuple[Role, int]
"""A frame that is whole on disk: which sequence it belongs to, and its index."""


GRAIN_FRAMES = 4
"""Neighbouring frames that the grain is measured on."""


class Made(Protocol):
    """Called with every frame that is whole on disk. May raise Cancelled."""

    def __call__(self, role: Role, frame: int, path: Path) -> None:
        """Announce the frame."""


@dataclass(frozen=True)
class Machine:
    """What the worker was told about itself."""

    weights: Path
    raft_weights: Path | None
    device: str
    memory: str


class Removal:
    """Does one job after the other and keeps the loaded model between them."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._void: VoidEngine | None = None
        limit_decoder()

    def remove(self, spec: JobSpec, folder: JobFolder, progress: Progress, made: Made) -> dict[str, str]:
        """Write the job's frames into ``folder``; returns what made them.

        Raises ShotError, SettingsError, EngineError; lets Cancelled through, between steps.
        """
        began = time.monotonic()
        picture = spec.picture
        color = ColorTransform(picture.colorspace, picture.encoding)
        files = {role: {n: folder.frame(role, n) for n in spec.frames.numbers()} for role in spec.roles}
        seen = check_shot(spec, files, lambda done, of: progress(Stage.DECODE, done, 2 * of))  # 1
        shot = Shot(spec, folder)
        record = {"void version": __version__, "colour": f"{picture.colorspace} of {config_name()}"}
        if spec.void is None:
            frames = _by_draft(shot, color, record, progress, made)
        else:
            frames = self._by_void(shot, color, spec.void, seen.marked, record, progress, made)
        for role, index in frames:
            made(role, shot.frames[index], folder.frame(role, shot.frames[index]))
            progress(Stage.ENCODE, index + 1, len(shot.frames))
        return {**record, "seconds": f"{time.monotonic() - began:.1f}"}

    def _by_void(
        self,
        shot: Shot,
        color: ColorTransform,
        settings: VoidSettings,
        marked: Box,
        record: dict[str, str],
        progress: Progress,
        made: Made,
    ) -> Iterator[Written]:
        # 2
        asked = (settings.raster_height_px, settings.raster_width_px)
        fit = choose_fit(shot.spec.picture, asked, shot.display, marked, shot.pixel_aspect)
        record.update(describe(fit, asked, shot.display, marked))
        # 3: only the raster is held whole
        plates, quadmasks, color = _to_raster(shot, color, fit, record, progress)
        for index in range(len(plates)):
            _save_overlay(shot, index, plates[index], quadmasks[index], made)
        grain = NONE
        if shot.spec.picture.regrain:
            grain = measure(_neighbours(shot, fit.box))
            record.update(grain.record())
        # 4
        every = frames_per_answer(settings, shot.first)
        record["time base"] = "every frame" if every == 1 else f"one frame in {every}, the others rebuilt"
        kept: list[npt.NDArray[np.float16]] = []
        for role, index, frame in self._answers(
            plates, quadmasks, every, shot.spec.prompt, settings, record, progress
        ):
            if role is Role.RESULT and shot.spec.picture.detail != "raw":
                kept.append(frame.astype(np.float16))  # other frames are needed first
                continue
            fill = fit.from_raster(frame)  # 6
            metadata = _metadata(shot.spec, record)
            shot.write(role, index, fill, fit.box, color.decode, metadata, grain, settings.seed)  # 7
            yield role, index
        if kept:
            yield from _detailed(shot, fit, color, kept, grain, settings.seed, record, progress)

    def _answers(
        self,
        plates: Floats,
        quadmasks: Classes,
        every: int,
        prompt: str,
        settings: VoidSettings,
        record: dict[str, str],
        progress: Progress,
    ) -> Iterator[tuple[Role, int, Floats]]:
        """What the model makes of each frame, (h, w, 3) at the raster: both passes, each in order.

        With ``every`` over 1 it sees only each ``every``-th frame, and a pass is rebuilt once it is complete.
        """
        engine = self._engine(progress)
        record.update(engine.record)
        at = sampled(len(plates), every)
        answers: list[Floats] = []
        for decoded in engine.remove(plates[at], quadmasks[at], prompt, settings, progress):
            role = Role.RESULT if decoded.passes == settings.passes else Role.PASS1
            if every == 1:
                for index, frame in enumerate(decoded.frames, decoded.first):
                    yield role, index, frame
                continue
            answers.extend(decoded.frames)
            if len(answers) == len(at):
                flow = open_flow("dis")
                whole = rebuild(np.stack(answers), at, plates, quadmasks, flow=flow, progress=progress)
                for index, frame in enumerate(whole):
                    yield role, index, frame
                answers = []

    def _engine(self, progress: Progress) -> VoidEngine:
        if self._void is None:
            from void_server.engine.void import (
                VoidEngine,
            )  # torch takes seconds to import: only when it is used

            self._void = VoidEngine.load(
                self._machine.weights,
                device=self._machine.device,
                memory=self._machine.memory,
                raft_weights=self._machine.raft_weights,
                progress=progress,
            )
        return self._void


def _detailed(
    shot: Shot,
    fit: Fit,
    color: ColorTransform,
    answers: list[npt.NDArray[np.float16]],
    grain: Grain,
    seed: int,
    record: dict[str, str],
    progress: Progress,
) -> Iterator[Written]:
    """Step 7 with the plate's own detail: ``answers`` at the raster (h, w, 3), one a frame."""
    detail, display = Detail(shot.spec.picture.detail), shot.display

    def answer(index: int) -> Floats:
        canvas = np.full((display.height, display.width, 3), np.nan, np.float32)
        fit.box.of(canvas, display)[:] = color.decode(fit.from_raster(answers[index].astype(np.float32)))
        return canvas

    for index, fill, share in detail.fill(DraftSource(shot), answer, progress):
        record.update(detail.record)
        shot.write(
            Role.RESULT,
            index,
            fit.box.of(fill, display),
            fit.box,
            _as_it_is,
            _metadata(shot.spec, record),
            grain,
            seed,
            fit.box.of(share, display),
        )
        yield Role.RESULT, index


class DraftSource:
    """The shot as the draft engine reads it: canvases on demand."""

    def __init__(self, shot: Shot) -> None:
        self._shot = shot
        self.count = len(shot.frames)
        self.height_px, self.width_px = shot.display.height, shot.display.width

    def plate(self, index: int) -> Floats:
        """float32 (H, W, 3), the plate's own values."""
        return self._shot.canvas(index)

    def hole(self, index: int) -> Floats:
        """float32 (H, W): the composite matte."""
        return self._shot.matte(index)


def _by_draft(
    shot: Shot, color: ColorTransform, record: dict[str, str], progress: Progress, made: Made
) -> Iterator[Written]:
    if shot.spec.picture.overlay:
        for index in range(len(shot.frames)):
            mattes = shot.mattes(index)
            drawn = compose_quadmask(mattes.remove, mattes.affected, affected_shape="drawn")
            _save_overlay(shot, index, color.encode(shot.canvas(index)), drawn, made)
            progress(Stage.DECODE, len(shot.frames) + index + 1, 2 * len(shot.frames))
    # 5
    engine = DraftEngine()
    record.update(engine.record)
    for index, fill in engine.fill(DraftSource(shot), progress):
        shot.write(Role.RESULT, index, fill, shot.display, _as_it_is, _metadata(shot.spec, record))  # 7
        yield Role.RESULT, index


def _as_it_is(colours: Floats) -> Floats:
    return colours


def _to_raster(
    shot: Shot, color: ColorTransform, fit: Fit, record: dict[str, str], progress: Progress
) -> tuple[Floats, Classes, ColorTransform]:
    """What the model gets: plates (F, h, w, 3), quadmasks (F, h, w); and the colour with the exposure found.

    Every frame is read once. The exposure that the meter finds is known after the last and put on at the raster.
    """
    count, picture = len(shot.frames), shot.spec.picture
    asked = picture.exposure_stops()
    color = color.exposed(asked or 0.0)
    plates = np.empty((count, *fit.raster, 3), np.float32)
    quadmasks = np.empty((count, *fit.raster), np.uint8)
    meter = LightMeter()
    for index in range(count):
        mattes = shot.mattes(index)
        light = color.light(shot.canvas(index, fit.box))
        meter.see(light, _surroundings(mattes, fit.box, shot.display))
        plates[index] = fit.to_raster(color.fold(light))
        first_frame_clear = index == 0 and picture.affected_first_frame == "clear"
        quadmasks[index] = _quadmask(mattes, fit, shot.display, picture, first_frame_clear)
        progress(Stage.DECODE, count + index + 1, 2 * count)
    white = color.white
    if asked is None and not color.is_video:
        metered = color.exposed(meter.stops())
        if metered.stops:
            for plate in plates:
                plate[:] = metered.fold(color.unfold(plate))
        color, white = metered, min(white, metered.white)
    record["encoding"] = picture.encoding
    record["exposure"] = f"{color.stops:+g} stops"
    record.update(meter.describe(white))
    return plates, quadmasks, color


def _neighbours(shot: Shot, box: Box) -> Iterator[tuple[Floats, Floats]]:
    """Plate and matte over the box of a few neighbouring frames from the middle of the shot."""
    first = max(0, (len(shot.frames) - GRAIN_FRAMES) // 2)
    for index in range(first, min(len(shot.frames), first + GRAIN_FRAMES)):
        yield shot.canvas(index, box), box.of(shot.matte(index), shot.display)


def _surroundings(mattes: Mattes, box: Box, display: Box) -> npt.NDArray[np.bool_]:
    """The pixels of the box that no matte marks; all of them when there is none."""
    free: npt.NDArray[np.bool_] = box.of(mattes.remove, display) == 0
    if mattes.affected is not None:
        free &= box.of(mattes.affected, display) == 0
    return free if free.any() else ~free


def _quadmask(
    mattes: Mattes, fit: Fit, display: Box, picture: PictureSettings, first_frame_clear: bool
) -> Classes:
    """At the raster: a ready-made quadmask resized as it is, two mattes composed."""
    if mattes.quadmask is not None:
        classes = grow_remove(mattes.quadmask, picture.model_grow_px)
        return resize_quadmask(fit.box.of(classes, display), fit.raster)
    remove = grow(mattes.remove, picture.model_grow_px)
    return compose_quadmask(
        fit.to_raster(fit.box.of(remove, display)),
        None if mattes.affected is None else fit.to_raster(fit.box.of(mattes.affected, display)),
        affected_shape=picture.affected_shape,
        first_frame_clear=first_frame_clear,
    )


def _save_overlay(shot: Shot, index: int, plate: Floats, quadmask: Classes, made: Made) -> None:
    if shot.spec.picture.overlay:
        path = shot.folder.frame(Role.OVERLAY, shot.frames[index])
        write_png(path, overlay(plate, quadmask))
        made(Role.OVERLAY, shot.frames[index], path)


def _metadata(spec: JobSpec, record: Mapping[str, str]) -> dict[str, str]:
    """What each result frame says of its making, as EXR attributes."""
    settings = (
        {} if spec.void is None else {"void/seed": str(spec.void.seed), "void/passes": str(spec.void.passes)}
    )
    made_by = {f"void/{name.replace(' ', '_')}": value for name, value in record.items()}
    return {"void/job": spec.job, "void/prompt": spec.prompt, **settings, **made_by}
