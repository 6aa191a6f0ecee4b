"""An engine that knows the answer, and a scene's way through the delivery: whatever is wrong after it is ours.

The oracle answers with the true clean plate as the model would: reduced to the raster, in the model's encoding.
Between plate and oracle, and between oracle and result, run the functions that `removal.py` runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from void_server.frames.color import ColorTransform
from void_server.frames.crop import choose_fit
from void_server.frames.exposure import LightMeter
from void_server.frames.exr import read_plate, write_frame
from void_server.frames.geometry import Box, Fit, Floats, bounds, union
from void_server.job_folder import JobFolder
from void_server.scene import Scene
from void_server.shot import Shot
from void_wire.messages import FrameRange, JobSpec, PictureSettings, Role

RASTER = (384, 672)
SMALL_LINES = 270  # what the mattes of a whole shot cover is found at this height
COLORSPACE = "lin_rec709"


@dataclass(frozen=True)
class Oracle:
    """The true clean plate at the raster, as exact as the model would be at best, or a little less."""

    blur_px: float = 0.0  # of the raster, as a VAE softens
    drift: float = 0.0  # levels of 255 that each channel is off, slowly changing

    def answer(self, truth: Floats, index: int) -> Floats:
        """What the engine would give for ``truth``, float32 (h, w, 3) 0..1, at the raster."""
        seen = cv2.GaussianBlur(truth, (0, 0), self.blur_px) if self.blur_px else truth
        off = np.sin(index / 5 + np.arange(3)) * (self.drift / 255)
        return np.asarray(np.clip(seen + off, 0, 1), dtype=np.float32)


@dataclass
class Delivery:
    """Some frames of a scene on their way.

    Args:
        scene: the shot; the crop is that of all its frames.
        indices: those that are sent and measured, without a hole.
        folder: for plates, mattes and results.
    """

    scene: Scene
    indices: Sequence[int]
    folder: Path
    seconds: float = field(default=0.0, init=False)  # spent on everything that is not the oracle

    def __post_init__(self) -> None:
        frames = FrameRange(self.indices[0], self.indices[-1])
        spec = JobSpec(
            "0" * 32,
            "delivery",
            "draft",
            frames,
            (Role.PLATE, Role.REMOVE, Role.AFFECTED),
            picture=PictureSettings(colorspace=COLORSPACE),
        )
        job = JobFolder(self.folder)
        job.make((*spec.roles, Role.RESULT))
        self.truths: dict[int, Floats] = {}
        for index in self.indices:
            self.truths[index] = self.scene.truth(index)
            written = {
                Role.PLATE: (self.scene.plate(index), "RGB"),
                Role.REMOVE: (self.scene.remove(index)[..., None], "A"),
                Role.AFFECTED: (self.scene.affected(index)[..., None], "A"),
            }
            for role, (pixels, channels) in written.items():
                write_frame(job.frame(role, index), index, pixels.astype(np.float16), channels)
        self.shot = Shot(spec, job)
        self.fit = choose_fit(spec.picture, RASTER, self.shot.display, _marked(self.scene))
        self.color = self._metered()

    def to_raster(self, fit: Fit, picture: Floats) -> Floats:
        """What the model gets of a canvas over the display window."""
        return fit.to_raster(self.color.encode(fit.box.of(picture, self.shot.display)))

    def enlarged(self, index: int, oracle: Oracle) -> Floats:
        """Plain bicubic enlargement of the oracle over the whole frame, in the plate's values: the baseline."""
        whole = Fit(self.shot.display, RASTER)
        answer = oracle.answer(self.to_raster(whole, self.truths[index]), index)
        return self.color.decode(whole.from_raster(answer))

    def fill(self, index: int, oracle: Oracle, detail: Detail) -> Floats:
        """The fill over the crop in the plate's values, float32 (h, w, 3)."""
        answer = oracle.answer(self.to_raster(self.fit, self.truths[index]), index)
        began = time.perf_counter()
        self.to_raster(self.fit, self.shot.canvas(index - self.indices[0]))  # what the model would be shown
        fill = self.color.decode(detail(self, index, answer))
        self.seconds += time.perf_counter() - began
        return fill

    def result(self, index: int, fill: Floats) -> Floats:
        """The picture with ``fill`` merged, float32 (H, W, 3), as it stands in the file."""
        began = time.perf_counter()
        self.shot.write(Role.RESULT, index - self.indices[0], fill, self.fit.box, lambda colours: colours, {})
        self.seconds += time.perf_counter() - began
        return read_plate(self.shot.folder.frame(Role.RESULT, index), index).rgb

    def matte(self, index: int) -> Floats:
        """The composite matte, float32 (H, W)."""
        return self.shot.matte(index - self.indices[0])

    def _metered(self) -> ColorTransform:
        color, meter = ColorTransform(COLORSPACE), LightMeter()
        for position, index in enumerate(self.indices):
            light = color.light(self.shot.canvas(position, self.fit.box))
            meter.see(light, self.fit.box.of(self.matte(index), self.shot.display) == 0)
        return color.exposed(meter.stops())


Detail = Callable[[Delivery, int, Floats], Floats]
"""A canvas over the crop, encoded, of the oracle's answer at the raster: (delivery, index, answer)."""


def upscale(delivery: Delivery, index: int, answer: Floats) -> Floats:
    """The answer, enlarged."""
    return delivery.fit.from_raster(answer)


def _marked(scene: Scene) -> Box:
    """Around what the mattes hold in all frames, found on a small rendering."""
    scale = max(1, scene.height_px // SMALL_LINES)
    small = replace(scene, height_px=scene.height_px // scale, width_px=scene.width_px // scale)
    window = Box(0, 0, small.width_px, small.height_px)
    held = union(
        bounds((small.remove(index) > 0) | (small.affected(index) > 0), window)
        for index in range(scene.frames)
    )
    if held is None:
        raise ValueError("the scene's mattes are empty")
    box = Box(held.x * scale, held.y * scale, held.width * scale, held.height * scale).grown(scale)
    return box.within(Box(0, 0, scene.width_px, scene.height_px)) or box
