"""How the camera moved between two frames: one smooth motion of the whole picture, from every pixel at once."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.engine.flow import Flow
from void_server.engine.motion import (
    Mask,
    Pixels,
    between,
    grow,
    identity,
    inside,
    plane_displacement,
    sample,
)

SCALES = {0.25: 6, 0.5: 4, 1.0: 3}
"""Sizes the pictures are compared at, and how many steps at each."""
OUTLIER = 4.6851  # of Tukey's biweight: 95 % as sharp as least squares where errors are Gaussian
DAMPING = 1e-4  # share of the mean curvature: a motion nothing tells of stays as it was
LEAST_PX = 16
EDGE_PX = 4  # soft edges and their blur at the raster
OUTVOTED = 0.1  # no pixel counts for more: what moves by itself is not to decide
RING_PX = 40  # around a hole: what its background is continued from
DIFFERENT = 0.03  # of 0..1, of blurred pictures: more than grain leaves
DEPTH_LEAST, DEPTH_GAIN = 0.04, 0.5  # the share that the camera must miss, and the share of it that may stay

Amounts: TypeAlias = NDArray[np.float64]


def background(flow: Flow, first: Pixels, second: Pixels, hole_first: Mask, hole_second: Mask) -> Pixels:
    """The map (h, w, 2) of the background of ``first`` into ``second`` (h, w, 3), 0..1, holes included.

    The camera's own motion, unless much around the holes goes another way and the flow explains it: then the
    scene has depth, and the flow is continued. It is not taken lightly, for it is continued into the holes with
    whatever it got wrong at their edges.
    """
    found = between(flow, first, second, hole_first, hole_second, None)
    here = identity(*hole_first.shape)
    if not found.seen.any():
        return here + found.displacement

    def missed(motion: Pixels, where: Mask) -> float:
        return float(np.minimum(np.abs(first - sample(second, here + motion))[where], OUTVOTED).mean())

    starts = [np.zeros_like(here), plane_displacement(found.displacement, found.seen)]
    start = min(starts, key=lambda motion: missed(motion, found.seen))
    free_first, free_second = ~grow(hole_first, EDGE_PX), ~grow(hole_second, EDGE_PX)
    turned = camera_motion(first, second, free_first, free_second, start)
    camera = min(start, turned, key=lambda motion: missed(motion, found.seen))
    near = found.seen & grow(hole_first, RING_PX)
    if not near.any():
        return here + camera
    unexplained = [
        _unexplained(first, sample(second, here + motion), near) for motion in (camera, found.displacement)
    ]
    has_depth = unexplained[0] > DEPTH_LEAST and unexplained[1] < DEPTH_GAIN * unexplained[0]
    return here + (found.displacement if has_depth else camera)


def _unexplained(one: Pixels, other: Pixels, where: Mask) -> float:
    """The share of ``where`` (h, w) in which two pictures that should be the same are not."""
    difference = cv2.blur(one - other, (5, 5))
    difference -= np.median(difference[where], axis=0)
    return float((np.abs(difference).max(axis=-1)[where] > DIFFERENT).mean())


def camera_motion(
    first: Pixels, second: Pixels, seen_first: Mask, seen_second: Mask, start: Pixels
) -> Pixels:
    """The displacement (h, w, 2) of a turning, zooming camera from ``first`` to ``second`` (h, w, 3), 0..1.

    Found on the light itself by Gauss-Newton, coarse to fine, with what moves otherwise voted out: sharper than
    any fit to a flow where a background is smooth, for it weighs every slope there is. Its eight numbers are the
    planar motion of Longuet-Higgins (1984), added to ``start`` (h, w, 2); a common gain is allowed for.
    """
    height, width = seen_first.shape
    found = start
    for scale, steps in SCALES.items():
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        if min(size) < LEAST_PX:
            continue
        one, other = (
            cv2.resize(_light(picture), size, interpolation=cv2.INTER_AREA) for picture in (first, second)
        )
        seen_one, seen_other = (
            cv2.resize(area.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.99
            for area in (seen_first, seen_second)
        )
        pixel = np.asarray([size[0] / width, size[1] / height], np.float32)
        coarse = cv2.resize(found, size, interpolation=cv2.INTER_AREA) * pixel
        terms = _terms(*size)
        amount: Amounts = np.zeros(8)
        for _ in range(steps):
            amount = amount + _step(one, other, seen_one, seen_other, coarse + _field(terms, amount), terms)
        wide = _terms(width, height)
        found = found + _field(wide, amount) / pixel
    return np.asarray(found, np.float32)


def _light(picture: Pixels) -> Pixels:
    return np.asarray(picture @ np.array([0.2126, 0.7152, 0.0722], np.float32))


def _terms(width: int, height: int) -> Pixels:
    """(h, w, 3): 1, x and y from -1 to 1 over the longer side."""
    places = identity(height, width)
    half = max(width, height) / 2
    x, y = (places[..., 0] - (width - 1) / 2) / half, (places[..., 1] - (height - 1) / 2) / half
    return np.stack([np.ones_like(x), x, y], axis=-1)


def _field(terms: Pixels, amount: Amounts) -> Pixels:
    """Displacement (h, w, 2) of eight amounts: a shift, a linear and a perspective part."""
    along, perspective = terms @ amount[:6].reshape(2, 3).T, terms[..., 1:] @ amount[6:]
    return np.asarray(along + perspective[..., None] * terms[..., 1:], np.float32)


def _step(
    first: Pixels, second: Pixels, seen_first: Mask, seen_second: Mask, motion: Pixels, terms: Pixels
) -> Amounts:
    """What to add to the eight amounts."""
    there = identity(*first.shape) + motion
    seen = seen_first & (sample(seen_second.astype(np.float32), there) > 0.99) & inside(there, *first.shape)
    seen[[0, -1]], seen[:, [0, -1]] = False, False
    if seen.sum() < LEAST_PX**2:
        return np.zeros(8)
    brought = sample(second, there, cv2.INTER_CUBIC)
    mean = 0.5 * (first + brought)
    slope_x, slope_y = (cv2.Scharr(mean, cv2.CV_32F, x, 1 - x, scale=1 / 32)[seen] for x in (1, 0))
    one, x, y = np.moveaxis(terms[seen], -1, 0)
    radial = slope_x * x + slope_y * y
    gain = brought[seen]
    columns = [slope_x * one, slope_x * x, slope_x * y, slope_y * one, slope_y * x, slope_y * y]
    rows = np.stack([*columns, radial * x, radial * y, gain, np.ones_like(gain)], axis=1).astype(np.float64)
    off = (first - brought)[seen].astype(np.float64)
    off -= np.median(off)
    spread = max(1.4826 * float(np.median(np.abs(off))), 1e-4)
    weight = np.square(np.maximum(1.0 - np.square(off / (OUTLIER * spread)), 0.0))
    curve = rows.T @ (weight[:, None] * rows)
    curve[range(10), range(10)] += DAMPING * np.trace(curve[:8, :8]) / 8 + 1e-9
    return np.asarray(np.linalg.solve(curve, rows.T @ (weight * off))[:8])
