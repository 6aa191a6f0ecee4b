"""What the model is shown of a take: each segment's plates and quadmasks at its raster, in the model's light.

They lie in files, so that memory does not grow with the shot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from void_server.frames.color import ColorTransform
from void_server.frames.exposure import LightMeter
from void_server.frames.geometry import Box, Fit, Floats
from void_server.frames.matte import Classes, compose_quadmask, grow, grow_remove, resize_quadmask
from void_server.frames.matte_files import Mattes
from void_server.frames.segments import Segment, Take
from void_server.progress import Progress
from void_server.shot import Shot
from void_wire.messages import PictureSettings, Stage


@dataclass(frozen=True, eq=False)
class ModelInput:
    """Of one segment; position 0 is its first frame."""

    segment: Segment
    plates: Floats  # (F, h, w, 3), 0..1, encoded for the model
    quadmasks: Classes  # (F, h, w): 0 remove, 63 overlap, 127 affected, 255 keep

    def only(self, positions: Sequence[int], folder: Path) -> ModelInput:
        """The frames at ``positions`` alone."""
        some = _empty(self.segment, len(positions), folder, "some-")
        for place, position in enumerate(positions):
            some.plates[place], some.quadmasks[place] = self.plates[position], self.quadmasks[position]
        return some


def model_inputs(
    shot: Shot,
    take: Take,
    color: ColorTransform,
    folder: Path,
    progress: Progress,
    look: Callable[[int], None] = lambda position: None,
) -> tuple[list[ModelInput], ColorTransform, dict[str, str]]:
    """What the model gets of ``take``, the colour with the exposure found, and what the record says of the light.

    Every frame is looked at once. The exposure that the meter finds is known after the last, is one for the whole
    take, and is put on at the raster. Files go to ``folder``; ``progress`` is told the second half of Stage.DECODE.
    ``look`` is called with each position in the take, in order, on a thread of its own while the next frame is read.
    """
    count, picture = len(shot.frames), shot.spec.picture
    asked = picture.exposure_stops()
    color = color.exposed(asked or 0.0)
    inputs = [_empty(segment, len(segment), folder) for segment in take.segments]
    meter = LightMeter()
    with ThreadPoolExecutor(1, "looking") as beside:
        looked: Future[None] | None = None
        for index in range(take.first, take.stop):
            mattes = shot.mattes(index)
            first_frame_clear = index == take.first and picture.affected_first_frame == "clear"
            seen = [one for one in inputs if one.segment.covers(index)]
            for one in seen:
                fit, position = one.segment.fit, index - one.segment.first
                light = color.light(shot.canvas(index, fit.box))
                if one is seen[0]:
                    meter.see(light, _surroundings(mattes, fit.box, shot.display))
                one.plates[position] = fit.to_raster(color.fold(light))
                one.quadmasks[position] = _quadmask(mattes, fit, shot.display, picture, first_frame_clear)
            if looked is not None:
                looked.result()
            looked = beside.submit(look, index - take.first)
            progress(Stage.DECODE, count + index + 1, 2 * count)
        if looked is not None:
            looked.result()
    white = color.white
    if asked is None and not color.is_video:
        metered = color.exposed(meter.stops())
        if metered.stops:
            for one in inputs:
                for plate in one.plates:
                    plate[:] = metered.fold(color.unfold(plate))
        color, white = metered, min(white, metered.white)
    return inputs, color, {"exposure": f"{color.stops:+g} stops", **meter.describe(white)}


def _empty(segment: Segment, count: int, folder: Path, name: str = "") -> ModelInput:
    size = (count, *segment.fit.raster)
    return ModelInput(
        segment,
        np.memmap(folder / f"{name}plates-{segment.first}", np.float32, "w+", shape=(*size, 3)),
        np.memmap(folder / f"{name}quadmasks-{segment.first}", np.uint8, "w+", shape=size),
    )


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
