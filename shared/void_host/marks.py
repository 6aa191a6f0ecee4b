"""Whether an exported matte marks anything, told from its EXR where no image library is at hand.

Only what hosts write is looked into: one part of scanlines, uncompressed or ZIP, half or float. A channel of zeros is
known without undoing the whole of EXR's coding. ZIP first parts the even bytes of a block from the odd ones, then keeps
differences plus 128: zeros are a first byte that the differences before it add up to, and 128 after it. So all the
work is zlib's. (Layout: openexr.com, "OpenEXR File Layout"; the coding: ImfZip.cpp of OpenEXR.)
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Mapping, Optional

from void_host import exr_header
from void_wire.messages import Role

_LINES = {0: 1, 2: 1, 3: 16}
"""Compression -> scanlines of a block: none, ZIP of one line, ZIP of 16."""
_MATTES = {Role.MATTES: "R", Role.REMOVE: None}
"""Sequence with the remove matte -> its channel there; None: its only one."""


def unmarked(files: Mapping[Role, Path]) -> bool:
    """Whether the remove matte among the files of a frame is 0 in every pixel.

    False where that cannot be told: a file in another coding, or none with the matte alone. The server looks again.
    """
    for role, channel in _MATTES.items():
        if role in files:
            try:
                return _black(files[role].read_bytes(), channel)
            except (OSError, struct.error, zlib.error, IndexError, ValueError):  # it is cut, or no EXR
                return False
    return False


def _black(data: bytes, channel: Optional[str]) -> bool:
    image = exr_header.parse(data)
    if image is None or image.compression not in _LINES:
        return False
    names = [name for name, _ in image.channels]
    wanted = names.index(channel or names[0]) if (channel or names[0]) in names else None
    if wanted is None or (channel is None and len(names) > 1):
        return False
    sides = [image.width * size for _, size in image.channels]
    begin, length, line = sum(sides[:wanted]), sides[wanted], sum(sides)
    count = image.last_line - image.first_line + 1
    step = _LINES[image.compression]
    for number in range(-(-count // step)):
        (place,) = struct.unpack_from("<Q", data, image.blocks_at + 8 * number)
        first, size = struct.unpack_from("<ii", data, place)
        lines = min(step, image.last_line - first + 1)
        block = data[place + 8 : place + 8 + size]
        plain = size == lines * line  # also where compressing did not pay
        if not plain:
            block = zlib.decompress(block)
            if len(block) != lines * line:
                return False
        for at in range(begin, lines * line, line):
            if not (_zeros(block, at, length) if plain else _coded_zeros(block, at, length)):
                return False
    return True


def _zeros(block: bytes, at: int, length: int) -> bool:
    return block.count(0, at, at + length) == length


def _coded_zeros(block: bytes, at: int, length: int) -> bool:
    """The same of a block as zlib gives it; ``at`` and ``length`` are even, as pixels are."""
    odd = (len(block) + 1) // 2
    for begin in (at // 2, odd + at // 2):
        if (sum(block[: begin + 1]) - 128 * begin) & 255:
            return False
        if block.count(128, begin + 1, begin + length // 2) != length // 2 - 1:
            return False
    return True
