"""Mattes and quadmasks: what is removed, what is affected, and where the fill goes over the plate.

A matte is 0..1, 1 where something is. A quadmask holds the four classes of the model as uint8: 0 remove, 63
overlap (remove and affected), 127 affected, 255 keep. Two mattes become a quadmask *after* they are brought to
the raster, so an edge never averages into a class that is not there.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from void_server.frames.geometry import Box, Floats, bounds
from void_wire.errors import StrayMatteValues

Classes = npt.NDArray[np.uint8]

REMOVE, OVERLAP, AFFECTED, KEEP = 0, 63, 127, 255

COVERED = 0.1
"""Share of a raster pixel that a matte must cover to count. The edge of a large object moves outwards by less
than half a raster pixel; a wire one pixel wide on a UHD plate (0.17 of a raster pixel) still counts."""

GRID_CELLS = 8
"""Cells on the shorter side of the grid that the affected class had in the model's training."""


def compose_quadmask(
    remove: Floats, affected: Floats | None, *, affected_shape: str = "grid", first_frame_clear: bool = False
) -> Classes:
    """The quadmask of two mattes that are at the raster already.

    Args:
        remove: float32 (h, w), 0..1: how much of each raster pixel the remove matte covers.
        affected: the same of the affected matte; None when the job has none.
        affected_shape: "grid" puts the affected matte on the cells the model was trained on, each wholly
            affected when any pixel in it is; "drawn" leaves it as it is.
        first_frame_clear: this is the shot's first frame and nothing is affected yet.

    Returns:
        uint8 (h, w) of the four classes.
    """
    removed = remove >= COVERED
    touched = np.zeros_like(removed)
    if affected is not None and not first_frame_clear:
        touched = affected >= COVERED
        if affected_shape == "grid":
            touched = _on_grid(touched)
    return np.select(
        [removed & touched, removed, touched],
        [np.uint8(OVERLAP), np.uint8(REMOVE), np.uint8(AFFECTED)],
        np.uint8(KEEP),
    )


def split_quadmask(classes: Classes) -> tuple[Floats, Floats]:
    """The two mattes of a quadmask, each float32 of 0 and 1: remove (0 and 63) and affected (63 and 127)."""
    removed = (classes == REMOVE) | (classes == OVERLAP)
    touched = (classes == OVERLAP) | (classes == AFFECTED)
    return removed.astype(np.float32), touched.astype(np.float32)


def exact_classes(values: Floats, frame: int) -> Classes:
    """The classes of a quadmask that came as a lossless file, 0..1 (the four values over 255) or 0..255.

    Raises:
        StrayMatteValues: a value is none of the four, by more than 1.5 of 255.
    """
    codes = values * 255 if values.max(initial=0) <= 1.001 else values
    nearest = quantise(codes)
    stray = ~(np.abs(codes - nearest) <= 1.5)
    if stray.any():
        y, x = np.argwhere(stray)[0]
        raise StrayMatteValues(
            f"Frame {frame} of the quadmask holds {np.count_nonzero(stray)} pixels that are none of 0, 63, 127, 255, "
            f"the first {codes[y, x]:.4g} at x {x}, y {y}: write it without filtering or colour management, "
            "or send a remove and an affected matte."
        )
    return nearest


def quantise(codes: npt.NDArray[np.floating] | Classes) -> Classes:
    """0..255 to the nearest class by the reference's bounds: up to 31, 95, 191, and above."""
    return np.select(
        [codes <= 31, codes <= 95, codes <= 191],
        [np.uint8(REMOVE), np.uint8(OVERLAP), np.uint8(AFFECTED)],
        np.uint8(KEEP),
    )


def resize_quadmask(classes: Classes, size: tuple[int, int]) -> Classes:
    """A ready-made quadmask at ``size`` (height, width) as the reference does it: mean, then `quantise`.

    The mean is that of torch's "area": output pixel i takes the input from floor(i H / h) to ceil((i+1) H / h).
    It makes false classes at edges; that is why mattes are composed after the resize instead.
    """
    if classes.shape == size:
        return classes
    return quantise(_bin_means(_bin_means(classes.astype(np.float64), size[0]).T, size[1]).T)


def enlarge_quadmask(classes: Classes, size: tuple[int, int]) -> Classes:
    """A quadmask of the raster over its box of the plate, ``size`` (height, width): each class stays its own."""
    rows, columns = (
        (2 * np.arange(side) + 1) * have // (2 * side) for side, have in zip(size, classes.shape, strict=True)
    )
    enlarged: Classes = classes[rows][:, columns]
    return enlarged


