"""What moves on its own: between two pictures whose background lies still, the things that changed their place.

Dense flow alone loses a small smooth thing that goes further than its own size. So the ways it may have gone are
guessed first, by correlating the outlines of what changed, and the flow only refines the guesses.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from void_server.engine.flow import Flow
from void_server.engine.motion import Mask, Pixels, grow, identity, plane_displacement, sample
from void_server.engine.pyramid import push_pull

CHANGED = (
    0.035  # of 0..1: more than grain at the raster and a decoder's unrest, less than a soft shadow's core
)
ABOVE_NOISE = 3.0  # times the median difference
REACH = 1 / 6  # of the width: how far a thing may go from one answer to the next
BLOBS, PEAKS = 6, 2  # how many changed areas are followed, and how many guesses each
BLOB_LEAST_PX = 12
ALIKE = 0.3  # least normalised correlation of outlines worth a try
EXPLAINS = 0.6  # a motion must bring the difference below this share of what staying would leave
RIGID_PX, RIGID_SHARE = 0.75, 0.7  # a thing is rigid where this share of it is so near one plane's motion
SUPPORT_PX, OUTVOTED = 4.0, 2.0  # moving as another within so many px, and outnumbered by so much
OUTLINED = 0.6  # of the other's edges: so little has no outline of its own
UNREST = 0.01  # of 0..1: differences below this tell nothing
MARGIN_PX = 24  # of background around what changed, for the flow


@dataclass(frozen=True)
class OwnMotion:
    """Between two pictures in which the background lies at the same place. All arrays are (h, w) or (h, w, 2)."""

    forward: Pixels  # px from the first to the second picture; 0 where nothing moves on its own
    backward: Pixels  # px from the second to the first
    leaving: Mask  # what moves on its own, whole things, where the first picture has them
    arriving: Mask  # the same things where the second has them
    changed: Mask  # where the pictures differ: a thing was or is there, or the light is another


def own_motion(flow: Flow, first: Pixels, second: Pixels, area: Mask) -> OwnMotion:
    """What moved from ``first`` to ``second`` (h, w, 3), 0..1, display-referred, within ``area`` (h, w)."""
    difference = cv2.blur(first - second, (3, 3))
    if area.any():
        difference -= np.median(difference[area], axis=0)
    changed = _changed(np.abs(difference).max(axis=-1), area)
    still = np.zeros((*area.shape, 2), np.float32)
    if changed.sum() < BLOB_LEAST_PX:
        nothing = np.zeros_like(area)
        return OwnMotion(still, still, nothing, nothing, nothing)
    where = _around(changed, MARGIN_PX)
    reach = int(area.shape[1] * REACH)
    there = _moved(flow, first[where], second[where], changed[where], reach)
    back = _moved(flow, second[where], first[where], changed[where], reach)
    sure = [there[1] & _returns(there[0], *back), back[1] & _returns(back[0], *there)]
    edges = _edges(first[where]), _edges(second[where])
    ghosts = (
        _ghosts(there[0], sure[0], edges[0], back[0], sure[1], edges[1]),
        _ghosts(back[0], sure[1], edges[1], there[0], sure[0], edges[0]),
    )
    whole = []
    for (displacement, _), returning, ghost in zip((there, back), sure, ghosts, strict=True):
        field, mask = still.copy(), np.zeros_like(area)
        field[where], mask[where] = _settled(displacement, returning & ~ghost)
        whole.append((field, mask))
    (forward, leaving), (backward, arriving) = whole
    return OwnMotion(forward, backward, leaving, arriving, changed)


def _changed(difference: Pixels, area: Mask) -> Mask:
    """Where ``difference`` (h, w) is more than unrest, specks left out."""
    if not area.any():
        return area
    above = area & (difference > max(CHANGED, ABOVE_NOISE * float(np.median(difference[area]))))
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(above.astype(np.uint8))
    large = boxes[:, cv2.CC_STAT_AREA] >= BLOB_LEAST_PX
    large[0] = False
    return np.asarray(large[labels])


def _returns(displacement: Pixels, back: Pixels, arrived: Mask) -> Mask:
    """Which pixels the motion ``back`` (h, w, 2) brings home again, and that are things there too."""
    there = identity(*arrived.shape) + displacement
    homeward = sample(back, there)
    astray = np.hypot(*np.moveaxis(displacement + homeward, -1, 0))
    length = np.hypot(*np.moveaxis(displacement, -1, 0))
    return np.asarray((sample(arrived.astype(np.float32), there) > 0.5) & (astray < 1.0 + 0.1 * length))


def _ghosts(
    displacement: Pixels, mover: Mask, edges: Pixels, other: Pixels, other_mover: Mask, other_edges: Pixels
) -> Mask:
    """Background taken for a thing: where another thing comes from or goes to, and that is the likelier thing.

    What one picture has at the place of a thing of the other is background, as a rule; it may look like the
    background elsewhere by chance, and be thought to have moved. The likelier thing is the one that far more pixels
    move with, or that has an outline there. A thing that overlaps its own old place is none.
    """
    astray = np.hypot(*np.moveaxis(displacement + other, -1, 0)) > 1.0 + 0.1 * np.hypot(
        *np.moveaxis(other, -1, 0)
    )
    rivals = np.asarray(mover & other_mover & astray, bool)
    outvoted = _support(other, other_mover) > OUTVOTED * _support(displacement, mover)
    return np.asarray(rivals & (outvoted | _outlined_less(displacement, rivals, edges, other_edges)))


def _outlined_less(displacement: Pixels, rivals: Mask, edges: Pixels, other_edges: Pixels) -> Mask:
    """Those of ``rivals`` (h, w) around whose parts of one motion the other picture has the stronger edges."""
    less = np.zeros_like(rivals)
    if not rivals.any():
        return less
    bins = np.rint(displacement[rivals] / SUPPORT_PX).astype(np.int64)
    _, which = np.unique(bins, axis=0, return_inverse=True)
    labels = np.full(rivals.shape, -1)
    labels[rivals] = which.ravel()
    for label in range(labels.max() + 1):
        part = labels == label
        rim = cv2.morphologyEx(part.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
        if part.sum() >= BLOB_LEAST_PX and edges[rim].mean() < OUTLINED * other_edges[rim].mean():
            less |= part
    return less


def _edges(picture: Pixels) -> Pixels:
    """(h, w): the strongest slope of any channel of ``picture`` (h, w, 3)."""
    slopes = [cv2.Sobel(picture, cv2.CV_32F, x, 1 - x) for x in (1, 0)]
    return np.asarray(np.hypot(*slopes).max(axis=-1), np.float32)


def _support(displacement: Pixels, mover: Mask) -> Pixels:
    """(h, w): how many pixels of ``mover`` (h, w) move about as this one does; 0 elsewhere."""
    support = np.zeros(mover.shape, np.float32)
    if mover.any():
        bins = np.rint(displacement[mover] / SUPPORT_PX).astype(np.int64)
        _, which, count = np.unique(bins, axis=0, return_inverse=True, return_counts=True)
        support[mover] = count[which.ravel()]
    return support


def _settled(displacement: Pixels, mover: Mask) -> tuple[Pixels, Mask]:
    """Every thing without holes, and where nearly all of it moves as one plane, all of it."""
    closed = cv2.morphologyEx(mover.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    field = push_pull(displacement, mover.astype(np.float32))
    settled, whole = np.zeros_like(field), np.zeros_like(mover)
    for outline in outlines:
        thing = cv2.drawContours(np.zeros_like(closed), [outline], -1, 1, cv2.FILLED) > 0
        sure = thing & mover
        if sure.sum() < max(BLOB_LEAST_PX, 0.5 * thing.sum()):
            continue
        settled[thing] = rigid(field, sure)[thing]
        whole |= thing
    return settled, whole


def rigid(displacement: Pixels, thing: Mask) -> Pixels:
    """``displacement`` (h, w, 2), or the plane's motion that nearly all of ``thing`` (h, w) follows, if it does."""
    plane = plane_displacement(displacement, thing)
    off = np.hypot(*np.moveaxis(displacement - plane, -1, 0))
    return plane if (off[thing] < RIGID_PX).mean() > RIGID_SHARE else displacement


