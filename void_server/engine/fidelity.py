"""How faithful a model's enlarged answer is to what it was shown: how soft, and how far off.

Both are measured on kept pixels, which the model answers as well and whose truth is the plate. Pictures are
compared on the tone curve, 0..1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from void_server.engine.borrow import Box, light_between
from void_server.engine.grid import Grid
from void_server.engine.motion import Mask, Pixels
from void_server.engine.proxy import Tone
from void_server.engine.shelf import Stored
from void_server.pixels import floats

CELLS_PX = (1, 2, 4, 8, 16)
RESOLVED = 0.3  # an octave is resolved when the answer has this share of the plate's contrast in it
CONTRAST = 2e-3  # on the tone curve: octaves with less say nothing
BLURS = (0.0, 0.4, 0.55, 0.7, 0.9, 1.2, 1.6)  # Gaussians tried, in cells
LIGHT_BLUR_CELLS = 3.0
USUAL_ERROR = 0.8  # share of the kept cells whose error is within the one recorded


@dataclass(frozen=True)
class Part:
    """The part of a frame around its hole, at plate resolution."""

    box: Box
    plate: Pixels  # (h, w, 3) scene-linear
    answer: Pixels  # (h, w, 3) scene-linear, 0 where there is none
    answered: Mask  # (h, w)
    hole: Mask  # (h, w)

    @classmethod
    def around(cls, plate: Stored, hole: Mask | Pixels, answer: Callable[[Box], Pixels]) -> Part:
        """Of a frame, (H, W, 3) and (H, W), and its answer over the box; the whole of it when the hole is empty."""
        height, width = hole.shape
        box = Box(0, 0, height, width)
        if hole.any():
            box = Box.around(hole > 0, margin_px=max(32, max(height, width) // 16))
        own = answer(box)
        answered: Mask = np.asarray(np.isfinite(own[..., 0] + own[..., 1] + own[..., 2]))
        if not answered.all():
            own = np.where(answered[..., None], own, np.float32(0.0))
        return cls(box, floats(plate[box.cut]), own, answered, hole[box.cut] > 0)

    @property
    def kept(self) -> Mask:
        """(h, w): answered, and to be compared with the plate."""
        return self.answered & ~self.hole


@dataclass(frozen=True)
class Cells:
    """A `Part` at the answer's own resolution: (rows, columns, 3) on the tone curve."""

    grid: Grid
    plate: Pixels
    answer: Pixels  # in the plate's light
    known: Mask  # (rows, columns): kept, and out of reach of what is in the hole
    light: Pixels | None  # (rows, columns, 3): factor that brings the answer into the plate's light

    @classmethod
    def of(cls, part: Part, cell_px: int, tone: Tone) -> Cells:
        """The cells of ``part``, with the answer's level matched around the hole.

        The factor follows the plate on the kept pixels and goes on smoothly through the hole; where the two do not
        look alike, because something stands there in one of them, it is led by what is around (see
        `light_between`).
        """
        grid = Grid(part.box, cell_px)
        known = (
            cv2.erode(np.asarray(grid.down(part.kept.astype(np.float32)) > 0.999, np.uint8), np.ones((3, 3)))
            > 0
        )
        plate, answer = (grid.down(tone.encode(picture)) for picture in (part.plate, part.answer))
        light = light_between(plate, answer, known, tone, LIGHT_BLUR_CELLS)
        if light is not None:
            answer = tone.encode(tone.decode(answer) * light)
        return cls(grid, plate, answer, known, light)

    def levelled(self, answer: Pixels) -> Pixels:
        """``answer`` (h, w, 3) of the part, scene-linear, in the plate's light; an array of its own."""
        return answer.copy() if self.light is None else answer * self.grid.up(self.light)


