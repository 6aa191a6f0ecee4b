"""Where pixels are: display window, data window, a box of them, and the raster the model runs at.

A *canvas* is an image over a window of the plate, row 0 and column 0 at its upper left corner; over the display
window where no other is named. Plates are read over their data window, which may be smaller, larger (overscan) or
elsewhere; `place` and `take` go between the two. `Fit` goes between the canvas of a box and the raster.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, cast

import cv2
import numpy as np
import numpy.typing as npt

Pixel = TypeVar("Pixel", bound=np.generic)
Canvas = TypeVar("Canvas", bound=npt.NDArray[Any])
Floats = npt.NDArray[np.float32]


class Box(NamedTuple):
    """A rectangle of pixels: the upper left pixel and how many there are, y downwards."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The first column after it."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The first row after it."""
        return self.y + self.height

    def moved(self, x: int, y: int) -> Box:
        """The same size, ``x`` to the right and ``y`` down."""
        return Box(self.x + x, self.y + y, self.width, self.height)

    def grown(self, by_px: int) -> Box:
        """``by_px`` more on every side."""
        return Box(self.x - by_px, self.y - by_px, self.width + 2 * by_px, self.height + 2 * by_px)

    def within(self, other: Box) -> Box | None:
        """What both have in common; None when that is nothing."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        width, height = min(self.right, other.right) - x, min(self.bottom, other.bottom) - y
        return Box(x, y, width, height) if width > 0 and height > 0 else None

    def of(self, canvas: npt.NDArray[Pixel], window: Box) -> npt.NDArray[Pixel]:
        """The part of a canvas over ``window`` that lies in this box, which must be inside it; a view."""
        return canvas[self.rows_and_columns(window)]

    def rows_and_columns(self, window: Box) -> tuple[slice, slice]:
        """Where this box lies in a canvas over ``window``, which must hold it."""
        x, y = self.x - window.x, self.y - window.y
        return slice(y, y + self.height), slice(x, x + self.width)


def bounds(inside: npt.NDArray[np.bool_], window: Box) -> Box | None:
    """The smallest box around the pixels that are true, of a canvas over ``window``; None when none is."""
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        return None
    x, y = int(columns[0]), int(rows[0])
    return Box(x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y).moved(window.x, window.y)


def union(boxes: Iterable[Box | None]) -> Box | None:
    """The smallest box around all that are; None when none is."""
    found = [box for box in boxes if box is not None]
    if not found:
        return None
    x, y = min(box.x for box in found), min(box.y for box in found)
    return Box(x, y, max(box.right for box in found) - x, max(box.bottom for box in found) - y)


def place(image: Canvas, data: Box, display: Box, outside: float | None = None) -> Canvas:
    """The canvas of an image over its data window.

    Args:
        image: (data.height, data.width[, C]).
        data: the window the image covers.
        display: the window the canvas covers, in the same coordinates: the display window, or a box in it.
        outside: the value where there is no data. None extends the edge pixels instead, which is what the
            model gets: black bars would be picture content to it.

    Returns:
        (display.height, display.width[, C]); the image itself when the windows are equal.
    """
    return _over(image, data, display, outside)


def take(canvas: Floats, data: Box, display: Box, outside: float | None = None) -> Floats:
    """The way back: float32 (data.height, data.width[, C]) of a canvas; arguments as for `place`.

    Overscan, data outside the display window, has no canvas: mattes take 0 there, a fill extends its edge.
    """
    return _over(canvas, display, data, outside)


@dataclass(frozen=True)
class Fit:
    """A box of the plate and the raster that covers it; the two ways are each other's inverse in geometry."""

    box: Box  # in the coordinates of the display window
    raster: tuple[int, int]  # height, width the model runs at

    @property
    def detail(self) -> float:
        """Raster pixels per plate pixel along a side, the mean of both."""
        return math.sqrt(self.raster[0] * self.raster[1] / (self.box.width * self.box.height))

    def to_raster(self, canvas: Floats) -> Floats:
        """Area average of the box's canvas: float32 (H, W[, C]) to (h, w[, C]), values stay within its own."""
        return resize(canvas, self.raster)

    def from_raster(self, image: Floats, part: Box | None = None) -> Floats:
        """The canvas of a raster image over ``part`` of the box, or all of it: float32 (h, w[, C]) to (H, W[, C]).

        Enlarges bicubically, then clips to the image's own range, so nothing rings below black.
        """
        if part is None:
            return resize(image, (self.box.height, self.box.width))
        rows = _Stretch.around(part.y - self.box.y, part.height, self.box.height, self.raster[0])
        columns = _Stretch.around(part.x - self.box.x, part.width, self.box.width, self.raster[1])
        size = (rows.stop - rows.start, columns.stop - columns.start)
        near = resize(image[rows.of_raster, columns.of_raster], size, (image.min(), image.max()))
        top, left = part.y - self.box.y - rows.start, part.x - self.box.x - columns.start
        return near[top : top + part.height, left : left + part.width]


class _Stretch(NamedTuple):
    """Whole pixels of the raster, whole ones of its box too, along one side: resized alone they are as in the whole."""

    start: int  # in the box
    stop: int
    of_raster: slice

    @classmethod
    def around(cls, first: int, count: int, length: int, raster: int) -> _Stretch:
        """The shortest that has ``count`` pixels from ``first`` and what the filters see beside them."""
        steps = math.gcd(length, raster)
        step, raster_step = length // steps, raster // steps
        beside = -(-FILTER_REACH_PX // raster_step)
        low = max(first // step - beside, 0)
        high = min(-(-(first + count) // step) + beside, steps)
        return cls(low * step, high * step, slice(low * raster_step, high * raster_step))


FILTER_REACH_PX = 3
"""Of the smaller picture: a bicubic filter looks two pixels to each side."""


def resize(image: Floats, size: tuple[int, int], bounds: tuple[float, float] | None = None) -> Floats:
    """float32 (h, w[, C]) at ``size`` (height, width), within ``bounds`` or else the range of the image.

    Area average along a side that shrinks, bicubic along one that grows.
    """
    height, width = image.shape[:2]
    if (height, width) == size:
        return image
    smaller = (min(height, size[0]), min(width, size[1]))
    if smaller != (height, width):
        image = _resized(image, smaller, cv2.INTER_AREA)
    if smaller != size:
        least, most = bounds or (image.min(), image.max())
        image = _resized(image, size, cv2.INTER_CUBIC)
        np.clip(image, least, most, out=image)
    return image


def _resized(image: Floats, size: tuple[int, int], filter_: int) -> Floats:
    resized: Floats = cv2.resize(np.ascontiguousarray(image), (size[1], size[0]), interpolation=filter_)
    return resized.reshape(*size, *image.shape[2:])


def _over(image: Canvas, have: Box, want: Box, outside: float | None) -> Canvas:
    if want.within(have) == want:
        return cast("Canvas", image[want.rows_and_columns(have)])
    rows = np.arange(want.y, want.y + want.height) - have.y
    columns = np.arange(want.x, want.x + want.width) - have.x
    moved = image[np.clip(rows, 0, have.height - 1)][:, np.clip(columns, 0, have.width - 1)]
    if outside is not None:
        moved[(rows < 0) | (rows >= have.height)] = outside
        moved[:, (columns < 0) | (columns >= have.width)] = outside
    return cast("Canvas", moved)
