"""The plates of a shot that are being borrowed from, and all its holes, ready to be looked at, in files.

Reading a plate may cost more than what is then done with it, and each is borrowed from by several frames.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from void_server import pixels
from void_server.engine.motion import Mask
from void_server.mapped import mapped

Stored = pixels.Pixels

PLATES = 32
"""How many are ready at a time. In a file, so the memory is the system's to take back."""


class PlateSource(Protocol):
    """A shot that can be read frame by frame, in any order, any number of times."""

    count: int
    height_px: int
    width_px: int

    @property
    def at_hand(self) -> bool:
        """Whether a plate costs nothing to be read again."""
        ...

    def plate(self, index: int) -> Stored:
        """(H, W, 3) scene-linear; may be above 1 and slightly negative."""
        ...

    def hole(self, index: int) -> NDArray[np.float32]:
        """(H, W), 0..1: what is to be replaced; where it is 0 the plate is trusted."""
        ...


class Shelf:
    """Reads from ``source``, and keeps in ``folder``. For one thread."""

    def __init__(self, source: PlateSource, folder: Path) -> None:
        self._source, self._folder = source, folder
        self._plates: dict[int, Stored] = {}  # by index, the one that was asked for longest ago first
        packed = (source.count, source.height_px, -(-source.width_px // 8))
        self._holes = np.memmap(folder / "holes", np.uint8, "w+", shape=packed)
        self._known: set[int] = set()

    def plate(self, index: int) -> Stored:
        """(H, W, 3) scene-linear, only to be read."""
        if self._source.at_hand:
            return self._source.plate(index)
        kept = self._plates.pop(index, None)
        if kept is None:
            if len(self._plates) == PLATES:
                del self._plates[next(iter(self._plates))]
            kept = mapped(self._source.plate(index), self._folder)
        self._plates[index] = kept
        return kept

    def hole(self, index: int) -> Mask:
        """(H, W): where the hole is anything above 0."""
        if index not in self._known:
            self._holes[index] = np.packbits(self._source.hole(index) > 0, axis=1)
            self._known.add(index)
        return np.unpackbits(self._holes[index], axis=1, count=self._source.width_px).view(np.bool_)
