"""The plates of a shot that are being borrowed from, and all its holes, ready to be looked at, in files.

Decoding a plate costs more than what is then done with it, and each is borrowed from by several frames.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from void_server.engine.motion import Mask, Pixels

PLATES = 16
"""How many are ready at a time. In a file, so the memory is the system's to take back."""


class PlateSource(Protocol):
    """A shot that can be read frame by frame, in any order, any number of times."""

    count: int
    height_px: int
    width_px: int

    def plate(self, index: int) -> NDArray[np.float32]:
        """(H, W, 3) scene-linear; may be above 1 and slightly negative."""
        ...

    def hole(self, index: int) -> NDArray[np.float32]:
        """(H, W), 0..1: what is to be replaced; where it is 0 the plate is trusted."""
        ...


class Shelf:
    """Reads from ``source``, and keeps in ``folder``. For one thread."""

    def __init__(self, source: PlateSource, folder: Path) -> None:
        self._source = source
        size = (source.height_px, source.width_px)
        places = min(PLATES, source.count)
        self._plates = np.memmap(folder / "plates", np.float32, "w+", shape=(places, *size, 3))
        self._place: dict[int, int] = {}  # by index, the one that was asked for longest ago first
        packed = (source.count, size[0], -(-size[1] // 8))
        self._holes = np.memmap(folder / "holes", np.uint8, "w+", shape=packed)
        self._known: set[int] = set()

    def plate(self, index: int) -> Pixels:
        """(H, W, 3) scene-linear, to be read before the next is asked for."""
        if index in self._place:
            place = self._place.pop(index)
        else:
            full = len(self._place) == len(self._plates)
            place = self._place.pop(next(iter(self._place))) if full else len(self._place)
            self._plates[place] = self._source.plate(index)
        self._place[index] = place
        return np.asarray(self._plates[place])

    def hole(self, index: int) -> Mask:
        """(H, W): where the hole is anything above 0."""
        if index not in self._known:
            self._holes[index] = np.packbits(self._source.hole(index) > 0, axis=1)
            self._known.add(index)
        return np.unpackbits(self._holes[index], axis=1, count=self._source.width_px).view(np.bool_)
