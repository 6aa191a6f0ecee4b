"""A shot at working size: small 8-bit copies of every frame, on disk, in which all decisions are made.

The draft engine decides at this size what moves how and which frame shows what; only the pixels themselves are
taken at plate resolution. So memory does not grow with the shot, and hardly with the plate.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]

LONG_SIDE_PX = 960
GREY = 0.18
BAY = 0.04  # of the long side: gaps narrower than this are no view of the background


@dataclass(frozen=True)
class Tone:
    """A bounded curve from scene-linear 0..inf to 0..1 and back; ``exposure`` brings the shot to mid-grey."""

    exposure: float

    @classmethod
    def of(cls, plate: Pixels) -> Tone:
        """Exposure from the geometric mean of ``plate`` (H, W, 3), scene-linear."""
        mean = float(np.exp(np.log(np.maximum(plate, 1e-4), dtype=np.float64).mean()))
        return cls(GREY / mean)

    def encode(self, linear: Pixels) -> Pixels:
        """0 -> 0, mid-grey -> 0.5, and ever slower towards 1; negative values become 0."""
        lifted = np.maximum(linear, 0.0) * np.float32(self.exposure / (3.0 * GREY))
        return np.asarray(np.sqrt(lifted / (lifted + 1.0)), dtype=np.float32)

    def decode(self, encoded: Pixels) -> Pixels:
        """Inverse of `encode` on 0..1; what lies nearer to 1 than 8 bits tell apart is held there."""
        square = np.square(np.clip(encoded, 0.0, 0.998))
        return np.asarray(square / (1.0 - square) * np.float32(3.0 * GREY / self.exposure), dtype=np.float32)


class Proxies:
    """The shot at working size, in memory-mapped files under ``folder``."""

    def __init__(self, folder: Path, count: int, height_px: int, width_px: int) -> None:
        scale = min(1.0, LONG_SIDE_PX / max(height_px, width_px))
        self.height_px = max(1, round(height_px * scale))
        self.width_px = max(1, round(width_px * scale))
        size = (count, self.height_px, self.width_px)
        self._colour = np.memmap(folder / "colour", np.uint8, "w+", shape=(*size, 3))
        self._hole = np.memmap(folder / "hole", np.bool_, "w+", shape=size)
        self._closed = np.memmap(folder / "shut", np.bool_, "w+", shape=size)

    def put(self, index: int, plate: Pixels, hole: NDArray[np.bool_] | Pixels, tone: Tone) -> None:
        """Keep frame ``index``: plate (H, W, 3) scene-linear, hole (H, W), of which anything above 0 counts."""
        size = (self.width_px, self.height_px)
        covered = (hole > 0).astype(np.float32)
        shrink = plate.shape[:2] != (self.height_px, self.width_px)
        if shrink:
            plate = cv2.resize(plate, size, interpolation=cv2.INTER_AREA)
            covered = cv2.resize(covered, size, interpolation=cv2.INTER_AREA)
        self._colour[index] = np.rint(tone.encode(plate) * 255.0).reshape(self.height_px, self.width_px, 3)
        self._hole[index] = covered.reshape(self.height_px, self.width_px) > 0
        self._closed[index] = self._hole[index]

    def colour(self, index: int) -> Pixels:
        """(h, w, 3), 0..1, on the tone curve."""
        return np.asarray(self._colour[index], dtype=np.float32) / np.float32(255.0)

    def hole(self, index: int) -> NDArray[np.bool_]:
        """(h, w): what must not be trusted."""
        return np.array(self._hole[index])

    def put_moving(self, index: int, moving: NDArray[np.bool_]) -> None:
        """Add to what moves by itself in frame ``index``: (h, w) of any size."""
        size = (self.width_px, self.height_px)
        here = cv2.resize(moving.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        self._closed[index] |= here.reshape(self.height_px, self.width_px)

    def close(self, index: int) -> None:
        """Frame ``index`` is complete: add the gaps and bays of what is closed in it.

        Something stands there before what is to go, and would be borrowed with the background.
        """
        rim = round(BAY * max(self.height_px, self.width_px))
        if rim:
            square = np.ones((rim + 1, rim + 1), np.uint8)
            area = np.pad(self._closed[index], rim).astype(np.uint8)
            self._closed[index] = cv2.morphologyEx(area, cv2.MORPH_CLOSE, square)[rim:-rim, rim:-rim] > 0

    def closed(self, index: int) -> NDArray[np.bool_]:
        """(h, w): what no other frame may borrow, holes and things that move by themselves."""
        return np.array(self._closed[index])
