"""The header of an EXR file as hosts write it: one part of scanlines. No image library is at hand in a host.

Layout: openexr.com, "OpenEXR File Layout".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Tuple

_MAGIC = 20000630
_NOT_PLAIN = 0x200 | 0x800 | 0x1000
"""Flags of tiles, deep data and several parts."""

_BYTES = {0: 4, 1: 2, 2: 4}
"""Type of pixels -> bytes of one."""

_ENOUGH = 1 << 20
"""Bytes that hold a header, its metadata included."""


@dataclass(frozen=True)
class Header:
    """What it says."""

    channels: Tuple[Tuple[str, int], ...]  # name, bytes of a pixel; in the order of a line
    compression: int  # as the file numbers them: 0 none, 2 ZIP of one line, 3 of 16
    display: Tuple[int, int]  # width, height of the display window
    width: int  # of the data window, whose lines are first_line..last_line
    first_line: int
    last_line: int
    blocks_at: int  # where the table of the blocks' places begins


def read(path: Path) -> Optional[Header]:
    """The file's, None where it cannot be told."""
    try:
        with path.open("rb") as file:
            return parse(file.read(_ENOUGH))
    except (OSError, struct.error, IndexError, ValueError):
        return None


def parse(data: bytes) -> Optional[Header]:
    """None for a file that is of another kind. Raises struct.error, IndexError or ValueError where it is cut."""
    magic, version = struct.unpack_from("<II", data)
    if magic != _MAGIC or version & _NOT_PLAIN:
        return None
    found: Dict[str, bytes] = {}
    at = 8
    while data[at]:
        name, at = _text(data, at)
        _, at = _text(data, at)
        (size,) = struct.unpack_from("<I", data, at)
        found[name] = data[at + 4 : at + 4 + size]
        at += 4 + size
    if not {"channels", "dataWindow", "displayWindow", "compression"} <= found.keys():
        return None
    channels = _channels(found["channels"])
    if channels is None:
        return None
    left, top, right, bottom = struct.unpack("<4i", found["dataWindow"])
    x, y, last_x, last_y = struct.unpack("<4i", found["displayWindow"])
    return Header(
        channels=tuple(channels),
        compression=found["compression"][0],
        display=(last_x - x + 1, last_y - y + 1),
        width=right - left + 1,
        first_line=top,
        last_line=bottom,
        blocks_at=at + 1,
    )


def _channels(text: bytes) -> Optional[List[Tuple[str, int]]]:
    channels, at = [], 0
    while text[at]:
        name, at = _text(text, at)
        kind, _, across, down = struct.unpack_from("<iiii", text, at)
        if kind not in _BYTES or (across, down) != (1, 1):
            return None
        channels.append((name, _BYTES[kind]))
        at += 16
    return channels


def _text(data: bytes, at: int) -> Tuple[str, int]:
    end = data.index(0, at)
    return data[at:end].decode(), end + 1
