"""A ball that falls once its cart is gone: true at every n-th frame, rebuilt between, beside what one would do else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from void_server.bench.oracle import COLORSPACE, RASTER
from void_server.bench.row import Row
from void_server.engine.flow import open_flow
from void_server.engine.motion import identity, sample
from void_server.engine.time_base import rebuild, sampled
from void_server.frames.color import ColorTransform
from void_server.frames.crop import choose_fit
from void_server.frames.geometry import Box, Fit, Floats, bounds, union
from void_server.frames.matte import Classes, compose_quadmask
from void_server.scene import Scene
from void_server.scene.scene import Camera
from void_wire.messages import PictureSettings

HEIGHT_PX, WIDTH_PX, FRAMES = 1080, 2048, 14  # the ball lies on the floor from the tenth
OFF_PX = 1.0
REDNESS = 0.3  # of 0..1, encoded, red above green: only the ball has more
KEEP = 255


def rows() -> list[Row]:
    """Position and PSNR for each camera, one answer in two and in three frames; three minutes on two free cores."""
    found = []
    for camera in get_args(Camera):
        falling = Falling.of(Scene(HEIGHT_PX, WIDTH_PX, FRAMES, camera))
        for every in (2, 3):
            found += _judged(falling, every)
    return found


@dataclass(frozen=True)
class Falling:
    """A scene at the raster."""

    scene: Scene
    fit: Fit
    plates: Floats  # (F, h, w, 3) 0..1, encoded
    truths: Floats  # (F, h, w, 3), what a perfect model answers
    quadmasks: Classes  # (F, h, w)

    @staticmethod
    def of(scene: Scene) -> Falling:
        """Renders it at plate resolution and reduces it, as a job would."""
        display, picture = Box(0, 0, scene.width_px, scene.height_px), PictureSettings(colorspace=COLORSPACE)
        color, indices = ColorTransform(COLORSPACE), range(scene.frames)
        removes, affecteds = [scene.remove(i) for i in indices], [scene.affected(i) for i in indices]
        marked = union(
            bounds(np.maximum(*both) > 0, display) for both in zip(removes, affecteds, strict=True)
        )
        if marked is None:
            raise ValueError("the scene's mattes are empty")
        fit = choose_fit(picture, RASTER, display, marked)

        def reduced(canvas: Floats) -> Floats:
            return fit.to_raster(fit.box.of(canvas, display))

        return Falling(
            scene,
            fit,
            np.stack([reduced(color.encode(scene.plate(i))) for i in indices]),
            np.stack([reduced(color.encode(scene.truth(i))) for i in indices]),
            np.stack(
                [compose_quadmask(reduced(a), reduced(b)) for a, b in zip(removes, affecteds, strict=True)]
            ),
        )

    def rebuilt(self, at: Sequence[int]) -> Iterator[Floats]:
        """Ours."""
        answers = self.truths[list(at)]
        return rebuild(answers, at, self.plates, self.quadmasks, flow=open_flow("dis"))

    def mixed(self, at: Sequence[int]) -> Iterator[Floats]:
        """The two answers around each frame, blended."""
        for index, one, other, share in _between(at):
            yield self._merged(index, (1 - share) * self.truths[one] + share * self.truths[other])

    def warped(self, at: Sequence[int]) -> Iterator[Floats]:
        """The two answers around each frame, brought along the flow between them and blended."""
        flow = open_flow("dis")
        for index, one, other, share in _between(at):
            first, second = self.truths[one], self.truths[other]
            here = identity(*first.shape[:2])
            forth, back = (np.moveaxis(flow(*pair), 0, -1) for pair in ((first, second), (second, first)))
            halves = sample(first, here + share * back), sample(second, here + (1 - share) * forth)
            yield self._merged(index, (1 - share) * halves[0] + share * halves[1])

    def _merged(self, index: int, answer: Floats) -> Floats:
        kept = (self.quadmasks[index] == KEEP)[..., None]
        return np.where(kept, self.plates[index], answer)

    def off_px(self, frames: Sequence[Floats], at: Sequence[int]) -> float:
        """The furthest that the ball is from where it should be in a frame between, in plate pixels."""
        return max(
            float(np.hypot(*(self._ball(frames[i]) - self._ball(self.truths[i]))))
            for i in range(len(frames))
            if i not in at
        )

    def psnr_db(self, frames: Sequence[Floats], at: Sequence[int]) -> float:
        """In the holes of the frames between, as encoded."""
        between = [i for i in range(len(frames)) if i not in at]
        holes = self.quadmasks[between] != KEEP
        off = np.stack([frames[i] - self.truths[i] for i in between])[holes]
        return float(-10 * np.log10(np.square(off, dtype=np.float64).mean()))

    def _ball(self, frame: Floats) -> NDArray[np.float64]:
        """(x, y) of its centre of mass in plate pixels; NaN where there is none."""
        plate = self.fit.from_raster(frame)
        weight = np.maximum(plate[..., 0] - plate[..., 1] - REDNESS, 0).astype(np.float64)
        places = identity(*weight.shape).astype(np.float64)
        return np.asarray((places * weight[..., None]).sum(axis=(0, 1)) / (weight.sum() or np.nan))


def _between(at: Sequence[int]) -> Iterator[tuple[int, int, int, float]]:
    """Every frame: its index, the indices of the answers before and after it, and how far it is on the way."""
    for index in range(at[-1] + 1):
        after = next(number for number, seen in enumerate(at) if seen >= index)
        one, other = at[max(after - 1, 0)], at[after]
        yield index, one, other, (index - one) / max(other - one, 1)


def _judged(falling: Falling, every: int) -> list[Row]:
    at = sampled(falling.scene.frames, every)
    ways: tuple[Callable[[Sequence[int]], Iterator[Floats]], ...] = (
        falling.rebuilt,
        falling.mixed,
        falling.warped,
    )
    made = [list(way(at)) for way in ways]
    off, *others_px = (falling.off_px(frames, at) for frames in made)
    psnr, *others_db = (falling.psnr_db(frames, at) for frames in made)
    what = f"{falling.scene.camera}, one answer in {every}"
    best_px, best_db = min(others_px), max(others_db)
    note = "both answers blended {:.4g} {unit}, brought along the flow between them {:.4g} {unit}"
    return [
        Row(f"falling, position, {what}", off, "px", best_px, off / best_px, f"at most {OFF_PX:g} px at 2K",
            off <= OFF_PX, note.format(*others_px, unit="px") + "; the worst frame"),
        Row(f"falling, psnr in the hole, {what}", psnr, "dB", best_db, psnr / best_db, "above both baselines",
            psnr > best_db, note.format(*others_db, unit="dB")),
    ]  # fmt: skip