def composite_matte(remove: Floats, affected: Floats | None, grow_px: int, feather_px: int) -> Floats:
    """Where the fill goes: 1 over both mattes grown by ``grow_px``, falling smoothly to 0 over ``feather_px`` more.

    Args:
        remove: float32 (H, W), 0..1; every pixel over 0 counts.
        affected: the same, or None.
        grow_px: how far around them the matte stays 1.
        feather_px: how many pixels lie between 1 and 0.

    Returns:
        float32 (H, W): exactly 1, between, exactly 0.
    """
    inside = remove > 0 if affected is None else (remove > 0) | (affected > 0)
    matte = np.zeros(inside.shape, np.float32)
    near, distance = _distances(inside, grow_px + feather_px + 1)
    fall = np.clip((distance - np.float32(grow_px)) / np.float32(feather_px + 1), 0, 1)
    matte[near] = 1 - _ease(fall)
    return matte


def within_box(matte: Floats, box: Box, window: Box, feather_px: int) -> Floats:
    """The composite matte of a fill that exists inside ``box`` alone.

    Args:
        matte: float32 (H, W), 0..1, over ``window``.
        box: where there is a fill, inside ``window``.
        window: what the matte covers.
        feather_px: towards each edge of the box the matte falls off over this; not where that edge is the window's
            own.

    Returns:
        float32 (H, W): exactly 0 outside the box; the matte itself when the box is the window.
    """
    if box == window:
        return matte
    restricted = np.zeros_like(matte)
    fade = np.minimum.outer(
        _fade(box.height, feather_px, box.y > window.y, box.bottom < window.bottom),
        _fade(box.width, feather_px, box.x > window.x, box.right < window.right),
    )
    box.of(restricted, window)[:] = np.minimum(box.of(matte, window), fade)
    return restricted


def grow(matte: Floats, by_px: int) -> Floats:
    """A matte grown by ``by_px``, float32 (h, w): its soft edge counts from `COVERED` on and becomes full."""
    if by_px == 0:
        return matte
    grown = matte.copy()
    near, distance = _distances(matte >= COVERED, by_px + 1)
    grown[near][distance <= by_px] = 1
    return grown


def grow_remove(classes: Classes, by_px: int) -> Classes:
    """A ready-made quadmask whose remove class is grown; where it meets affected it becomes overlap."""
    if by_px == 0:
        return classes
    removed, touched = split_quadmask(classes)
    grown = grow(removed, by_px) > 0
    return np.where(grown, np.where(touched > 0, np.uint8(OVERLAP), np.uint8(REMOVE)), classes)


def _distances(inside: npt.NDArray[np.bool_], reach_px: int) -> tuple[tuple[slice, slice], Floats]:
    """Where a distance of up to ``reach_px`` to ``inside`` can be, and the distances there.

    Only around what is inside: a small object on a 4K plate costs little.
    """
    around = bounds(inside, Box(0, 0, inside.shape[1], inside.shape[0]))
    if around is None:
        return np.s_[:0, :0], np.zeros((0, 0), np.float32)
    around = around.grown(reach_px)
    near = np.s_[max(0, around.y) : around.bottom, max(0, around.x) : around.right]
    distance = cv2.distanceTransform((~inside[near]).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # Its last bit depends on where the picture lies in memory. Squares of distances are whole numbers.
    for exact in (np.square, np.rint, np.sqrt):
        exact(distance, out=distance)
    return near, distance


def _fade(length: int, feather_px: int, at_start: bool, at_end: bool) -> Floats:
    """0 just outside a side of the box, 1 from ``feather_px`` pixels inside, each end on its own."""
    inwards = np.arange(1, length + 1, dtype=np.float32)
    ramp = _ease(np.minimum(inwards / (feather_px + 1), 1))
    fade = np.ones(length, np.float32)
    if at_start:
        fade = np.minimum(fade, ramp)
    if at_end:
        fade = np.minimum(fade, ramp[::-1])
    return fade


def _ease(share: Floats) -> Floats:
    return share * share * (3 - 2 * share)


def _on_grid(touched: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    height, width = touched.shape
    rows = _cell_of(height, max(GRID_CELLS, round(GRID_CELLS * height / width)))
    columns = _cell_of(width, max(GRID_CELLS, round(GRID_CELLS * width / height)))
    cells = np.zeros((rows[-1] + 1, columns[-1] + 1), bool)
    y, x = np.nonzero(touched)
    cells[rows[y], columns[x]] = True
    return cells[rows][:, columns]


def _cell_of(length: int, cells: int) -> npt.NDArray[np.intp]:
    """The cell each pixel lies in: cell i goes from floor(i length / cells) to the next."""
    edges = np.arange(1, cells) * length // cells
    return np.searchsorted(edges, np.arange(length), side="right")


def _bin_means(values: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.float64]:
    """Means of ``count`` overlapping runs of rows."""
    length = values.shape[0]
    first = np.arange(count) * length // count
    last = -(-(np.arange(1, count + 1) * length) // count)
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    means: npt.NDArray[np.float64] = (sums[last] - sums[first]) / (last - first)[:, None]
    return means