@dataclass(frozen=True)
class Fidelity:
    """What to expect of the answers of a shot."""

    cell_px: int  # finest cells whose contrast the answer has
    blur: float  # cells: what is left of its softness there, as the sigma of a Gaussian
    flat: float  # error where nothing is to be seen, on the tone curve
    textured: float  # error for every unit of contrast (`contrast`)

    @classmethod
    def measured(cls, parts: Iterable[Part], tone: Tone) -> Fidelity:
        """From some frames of a shot."""
        held = list(parts)
        cell_px = _resolved(held, tone)
        cells = [Cells.of(part, cell_px, tone) for part in held]
        blur = min(BLURS, key=lambda sigma: sum(float(np.square(_error(one, sigma)).sum()) for one in cells))
        errors = np.concatenate([_error(one, blur) for one in cells])
        contrasts = np.concatenate([contrast(one.plate)[_inner(one)] for one in cells])
        if len(errors) < 16:
            return cls(cell_px, blur, 0.0, 0.0)
        calm, busy = np.array_split(np.argsort(contrasts, kind="stable"), 2)
        flat = float(np.quantile(errors[calm], USUAL_ERROR))
        over = np.maximum(errors[busy] - flat, 0.0) / np.maximum(contrasts[busy], 1e-6)
        return cls(cell_px, blur, flat, float(np.quantile(over, USUAL_ERROR)))


def soften(cells: Pixels, sigma: float) -> Pixels:
    """``cells`` through a Gaussian; 0 leaves them."""
    if sigma == 0.0:
        return cells
    return np.asarray(cv2.GaussianBlur(cells, (0, 0), sigma), dtype=np.float32).reshape(cells.shape)


def difference(one: Pixels, other: Pixels) -> Pixels:
    """The greatest of the three channels' differences, of 3 x 3 means: (rows, columns)."""
    apart = np.abs(cv2.blur(one - other, (3, 3)))
    return np.asarray(np.maximum(np.maximum(apart[..., 0], apart[..., 1]), apart[..., 2]), dtype=np.float32)


def contrast(cells: Pixels) -> Pixels:
    """Local deviation of ``cells`` (rows, columns, 3) from their neighbours, in quadratic mean: (rows, columns)."""
    squares = np.square(cells - cv2.blur(cells, (5, 5))).mean(axis=-1)
    return np.asarray(np.sqrt(np.maximum(cv2.blur(squares, (3, 3)), 0.0)), dtype=np.float32)


def _inner(cells: Cells) -> Mask:
    """Cells whose neighbours, as far as anything here looks, are known."""
    return np.asarray(cv2.erode(cells.known.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0)


def _error(cells: Cells, sigma: float) -> Pixels:
    return difference(soften(cells.plate, sigma), cells.answer)[_inner(cells)]


def _resolved(parts: list[Part], tone: Tone) -> int:
    """The finest of CELLS_PX in whose octave the answer shows what the plate does; the last when none is."""
    products = np.zeros((len(CELLS_PX), 3))
    for part in parts:
        here = Box(0, 0, *part.hole.shape)
        pictures = [tone.encode(picture).mean(axis=-1) for picture in (part.plate, part.answer)]
        kept = part.kept.astype(np.float32)
        for octave, cell_px in enumerate(CELLS_PX):
            grid = Grid(here, cell_px)
            known = cv2.erode(np.asarray(grid.down(kept) > 0.999, np.uint8), np.ones((5, 5), np.uint8)) > 0
            plate, answer = (_band(grid.down(picture))[known] for picture in pictures)
            products[octave] += [float(plate @ plate), float(plate @ answer), len(plate)]
    for cell_px, (own, shared, count) in zip(CELLS_PX, products, strict=True):
        if own > CONTRAST**2 * count and shared >= RESOLVED * own:
            return cell_px
    return CELLS_PX[-1]


def _band(picture: Pixels) -> Pixels:
    """The finest octave of ``picture`` (h, w)."""
    halves = Grid(Box(0, 0, *picture.shape), 2)
    return picture - halves.up(halves.down(picture))
