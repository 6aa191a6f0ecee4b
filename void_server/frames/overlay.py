"""The picture that shows the artist what the model is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO

from void_server.frames.geometry import Floats
from void_server.frames.matte import AFFECTED, OVERLAP, REMOVE, Classes
from void_wire.errors import SettingsError

_TINTS = {REMOVE: (1.0, 0.25, 0.1), OVERLAP: (1.0, 0.9, 0.1), AFFECTED: (0.15, 0.5, 1.0)}
_TINT_SHARE = 0.55


def overlay(plate: Floats, classes: Classes) -> Classes:
    """The plate as the model gets it, tinted: remove red, overlap yellow, affected blue, keep as it is.

    Args:
        plate: float32 (h, w, 3), display-referred 0..1.
        classes: uint8 (h, w).

    Returns:
        uint8 (h, w, 3), sRGB.
    """
    tinted = plate.copy()
    for value, tint in _TINTS.items():
        here = classes == value
        tinted[here] = plate[here] * (1 - _TINT_SHARE) + np.array(tint, np.float32) * _TINT_SHARE
    return (np.clip(tinted, 0, 1) * 255 + 0.5).astype(np.uint8)


def write_png(path: Path, image: Classes) -> None:
    """An 8-bit sRGB picture, uint8 (h, w, 3); it appears whole or not at all.

    Raises:
        SettingsError: it cannot be written.
    """
    height, width, channels = image.shape
    part = path.with_name(path.name + ".part")
    target: Any = OpenImageIO.ImageOutput.create("png")
    try:
        opened = target.open(str(part), OpenImageIO.ImageSpec(width, height, channels, "uint8"))
        if not (opened and target.write_image(np.ascontiguousarray(image)) and target.close()):
            raise SettingsError(
                f"{path} cannot be written ({target.geterror()}): choose another folder or make room."
            )
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
