"""Real pixels from other frames: which of them to believe, in what light, and with what weight."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.engine.motion import Mask, Pixels, identity, inside, listed, sample, sample_list
from void_server.engine.proxy import Tone
from void_server.engine.pyramid import push_pull
from void_server.engine.shelf import Stored
from void_server.pixels import floats

AGREE = (
    0.05  # on the tone curve, of blurred pictures: farther from the median a candidate shows something else
)
FEATHER_PX = 2.0
LIGHT_BLUR_PX = 12.0
LIGHT_LIMIT = 1.6  # the light between two frames of a shot changes by no more than this factor
LOCAL_LIMIT = 1.12  # and between its parts by no more than this one
SAME_LIGHT = 0.004


@dataclass(frozen=True)
class Box:
    """A part of a picture, in pixels; ``bottom`` and ``right`` are just outside."""

    top: int
    left: int
    bottom: int
    right: int

    @classmethod
    def around(cls, area: Mask, margin_px: int) -> Box:
        """The least box with all of ``area`` (H, W), which must not be empty, and a margin."""
        rows, columns = np.nonzero(area.any(axis=1))[0], np.nonzero(area.any(axis=0))[0]
        return cls(
            max(int(rows[0]) - margin_px, 0),
            max(int(columns[0]) - margin_px, 0),
            min(int(rows[-1]) + 1 + margin_px, area.shape[0]),
            min(int(columns[-1]) + 1 + margin_px, area.shape[1]),
        )

    @property
    def cut(self) -> tuple[slice, slice]:
        """Index of this part."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def nonzero(self, area: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows and columns of what of ``area`` (H, W), the whole picture, is true in this part."""
        rows, columns = np.nonzero(area[self.cut])
        return rows + self.top, columns + self.left

    def places(self) -> Pixels:
        """Where its pixels lie in the whole picture: (h, w, 2)."""
        own = identity(self.bottom - self.top, self.right - self.left)
        return own + np.asarray([self.left, self.top], np.float32)


@dataclass(frozen=True)
class Candidate:
    """What one other frame has for a part of the target, at proxy size."""

    index: int
    places: Pixels  # map (h, w, 2) into that frame
    still: bool  # the map is the identity: pixels can be copied
    visible: Mask  # (h, w)
    light: Pixels  # (h, w, 3): factor on the linear picture that brings it into the target's light
    picture: Pixels  # (h, w, 3) on the tone curve, in the target's light


def candidate(
    index: int,
    target: Pixels,
    hidden: Mask,
    places: Pixels,
    still: bool,
    source: Pixels,
    hidden_source: Mask,
    tone: Tone,
) -> Candidate:
    """Bring frame ``index`` to the target by the map ``places`` and match its light around the hole."""
    visible = (sample(hidden_source.astype(np.float32), places) <= 0) & inside(places, *source.shape[:2])
    there = sample(source, places)
    light = light_between(target, there, visible & ~hidden, tone)
    if light is None:
        return Candidate(index, places, still, visible, np.ones_like(there), there)
    return Candidate(index, places, still, visible, light, tone.encode(tone.decode(there) * light))


def light_between(
    target: Pixels, there: Pixels, both: Mask, tone: Tone, blur_px: float = LIGHT_BLUR_PX
) -> Pixels | None:
    """Smooth factor (h, w, 3) from the linear picture ``there`` to ``target``; None where it is 1 throughout.

    Pictures are (h, w, 3) on the tone curve; compared where ``both`` (h, w) show the background, which is where
    they look alike, and not in the last of the highlights. ``blur_px`` is the sigma over which means are taken.
    """
    alike = _greatest(np.abs(cv2.blur(target, (5, 5)) - cv2.blur(there, (5, 5)))) < 3 * AGREE
    weight = (both & alike & (_greatest(np.maximum(target, there)) < 0.95)).astype(np.float32)
    known = weight > 0
    if not known.any():
        return None
    linear = [tone.decode(picture) for picture in (target, there)]
    middles = [np.median(listed(picture, known), axis=0) for picture in linear]
    overall = middles[0] / np.maximum(middles[1], 1e-5)
    near = cv2.GaussianBlur(weight, (0, 0), 2.0) * weight
    sums = [push_pull(_mean_around(picture, weight, blur_px), near) for picture in linear]
    local = sums[0] / np.maximum(sums[1] * overall, 1e-5)
    factor = np.clip(overall, 1 / LIGHT_LIMIT, LIGHT_LIMIT) * np.clip(local, 1 / LOCAL_LIMIT, LOCAL_LIMIT)
    if float(np.abs(factor - 1.0).max()) < SAME_LIGHT:
        return None
    return np.asarray(factor, dtype=np.float32)


