"""The plate's own unrest, grain for the most part: as far as two pictures of one place differ by it, they agree.

It comes from what changes between two neighbouring frames, where the plate changes least: what is left there beside
the coarse is noise. A plate whose texture moves everywhere is taken for noisier than it is, which the bounds of
`Agreement` limit.
"""

from __future__ import annotations

import cv2
import numpy as np

from void_server.engine.fidelity import Part
from void_server.engine.grid import Grid
from void_server.engine.motion import Mask, Pixels
from void_server.engine.proxy import Tone

CALM = 0.05  # share of the kept cells, the calmest, that are measured
COARSE_CELLS = 3.0  # sigma of the Gaussian whose picture is no noise
LEAST_CELLS = 8  # of a side, for a motion to be looked for
AREA_CELLS = 8  # side of the squares that are judged


def noise(first: Part, second: Part, cell_px: int, tone: Tone) -> float:
    """Deviation of the plate's cells of ``cell_px``, of the noisiest channel, on the tone curve.

    From two neighbouring frames over one box. 0 if there is no room around the hole, or the two are the same.
    """
    grid = Grid(first.box, cell_px)
    plates = [tone.encode(part.plate) for part in (first, second)]
    kept = [part.kept.astype(np.float32) for part in (first, second)]
    way = min((0, 0), _shift(grid, plates, kept), key=lambda way: _misfit(plates, kept, way))
    both = kept[0] * _shifted(kept[1], way)
    change = grid.down((plates[0] - _shifted(plates[1], way)) * both[..., None])
    fine = change - cv2.GaussianBlur(change, (0, 0), COARSE_CELLS)
    power = np.asarray(cv2.blur(np.square(fine), (AREA_CELLS, AREA_CELLS)), dtype=np.float32)
    calm = _calm(power, np.asarray(grid.down(both) > 0.999))
    return float(np.sqrt(np.median(power[calm], axis=0).max() / 2)) if calm.any() else 0.0


def _shift(grid: Grid, plates: list[Pixels], kept: list[Pixels]) -> tuple[int, int]:
    """The whole pixels [x, y] from the first of ``plates`` (h, w, 3) to the second, of what is ``kept`` (h, w)."""
    if min(grid.size) < LEAST_CELLS:
        return 0, 0
    cells = []
    for plate, free in zip(plates, kept, strict=True):
        light, share = grid.down(plate.mean(axis=-1) * free), grid.down(free)
        cells.append((light - share * light.sum() / max(float(share.sum()), 1.0)).astype(np.float64))
    window = cv2.createHanningWindow(cells[0].shape[::-1], cv2.CV_64F)
    # OpenCV counts from a middle that may lie between two cells: the same twice tells where.
    (x, y), (none_x, none_y) = (cv2.phaseCorrelate(cells[0], other, window)[0] for other in reversed(cells))
    return round((x - none_x) * grid.cell_px), round((y - none_y) * grid.cell_px)


def _misfit(plates: list[Pixels], kept: list[Pixels], way: tuple[int, int]) -> float:
    """Mean difference of ``plates`` (h, w, 3), both ``kept`` (h, w), if the second lies ``way`` further on."""
    both = kept[0] * _shifted(kept[1], way)
    return float(
        (np.abs(plates[0] - _shifted(plates[1], way)).mean(axis=-1) * both).sum() / max(both.sum(), 1.0)
    )


def _shifted(picture: Pixels, way: tuple[int, int]) -> Pixels:
    """``picture`` (h, w[, 3]) as it lies ``way`` further on; 0 where it has nothing."""
    matrix = np.asarray([[1, 0, -way[0]], [0, 1, -way[1]]], np.float32)
    return np.asarray(
        cv2.warpAffine(picture, matrix, picture.shape[1::-1], flags=cv2.INTER_NEAREST), np.float32
    )


def _calm(power: Pixels, known: Mask) -> Mask:
    """Where ``known`` (rows, columns), and all around is, ``power`` (rows, columns, 3) is least."""
    rim = np.ones((AREA_CELLS + 1, AREA_CELLS + 1), np.uint8)
    inner: Mask = np.asarray(cv2.erode(known.astype(np.uint8), rim) > 0)
    if not inner.any():
        return inner
    strength = power.mean(axis=-1)
    return np.asarray(inner & (strength <= np.quantile(strength[inner], CALM)))
