"""How the background moves: flow where it can be seen, continued through the holes, and followed over frames.

A *map* (H, W, 2) float32 says for every pixel of one frame where its content lies in another, [x, y] in pixels
of the same size of picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.engine.flow import Flow
from void_server.engine.pyramid import push_pull

Pixels = NDArray[np.float32]
Mask = NDArray[np.bool_]

FIT_POINTS = 6000
FIT_LEAST_POINTS = 24
FIT_TOLERANCE_PX = 0.5
PATCH_PX = 8
"""DIS matches 8 x 8 patches: nearer than this to something unknown its flow is not trusted."""
SIMPLER_MAY_BE_WORSE = 1.06
"""A simpler motion is taken as long as it explains the trusted pixels this nearly as well as the best one."""
MOVING = 0.08  # difference of blurred pictures on the tone curve, above what grain and compression make
EIGHT_BIT_STEP = 1.0 / 255.0
LIST_ROW = 1024


def identity(height: int, width: int) -> Pixels:
    """The map of a frame onto itself."""
    places = np.empty((height, width, 2), np.float32)
    places[..., 0] = np.arange(width)
    places[..., 1] = np.arange(height)[:, None]
    return places


def sample(picture: Pixels, places: Pixels, interpolation: int = cv2.INTER_LINEAR) -> Pixels:
    """``picture`` (H, W) or (H, W, C) at ``places`` (h, w, 2); beyond its edges the edge goes on."""
    taken = cv2.remap(picture, places, None, interpolation, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(taken, dtype=np.float32).reshape(*places.shape[:2], *picture.shape[2:])


def sample_list(picture: Pixels, places: Pixels, interpolation: int = cv2.INTER_LINEAR) -> Pixels:
    """As `sample`, at a list of places (N, 2)."""
    rows = max(1, -(-len(places) // LIST_ROW))
    whole = np.zeros((rows, LIST_ROW, 2), np.float32)  # OpenCV takes no picture of more than 32766 rows
    whole.reshape(-1, 2)[: len(places)] = places
    return sample(picture, whole, interpolation).reshape(-1, *picture.shape[2:])[: len(places)]


def listed(picture: Pixels, where: Mask) -> Pixels:
    """``picture[where]``, (N, C) of (H, W, C) where (H, W) says, in a third of the time."""
    return picture.reshape(where.size, -1).take(np.flatnonzero(where), axis=0)


def inside(places: Pixels, height: int, width: int) -> Mask:
    """Which of ``places`` (..., 2) lie on a picture of this size."""
    x, y = places[..., 0], places[..., 1]
    return np.asarray((x >= -0.5) & (y >= -0.5) & (x <= width - 0.5) & (y <= height - 0.5))


def grow(area: Mask, radius_px: int) -> Mask:
    """``area`` (H, W) with everything within ``radius_px`` of it."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius_px + 1, 2 * radius_px + 1))
    return np.asarray(cv2.dilate(area.astype(np.uint8), disc) > 0)


@dataclass(frozen=True)
class Motion:
    """What happens from one frame to another."""

    displacement: Pixels  # (H, W, 2) of the background, holes included, px
    seen: Mask  # (H, W): where it was seen
    moving: Mask  # (H, W): what does not move with the background


def between(
    flow: Flow, first: Pixels, second: Pixels, hole_first: Mask, hole_second: Mask, before: Pixels | None
) -> Motion:
    """Background motion from ``first`` to ``second``, pictures of (H, W, 3), 0..1.

    What is in the holes is hidden from the flow, and the motion there is continued from around them. ``before``
    is the motion into ``first``, which often goes on.
    """
    filled = [
        push_pull(picture, (~hole).astype(np.float32))
        for picture, hole in ((first, hole_first), (second, hole_second))
    ]
    here = identity(*hole_first.shape)
    either = grow(hole_first, PATCH_PX) | grow(hole_second, PATCH_PX)
    starts = [here, here + _shift(*filled)] + ([] if before is None else [here + before])
    start = min(starts, key=lambda places: _misfit(filled[0], sample(filled[1], places), ~either))
    residual = np.moveaxis(flow(filled[0], sample(filled[1], start)), 0, -1)
    exact = sample(start, here + residual)
    meets_hole = sample(grow(hole_second, PATCH_PX).astype(np.float32), exact) > 0
    seen = ~grow(hole_first, PATCH_PX) & ~meets_hole & inside(exact, *hole_first.shape)
    if not seen.any():
        return Motion(np.zeros_like(here), seen, np.zeros_like(seen))
    places, _ = _simplest(filled[0], filled[1], here, exact, seen)
    near_hole = hole_first | (sample(hole_second.astype(np.float32), places) > 0)
    open_to_both = ~grow(near_hole, 1) & inside(places, *hole_first.shape)
    return Motion(places - here, seen, _moving(filled[0], sample(filled[1], places), open_to_both))


