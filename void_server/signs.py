"""Honest signs: what a finished frame shows of its own faults, with no truth to compare it with.

Each is measured on a working picture of the frame around its matte, at most about `WORKING_LINES` lines for the whole
plate, as *levels*: the logarithm of the luma of the light and of red and blue over green, float32 (h, w, 3). A
difference of 0.03 is 3 % of light or colour. `SignMeter` takes the frames in order and holds three of them.

- `residual`: the slope of the result's gradients over the plate's inside the remove matte. What is left of an object as
  a ghost of a quarter has a quarter of its gradients; a background that is new has nothing to do with them.
- `seam`: the step that goes along with the composite matte's own fall-off (the weighted median of the level's gradient
  along the matte's over the matte's), so that texture, which crosses the edge anywhere and both ways, counts
  little. The lesser of two, with and without the slopes of light that the picture has by itself. A step that is up on
  one half of the edge and down on the other cancels out.
- `flicker`: the second difference in time of the level in the hole, over that of the plate beside it.
- `drift`: what the engine made of the pixels it was to keep, against the plate.

A sign is None where there is too little to tell by. tests/server/test_signs.py plants each fault on scenes whose truth
is known.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from statistics import fmean, median

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.frames.geometry import Box, Floats
from void_server.frames.sequence import named_frames
from void_wire.messages import WORTH_A_LOOK, Signs

Places = NDArray[np.bool_]

WORKING_LINES = 540
MARGIN_PX = 24  # of the working picture, around the matte: the plate that the hole is compared with
SMOOTH_PX = 2.0  # deviation of the Gaussian that gradients are taken after: grain is no structure
WIDE_PX = 8.0  # deviation of the Gaussian that takes slopes of light away
COARSE_PX = 8  # levels in time are compared as means of squares of this side
DARK = 0.01  # light below which a step is not seen in proportion any more
FAINT = (
    0.002  # root mean square of gradients a pixel, in levels, below which there is no structure to find again
)
STEADY = 0.003  # a jump of the level that nobody sees
EDGE = 0.02  # a pixel is on the matte's edge where the smoothed matte falls by this a pixel
ENOUGH_PX, ENOUGH_SQUARES = 64, 4
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # ITU-R BT.709-6


def levels(light: Floats) -> Floats:
    """Scene-linear light (..., 3), Rec.709 primaries, as levels (..., 3): luma, red over green, blue over green."""
    lit = np.maximum(light, 0.0) + np.float32(DARK)
    red, green, blue = (np.log(lit[..., channel]) for channel in range(3))
    return np.stack([np.log(lit @ _LUMA), red - green, blue - green], axis=-1).astype(np.float32)


def residual(plate: Floats, result: Floats, remove: Floats) -> float | None:
    """How much of the object's structure the result still has, from 0; about 1 where it is as it was.

    ``plate`` and ``result`` are levels (h, w, 3), ``remove`` (h, w) the object's coverage.
    """
    where = remove > 0
    if where.sum() < ENOUGH_PX:
        return None
    own = other = 0.0
    for was, now in zip(_gradients(plate), _gradients(result), strict=True):
        own += float(np.square(was[where]).sum())
        other += float((was[where] * now[where]).sum())
    return max(other / own, 0.0) if own > FAINT**2 * where.sum() else None


def seam(result: Floats, matte: Floats) -> float | None:
    """The step along the matte's edge, the largest of level and colour: 0.03 is 3 %.

    ``result`` is levels (h, w, 3), ``matte`` (h, w) the composite matte.
    """
    found = []
    for wide_px in (
        None,
        WIDE_PX,
    ):  # a slope of the picture itself shows in the first alone, texture in either
        fall = _gradients(matte, wide_px)
        steepness = np.hypot(*fall)
        edge = steepness > EDGE
        if edge.sum() < ENOUGH_PX:
            return None
        weight = steepness[edge]
        along = [part[edge] / weight**2 for part in fall]
        across, down = (part[edge] for part in _gradients(result, wide_px))
        steps = across * along[0][:, None] + down * along[1][:, None]
        found.append(max(abs(_weighted_median(steps[:, level], weight)) for level in range(steps.shape[1])))
    return min(found)


def flicker(pictures: tuple[Floats, Floats, Floats], mattes: tuple[Floats, Floats, Floats]) -> float | None:
    """How much more the level jumps in the hole than beside it, over three neighbouring frames; about 1 is none.

    ``pictures`` are levels (h, w, 3), ``mattes`` (h, w). The median over squares where all three mattes are 1, over
    what it would be were they the plate: the root of the squares of the median over those beside them, where all three
    are 0, and of the deviation that a median of so many has there (1.858 times their median absolute deviation
    over the root of their number, of normally distributed values). A jump below ``STEADY`` counts as that.
    """
    before, now, after = (_coarse(picture[..., 0]) for picture in pictures)
    jump = before - 2 * now + after
    inside = _coarse(np.min(mattes, axis=0)) >= 1
    around = _coarse(_beside(np.max(mattes, axis=0)).astype(np.float32)) == 1
    if not inside.any() or around.sum() < ENOUGH_SQUARES:
        return None
    within, beside = float(np.median(jump[inside])), float(np.median(jump[around]))
    wander = 1.858 * float(np.median(np.abs(jump[around] - beside))) / math.sqrt(inside.sum())
    return max(abs(within), STEADY) / max(math.hypot(beside, wander), STEADY)


def drift(plate: Floats, answer: Floats, kept: Places) -> float | None:
    """How far the engine's answer is off where it was to keep the plate: 0.03 is 3 % of level or colour.

    ``plate`` and ``answer`` are light (h, w, 3) of what the engine saw, ``kept`` (h, w). The mean over coarse squares,
    so that softness and grain are no drift; the largest of level and colour.
    """
    squares = _coarse(kept.astype(np.float32)) == 1
    if squares.sum() < ENOUGH_SQUARES:
        return None
    off = levels(_coarse(answer)[squares]) - levels(_coarse(plate)[squares])
    return float(np.abs(off).mean(axis=0).max())


@dataclass(frozen=True, eq=False)
class Judged:
    """One frame as it is merged, over ``box`` of the plate; pictures in the plate's own values.

    ``box`` should reach a little beyond the matte, see `SignMeter.around`.
    """

    box: Box
    plate: Floats  # (h, w, 3)
    result: Floats  # (h, w, 3)
    remove: Floats  # (h, w), 0..1
    matte: Floats  # (h, w), 0..1, the composite matte
    generated: Floats | None = None  # (h, w), 0..1: share that no other frame shows; None: all of it
    enlarged: bool = False  # what was generated was made smaller than it is shown


@dataclass(frozen=True, eq=False)
class _Held:
    """A frame at working size until its neighbour is there."""

    index: int
    box: Box  # in working pixels
    result: Floats  # levels
    matte: Floats
    signs: Signs


class SignMeter:
    """Judges the frames of a shot one after the other; a frame's signs are known once the next was seen.

    Args:
        lines: height of the whole plate.
        light: takes the plate's values (..., 3) to scene-linear light with Rec.709 primaries.
    """

    def __init__(self, lines: int, light: Callable[[Floats], Floats]) -> None:
        self._every = max(1, round(lines / WORKING_LINES))
        self._light = light
        self._held: list[_Held] = []
        self._drift: dict[int, float | None] = {}
        self._told: deque[tuple[int, Signs]] = deque()  # filled by one thread, emptied by another

    def around(self, matte: Box, window: Box) -> Box:
        """The part of ``window`` that a frame whose matte lies within ``matte`` is judged by."""
        return matte.grown((MARGIN_PX + COARSE_PX) * self._every).within(window) or matte

    def kept(self, index: int, plate: Floats, answer: Floats, kept: Places) -> None:
        """Note the drift of the frame at ``index``, before it is seen; see `drift`."""
        self._drift[index] = drift(plate, answer, kept)

    def see(self, index: int, frame: Judged) -> None:
        """Take the frame at ``index`` (position in the range)."""
        if self._held and self._held[-1].index != index - 1:
            self.end()
        held = self._measured(index, frame)
        if held is None:
            self.end()
            self._told.append((index, Signs(drift=self._drift.pop(index, None))))
            return
        self._held.append(held)
        if len(self._held) > 1:
            self._judge(self._held[-2], self._held[-3:])
        del self._held[:-2]

    def end(self) -> None:
        """No frame follows the last one seen: judge it without. At the end of a shot, and at a cut."""
        if self._held:
            self._judge(self._held[-1], [])
        self._held = []

    def told(self) -> list[tuple[int, Signs]]:
        """Index and signs of the frames that were judged since this was asked last."""
        return [self._told.popleft() for _ in range(len(self._told))]

    def _measured(self, index: int, frame: Judged) -> _Held | None:
        box = _whole(frame.box, self._every)
        merged = float(frame.matte.sum())
        if box is None or not merged:
            return None
        plate, result, remove, matte = (
            self._reduced(picture, frame.box, box)
            for picture in (frame.plate, frame.result, frame.remove, frame.matte)
        )
        plate, result = levels(self._light(plate)), levels(self._light(result))
        made = 1.0 if frame.generated is None else float((frame.generated * frame.matte).sum()) / merged
        generated = min(max(made, 0.0), 1.0)
        signs = Signs(
            residual=residual(plate, result, remove),
            seam=seam(result, matte),
            drift=self._drift.pop(index, None),
            borrowed=1.0 - generated,
            generated=generated,
            enlarged=generated if frame.enlarged else 0.0,
        )
        return _Held(index, box, result, matte, signs)

    def _reduced(self, picture: Floats, have: Box, want: Box) -> Floats:
        """The mean of squares of ``_every`` pixels, over ``want`` in working pixels."""
        every = self._every
        inside = Box(*(every * side for side in want))
        part = np.ascontiguousarray(inside.of(picture, have), dtype=np.float32)
        if every > 1:
            part = cv2.resize(part, (want.width, want.height), interpolation=cv2.INTER_AREA)
        # No number where a plate has none: the rest is judged.
        return np.nan_to_num(part, nan=0.0, posinf=65504.0, neginf=0.0)

    def _judge(self, held: _Held, three: list[_Held]) -> None:
        signs = held.signs
        if len(three) == 3 and (common := _common(three)) is not None:
            before, now, after = (common.of(one.result, one.box) for one in three)
            mattes = [common.of(one.matte, one.box) for one in three]
            signs = replace(signs, flicker=flicker((before, now, after), (mattes[0], mattes[1], mattes[2])))
        self._told.append((held.index, signs))


def worth_a_look(signs: Mapping[int, Signs]) -> str:
    """Frames by number whose signs stand out, in plain words: ``frames 1012-1014: seam``; "" when none does."""
    found: dict[str, list[int]] = {}
    for frame in sorted(signs):
        names = [name for name, limit in WORTH_A_LOOK.items() if (getattr(signs[frame], name) or 0.0) > limit]
        if names:
            found.setdefault(", ".join(names), []).append(frame)
    return "; ".join(f"{named_frames(frames)}: {names}" for names, frames in found.items())


def summary(signs: Mapping[int, Signs]) -> dict[str, str]:
    """A shot's signs by frame number in a few lines: name -> what it says. Empty where nothing was judged."""
    lines = {}
    for name in WORTH_A_LOOK:
        told = {frame: value for frame in signs if (value := getattr(signs[frame], name)) is not None}
        if told:
            worst = max(told, key=lambda frame: told[frame])
            lines[name] = f"{median(told.values()):.3f}, at worst {told[worst]:.3f} in frame {worst}"
    for name in ("borrowed", "generated", "enlarged"):
        shares = [value for frame in signs if (value := getattr(signs[frame], name)) is not None]
        if shares:
            lines[name] = f"{100 * fmean(shares):.0f} %"
    if lines:
        lines["worth a look"] = worth_a_look(signs) or "no frame stands out"
    return lines


