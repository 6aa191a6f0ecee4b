"""The camera: a pinhole that stands still, pans, or is held in a hand.

World: metres, x right, y up, z away from the camera, which stands at (0, EYE_M, 0).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]

EYE_M, CART_M, WALL_M = 0.8, 5.2, 7.0
FOCAL_HEIGHTS = 1.9  # focal length over picture height
PAN_WIDTHS = 0.22  # how far a panning camera moves the centre of the picture
HAND_YAW, HAND_PITCH, HAND_ROLL, HAND_ZOOM = 0.020, 0.010, 0.014, 0.035  # largest; radians, and a share
HAND_PERIODS_S = (
    2.3,
    0.9,
    0.37,
)  # of the waves that a hand's unrest is made of, slow and wide to fast and small
FPS = 24.0


@dataclass(frozen=True)
class View:
    """One moment's camera: turned by ``yaw``, ``pitch`` and ``roll`` radians, focal length times ``zoom``.

    ``sideways`` and ``upwards`` are the steepest rays (radians) that any frame of the shot has.
    """

    height_px: int
    width_px: int
    yaw: float
    sideways: float
    upwards: float
    pitch: float = 0.0
    roll: float = 0.0
    zoom: float = 1.0

    def rays(self, samples: int = 1, rows: slice | None = None) -> tuple[Pixels, Pixels]:
        """Slopes (dx/dz, dy/dz) of the rays through ``samples`` x ``samples`` points of every pixel of ``rows``."""
        focal_px = focal_length_px(self.height_px, self.width_px) * self.zoom
        first, last, _ = (rows or slice(None)).indices(self.height_px)
        across = (np.arange(self.width_px * samples) + 0.5) / samples - 0.5 * self.width_px
        down = (np.arange(first * samples, last * samples) + 0.5) / samples - 0.5 * self.height_px
        down = down[:, None]
        if self.roll:
            sine, cosine = math.sin(self.roll), math.cos(self.roll)
            across, down = cosine * across + sine * down, cosine * down - sine * across
        sine, cosine = math.sin(self.pitch), math.cos(self.pitch)
        up, ahead = sine * focal_px - cosine * down, cosine * focal_px + sine * down
        sine, cosine = math.sin(self.yaw), math.cos(self.yaw)
        forward = cosine * ahead - sine * across
        slope_x = ((cosine * across + sine * ahead) / forward).astype(np.float32)
        return slope_x, (up / forward).astype(np.float32)

    @property
    def pixel_m(self) -> float:
        """Width of a pixel in the plane of the cart."""
        return CART_M / (focal_length_px(self.height_px, self.width_px) * self.zoom)

    def cart_plane(self) -> tuple[Pixels, Pixels]:
        """(x, y) in metres where the ray of every pixel meets the plane of the cart."""
        slope_x, slope_y = self.rays()
        return slope_x * np.float32(CART_M), slope_y * np.float32(CART_M) + np.float32(EYE_M)


def still(height_px: int, width_px: int) -> View:
    """A camera on a tripod."""
    return _turned(height_px, width_px, 0.0, 0.0)


def panning(height_px: int, width_px: int, moment: float) -> View:
    """A camera that pans with a soft start and end; ``moment`` is 0 in the first frame and 1 in the last."""
    swing = math.atan(PAN_WIDTHS * width_px / focal_length_px(height_px, width_px))
    return _turned(height_px, width_px, swing * (ease(moment) - 0.5), swing / 2)


def handheld(height_px: int, width_px: int, index: float, seed: int) -> View:
    """A camera in a hand: it turns about all three axes and breathes, smoothly and never twice alike."""
    yaw, pitch, roll, zoom = _unrest(index / FPS, seed)
    focal_px = focal_length_px(height_px, width_px)
    half_width = 0.5 * (width_px + HAND_ROLL * height_px)
    half_height = 0.5 * (height_px + HAND_ROLL * width_px)
    return View(
        height_px,
        width_px,
        yaw * HAND_YAW,
        math.atan(half_width / focal_px) + HAND_YAW,
        math.atan(half_height / focal_px) + HAND_PITCH,
        pitch * HAND_PITCH,
        roll * HAND_ROLL,
        1.0 + (1.0 + zoom) * HAND_ZOOM,
    )


def focal_length_px(height_px: int, width_px: int) -> float:
    """In pixels, at a zoom of 1."""
    # Counted in lines of a 16:9 picture of this width where the picture is wider than 16:9.
    return FOCAL_HEIGHTS * max(height_px, width_px * 9 / 16)


def ease(moment: float) -> float:
    """0 to 1 with a soft start and end, for ``moment`` from 0 to 1."""
    return 0.5 - 0.5 * math.cos(math.pi * moment)


def _turned(height_px: int, width_px: int, yaw: float, swing: float) -> View:
    focal_px = focal_length_px(height_px, width_px)
    return View(
        height_px,
        width_px,
        yaw,
        math.atan(0.5 * width_px / focal_px) + swing,
        math.atan(0.5 * height_px / focal_px),
    )


def _unrest(second: float, seed: int) -> NDArray[np.float64]:
    """Four smooth curves of time, each within -1..1."""
    phases = np.random.default_rng([seed, 3]).uniform(0.0, 2.0 * math.pi, (4, len(HAND_PERIODS_S)))
    sizes = np.asarray(HAND_PERIODS_S) / sum(HAND_PERIODS_S)
    waves = np.sin(2.0 * math.pi * second / np.asarray(HAND_PERIODS_S) + phases)
    swung: NDArray[np.float64] = waves @ sizes
    return swung
