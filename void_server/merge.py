"""The way back: the model's answers over the plates of a take, with the plate's detail and grain, as files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from void_server.engine.borrow import Box as Area
from void_server.engine.detail import Detail
from void_server.frames.color import ColorTransform
from void_server.frames.crop import describe
from void_server.frames.geometry import Box, Floats
from void_server.frames.grain import NONE, Grain, measure
from void_server.frames.matte import Classes, enlarge_quadmask
from void_server.frames.segments import Segment, Take, common_box, joined
from void_server.metadata import metadata
from void_server.model_input import ModelInput
from void_server.pixels import floats
from void_server.progress import Progress
from void_server.record import Record
from void_server.shot import Fill, Shot, drawn_on
from void_server.writing import Writing, Written
from void_wire.messages import Role, VoidSettings

Answer = tuple[Role, int, Segment, Floats]
"""What the model made of a frame in a segment: the pass as a role, the index, the raster (h, w, 3)."""

Parts = list[tuple[Segment, Floats]]
"""The answers to one frame of every segment that has it, in order."""

GRAIN_FRAMES = 4
"""Neighbouring frames that grain is measured on."""


def complete(take: Take, answers: Iterable[Answer]) -> Iterator[tuple[Role, int, Parts]]:
    """Each frame as soon as all segments that have it have answered."""
    waiting: dict[tuple[Role, int], Parts] = {}
    for role, index, segment, answer in answers:
        parts = waiting.setdefault((role, index), [])
        parts.append((segment, answer))
        if len(parts) == len(take.covering(index)):
            yield role, index, waiting.pop((role, index))


class Merge:
    """Writes the frames of one take.

    Args:
        shot: whose frames they are.
        take: which of them.
        color: back from the model's light.
        inputs: what the model saw, of each segment.
        record: gets a part for every segment.
        light: what those say of the light.
        folder: for what has to be kept until the take is complete.
        writing: writes the frames.
    """

    def __init__(
        self,
        shot: Shot,
        take: Take,
        color: ColorTransform,
        inputs: Iterable[ModelInput],
        record: Record,
        light: Mapping[str, str],
        folder: Path,
        writing: Writing,
    ) -> None:
        self._writing = writing
        self._shot, self._take, self._color, self._record = shot, take, color, record
        settings = shot.spec.void or VoidSettings()
        self._seed, self._folder = settings.seed, folder
        self._quadmasks = {one.segment: one.quadmasks for one in inputs}
        self._grains = {segment: self._plate_grain(segment) for segment in take.segments}
        asked = (settings.raster_height_px, settings.raster_width_px)
        self._says = {
            segment: record.part(
                shot.range_text(segment.first, segment.stop),
                {
                    **describe(segment.fit, asked, shot.display, segment.marked, settings.preview),
                    **light,
                    **(grain.record() if shot.spec.picture.regrain else {}),
                },
            )
            for segment, grain in self._grains.items()
        }
        self._lacking: dict[tuple[Role, Segment], Grain] = {}
        self._pending: dict[tuple[Role, Segment], dict[int, Parts]] = {}
        self._kept: dict[Segment, npt.NDArray[np.float16]] = {}

    def put(self, role: Role, index: int, parts: Parts) -> Iterator[Written]:
        """Write a frame; where grain is put on, the first few wait for each other, because theirs is measured."""
        segment = parts[-1][0]
        key = (role, segment)
        if key in self._lacking:
            yield from self._write(role, index, parts)
            return
        pending = self._pending.setdefault(key, {})
        pending[index] = parts
        needed = 1 if self._grains[segment] is NONE else min(GRAIN_FRAMES, len(self._take))
        if len(pending) == needed:
            self._lacking[key] = self._lack(segment, pending)
            del self._pending[key]
            for waited, its_parts in pending.items():
                yield from self._write(role, waited, its_parts)

    def keep(self, index: int, parts: Parts) -> None:
        """Hold the answer to a frame until all are there, for `detailed`."""
        for segment, answer in parts:
            if segment not in self._kept:
                size = (len(segment), *answer.shape)
                self._kept[segment] = np.memmap(
                    self._folder / f"kept-{segment.first}", np.float16, "w+", shape=size
                )
            self._kept[segment][index - segment.first] = answer

    def detailed(self, detail: Detail, progress: Progress) -> Iterator[Written]:
        """Write every frame of the take from what was kept and from what ``detail`` saw of the others."""
        take, display = self._take, self._shot.display
        lacking = {
            segment: self._lack(segment, {index: self._parts(index) for index in _middle(segment)})
            for segment in take.segments
        }

        def answer(position: int, area: Area) -> Floats:
            index = take.first + position
            box = Box(area.left, area.top, area.right - area.left, area.bottom - area.top)
            box = box.moved(display.x, display.y)
            canvas = np.full((box.height, box.width, 3), np.nan, np.float32)
            if (seen := common_box(take.covering(index)).within(box)) is not None:
                seen.of(canvas, box)[:] = self._fill(index, self._parts(index))(seen)
            return canvas

        for position, fill, share in detail.fill(answer, progress):
            index = take.first + position
            segments = take.covering(index)
            box, segment = common_box(segments), segments[-1]
            self._says[segment].update(detail.record)
            write = partial(
                self._shot.write,
                Role.RESULT,
                index,
                drawn_on(fill, display),
                box,
                self._attributes(Role.RESULT, segment),
                lacking[segment],
                self._seed,
                box.of(share, display),
                self._seen(segment, index, box),
                enlarged=segment.fit.detail < 1,
            )
            yield from self._writing.put((Role.RESULT, index), write)

    def _write(self, role: Role, index: int, parts: Parts) -> Iterator[Written]:
        box, segment = common_box(self._take.covering(index)), parts[-1][0]
        write = partial(
            self._shot.write,
            role,
            index,
            self._fill(index, parts),
            box,
            self._attributes(role, segment),
            self._lacking[role, segment],
            self._seed,
            quadmask=self._seen(segment, index, box),
            enlarged=segment.fit.detail < 1,
        )
        yield from self._writing.put((role, index), write)

    def _seen(self, segment: Segment, index: int, box: Box) -> Classes | None:
        """What the model saw of a frame over ``box`` of its segment's, where a layer shows it."""
        if "quadmask" not in self._shot.spec.picture.layers:
            return None
        whole = segment.fit.box
        raster = self._quadmasks[segment][index - segment.first]
        return box.of(enlarge_quadmask(raster, (whole.height, whole.width)), whole)

    def _attributes(self, role: Role, segment: Segment) -> dict[str, str]:
        return metadata(self._shot.spec, role, {**self._record.whole, **self._says[segment]})

    def _fill(self, index: int, parts: Parts) -> Fill:
        return lambda box: self._color.decode(joined(index, parts, box))

    def _parts(self, index: int) -> Parts:
        """The answers to a frame that was kept."""
        return [(one, floats(self._kept[one][index - one.first])) for one in self._take.covering(index)]

    def _plate_grain(self, segment: Segment) -> Grain:
        if not self._shot.spec.picture.regrain:
            return NONE
        box, shot = segment.fit.box, self._shot
        return measure(
            (shot.canvas(index, box), box.of(shot.matte(index), shot.display)) for index in _middle(segment)
        )

    def _lack(self, segment: Segment, answers: Mapping[int, Parts]) -> Grain:
        """The plate's grain less what the ``answers`` have of it, around the matte, by index."""
        grain = self._grains[segment]
        if grain is NONE:
            return NONE
        boxes = {index: common_box(self._take.covering(index)) for index in answers}
        present = measure(
            (
                self._fill(index, parts)(boxes[index]),
                boxes[index].of(self._shot.matte(index), self._shot.display),
            )
            for index, parts in answers.items()
        )
        return grain.without(present)


def _middle(segment: Segment) -> range:
    """A few neighbouring frames from its middle."""
    first = segment.first + max(0, (len(segment) - GRAIN_FRAMES) // 2)
    return range(first, min(segment.stop, first + GRAIN_FRAMES))
