"""The room behind the cart: a wall, a floor, and the light on them."""

from __future__ import annotations

import functools
import math
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.scene.camera import EYE_M, WALL_M, Pixels, View, focal_length_px

Wide = NDArray[np.float64]
Background = Literal["textured", "smooth"]

BRICK_M, COURSE_M, PLANK_M = 0.46, 0.155, 0.24
MAX_TEXEL_DENSITY = 700.0  # texels a metre: a bound on memory, reached above 1300 lines
BULB_RADIUS_M, BULB_Y_M, BULB_EVERY_M = 0.045, 0.95, 0.8  # a string of bulbs behind the cart's way
_BAND_ROWS = 96  # rows rendered at a time: what is in memory does not grow with the picture


def room(view: View, seed: int, background: Background, bulbs: float) -> Pixels:
    """Wall and floor as ``view`` sees them, 2 x 2 samples a pixel: (H, W, 3)."""
    return _room(view, seed, background, bulbs).copy()


@functools.lru_cache(maxsize=1)  # plate and truth of a frame, and all frames of a static camera, see the same
def _room(view: View, seed: int, background: Background, bulbs: float) -> Pixels:
    focal_px = focal_length_px(view.height_px, view.width_px)
    density = min(2.0 * focal_px / WALL_M, MAX_TEXEL_DENSITY)
    # The same for every frame of the shot: what is painted depends on how much is painted.
    reach_m = math.ceil(WALL_M * math.tan(view.sideways) + 0.5)
    top_m = math.ceil(WALL_M * math.tan(view.upwards) / math.cos(view.sideways) + EYE_M + 0.5)
    wall = _wall(seed, density, reach_m, top_m, background, bulbs)
    floor = _floor(seed, density, reach_m, background)
    picture = np.empty((view.height_px, view.width_px, 3), np.float32)
    for first in range(0, view.height_px, _BAND_ROWS):
        rows = slice(first, min(first + _BAND_ROWS, view.height_px))
        picture[rows] = _band(view, rows, wall, floor, reach_m, density)
    # Cubic interpolation rings around a bulb.
    return np.clip(picture, 0.0, max(bulbs, float(wall.max()))) if bulbs else picture


