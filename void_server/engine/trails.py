"""Where the content of one frame lies in all the others, followed from frame to frame on a coarse grid."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.engine.motion import Mask, Motion, Pixels, identity, inside, sample

CELL_PX = 4  # of the proxies
REACH = 240  # frames followed each way: twenty seconds at the film rate are enough for any reveal
ENOUGH_SIGHTS = 3
INCONSISTENT_CELLS = 0.35
NEAR_FRAMES = 24  # a frame this far away is half as welcome


@dataclass(frozen=True)
class Sight:
    """What frame ``index`` shows of another frame's hole."""

    index: int
    places: Pixels  # map (gh, gw, 2) of the other frame's cells into this one, in cells
    visible: Mask  # (cells of the hole,)


class Trails:
    """Motion between neighbouring frames and the holes, one value a cell, in memory-mapped files."""

    def __init__(self, folder: Path, count: int, height_px: int, width_px: int) -> None:
        self.count = count
        self.height, self.width = -(-height_px // CELL_PX), -(-width_px // CELL_PX)
        grid = (self.height, self.width)
        self._steps = np.memmap(folder / "steps", np.float32, "w+", shape=(2, count, *grid, 2))
        self._lost = np.memmap(folder / "lost", np.bool_, "w+", shape=(2, count, *grid))
        self._hole = np.memmap(folder / "cells", np.bool_, "w+", shape=(count, *grid))
        self._closed = np.memmap(folder / "closed", np.bool_, "w+", shape=(count, *grid))

    def put_hole(self, index: int, hole: Mask, closed: Mask) -> None:
        """Keep the hole (h, w) of a frame and what of it must not be borrowed: a cell with any of it is it."""
        self._hole[index] = self._coarse(hole.astype(np.float32)) > 0
        self._closed[index] = self._coarse(closed.astype(np.float32)) > 0

    def put_motion(self, index: int, ahead: Motion, back: Motion) -> None:
        """Keep the motion from frame ``index`` to the next and back.

        Where both were seen and do not undo each other, something covers something: the trail is lost there.
        """
        height, width = ahead.seen.shape
        scale = np.asarray([self.width / width, self.height / height], np.float32)
        steps = [self._coarse(motion.displacement) * scale for motion in (ahead, back)]
        seen = [self._coarse(motion.seen.astype(np.float32)) >= 1 for motion in (ahead, back)]
        for way, start in ((0, index), (1, index + 1)):
            out, home = steps[way], steps[1 - way]
            places = identity(self.height, self.width) + out
            away = np.linalg.norm(out + sample(home, places), axis=-1)
            both = seen[way] & (sample(seen[1 - way].astype(np.float32), places) >= 1)
            self._steps[way, start] = out
            self._lost[way, start] = both & (away > INCONSISTENT_CELLS)

    def sights(self, target: int) -> list[Sight]:
        """Every frame in reach that shows something of the hole of ``target``, nearest first on either side."""
        cells = np.nonzero(self._hole[target])
        return [] if len(cells[0]) == 0 else [*self._walk(target, 0, cells), *self._walk(target, 1, cells)]

    def place(self, target: int, index: int) -> Pixels:
        """Map (gh, gw, 2) of the cells of ``target`` into frame ``index``, whatever is there."""
        way, step = (0, 1) if index > target else (1, -1)
        places = identity(self.height, self.width)
        for before in range(target, index, step):
            places = places + sample(np.array(self._steps[way, before]), places)
        return places

    def _walk(self, target: int, way: int, cells: tuple[NDArray[np.intp], ...]) -> Iterator[Sight]:
        grid = (self.height, self.width)
        places = identity(*grid)
        alive = np.ones(grid, np.bool_)
        times_seen = np.zeros(len(cells[0]), np.int32)
        last = min(target + REACH, self.count - 1) if way == 0 else max(target - REACH, 0)
        step = 1 if way == 0 else -1
        for index in range(target + step, last + step, step):
            before = index - step
            alive &= sample(np.asarray(self._lost[way, before], np.float32), places, cv2.INTER_NEAREST) == 0
            places = places + sample(np.array(self._steps[way, before]), places)
            closed = sample(np.asarray(self._closed[index], np.float32), places, cv2.INTER_NEAREST) > 0
            visible = (~closed & alive & inside(places, *grid))[cells]
            if visible.any():
                yield Sight(index, places, visible)
            times_seen += visible
            if times_seen.min() >= ENOUGH_SIGHTS:
                return

    def _coarse(self, picture: Pixels) -> Pixels:
        small = cv2.resize(picture, (self.width, self.height), interpolation=cv2.INTER_AREA)
        return np.asarray(small, dtype=np.float32).reshape(self.height, self.width, *picture.shape[2:])


def choose(sights: list[Sight], target: int, most: int, rested: Callable[[int], float]) -> list[Sight]:
    """At most ``most`` sights that together show the hole, best first, each part more than once if possible.

    Near frames are preferred, and those that have ``rested``: 1 for a frame that was not taken from lately, and
    less for others. Grain that stays while the film runs on is seen at once.
    """
    if not sights:
        return []
    worth = np.asarray([1.0, 0.3, 0.15, 0.0])
    visible = np.stack([sight.visible for sight in sights])
    taste = np.asarray(
        [rested(sight.index) / (1.0 + abs(sight.index - target) / NEAR_FRAMES) for sight in sights]
    )
    covered = np.zeros(visible.shape[1], np.intp)
    chosen: list[Sight] = []
    for _ in range(min(most, len(sights))):
        gains = (visible @ worth[np.minimum(covered, 3)]) * taste
        gains[[sights.index(sight) for sight in chosen]] = 0.0
        best = int(np.argmax(gains))
        if gains[best] <= 0.002 * visible.shape[1]:
            break
        chosen.append(sights[best])
        covered += visible[best]
    return chosen
