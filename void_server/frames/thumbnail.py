"""A small picture of a made frame beside its plate, for whoever cannot read EXR: a panel inside a host."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from void_server.frames.exr import HALF_MAX, PlateFrame, rgb_channels
from void_server.frames.geometry import Floats, resize

WIDTH_PX = 384
"""Of one of the two."""

_SAMPLES = 2
"""A pixel is the mean of so many along each side: nothing of a large frame is read but these."""


def thumbnail(
    plate: PlateFrame, rgb: Floats, changed: npt.NDArray[np.bool_], encode: Callable[[Floats], Floats]
) -> npt.NDArray[np.uint8]:
    """The plate's display window on the left, the same with what was made on the right, pixels made square.

    A picture for looking, no measure of anything: means of a few samples, taken in the plate's values.

    Args:
        plate: as `read_plate` gave it.
        rgb: float32 (h, w, 3) of the data window, in the plate's values.
        changed: bool (h, w): where ``rgb`` counts.
        encode: takes the plate's values, float32 (..., 3), to what a display shows, 0..1.

    Returns:
        uint8 (height, 2 * width, 3), sRGB; width is `WIDTH_PX`, or less for a plate that is no wider.

    Raises UnsupportedImage for a plate without red, green and blue.
    """
    layout = plate.layout
    display, data = layout.display, layout.data
    width = min(WIDTH_PX, display.width)
    height = max(1, round(display.height * width / (display.width * layout.pixel_aspect)))
    rows = _samples(height, display.height) + display.y - data.y
    columns = _samples(width, display.width) + display.x - data.x
    inside = np.ix_((rows >= 0) & (rows < data.height), (columns >= 0) & (columns < data.width))
    at = np.ix_(np.clip(rows, 0, data.height - 1), np.clip(columns, 0, data.width - 1))
    before = np.zeros((len(rows), len(columns), 3), np.float32)
    picked = plate.pixels[at][..., list(rgb_channels(layout))].astype(np.float32)
    after = before.copy()
    before[inside] = picked[inside]
    after[inside] = np.where(changed[at][..., None], rgb[at], picked)[inside]
    both = np.concatenate([before, after], axis=1)
    both = np.nan_to_num(both, copy=False, nan=0.0, posinf=HALF_MAX, neginf=0.0)
    seen = np.clip(np.nan_to_num(encode(resize(both, (height, 2 * width)))), 0.0, 1.0)
    return (seen * 255.0 + 0.5).astype(np.uint8)


def _samples(count: int, length: int) -> npt.NDArray[np.int_]:
    """Positions of `_SAMPLES` for each of ``count`` pixels that cover ``length``, at the samples' middles."""
    number = count * _SAMPLES
    return ((2 * np.arange(number) + 1) * length) // (2 * number)
