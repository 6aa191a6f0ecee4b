"""EXR files that are made to hurt whoever reads them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO

BOMB_PX = 11_586
"""Of a side: three half channels of it are 805 MB, and less than one when they are zip."""

ROWS = 256


def write_small(path: Path, compression: str) -> bytes:
    """A noisy half RGBA frame of 48 x 64, as bytes."""
    pixels = np.random.default_rng(3).random((48, 64, 4)).astype(np.float16)
    spec = OpenImageIO.ImageSpec(64, 48, 4, "half")
    spec.attribute("compression", compression)
    _write(path, spec, pixels)
    return path.read_bytes()


def _bomb(path: Path) -> None:
    """Less than a megabyte that inflates to 805."""
    spec = OpenImageIO.ImageSpec(BOMB_PX, BOMB_PX, 3, "half")
    spec.attribute("compression", "zip")
    out = _output(path)
    out.open(str(path), spec)
    black = np.zeros((ROWS, BOMB_PX, 3), np.float16)
    for first in range(0, BOMB_PX, ROWS):
        last = min(first + ROWS, BOMB_PX)
        out.write_scanlines(first, last, 0, black[: last - first])
    out.close()


def _huge_header(path: Path) -> None:
    """A few hundred bytes that claim to be 65536 x 65536."""
    data = write_small(path, "zip")
    for name in (b"dataWindow\0box2i\0", b"displayWindow\0box2i\0"):
        at = data.index(name) + len(name) + 4
        data = data[:at] + struct.pack("<4i", 0, 0, 65_535, 65_535) + data[at + 16 :]
    path.write_bytes(data[:531])


def _many_channels(path: Path) -> None:
    spec = OpenImageIO.ImageSpec(8, 8, 2000, "half")
    spec.channelnames = [f"layer{n}.R" for n in range(2000)]
    _write(path, spec, np.zeros((8, 8, 2000), np.float16))


def _deep(path: Path) -> None:
    spec = OpenImageIO.ImageSpec(8, 8, 4, "half")
    spec.deep = True
    out = _output(path)
    out.open(str(path), spec)
    samples = OpenImageIO.DeepData()
    samples.init(spec)
    out.write_deep_image(samples)
    out.close()


def _two_parts(path: Path) -> None:
    spec = OpenImageIO.ImageSpec(8, 8, 3, "half")
    spec.attribute("oiio:subimagename", "one")
    other = spec.copy()
    other.attribute("oiio:subimagename", "two")
    out = _output(path)
    out.open(str(path), (spec, other))
    for part in (None, other):
        if part is not None:
            out.open(str(path), part, "AppendSubimage")
        out.write_image(np.zeros((8, 8, 3), np.float16))
    out.close()


def _not_a_number(path: Path) -> None:
    _with_value(path, np.nan)


def _infinite(path: Path) -> None:
    _with_value(path, np.inf)


def _with_value(path: Path, value: float) -> None:
    pixels = np.full((32, 48, 3), 0.2, np.float16)
    pixels[7, 9, 1] = value
    _write(path, OpenImageIO.ImageSpec(48, 32, 3, "half"), pixels)


def _output(path: Path) -> Any:
    return OpenImageIO.ImageOutput.create(str(path))


def _write(path: Path, spec: OpenImageIO.ImageSpec, pixels: np.ndarray) -> None:
    out = _output(path)
    out.open(str(path), spec)
    out.write_image(pixels)
    out.close()


BOMBS: dict[str, Callable[[Path], None]] = {
    "978:1": _bomb,
    "65536 x 65536": _huge_header,
    "2000 channels": _many_channels,
    "deep": _deep,
    "two parts": _two_parts,
    "NaN": _not_a_number,
    "Inf": _infinite,
}
COMPRESSIONS = ("zip", "zips", "piz", "pxr24", "rle", "none", "b44a", "dwaa", "htj2k256")