def _moved(flow: Flow, first: Pixels, second: Pixels, changed: Mask, reach: int) -> tuple[Pixels, Mask]:
    here = identity(*changed.shape)
    staying = _misfit(first, second)
    best = EXPLAINS * staying
    chosen = np.zeros_like(here)
    decided = np.zeros_like(changed)
    near = grow(changed, 2)
    for guess in [np.zeros(2, np.float32), *_guesses(first, second, changed, reach)]:
        residual = np.moveaxis(flow(first, sample(second, here + guess)), 0, -1)
        for motion in (guess + residual, np.broadcast_to(guess, here.shape)):
            misfit = _misfit(first, sample(second, here + motion))
            taken = EXPLAINS * sample(staying, here + motion) + UNREST
            better = (
                near & (misfit < np.minimum(best, taken)) & (np.hypot(*np.moveaxis(motion, -1, 0)) > 0.25)
            )
            best = np.where(better, misfit, best)
            chosen[better] = motion[better]
            decided |= better
    still = ~near | (~decided & (staying > CHANGED))
    mover = _whole(first, decided, still)
    if not mover.any():
        return np.zeros_like(here), mover
    return push_pull(chosen, (decided & mover).astype(np.float32)), mover


def _misfit(one: Pixels, other: Pixels) -> Pixels:
    """(h, w): the difference around every pixel."""
    return np.asarray(cv2.blur(np.abs(one - other).max(axis=-1), (3, 3)), dtype=np.float32)