def _mean_around(picture: Pixels, weight: Pixels, blur_px: float) -> Pixels:
    sums = cv2.GaussianBlur(picture * weight[..., None], (0, 0), blur_px)
    shares = cv2.GaussianBlur(weight, (0, 0), blur_px)
    return np.asarray(sums / np.maximum(shares, 1e-6)[..., None], dtype=np.float32)


def weights(candidates: list[Candidate]) -> Pixels:
    """How much of each candidate goes into every pixel: (K, h, w), summing to 1 where any is visible, else 0.

    The first candidate that is visible and not contradicted by the majority wins; seams between
    winners are feathered.
    """
    visible = np.stack([candidate.visible for candidate in candidates])
    believed = visible & _agreeing(candidates, visible)
    usable = np.where(believed.any(axis=0), believed, visible)
    winner = np.argmax(usable, axis=0)
    shares = (
        np.stack(
            [
                cv2.GaussianBlur(((winner == k) & usable[k]).astype(np.float32), (0, 0), FEATHER_PX)
                for k in range(len(usable))
            ]
        )
        * usable
    )
    return np.asarray(shares / np.maximum(shares.sum(axis=0), 1e-6), dtype=np.float32)


def _agreeing(candidates: list[Candidate], visible: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which candidates (K, h, w) look, blurred, like the median of all that are visible; two cannot outvote."""
    blurred = np.stack([cv2.blur(candidate.picture, (5, 5)) for candidate in candidates])
    count = visible.sum(axis=0)
    ordered = _sorted(np.where(visible[..., None], blurred, np.float32(np.inf)))
    middle = np.take_along_axis(ordered, (np.maximum(count - 1, 0) // 2)[None, ..., None], axis=0)
    return np.asarray((_greatest(np.abs(blurred - middle)) < AGREE) | (count < 3))


def _sorted(pictures: Pixels) -> Pixels:
    """In place along the first axis, which is short: numpy's own sort takes five times as long there."""
    for last in range(len(pictures) - 1, 0, -1):
        for at in range(last):
            lower = np.minimum(pictures[at], pictures[at + 1])
            np.maximum(pictures[at], pictures[at + 1], out=pictures[at + 1])
            pictures[at] = lower
    return pictures


def _greatest(picture: Pixels) -> Pixels:
    """The greatest of the three channels; numpy's own reduction over so short an axis is slow."""
    return np.maximum(np.maximum(picture[..., 0], picture[..., 1]), picture[..., 2])


def rescaled(places: Pixels, size: tuple[int, int], other: tuple[int, int]) -> Pixels:
    """``places`` (..., 2) on a picture of (height, width) ``size``, on the same picture of size ``other``."""
    ratio = np.asarray([other[1] / size[1], other[0] / size[0]], np.float32)
    return np.asarray((places + 0.5) * ratio - 0.5, dtype=np.float32)


def bring(picture: Stored, places: Pixels) -> Pixels:
    """``picture`` (H, W, 3), scene-linear, at ``places`` (N, 2): sharp, and without rings at highlights."""
    if len(places) == 0:
        return np.empty((0, 3), np.float32)
    ends = [(float(axis.min()), float(axis.max())) for axis in (places[:, 0], places[:, 1])]
    sizes = (picture.shape[1], picture.shape[0])
    (left, right), (top, bottom) = (
        (min(max(int(low) - 4, 0), size - 1), min(max(int(high) + 5, 1), size))
        for (low, high), size in zip(ends, sizes, strict=True)
    )
    part = floats(picture[top : max(bottom, top + 1), left : max(right, left + 1)])
    bounded = np.asarray(part / (1.0 + np.abs(part)), dtype=np.float32)
    moved = sample_list(bounded, places - np.asarray([left, top], np.float32), cv2.INTER_LANCZOS4)
    np.clip(moved, bounded.min(), bounded.max(), out=moved)
    return np.asarray(moved / (1.0 - np.abs(moved)), dtype=np.float32)
