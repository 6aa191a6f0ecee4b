"""Mattes from EXR files, over the plate's display window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from void_server.frames.exr import Layout, PlateFrame, Read, read_plate
from void_server.frames.geometry import Box, Floats, place
from void_server.frames.matte import KEEP, Classes, exact_classes, split_quadmask
from void_server.pixels import Pixels, floats, picked
from void_wire.errors import BadPixels, SizeMismatch, StrayMatteValues, UnsupportedImage
from void_wire.messages import Role

_INFINITE, _MINUS_INFINITE = 0x7C00, 0xFC00
"""Bits of halves, IEEE 754 binary16: what is no number has greater ones, of either sign."""

TOLERANCE = 0.001
"""How far a matte may leave 0..1, and what still counts as 0: filters ring a little, and half rounds."""


@dataclass(frozen=True, eq=False)
class Mattes:
    """The mattes of one frame on the plate's canvas, whichever way they were sent."""

    remove: Floats  # float32 (H, W), 0..1, exactly 0 where nothing is
    affected: Floats | None
    quadmask: Classes | None  # uint8 (H, W), when it came ready-made


def read_mattes(paths: Mapping[Role, Path], frame: int, display: Box, read: Read = read_plate) -> Mattes:
    """The mattes of one frame.

    Args:
        paths: the frame's files by role, one of the combinations a job can be made of.
        frame: its number.
        display: the plate's display window, which the mattes must share. A matte is 0 outside its data
            window, a quadmask 255.
        read: called for each file.

    Raises:
        MissingFrames, UnsupportedImage: see `read_plate`.
        SizeMismatch: the display window is another than the plate's.
        BadPixels: a matte holds NaN or infinite values.
        StrayMatteValues: a matte leaves 0..1, or a quadmask holds values besides its four.
    """
    if Role.QUADMASK in paths:
        file = _read(paths[Role.QUADMASK], frame, Role.QUADMASK, display, read)
        classes = exact_classes(_values(file, _matte_channel(file), Role.QUADMASK), frame)
        canvas = place(classes.astype(np.float32), file.layout.data, display, outside=KEEP).astype(np.uint8)
        return Mattes(*split_quadmask(canvas), canvas)
    if Role.MATTES in paths:
        file = _read(paths[Role.MATTES], frame, Role.MATTES, display, read)
        remove, affected = (_matte(file, _named_channel(file, name), Role.MATTES) for name in "RG")
        return Mattes(remove, affected, None)
    singles = {
        role: _read(paths[role], frame, role, display, read)
        for role in (Role.REMOVE, Role.AFFECTED)
        if role in paths
    }
    mattes = {role: _matte(file, _matte_channel(file), role) for role, file in singles.items()}
    return Mattes(mattes[Role.REMOVE], mattes.get(Role.AFFECTED), None)


def _read(path: Path, frame: int, role: Role, display: Box, read: Read) -> PlateFrame:
    file = read(path, frame)
    check_display(file.layout, role, display)
    return file


def check_display(layout: Layout, role: Role, display: Box) -> None:
    """Raise SizeMismatch unless the file covers the plate's display window."""
    if layout.display != display:
        raise SizeMismatch(
            f"{layout} of the {role.label} is {size_text(layout.display)} and the plate is {size_text(display)}: "
            "write both with the same format."
        )


def size_text(box: Box) -> str:
    """``1920 x 1080``, with its origin where that is not 0, 0."""
    return f"{box.width} x {box.height}" + (f" from {box.x}, {box.y}" if (box.x, box.y) != (0, 0) else "")


def _matte(file: PlateFrame, channel: int, role: Role) -> Floats:
    values = _values(file, channel, role)
    if values.min(initial=0) < -TOLERANCE or values.max(initial=0) > 1 + TOLERANCE:
        stray = (values < -TOLERANCE) | (values > 1 + TOLERANCE)
        y, x = np.argwhere(stray)[0]
        raise StrayMatteValues(
            f"{file.layout} of the {role.label} holds {values[y, x]:.4g} at x {x + file.layout.data.x}, "
            f"y {y + file.layout.data.y} ({np.count_nonzero(stray)} pixels in all); a matte goes from 0 to 1: clamp it."
        )
    np.minimum(values, 1, out=values)
    cv2.threshold(
        values, float(np.nextafter(np.float32(TOLERANCE), np.float32(0))), 0, cv2.THRESH_TOZERO, values
    )
    return place(values, file.layout.data, file.layout.display, outside=0)


def _values(file: PlateFrame, channel: int, role: Role) -> Floats:
    values = picked(file.pixels, (channel,))[..., 0]
    check_finite(values, file.layout, role, file.layout.channels[channel])
    return floats(values)


def finite(pixels: Pixels) -> bool:
    """Whether every one of ``pixels`` (...) is a number, none infinite."""
    # numpy compares halves slowly, their bits fast: read without a sign the negative ones are the greatest
    if pixels.dtype == np.float16:
        positive = pixels.view(np.int16).max(initial=0) < _INFINITE
        return bool(positive and pixels.view(np.uint16).max(initial=0) < _MINUS_INFINITE)
    # Least and greatest are no numbers where any value is none: cheaper than to look at each.
    return bool(np.isfinite(pixels.min(initial=0)) and np.isfinite(pixels.max(initial=0)))


def check_finite(values: Pixels, layout: Layout, role: Role, channel: str) -> None:
    """Raise BadPixels unless every value of a channel, (h, w) of the data window, is a number."""
    if not finite(values):
        bad = ~np.isfinite(values)
        y, x = np.argwhere(bad)[0]
        kind = "NaN" if np.isnan(values[y, x]) else "infinite"
        raise BadPixels(
            f"{layout} of the {role.label} has {np.count_nonzero(bad)} NaN or infinite pixels in channel "
            f"{channel}, the first ({kind}) at x {x + layout.data.x}, y {y + layout.data.y}: repair them and send it "
            "again."
        )


def _named_channel(file: PlateFrame, name: str) -> int:
    names = file.layout.channels
    if name not in names:
        raise UnsupportedImage(
            f"{file.layout} has channels {', '.join(names)}; a mattes file holds remove in R and affected in G: "
            "write it so."
        )
    return names.index(name)


def _matte_channel(file: PlateFrame) -> int:
    """The only channel, else alpha, else red, else luminance.

    A black and white picture with a full alpha is common too: an alpha of 1 everywhere gives way to red.
    """
    names = file.layout.channels
    if len(names) == 1:
        return 0
    found = [names.index(name) for name in ("A", "R", "Y") if name in names]
    if not found:
        raise UnsupportedImage(
            f"{file.layout} has channels {', '.join(names)} and none of A, R or Y to take the matte from: write one."
        )
    full_alpha = names[found[0]] == "A" and bool((file.pixels[..., found[0]] == 1).all())
    return found[1] if full_alpha and len(found) > 1 else found[0]