def _guesses(first: Pixels, second: Pixels, changed: Mask, reach: int) -> list[Pixels]:
    """Shifts [x, y] in whole pixels that bring outlines of ``first`` onto outlines of ``second``."""
    wide = grow(changed, 2)
    outlines = [_outlines(picture, wide) for picture in (first, second)]
    count, _, boxes, _ = cv2.connectedComponentsWithStats(wide.astype(np.uint8))
    order = sorted(range(1, count), key=lambda number: -boxes[number][4])[:BLOBS]
    found: set[tuple[int, int]] = set()
    padded = np.pad(outlines[1], ((reach, reach), (reach, reach), (0, 0)))
    for left, top, width, height, pixels in (boxes[number] for number in order):
        if pixels < BLOB_LEAST_PX:
            continue
        pattern = outlines[0][top : top + height, left : left + width]
        room = padded[top : top + height + 2 * reach, left : left + width + 2 * reach]
        found.update(_peaks(pattern, room, reach))
    return [np.asarray(shift, np.float32) for shift in sorted(found)]


def _outlines(picture: Pixels, where: Mask) -> Pixels:
    """(h, w, 4): slopes of light and of colour, 0 outside ``where``."""
    light = picture @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    colour = picture[..., 0] - picture[..., 2]
    slopes = [cv2.Sobel(one, cv2.CV_32F, x, 1 - x) for one in (light, colour) for x in (1, 0)]
    return np.stack(slopes, axis=-1) * where[..., None].astype(np.float32)


def _peaks(pattern: Pixels, room: Pixels, reach: int) -> list[tuple[int, int]]:
    energy = float(np.square(pattern).sum())
    if energy == 0.0:
        return []
    alike = sum(
        cv2.matchTemplate(
            np.ascontiguousarray(room[..., c]), np.ascontiguousarray(pattern[..., c]), cv2.TM_CCORR
        )
        for c in range(pattern.shape[2])
    )
    height, width = pattern.shape[:2]
    there = cv2.boxFilter(np.square(room).sum(axis=-1), -1, (width, height), anchor=(0, 0), normalize=False)
    there = there[: alike.shape[0], : alike.shape[1]]
    alike = alike / np.sqrt(energy * np.maximum(there, 0.05 * energy))
    peaks = []
    for _ in range(PEAKS):
        _, score, _, (x, y) = cv2.minMaxLoc(alike)
        if score < ALIKE:
            break
        peaks.append((x - reach, y - reach))
        alike[max(y - 3, 0) : y + 4, max(x - 3, 0) : x + 4] = -1.0
    return peaks


def _whole(picture: Pixels, decided: Mask, still: Mask) -> Mask:
    """``decided`` (h, w) grown to whole things: what neither set claims goes to the one it has no edge with."""
    seeds = cv2.erode(decided.astype(np.uint8), np.ones((2, 2), np.uint8)) > 0
    markers = np.where(seeds, 2, np.where(still, 1, 0)).astype(np.int32)
    levels = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return np.asarray((cv2.watershed(levels, markers) == 2) | decided)


def _around(area: Mask, margin: int) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(area.any(axis=1)), np.flatnonzero(area.any(axis=0))
    return (
        slice(max(rows[0] - margin, 0), rows[-1] + 1 + margin),
        slice(max(columns[0] - margin, 0), columns[-1] + 1 + margin),
    )
