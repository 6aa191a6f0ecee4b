"""Which frames the model sees together, and through which box.

A *take* lies between two cuts: nothing of one is of use in another. A *segment* is a part of a take with a box of
its own: where what is marked travels far, one box around all of it would leave the model few pixels. Neighbouring
segments of a take share some frames, over which the fill goes from one to the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from void_server.frames.crop import halved
from void_server.frames.geometry import Box, Fit, Floats, union

OVERLAP = 12
"""Frames that neighbouring segments share: half a second of film for the eye to follow the change."""
SHORTEST = 60
"""Frames of a segment that a split leaves: the model needs time to see what is behind things."""
GAIN = 4 / 3
"""What a split must bring: detail, raster pixels per plate pixel, in the mean over the frames."""
MOST = 8
"""Segments of a take."""
GRID, NODES = 2, 150
"""Segments begin on every second frame, of long takes on every n-th: places to choose from."""

Fitted = Callable[[Box], Fit]
"""The box and raster for what is marked (`crop.choose_fit`)."""


@dataclass(frozen=True)
class Segment:
    """Indices ``first``..``stop`` (exclusive) of a shot, which the model sees through one box."""

    first: int
    stop: int
    marked: Box  # around what the mattes hold in its frames
    fit: Fit

    def __len__(self) -> int:
        return self.stop - self.first

    def covers(self, index: int) -> bool:
        """Whether the model sees this index with it."""
        return self.first <= index < self.stop


@dataclass(frozen=True)
class Take:
    """Indices ``first``..``stop`` (exclusive) between two cuts."""

    first: int
    stop: int
    segments: tuple[Segment, ...]  # that cover it, in order; none when nothing is marked in it

    def __len__(self) -> int:
        return self.stop - self.first

    def halved(self) -> Take:
        """The same boxes, each at half its raster."""
        smaller = tuple(replace(segment, fit=halved(segment.fit)) for segment in self.segments)
        return replace(self, segments=smaller)

    def covering(self, index: int) -> list[Segment]:
        """The segments that have this index: one, two where it goes from one to the next, none if nothing is marked."""
        return [segment for segment in self.segments if segment.covers(index)]


def plan_takes(
    marked: Sequence[Box | None], cuts: Sequence[int], fitted: Fitted, *, split: bool
) -> list[Take]:
    """All frames of a shot, in order.

    Args:
        marked: around what the mattes hold, for each index; None where they hold nothing.
        cuts: indices at which another take begins, rising.
        fitted: box and raster for a marked box.
        split: whether a take may become several segments.
    """
    edges = [0, *cuts, len(marked)]
    return [
        Take(first, stop, tuple(_segments(marked, first, stop, fitted, split)))
        for first, stop in pairwise(edges)
    ]


def _segments(
    marked: Sequence[Box | None], first: int, stop: int, fitted: Fitted, split: bool
) -> list[Segment]:
    """Of one take: as few as bring what more of them could."""
    around = union(marked[first:stop])
    if around is None:
        return []
    whole = [Segment(first, stop, around, fitted(around))]
    if not split or stop - first < 2 * SHORTEST - OVERLAP:
        return whole
    chosen, detail = whole, whole[0].fit.detail
    for candidate, its_detail in _splits(marked, first, stop, fitted):
        if its_detail >= GAIN * detail:
            chosen, detail = candidate, its_detail
    return chosen


def _splits(
    marked: Sequence[Box | None], first: int, stop: int, fitted: Fitted
) -> Iterator[tuple[list[Segment], float]]:
    """The best split in two, in three and so on, each with its detail in the mean over the frames.

    By dynamic programming over a grid of frames at which one segment may follow another.
    """
    nodes = [*range(first, stop - SHORTEST + 1, max(GRID, (stop - first) // NODES)), stop]
    choices = [choice for node in nodes[:-1] for choice in _from(node, nodes, marked, fitted)]
    paths: dict[int, tuple[float, list[Segment]]] = {first: (0.0, [])}
    for number in range(1, MOST + 1):
        longer: dict[int, tuple[float, list[Segment]]] = {}
        for following, segment in choices:
            if segment.first in paths:
                total, path = paths[segment.first]
                total += (following - segment.first) * segment.fit.detail
                if following not in longer or total > longer[following][0]:
                    longer[following] = (total, [*path, segment])
        if number > 1 and stop in longer:
            total, path = longer[stop]
            yield path, total / (stop - first)
        paths = longer


def _from(
    node: int, nodes: list[int], marked: Sequence[Box | None], fitted: Fitted
) -> Iterator[tuple[int, Segment]]:
    """Every segment that may begin at ``node``, and where the next one begins, the last of ``nodes`` for none."""
    around, seen, last = None, node, nodes[-1]
    for following in nodes:
        stop = min(following + OVERLAP, last)
        if following > node and stop - node >= SHORTEST:
            around = union([around, *marked[seen:stop]])
            seen = stop
            if around is not None:
                yield following, Segment(node, stop, around, fitted(around))


def common_box(segments: Sequence[Segment]) -> Box:
    """What the boxes of one or two neighbouring segments have in common: all that is marked where they overlap."""
    box: Box | None = segments[0].fit.box
    for segment in segments[1:]:
        box = box and box.within(segment.fit.box)
    if box is None:
        raise ValueError(f"segments {segments} have no pixel in common")
    return box


def joined(index: int, answers: Sequence[tuple[Segment, Floats]], box: Box) -> Floats:
    """The fill of a frame from the answers of all segments that have it.

    Args:
        index: of the frame.
        answers: one or two neighbouring segments in order, each with its raster, float32 (h, w, 3).
        box: the part wanted of what all of them see (`common_box`).

    Returns:
        The canvas over ``box``, float32 (H, W, 3). From one segment to the next the share rises linearly; neither
        end of the overlap is wholly the one's or the other's.
    """
    (segment, answer), *later = answers
    one = segment.fit.from_raster(answer, box)
    if not later:
        return one
    ((following, next_answer),) = later
    share = (index - following.first + 1) / (segment.stop - following.first + 1)
    mixed: Floats = one + (following.fit.from_raster(next_answer, box) - one) * np.float32(share)
    return mixed
