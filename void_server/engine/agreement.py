"""Where a model's answer and what other frames show are the same thing, so that the sharper may stand for it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from void_server.engine.fidelity import Cells, Fidelity, contrast, difference, soften
from void_server.engine.grid import Grid
from void_server.engine.motion import Pixels

SURE, DOUBTFUL = 2.0, 4.0  # in usual errors of the answer: up to here the same, and from here on not
LEAST_ERROR, MOST_ERROR = 0.006, 0.02  # on the tone curve: bounds of the usual error of what is flat
MOST_TEXTURED = 0.2  # and for every unit of contrast
NOISY = 0.85  # of the cells' noise: the usual error, in the noisiest channel, of 3 x 3 means of two noisy pictures
HABIT = 0.3  # a choice made in the frame before is kept this much longer


@dataclass(frozen=True)
class Belief:
    """How much the borrowed is believed in each cell of a frame."""

    grid: Grid
    believed: Pixels  # (rows, columns), 0..1; NaN where nothing was to be decided


class Agreement:
    """Compares frame after frame, and holds on to what it decided."""

    def __init__(self, fidelity: Fidelity, noise: float) -> None:
        """``noise`` is the deviation of the plate's cells, on the tone curve."""
        self._fidelity = fidelity
        self._flat = min(max(math.hypot(fidelity.flat, NOISY * noise), LEAST_ERROR), MOST_ERROR)
        self._before: Belief | None = None

    def believed(self, cells: Cells, borrowed: Pixels, shown: Pixels, back: Pixels | None) -> Pixels:
        """How much of what is borrowed may be used: (rows, columns), 0..1.

        Args:
            cells: the frame's part, with the answer.
            borrowed: (rows, columns, 3), the mean of what is shown in each cell, on the tone curve.
            shown: (rows, columns), 0..1, share of each cell that other frames show.
            back: (rows, columns, 2), where the middles of the cells lay in the frame before, in pixels of the
                plate; None if there is none.
        """
        there = np.where(shown[..., None] > 0.5, borrowed, cells.answer)
        soft = soften(there, self._fidelity.blur)
        usual = self._flat + min(self._fidelity.textured, MOST_TEXTURED) * contrast(there)
        errors = difference(soft, cells.answer) / usual / self._habit(back)
        sure = np.clip((DOUBTFUL - errors) / (DOUBTFUL - SURE), 0.0, 1.0)
        believed: Pixels = np.asarray(np.where(shown > 0.5, sure, 1.0), dtype=np.float32)
        self._before = Belief(cells.grid, believed)
        # What only the answer shows has a soft rim, which the borrowed must not cut off.
        least = cv2.erode(believed, np.ones((3, 3), np.uint8))
        return np.asarray(cv2.GaussianBlur(least, (0, 0), 0.8), dtype=np.float32)

    def _habit(self, back: Pixels | None) -> Pixels | float:
        """Factor on what is tolerated: above 1 where the frame before believed, below where it did not."""
        if self._before is None or back is None:
            return 1.0
        grid, believed = self._before.grid, self._before.believed
        cells = grid.cells(back)
        known = cv2.remap(
            believed, cells, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0.5
        )
        return np.asarray(1.0 + HABIT * (2.0 * known - 1.0), dtype=np.float32)
