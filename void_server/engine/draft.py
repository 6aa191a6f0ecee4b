"""The draft engine: the compositor's own trick, without weights and without a GPU.

Every pixel of a hole is looked for in the frames that show it (`Borrowing`), at plate resolution and in the light
around it. The never-seen rest comes from an earlier frame in which it was made up already, else from `inpaint`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from void_server.engine.ahead import ahead
from void_server.engine.borrow import Box, bring
from void_server.engine.borrowing import COVERED, SOFT_EDGE_PX, Borrowing
from void_server.engine.flow import Flow, open_flow
from void_server.engine.inpaint import inpaint
from void_server.engine.motion import Mask, Pixels, grow, inside, sample_list
from void_server.engine.shelf import PlateSource
from void_server.pixels import floats
from void_server.progress import Progress
from void_wire.messages import Stage

PAINTINGS = 3
NEW_PAINTING = 0.2  # share of the never-seen that must be new to a frame before its painting is kept
CONTEXT_PX = 160  # of the proxies: how far around the never-seen its patches are looked for


class DraftEngine:
    """Temporal borrowing along optical flow, inpainting for the rest. Deterministic."""

    def __init__(self, flow: str = "dis") -> None:
        self._flow = open_flow(flow)
        self.record = {"engine": "draft", "flow": self._flow.name}

    def fill(self, source: PlateSource, progress: Progress) -> Iterator[tuple[int, Pixels, Pixels]]:
        """Every index of ``source`` once, in order: index, filled frame (H, W, 3), scene-linear, and what is invented.

        The last (H, W) is 1 where no frame shows what is there, else 0.

        Where the hole is 0 the frame is the plate. Two passes over the shot count as steps of Stage.FILL. Working
        files lie in a temporary folder that is gone when the iterator ends, is closed or raises; Cancelled from
        ``progress`` passes through.
        """
        with tempfile.TemporaryDirectory(prefix="void-draft-", ignore_cleanup_errors=True) as folder:
            yield from _fill(source, self._flow, Path(folder), progress)


def _fill(
    source: PlateSource, flow: Flow, folder: Path, progress: Progress
) -> Iterator[tuple[int, Pixels, Pixels]]:
    steps = 2 * source.count
    progress(Stage.FILL, 0, steps)
    borrowing = Borrowing(source, flow, folder)
    with closing(ahead(map(borrowing.look, range(source.count)))) as looked:
        for index, _ in enumerate(looked):
            borrowing.follow(index)
            progress(Stage.FILL, index + 1, steps)
    inventions = _Inventions(borrowing)
    for index in range(source.count):
        filled, unknown = floats(borrowing.plate(index)), borrowing.hole(index)
        if unknown.any():
            borrowed = borrowing.borrow(index, unknown)
            cut = borrowed.box.cut
            found = unknown[cut] & (borrowed.shown > COVERED)
            filled[cut][found] = borrowed.picture[found]
            unknown[cut] &= ~found
        if unknown.any():
            inventions.make_up(filled, unknown, index)
        progress(Stage.FILL, source.count + index + 1, steps)
        yield index, filled, unknown.astype(np.float32)


@dataclass(frozen=True)
class Painting:
    """What was made up for one frame, kept to be the same in others."""

    index: int
    box: Box
    picture: Pixels  # (h, w, 3) scene-linear, the whole box
    lasts: Pixels  # (h, w): 1 where it was made up, and on a rim that others do not trust


class _Inventions:
    """What no frame shows, the same in every frame."""

    def __init__(self, borrowing: Borrowing) -> None:
        self._borrowing = borrowing
        self._paintings: list[Painting] = []

    def make_up(self, filled: Pixels, unknown: Mask, index: int) -> None:
        """Fill ``unknown`` with what was made up for an earlier frame, and invent what is still missing."""
        missing = unknown.copy()
        for painting in self._paintings:
            if missing.any():
                self._repeat(painting, filled, missing, index)
        if not missing.any():
            return
        scale, tone = self._borrowing.scale, self._borrowing.tone
        part = Box.around(missing, margin_px=int(CONTEXT_PX * scale))
        coded = inpaint(tone.encode(filled[part.cut]), missing[part.cut], ~missing[part.cut])
        filled[part.cut][missing[part.cut]] = tone.decode(coded)[missing[part.cut]]
        if missing.sum() > NEW_PAINTING * unknown.sum():
            lasting = grow(unknown, int(2 * SOFT_EDGE_PX * scale))
            part = Box.around(lasting, margin_px=4)
            painting = Painting(index, part, filled[part.cut].copy(), lasting[part.cut].astype(np.float32))
            self._paintings = [painting, *self._paintings[: PAINTINGS - 1]]

    def _repeat(self, painting: Painting, filled: Pixels, missing: Mask, index: int) -> None:
        """Fill what of ``missing`` the ``painting`` has, and take it out of ``missing``."""
        rows, columns = Box.around(missing, margin_px=0).nonzero(missing)
        places, light = self._borrowing.way(
            index, painting.index, np.stack([columns, rows], -1).astype(np.float32)
        )
        places -= np.asarray([painting.box.left, painting.box.top], np.float32)
        height, width = painting.lasts.shape
        has = inside(places, height, width) & (sample_list(painting.lasts, places) > 0.999)
        found = rows[has], columns[has]
        filled[found] = bring(painting.picture, places[has]) * light[has]
        missing[found] = False
