"""The softness of a model's answer, undone as far as the shot itself shows how.

On kept pixels both the answer and its truth, the plate, are known. From them comes one round filter, the best in
the sense of least squares (a Wiener filter, as a sum of Gaussians), which is then put to the whole answer. It
brings back what was dampened; what is not in the answer at all it cannot invent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.engine.borrow import Box
from void_server.engine.fidelity import Cells, Part
from void_server.engine.grid import Grid
from void_server.engine.motion import Mask, Pixels, grow
from void_server.engine.proxy import Tone

FINENESS = 4  # the filter is made at a quarter of the answer's cells: the answer has nothing finer
SIGMAS = (0.25, 0.5, 0.7, 1.0, 1.4)  # of the Gaussians, in cells
RIDGE = 1e-5  # of the Gaussians' own strength: keeps large weights from growing against each other
OVERSHOOT = 0.25  # of the contrast around: how far the result may leave what is there
SAMPLES = 200_000


@dataclass(frozen=True, eq=False)
class Sharpening:
    """What to add to an answer: the sum of ``weights`` times what Gaussians take from it."""

    cell_px: int  # of the answer's own resolution
    weights: NDArray[np.float64]  # (len(SIGMAS),)

    @classmethod
    def learned(cls, parts: Iterable[Part], cell_px: int, tone: Tone) -> Sharpening:
        """From some frames of a shot, whose answers resolve cells of ``cell_px``; nothing if those are pixels."""
        square, shared = np.zeros((len(SIGMAS), len(SIGMAS))), np.zeros(len(SIGMAS))
        for part in parts if cell_px > 1 else ():
            grid = _fine(part.box, cell_px)
            unknown = grow(grid.down(part.kept.astype(np.float32)) < 0.999, 2 * FINENESS)
            known = np.nonzero(~unknown.ravel())[0]
            known = known[:: max(1, len(known) // SAMPLES)]
            levelled = Cells.of(part, cell_px, tone).levelled(part.answer)
            plate, answer = (grid.down(tone.encode(picture)) for picture in (part.plate, levelled))
            taken = [layer.reshape(-1, 3)[known].ravel() for layer in _taken(answer, cell_px / grid.cell_px)]
            features = np.stack(taken).astype(np.float64)
            square += features @ features.T
            shared += features @ (plate - answer).reshape(-1, 3)[known].ravel().astype(np.float64)
        strength = np.trace(square) / len(SIGMAS)
        if strength == 0.0:
            return cls(cell_px, np.zeros(len(SIGMAS)))
        return cls(cell_px, np.linalg.solve(square + RIDGE * strength * np.eye(len(SIGMAS)), shared))

    def sharpen(self, answer: Pixels, where: Mask, tone: Tone) -> None:
        """Sharpen ``answer`` (h, w, 3), scene-linear, in place, around ``where`` (h, w).

        What the tone curve does not tell apart, the last of the highlights, stays as it is.
        """
        if not self.weights.any() or not where.any():
            return
        box = Box.around(where, margin_px=4 * self.cell_px)
        grid = _fine(box, self.cell_px)
        fine = self.cell_px / grid.cell_px
        before = grid.down(tone.encode(answer[box.cut]))
        after = before.copy()
        for weight, layer in zip(self.weights, _taken(before, fine), strict=True):
            after += np.float32(weight) * layer
        around = np.ones((2 * round(fine / 2) + 1,) * 2, np.uint8)
        low, high = cv2.erode(before, around), cv2.dilate(before, around)
        room = np.float32(OVERSHOOT) * (high - low)
        after = np.clip(after, low - room, high + room)
        answer[box.cut] += grid.up(tone.decode(after) - tone.decode(before))


def _fine(box: Box, cell_px: int) -> Grid:
    return Grid(box, max(1, cell_px // FINENESS))


def _taken(picture: Pixels, cell: float) -> Iterator[Pixels]:
    """What each Gaussian takes from ``picture`` (h, w, 3), in which the answer's cells are ``cell`` wide."""
    for sigma in SIGMAS:
        yield picture - cv2.GaussianBlur(picture, (0, 0), sigma * cell)
