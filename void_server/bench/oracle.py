"""An engine that knows the answer, and a scene's way through the delivery: whatever is wrong after it is ours.

The oracle answers with the true clean plate as the model would: reduced to the raster, in the model's encoding.
Between plate and oracle, and between oracle and result, run the functions that `removal.py` runs.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from void_server.engine.borrow import Box as Area
from void_server.engine.detail import Detail
from void_server.frames.color import ColorTransform
from void_server.frames.crop import choose_fit
from void_server.frames.exposure import LightMeter
from void_server.frames.exr import read_plate, write_frame
from void_server.frames.geometry import Box, Fit, Floats, bounds, union
from void_server.frames.grain import NONE, Grain
from void_server.job_folder import JobFolder
from void_server.progress import unwatched
from void_server.scene import Scene
from void_server.shot import Shot, TakeSource, drawn_on
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
    """A scene on its way, all of its frames.

    Args:
        scene: the shot.
        folder: for plates, mattes, truths and results.
    """

    scene: Scene
    folder: Path
    seconds: float = field(default=0.0, init=False)  # spent on everything that is not the oracle

    def __post_init__(self) -> None:
        scene = self.scene
        spec = JobSpec(
            "0" * 32,
            "delivery",
            "draft",
            FrameRange(0, scene.frames - 1),
            (Role.PLATE, Role.REMOVE, Role.AFFECTED),
            picture=PictureSettings(colorspace=COLORSPACE),
        )
        job = JobFolder(self.folder)
        job.make((*spec.roles, Role.RESULT))
        size = (scene.frames, scene.height_px, scene.width_px, 3)
        self._truths = np.memmap(self.folder / "truths", np.float32, "w+", shape=size)
        for index in range(scene.frames):
            self._truths[index] = scene.truth(index)
            written = {
                Role.PLATE: (scene.plate(index), "RGB"),
                Role.REMOVE: (scene.remove(index)[..., None], "A"),
                Role.AFFECTED: (scene.affected(index)[..., None], "A"),
            }
            for role, (pixels, channels) in written.items():
                write_frame(job.frame(role, index), index, pixels.astype(np.float16), channels)
        self.shot = Shot(spec, job)
        self.fit = choose_fit(spec.picture, RASTER, self.shot.display, _marked(scene))
        self.color = self._metered()

    def truth(self, index: int) -> Floats:
        """What should come back, float32 (H, W, 3)."""
        return np.array(self._truths[index])

    def to_raster(self, fit: Fit, picture: Floats) -> Floats:
        """What the model gets of a canvas over the display window."""
        return fit.to_raster(self.color.encode(fit.box.of(picture, self.shot.display)))

    def enlarged(self, index: int, oracle: Oracle) -> Floats:
        """Plain bicubic enlargement of the oracle over the whole frame, in the plate's values: the baseline."""
        whole = Fit(self.shot.display, RASTER)
        answer = oracle.answer(self.to_raster(whole, self.truth(index)), index)
        return self.color.decode(whole.from_raster(answer))

    def enlargement(self, index: int, oracle: Oracle) -> Floats:
        """What the model answers for a frame over the crop, float32 (h, w, 3) in the plate's values."""
        answer = oracle.answer(self.to_raster(self.fit, self.truth(index)), index)
        return self.color.decode(self.fit.from_raster(answer))

    def fills(self, oracle: Oracle, mode: str) -> Iterator[tuple[int, Floats, Floats]]:
        """Every index with its fill, float32 (H, W, 3) in the plate's values, and the share that has no grain, (H, W).

        ``mode`` is one of `detail.MODES`.
        """
        answers = []
        for index in range(self.scene.frames):
            answers.append(oracle.answer(self.to_raster(self.fit, self.truth(index)), index))
            began = time.perf_counter()
            self.to_raster(self.fit, self.shot.canvas(index))  # what the model would be shown
            self.seconds += time.perf_counter() - began

        def answer(index: int, area: Area) -> Floats:
            box = Box(area.left, area.top, area.right - area.left, area.bottom - area.top)
            canvas = np.full((box.height, box.width, 3), np.nan, np.float32)
            if (seen := box.within(self.fit.box)) is not None:
                seen.of(canvas, box)[:] = self.color.decode(self.fit.from_raster(answers[index], seen))
            return canvas

        with tempfile.TemporaryDirectory(prefix="void-detail-") as folder:
            began = time.perf_counter()
            detail = Detail(mode, TakeSource(self.shot, 0, self.scene.frames), Path(folder))
            for index in range(self.scene.frames):
                detail.look(index)
            for made in detail.fill(answer, unwatched):
                self.seconds += time.perf_counter() - began
                yield made
                began = time.perf_counter()

    def result(
        self, index: int, fill: Floats, grain: Grain = NONE, seed: int = 0, share: Floats | None = None
    ) -> Floats:
        """The picture with ``fill`` merged, float32 (H, W, 3), as it stands in the file; arguments as `Shot.write`."""
        display, box = self.shot.display, self.fit.box
        began = time.perf_counter()
        self.shot.write(
            Role.RESULT,
            index,
            drawn_on(fill, display),
            box,
            {},
            grain,
            seed,
            None if share is None else box.of(share, display),
        )
        self.seconds += time.perf_counter() - began
        return read_plate(self.shot.folder.frame(Role.RESULT, index), index).rgb

    def matte(self, index: int) -> Floats:
        """The composite matte, float32 (H, W)."""
        return self.shot.matte(index)

    def _metered(self) -> ColorTransform:
        color, meter = ColorTransform(COLORSPACE), LightMeter()
        for index in range(self.scene.frames):
            light = color.light(self.shot.canvas(index, self.fit.box))
            meter.see(light, self.fit.box.of(self.matte(index), self.shot.display) == 0)
        return color.exposed(meter.stops())


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