def _band(view: View, rows: slice, wall: Pixels, floor: Pixels, reach_m: int, density: float) -> Pixels:
    slope_x, slope_y = view.rays(samples=2, rows=rows)
    to_floor = np.float32(-EYE_M) / np.minimum(slope_y, np.float32(-1e-3))
    on_wall = to_floor > WALL_M
    depth = np.where(on_wall, np.float32(WALL_M), to_floor)
    x_m = slope_x * depth
    columns = (x_m + np.float32(reach_m)) * np.float32(density) - np.float32(0.5)
    on_floor = ~on_wall.all()
    if on_wall.any():
        up = (slope_y * np.float32(WALL_M) + np.float32(EYE_M)) * np.float32(density) - np.float32(0.5)
        picture = cv2.remap(wall, columns, up, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    if on_floor:
        away = (np.float32(WALL_M) - depth) * np.float32(density) - np.float32(0.5)
        below = cv2.remap(floor, columns, away, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        picture = np.where(on_wall[..., None], picture, below) if on_wall.any() else below
    small = cv2.resize(picture, (view.width_px, rows.stop - rows.start), interpolation=cv2.INTER_AREA)
    return np.asarray(small.reshape(rows.stop - rows.start, view.width_px, 3), dtype=np.float32)


def _grid_m(height_m: float, half_width_m: float, density: float) -> tuple[Wide, Wide]:
    """Texel centres in metres: (1, columns) across and (rows, 1) up."""
    across: Wide = np.arange(round(2 * half_width_m * density), dtype=np.float64).reshape(1, -1)
    up: Wide = np.arange(round(height_m * density), dtype=np.float64).reshape(-1, 1)
    return (across + 0.5) / density - half_width_m, (up + 0.5) / density


def _noise(random: np.random.Generator, shape: tuple[int, int], cells: float) -> Pixels:
    """Smooth noise of mean 0 and deviation about 1, one value every ``cells`` texels."""
    height, width = shape
    coarse = random.standard_normal((max(int(height / cells), 1) + 3, max(int(width / cells), 1) + 3))
    fine = cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(fine, dtype=np.float32)


def _edge(value: Wide, width: float) -> Pixels:
    """0 at and below 0, 1 at and above ``width``, smooth between."""
    ramp = np.clip(value / width, 0.0, 1.0)
    return np.asarray(ramp * ramp * (3.0 - 2.0 * ramp), dtype=np.float32)


@functools.lru_cache(maxsize=2)
def _wall(
    seed: int, density: float, half_width_m: float, height_m: float, background: Background, bulbs: float
) -> Pixels:
    """Whitewashed bricks or bare plaster, a lamp and its light: texels (y up, x right, 3)."""
    x, y = _grid_m(height_m, half_width_m, density)
    smooth = background == "smooth"
    texels = _bare(seed, (0.33, 0.31, 0.28), x, y) if smooth else _bricks(seed, density, x, y)

    lamp = np.hypot(x - 1.35, y - 2.05)
    pool = 0.42 + 1.1 * np.exp(-((lamp / 1.5) ** 2)) + 0.25 * np.exp(-(((x + 2.0) / 1.3) ** 2))
    texels = texels * pool[..., None].astype(np.float32)
    texels *= (1.0 - 0.45 * np.exp(-y / 0.10)).astype(np.float32)[..., None]
    glow = (1.0 - _edge(lamp - 0.12, 0.02))[..., None]
    texels = texels + (np.asarray((7.0, 5.6, 3.6), np.float32) - texels) * glow
    if bulbs:
        beside = (x / BULB_EVERY_M + 0.5) % 1.0 * BULB_EVERY_M - 0.5 * BULB_EVERY_M
        shine = 1.0 - _edge(np.hypot(beside, y - BULB_Y_M) - 0.5 * BULB_RADIUS_M, 0.5 * BULB_RADIUS_M)
        texels = texels + (np.asarray((1.0, 0.85, 0.6), np.float32) * bulbs - texels) * shine[..., None]
    return np.asarray(texels, dtype=np.float32)


def _bricks(seed: int, density: float, x: Wide, y: Wide) -> Pixels:
    random = np.random.default_rng([seed, 1])
    course = np.floor(y / COURSE_M)
    along = x / BRICK_M + 0.5 * (course % 2) + 100.0
    inside_x = np.minimum(along % 1.0, 1.0 - along % 1.0) * BRICK_M
    inside_y = np.minimum(y / COURSE_M - course, 1.0 - (y / COURSE_M - course)) * COURSE_M
    brick = _edge(np.minimum(inside_x, inside_y) - 0.004, 0.012)

    shade = random.uniform(0.7, 1.15, (int(course.max()) + 1, int(along.max()) + 2)).astype(np.float32)
    tint = random.uniform(-0.05, 0.05, shade.shape).astype(np.float32)
    rows, columns = np.broadcast_arrays(course.astype(np.intp), along.astype(np.intp))
    rough = 0.05 * _noise(random, brick.shape, density * 0.012) + 0.07 * _noise(
        random, brick.shape, density * 0.06
    )
    stain = 0.10 * _noise(random, brick.shape, density * 0.7)
    level = shade[rows, columns] * (1.0 + rough + stain)
    warm = tint[rows, columns]
    colour = (
        np.stack([0.40 * (1 + warm), 0.22 * (1 - 0.4 * warm), 0.15 * (1 - warm)], axis=-1) * level[..., None]
    )
    mortar = np.asarray((0.30, 0.28, 0.25), np.float32) * (1.0 + rough + stain)[..., None]
    return np.asarray(mortar + (colour - mortar) * brick[..., None], dtype=np.float32)


@functools.lru_cache(maxsize=2)
def _floor(seed: int, density: float, half_width_m: float, background: Background) -> Pixels:
    """Boards that run along the wall, or a bare floor: texels (from the wall towards the camera, x right, 3)."""
    x, z = _grid_m(WALL_M - 2.5, half_width_m, density)
    texels = (
        _boards(seed, density, x, z) if background == "textured" else _bare(seed, (0.2, 0.17, 0.14), x, z)
    )
    pool = 0.55 + 0.9 * np.exp(-(((x - 1.2) / 1.6) ** 2) - ((z - 0.3) / 1.8) ** 2)
    return np.asarray(texels * pool[..., None], dtype=np.float32)


def _boards(seed: int, density: float, x: Wide, z: Wide) -> Pixels:
    random = np.random.default_rng([seed, 2])
    board = np.floor(z / PLANK_M)
    offset = random.uniform(0.0, 2.2, int(board.max()) + 1)[board.astype(np.intp)]
    along = (x + offset) / 2.2 + 50.0
    inside_z = np.minimum(z / PLANK_M - board, 1.0 - (z / PLANK_M - board)) * PLANK_M
    inside_x = np.minimum(along % 1.0, 1.0 - along % 1.0) * 2.2
    wood = _edge(np.minimum(inside_x, inside_z) - 0.002, 0.014)
    shade = random.uniform(0.75, 1.2, (int(board.max()) + 1, int(along.max()) + 2)).astype(np.float32)
    rows, columns = np.broadcast_arrays(board.astype(np.intp), along.astype(np.intp))
    stretched = _noise(random, (wood.shape[0], wood.shape[1] // 12 + 1), density * 0.03)
    fibre = cv2.resize(stretched, (wood.shape[1], wood.shape[0]), interpolation=cv2.INTER_CUBIC)
    level = shade[rows, columns] * (1.0 + 0.12 * fibre) * (0.25 + 0.75 * wood)
    return np.asarray(np.asarray((0.30, 0.17, 0.085), np.float32) * level[..., None], dtype=np.float32)


def _bare(seed: int, paint: tuple[float, float, float], x: Wide, up: Wide) -> Pixels:
    """Paint without any texture, a little brighter to one side."""
    tint = np.random.default_rng([seed, 4]).uniform(0.85, 1.15, 3) * paint
    slope = 1.0 + 0.02 * x + 0.05 * np.cos(up)
    return np.asarray(tint * slope[..., None], dtype=np.float32)
