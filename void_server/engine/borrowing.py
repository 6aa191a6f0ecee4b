"""Borrowing over a whole shot: what other frames show of a hole, brought to the plate's resolution.

1. `survey` reads every frame once: proxies, holes and the motion between neighbours, into files.
2. `borrow` follows the hole of one frame through the shot (`Trails.sights`), picks frames (`choose`), finds the
   exact motion to each of them (`align`), its light (`candidate`) and what to believe (`weights`), and takes the
   pixels themselves from the plates.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from void_server.engine.borrow import Box, Candidate, bring, candidate, rescaled, weights
from void_server.engine.flow import Flow
from void_server.engine.motion import Mask, Pixels, align, between, grow, identity, sample, sample_list
from void_server.engine.proxy import Proxies, Tone
from void_server.engine.shelf import PlateSource, Shelf, Stored
from void_server.engine.trails import Trails, choose
from void_server.pixels import floats

SOURCES = 4  # frames one frame borrows from
SOFT_EDGE_PX = 2  # of the proxies: what lies this close to a hole may be touched by what is in it
REST_FRAMES = 3  # a source is left alone for so long: the same grain twice in a row stands still
TAKEN = 0.02  # share of a hole's pixels that makes a frame a source of it
COVERED = 1e-3  # a pixel with less weight than this is shown by no frame


@dataclass(frozen=True)
class Borrowed:
    """What other frames show of the part ``box`` of a frame, at plate resolution."""

    box: Box
    picture: Pixels  # (h, w, 3) scene-linear, in the frame's light; 0 where nothing is shown
    shown: Pixels  # (h, w), 0..1: how much of what was to be taken the plates really show
    averaged: Pixels  # (h, w), 0..1: share of the grain's amplitude that averaging took

    def within(self, box: Box) -> Borrowed:
        """The same over ``box``, which has all of its own; nothing is shown in the rest."""
        own = self.box
        rim = (
            (own.top - box.top, box.bottom - own.bottom),
            (own.left - box.left, box.right - own.right),
        )
        picture = np.pad(self.picture, (*rim, (0, 0)))
        return Borrowed(box, picture, np.pad(self.shown, rim), np.pad(self.averaged, rim))


class Borrowing:
    """All that is known of a shot while it is filled; the plates stay where they are."""

    def __init__(self, source: PlateSource, flow: Flow, folder: Path) -> None:
        self._source = source
        self._flow = flow
        self._size = (source.height_px, source.width_px)
        self._proxies = Proxies(folder, source.count, *self._size)
        self._small = (self._proxies.height_px, self._proxies.width_px)
        self._trails = Trails(folder, source.count, *self._small)
        self._ahead: Pixels | None = None
        self._taken_from: deque[set[int]] = deque(maxlen=REST_FRAMES)
        self._shelf = Shelf(source, folder)
        self.tone = Tone(1.0)
        self.scale = max(self._size) / max(self._small)
        """Pixels of the plate in one of the proxies."""

    def plate(self, index: int) -> Stored:
        """(H, W, 3) scene-linear, only to be read."""
        return self._shelf.plate(index)

    def hole(self, index: int) -> Mask:
        """(H, W): what is to be replaced."""
        return self._shelf.hole(index)

    def survey(self, index: int) -> None:
        """Take in frame ``index``; to be called for each, in order, before anything is borrowed."""
        self.look(index)
        self.follow(index)

    def look(self, index: int) -> None:
        """The first half of `survey`, which may be a frame ahead of the second, on another thread."""
        # past the shelf: in a long shot nothing would be left there by the time it is borrowed from
        plate = floats(self._source.plate(index))
        hole = self.hole(index)
        if index == 0:
            self.tone = Tone.of(plate)
        self._proxies.put(index, plate, hole, self.tone)

    def follow(self, index: int) -> None:
        """The second half of `survey`: the motion between the frame before and frame ``index``."""
        if index > 0:
            (first, hole_first), (second, hole_second) = self._half(index - 1), self._half(index)
            ahead = between(self._flow, first, second, hole_first, hole_second, self._ahead)
            back = between(self._flow, second, first, hole_second, hole_first, -ahead.displacement)
            self._ahead = ahead.displacement
            self._trails.put_motion(index - 1, ahead, back)
            self._proxies.put_moving(index - 1, ahead.moving)
            self._proxies.put_moving(index, back.moving)
            self._complete(index - 1)
        if index == self._source.count - 1:
            self._complete(index)

    def _complete(self, index: int) -> None:
        """Both neighbours of frame ``index`` are known."""
        self._proxies.close(index)
        self._trails.put_hole(index, self._proxies.hole(index), self._proxies.closed(index))

    def _half(self, index: int) -> tuple[Pixels, Mask]:
        """Proxy and hole at half the proxies' size: enough to follow, `align` makes it exact."""
        size = (max(self._small[1] // 2, 1), max(self._small[0] // 2, 1))
        colour = cv2.resize(self._proxies.colour(index), size, interpolation=cv2.INTER_AREA)
        hole = cv2.resize(self._proxies.hole(index).astype(np.float32), size, interpolation=cv2.INTER_AREA)
        return colour.reshape(size[1], size[0], 3), hole.reshape(size[1], size[0]) > 0

    def borrow(self, index: int, wanted: Mask) -> Borrowed:
        """What other frames show of frame ``index`` where ``wanted`` (H, W) says: its hole, which is not empty."""
        area, box = self._around_hole(index), Box.around(wanted, margin_px=0)
        chosen = choose(self._trails.sights(index), index, SOURCES, self._rested)
        with ThreadPoolExecutor(SOURCES) as pool:  # OpenCV works beside other threads
            candidates = list(
                pool.map(lambda sight: self._candidate(index, area, sight.index, sight.places), chosen)
            )
        rows, columns = box.nonzero(wanted)
        places = np.stack([columns, rows], axis=-1).astype(np.float32)
        at = self._in(area, places)
        taken_from: set[int] = set()
        total, shown, squares = (np.zeros((len(places), size), np.float32) for size in (3, 1, 1))
        for one, share in zip(candidates, weights(candidates) if candidates else (), strict=True):
            own = sample_list(share, at)
            taken = np.nonzero(own)[0]
            if len(taken) > TAKEN * len(places):
                taken_from.add(one.index)
            pixels, open_there = self._taken(one, area, places[taken], at[taken])
            own = (own[taken] * open_there)[:, None]
            total[taken] += pixels * own
            shown[taken] += own
            squares[taken] += own * own
        self._taken_from.append(taken_from)
        found = shown > COVERED
        np.divide(total, shown, out=total, where=found)
        averaged = np.where(found, 1.0 - np.sqrt(squares) / np.maximum(shown, COVERED), 0.0)
        picture = np.zeros((box.bottom - box.top, box.right - box.left, 5), np.float32)
        picture[rows - box.top, columns - box.left] = np.concatenate(
            [total, np.minimum(shown, 1.0), averaged], axis=1
        )
        return Borrowed(box, picture[..., :3], picture[..., 3], picture[..., 4])

    def _rested(self, index: int) -> float:
        """How welcome frame ``index`` is as a source: 0..1, least if the frame before was taken from it."""
        ago = [back for back, frames in enumerate(reversed(self._taken_from), 1) if index in frames]
        return min(ago, default=REST_FRAMES + 1) / (REST_FRAMES + 1)

    def way(self, index: int, other: int, places: Pixels) -> tuple[Pixels, Pixels]:
        """Where ``places`` (N, 2) near the hole of frame ``index`` lie in frame ``other``, whatever is there.

        All in pixels of the plate. Returns places (N, 2) and the factors (N, 3) that bring the light there into the
        light here.
        """
        area = self._around_hole(index)
        one = self._candidate(index, area, other, self._trails.place(index, other))
        at = self._in(area, places)
        return self._moved(one, area, places, at), sample_list(one.light, at)

    def back(self, index: int, places: Pixels) -> Pixels:
        """Where ``places`` (h, w, 2), pixels of the plate, of frame ``index`` lay in the frame before it.

        Along the motion of the background, without the exactness of `way`.
        """
        cells_there = self._trails.place(index, index - 1)
        grid = cells_there.shape[:2]
        cells = rescaled(places, self._size, grid)
        return rescaled(cells + sample(cells_there - identity(*grid), cells), grid, self._size)

    def _around_hole(self, index: int) -> Box:
        return Box.around(self._proxies.hole(index), margin_px=max(32, max(self._small) // 16))

    def _candidate(self, index: int, box: Box, other: int, cells_there: Pixels) -> Candidate:
        """Frame ``other`` for the part ``box`` of frame ``index``, found by the map of the cells."""
        target = self._proxies.colour(index)[box.cut]
        hidden = grow(self._proxies.closed(index), SOFT_EDGE_PX)[box.cut]
        source, hidden_source = self._proxies.colour(other), grow(self._proxies.closed(other), SOFT_EDGE_PX)
        here = box.places()
        grid = cells_there.shape[:2]
        cells = rescaled(here, self._small, grid)
        guess = rescaled(cells + sample(cells_there - identity(grid[0], grid[1]), cells), grid, self._small)
        places, still = align(self._flow, target, hidden, here, source, hidden_source, guess)
        return candidate(other, target, hidden, places, still, source, hidden_source, self.tone)

    def _in(self, area: Box, places: Pixels) -> Pixels:
        """``places`` (N, 2) of the plate as places in the part ``area`` of the proxies."""
        return rescaled(places, self._size, self._small) - np.asarray([area.left, area.top], np.float32)

    def _moved(self, one: Candidate, area: Box, places: Pixels, at: Pixels) -> Pixels:
        """``places`` (N, 2), which lie ``at`` in ``area``, by the map of ``one``, in pixels of the plate."""
        scale = np.asarray([self._size[1] / self._small[1], self._size[0] / self._small[0]], np.float32)
        return places + sample_list(one.places - area.places(), at) * scale

    def _taken(self, one: Candidate, area: Box, places: Pixels, at: Pixels) -> tuple[Pixels, Mask]:
        """Pixels (N, 3) of ``one`` for ``places`` (N, 2), in the light here, and which are in no hole there."""
        plate, hole = self.plate(one.index), self.hole(one.index)
        if one.still:
            columns, rows = places.astype(np.intp).T
            pixels, open_there = floats(plate[rows, columns]), ~hole[rows, columns]
        else:
            moved = self._moved(one, area, places, at)
            pixels = bring(plate, moved)
            open_there = sample_list(hole.astype(np.float32), moved) <= 0
        return pixels * sample_list(one.light, at), open_there