def _gradients(picture: Floats, wide_px: float | None = None) -> tuple[Floats, Floats]:
    """To the right and down, a pixel, of a picture (h, w[, C]) without its grain, and without what is wider."""
    smooth = cv2.GaussianBlur(picture, (0, 0), SMOOTH_PX)
    if wide_px is not None:
        smooth = smooth - cv2.GaussianBlur(picture, (0, 0), wide_px)
    return cv2.Sobel(smooth, -1, 1, 0, scale=1 / 8), cv2.Sobel(smooth, -1, 0, 1, scale=1 / 8)


def _weighted_median(values: Floats, weight: Floats) -> float:
    order = np.argsort(values)
    sums = np.cumsum(weight[order], dtype=np.float64)
    return float(values[order][np.searchsorted(sums, sums[-1] / 2)])


def _beside(matte: Floats) -> Places:
    """Where ``matte`` is 0 and at most ``MARGIN_PX`` from it."""
    beyond = np.asarray(matte == 0)
    away = cv2.distanceTransform(beyond.astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(beyond & (away <= MARGIN_PX))


def _coarse(picture: Floats) -> Floats:
    height, width = (side // COARSE_PX for side in picture.shape[:2])
    squares = picture[: height * COARSE_PX, : width * COARSE_PX].reshape(
        height, COARSE_PX, width, COARSE_PX, *picture.shape[2:]
    )
    return np.asarray(squares.mean(axis=(1, 3)), dtype=np.float32)


def _whole(box: Box, every: int) -> Box | None:
    """The working pixels that lie within ``box`` wholly, in working pixels."""
    x, y = math.ceil(box.x / every), math.ceil(box.y / every)
    width, height = box.right // every - x, box.bottom // every - y
    return Box(x, y, width, height) if min(width, height) >= COARSE_PX else None


def _common(three: list[_Held]) -> Box | None:
    common: Box | None = three[0].box
    for one in three[1:]:
        common = common and common.within(one.box)
    return common