def _moving(first: Pixels, there: Pixels, both: Mask) -> Mask:
    """What differs though the background was brought to match; nothing if that is most of the picture."""
    difference = cv2.blur(first - there, (5, 5))
    difference -= np.median(listed(difference, both), axis=0) if both.any() else 0.0
    moving = both & (np.abs(difference).max(axis=-1) > MOVING)
    return grow(moving, PATCH_PX) if moving.sum() < 0.4 * both.sum() else np.zeros_like(moving)


def _shift(first: Pixels, second: Pixels) -> Pixels:
    """The one translation [x, y] that matches two pictures best, by phase correlation."""
    greys = [picture.mean(axis=-1, dtype=np.float64) for picture in (first, second)]
    if min(greys[0].shape) < 8:
        return np.zeros(2, np.float32)
    window = cv2.createHanningWindow(greys[0].shape[::-1], cv2.CV_64F)
    (x, y), _ = cv2.phaseCorrelate(greys[0], greys[1], window)
    return np.asarray([x, y], np.float32)


def _simplest(target: Pixels, source: Pixels, here: Pixels, exact: Pixels, seen: Mask) -> tuple[Pixels, bool]:
    """The motion behind the map ``exact``, which holds where ``seen``; and whether there is none.

    Three are tried, none at all, that of a plane, and ``exact`` continued smoothly; the simplest is taken that
    explains what is seen nearly as well as the best.
    """
    plane = here + plane_displacement(exact - here, seen)
    dense = plane + push_pull(exact - plane, seen.astype(np.float32))
    candidates = [here, plane, dense]
    errors = [_misfit(target, sample(source, places), seen) for places in candidates]
    bound = SIMPLER_MAY_BE_WORSE * min(errors) + 0.25 * EIGHT_BIT_STEP
    simplest = next(number for number, error in enumerate(errors) if error <= bound)
    return candidates[simplest], simplest == 0


def plane_displacement(displacement: Pixels, seen: Mask) -> Pixels:
    """The homography that most of the ``seen`` displacements (H, W, 2) agree with, as a displacement.

    With too few of them to tell it is their median; with none it is no motion.
    """
    rows, columns = np.nonzero(seen)
    if len(rows) == 0:
        return np.zeros_like(displacement)
    stride = max(1, len(rows) // FIT_POINTS)
    rows, columns = rows[::stride], columns[::stride]
    moved = displacement[rows, columns]
    start = np.stack([columns, rows], axis=-1).astype(np.float32)
    if len(rows) >= FIT_LEAST_POINTS:
        homography, inliers = cv2.findHomography(start, start + moved, cv2.RANSAC, FIT_TOLERANCE_PX)
        if homography is not None and inliers.mean() > 0.3:
            own = identity(*seen.shape)
            plane = cv2.perspectiveTransform(own, homography).reshape(own.shape)
            if np.isfinite(plane).all():
                return np.asarray(plane - own, dtype=np.float32)
    return np.broadcast_to(np.median(moved, axis=0), displacement.shape).astype(np.float32)


def align(
    flow: Flow,
    target: Pixels,
    hidden_target: Mask,
    here: Pixels,
    source: Pixels,
    hidden_source: Mask,
    guess: Pixels,
) -> tuple[Pixels, bool]:
    """The map (h, w, 2) of ``target`` into ``source`` that starts from ``guess``, and whether nothing moves.

    ``target`` (h, w, 3) is the part of a frame whose pixels lie at ``here`` (h, w, 2) in it; ``source`` is a
    whole frame.
    """
    size = source.shape[:2]
    seen = ~hidden_target & (sample(hidden_source.astype(np.float32), guess) <= 0) & inside(guess, *size)
    trusted = ~grow(~seen, PATCH_PX)
    if not trusted.any():
        return guess, bool(np.array_equal(guess, here))
    there = sample(source, guess)
    # Where either is hidden both show the same, so the flow there is led by what is around it.
    residual = np.moveaxis(flow(np.where(seen[..., None], target, there), there), 0, -1)
    exact = sample(guess, identity(*trusted.shape) + residual)
    return _simplest(target, source, here, exact, trusted)


def _misfit(one: Pixels, other: Pixels, where: Mask) -> float:
    """Mean absolute difference ``where`` (H, W) says; one pixel counts for 0.1 at most, to outvote what moves."""
    apart = listed(np.abs(one - other), where)
    return float(np.minimum(apart, 0.1).mean()) if len(apart) else 0.0
