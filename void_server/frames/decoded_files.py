"""The files of a shot as they were decoded: it is checked, surveyed, borrowed from and written, one after the other.

Decoding a frame takes ten times as long as reading its pixels from a file that the system has in memory.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

from void_server.frames.exr import PlateFrame, read_plate
from void_server.mapped import mapped

ROOM_BYTES = 4 << 30
"""On disk: sixty frames of RGB in half and a matte at 3840 x 2160."""

SHARE = 0.25
"""Of what is free on that disk at the job's beginning, at most: results and uploads need the rest."""

FILES = 256
"""Each takes an open file."""


class DecodedFiles:
    """Reads as `read_plate` does, and keeps what it has read while there is room: ``with DecodedFiles() as decoded:``.

    For any number of threads. Leaving it gives the room back.

    Args:
        room_bytes: how much of it is kept, where temporary files have the room.
    """

    def __init__(self, room_bytes: int = ROOM_BYTES) -> None:
        self._room_bytes = min(room_bytes, int(SHARE * shutil.disk_usage(tempfile.gettempdir()).free))
        self._kept: dict[Path, PlateFrame] = {}
        self._own = threading.Lock()
        self.whole = True
        """Whether all that was read is kept."""

    def __enter__(self) -> DecodedFiles:
        return self

    def __exit__(self, *_: object) -> None:
        self._kept.clear()

    def read(self, path: Path, frame: int) -> PlateFrame:
        """The whole frame, only to be read. Raises as `read_plate` does."""
        kept = self._kept.get(path)
        if kept is None:
            kept = read_plate(path, frame)
            self._keep(path, kept)
        return kept

    def _keep(self, path: Path, plate: PlateFrame) -> None:
        with self._own:
            if plate.pixels.nbytes > self._room_bytes or len(self._kept) == FILES:
                self.whole = False
                return
            self._room_bytes -= plate.pixels.nbytes
        try:
            self._kept[path] = replace(plate, pixels=mapped(plate.pixels))
        except OSError:  # a disk that is full costs time alone
            self.whole = False
