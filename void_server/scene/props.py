"""What stands in the room: the cart, the ball it carries, the shadows and reflections of both.

Cart and ball are flat cut-outs in the plane z = CART_M; light is parallel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from void_server.scene.camera import CART_M, EYE_M, WALL_M, Pixels, View

LIGHT = (-0.6, -0.55)  # metres along x and y for every metre along z
BALL_RADIUS_M = 0.11
CART_REACH_M = (0.52, 1.27)  # half the width and the height that no part of the cart leaves

Plane = tuple[Pixels, Pixels]
"""(x, y) in metres in the plane of the cart, for every pixel."""


class Cutout(NamedTuple):
    """A prop as it is seen: where it may be, colour (h, w, 3) and coverage (h, w) there."""

    where: tuple[slice, slice]
    colour: Pixels
    coverage: Pixels

    def over(self, picture: Pixels, share: float = 1.0) -> None:
        """Lay it over ``picture`` (H, W, 3), in place."""
        below = picture[self.where]
        below += (self.colour - below) * (self.coverage * np.float32(share))[..., None]

    def matte(self, plane: Plane) -> Pixels:
        """Its coverage of the whole picture: (H, W)."""
        whole = np.zeros(plane[0].shape, np.float32)
        whole[self.where] = self.coverage
        return whole


def cart(plane: Plane, pixel_m: float, x_m: float) -> Cutout:
    """The cart standing at ``x_m``."""
    half_m, top_m = CART_REACH_M
    where = _near(plane, (x_m - half_m, x_m + half_m), (-0.05, top_m))
    x, y = (axis[where] for axis in plane)
    x = x - np.float32(x_m)
    colour = np.zeros((*x.shape, 3), np.float32)
    coverage = np.zeros(x.shape, np.float32)
    for distance, paint in _cart_parts(x, y):
        part = _coverage(distance, pixel_m)
        rounding = 0.65 + 0.35 * np.clip(-distance / 0.05, 0.0, 1.0) + 0.25 * np.clip(x / 0.3, -1.0, 1.0)
        shaded = np.asarray(paint, np.float32) * rounding[..., None].astype(np.float32)
        colour += (shaded - colour) * part[..., None]
        coverage += (1.0 - coverage) * part
    # `colour` was laid over black; dividing by the coverage makes it straight, as `over` wants it.
    colour /= np.maximum(coverage, np.float32(1e-4))[..., None]
    return Cutout(where, colour, coverage)


def ball(plane: Plane, pixel_m: float, x_m: float, y_m: float) -> Cutout:
    """The ball with its centre at (x_m, y_m)."""
    reach_m = 1.2 * BALL_RADIUS_M
    where = _near(plane, (x_m - reach_m, x_m + reach_m), (y_m - reach_m, y_m + reach_m))
    x, y = (axis[where] for axis in plane)
    across, up = (x - x_m) / BALL_RADIUS_M, (y - y_m) / BALL_RADIUS_M
    facing = np.sqrt(np.clip(1.0 - across**2 - up**2, 0.0, 1.0))
    lit = np.clip(0.55 * across + 0.55 * up + 0.63 * facing, 0.0, 1.0)
    colour = np.asarray((0.75, 0.06, 0.04), np.float32) * (0.12 + 0.95 * lit)[..., None]
    colour += (3.0 * np.clip(lit, 0.0, 1.0) ** 60)[..., None]  # the highlight
    return Cutout(where, colour.astype(np.float32), _coverage(ball_distance(x - x_m, y - y_m), pixel_m))


def mirrored(plane: Plane) -> Plane:
    """The same plane as the floor shows it: what stands at y is seen at -y, and nothing above the floor."""
    x, y = plane
    return x, np.where(y < 0.0, -y, np.float32(-100.0)).astype(np.float32)


def shadow(
    view: View,
    distance: Callable[[Pixels, Pixels], Pixels],
    x_m: tuple[float, float],
    y_m: tuple[float, float],
) -> Pixels:
    """Shadow (H, W), 0..1, that the cut-out ``distance(x, y) < 0`` casts on floor and wall, softer with depth.

    ``x_m`` and ``y_m`` are bounds of the cut-out.
    """
    slope_x, slope_y = view.rays()
    depth = np.minimum(np.float32(-EYE_M) / np.minimum(slope_y, np.float32(-1e-3)), np.float32(WALL_M))
    behind = depth - np.float32(CART_M)
    x = slope_x * depth - np.float32(LIGHT[0]) * behind
    y = slope_y * depth + np.float32(EYE_M) - np.float32(LIGHT[1]) * behind
    margin_m = 0.16  # more than any shadow is soft, see below
    where = _near((x, y), (x_m[0] - margin_m, x_m[1] + margin_m), (y_m[0] - margin_m, y_m[1] + margin_m))
    softness = 0.015 + 0.07 * np.maximum(behind[where], 0.0)
    ramp = np.clip(0.5 - distance(x[where], y[where]) / (2.0 * softness), 0.0, 1.0)
    shade = np.zeros(behind.shape, np.float32)
    shade[where] = np.where(behind[where] > 0.0, ramp * ramp * (3.0 - 2.0 * ramp), 0.0)
    return shade


def cart_distance(x: Pixels, y: Pixels) -> Pixels:
    """Signed distance in metres to the cart that stands at 0, negative inside."""
    return np.asarray(np.min([distance for distance, _ in _cart_parts(x, y)], axis=0), dtype=np.float32)


def ball_distance(x: Pixels, y: Pixels) -> Pixels:
    """Signed distance in metres to the ball that hangs at (0, 0)."""
    return _disc(x, y, BALL_RADIUS_M)


def _near(plane: Plane, x_m: tuple[float, float], y_m: tuple[float, float]) -> tuple[slice, slice]:
    """The smallest rectangle of pixels that holds all within these bounds; empty when none is."""
    x, y = plane
    inside = (x > x_m[0]) & (x < x_m[1]) & (y > y_m[0]) & (y < y_m[1])
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        return np.s_[0:0, 0:0]
    # one more on each side: a pixel whose centre is outside may still be covered in part
    return np.s_[max(rows[0] - 1, 0) : rows[-1] + 2, max(columns[0] - 1, 0) : columns[-1] + 2]


def _box(x: Pixels, y: Pixels, half_x_m: float, half_y_m: float, round_m: float) -> Pixels:
    """Signed distance in metres to a box with rounded corners, negative inside."""
    past_x = np.abs(x) - (half_x_m - round_m)
    past_y = np.abs(y) - (half_y_m - round_m)
    outside = np.hypot(np.maximum(past_x, 0.0), np.maximum(past_y, 0.0))
    return np.asarray(outside + np.minimum(np.maximum(past_x, past_y), 0.0) - round_m, dtype=np.float32)


def _disc(x: Pixels, y: Pixels, radius_m: float) -> Pixels:
    return np.asarray(np.hypot(x, y) - radius_m, dtype=np.float32)


def _cart_parts(x: Pixels, y: Pixels) -> list[tuple[Pixels, tuple[float, float, float]]]:
    """Signed distance and colour of every part, from back to front."""
    return [
        (_box(x, y - 0.62, 0.05, 0.46, 0.02), (0.32, 0.20, 0.10)),  # post
        (_box(x + 0.22, y - 1.03, 0.26, 0.035, 0.03), (0.32, 0.20, 0.10)),  # arm
        (_box(x + 0.43, y - 0.99, 0.016, 0.06, 0.01), (0.10, 0.10, 0.11)),  # hook
        (_disc(x, y - 1.12, 0.13), (0.85, 0.62, 0.10)),  # head
        (_box(x, y - 0.27, 0.30, 0.15, 0.05), (0.03, 0.16, 0.42)),  # body
        (_box(x, y - 0.27, 0.22, 0.03, 0.02), (0.75, 0.70, 0.60)),  # stripe
        (_disc(x + 0.18, y - 0.11, 0.11), (0.03, 0.03, 0.035)),  # wheels and hubs
        (_disc(x - 0.18, y - 0.11, 0.11), (0.03, 0.03, 0.035)),
        (_disc(x + 0.18, y - 0.11, 0.045), (0.50, 0.50, 0.52)),
        (_disc(x - 0.18, y - 0.11, 0.045), (0.50, 0.50, 0.52)),
    ]


def _coverage(distance_m: Pixels, pixel_m: float) -> Pixels:
    return np.asarray(np.clip(0.5 - distance_m / pixel_m, 0.0, 1.0), dtype=np.float32)
