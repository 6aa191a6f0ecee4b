"""Detail: a model's enlarged answer becomes a fill that is as sharp as the plate around it.

The model answers at a low raster; enlarged, its answer is soft beside the plate. Three ways to use it:

- ``raw``: as it is.
- ``upscale``: in the plate's light, matched around the hole (`levelled`).
- ``borrow``: where the answer agrees, at its own resolution (`Fidelity`), with what another frame shows
  (`Borrowing`), that frame's real pixels; elsewhere as ``upscale``. Whatever came into the picture by the removal
  is in no plate: there the answer stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from void_server.engine.agreement import Agreement
from void_server.engine.borrow import Box
from void_server.engine.borrowing import COVERED, Borrowing
from void_server.engine.fidelity import Cells, Fidelity, Part
from void_server.engine.flow import open_flow
from void_server.engine.motion import Mask, Pixels
from void_server.engine.noise import noise
from void_server.engine.proxy import Tone
from void_server.engine.sharpening import Sharpening
from void_server.engine.shelf import PlateSource
from void_server.pixels import floats
from void_server.progress import Progress
from void_wire.errors import SettingsError
from void_wire.messages import Stage

Answer = Callable[[int, Box], Pixels]
"""The model's answer to a part of the frame of an index, enlarged: float32 (h, w, 3), scene-linear as the plate.

Meant over all that the model saw, the kept pixels around the hole included: by those it is judged. Not finite
where the model saw nothing.
"""
MODES = ("borrow", "upscale", "raw")
MEASURED_FRAMES = 5


class Detail:
    """From the model's answer to a fill at plate resolution. Deterministic.

    `look` at every frame, which needs no answer yet; then `fill`.
    """

    def __init__(self, mode: str, source: PlateSource, folder: Path, flow: str = "dis") -> None:
        """``mode`` is one of MODES; ``flow`` a name that `open_flow` knows, used by "borrow" alone.

        Working files lie in ``folder``. Raises SettingsError for another mode, or a flow that cannot be opened.
        """
        if mode not in MODES:
            raise SettingsError(f"detail is {mode!r}; choose one of {', '.join(MODES)}.")
        self._mode, self._source = mode, source
        self._borrowing = Borrowing(source, open_flow(flow), folder) if mode == "borrow" else None
        self.record = {"detail": mode}

    def look(self, index: int) -> None:
        """Take in the frame of ``index``; to be called for each, in order. On any thread, one at a time."""
        if self._borrowing is not None:
            self._borrowing.survey(index)

    def fill(self, answer: Answer, progress: Progress) -> Iterator[tuple[int, Pixels, Pixels]]:
        """Every index of the source once, in order: index, fill and share.

        The fill (H, W, 3) is scene-linear; where neither the answer nor another frame has anything, it is the
        plate. The share (H, W), 0..1, says how much of a pixel was generated, or averaged from several frames: 1 for
        the model's answer, 0 for a real plate pixel. It is what grain has to make good. Away from the hole both are 0.

        The record is complete after the first frame. Steps are those of Stage.FILL; Cancelled from ``progress``
        passes through.
        """
        count = self._source.count
        progress(Stage.FILL, 0, count)
        filled = self._alone(answer) if self._borrowing is None else self._borrowed(self._borrowing, answer)
        for index, fill, share in filled:
            progress(Stage.FILL, index + 1, count)
            yield index, fill, share

    def _alone(self, answer: Answer) -> Iterator[tuple[int, Pixels, Pixels]]:
        source = self._source
        tone = Tone.of(floats(source.plate(0)))
        matched = self._mode == "upscale"
        if matched:
            fidelity, sharpening = _measured(source, answer, tone)
        for index in range(source.count):
            hole = source.hole(index)
            fill, share = _nothing(hole)
            if hole.any():
                part = Part.around(source.plate(index), hole, partial(answer, index))
                own, put = part.answer, part.hole & part.answered
                if matched:
                    own = Cells.of(part, fidelity.cell_px, tone).levelled(own)
                    sharpening.sharpen(own, put, tone)
                fill[part.box.cut] = np.where(put[..., None], own, part.plate)
                share[part.box.cut] = put
            yield index, fill, share

    def _borrowed(self, borrowing: Borrowing, answer: Answer) -> Iterator[tuple[int, Pixels, Pixels]]:
        source = self._source
        fidelity, sharpening = _measured(source, answer, borrowing.tone)
        agreement = Agreement(fidelity, _unrest(source, answer, fidelity.cell_px, borrowing.tone))
        for index in range(source.count):
            hole = borrowing.hole(index)
            fill, share = _nothing(hole)
            if hole.any():
                part = Part.around(borrowing.plate(index), hole, partial(answer, index))
                cells = Cells.of(part, fidelity.cell_px, borrowing.tone)
                borrowed = borrowing.borrow(index, hole).within(part.box)
                shown = cells.grid.down(borrowed.shown)
                there = cells.grid.down(borrowing.tone.encode(borrowed.picture) * borrowed.shown[..., None])
                there /= np.maximum(shown, COVERED)[..., None]
                back = borrowing.back(index, cells.grid.places()) if index else None
                believed = cells.grid.up(agreement.believed(cells, there, shown, back))
                believed = np.where(part.answered, believed, np.float32(1.0)) * borrowed.shown
                own = cells.levelled(part.answer)
                sharpening.sharpen(own, part.hole & (believed < 1.0), borrowing.tone)
                own += (borrowed.picture - own) * believed[..., None]
                put = part.hole & (part.answered | (borrowed.shown > COVERED))
                fill[part.box.cut] = np.where(put[..., None], own, part.plate)
                share[part.box.cut] = np.where(put, 1.0 - believed * (1.0 - borrowed.averaged), 0.0)
            yield index, fill, share


def _nothing(hole: Mask | Pixels) -> tuple[Pixels, Pixels]:
    """Fill and share that are 0: memory is taken by what is written to them alone."""
    return np.zeros((*hole.shape, 3), np.float32), np.zeros(hole.shape, np.float32)


def _measured(source: PlateSource, answer: Answer, tone: Tone) -> tuple[Fidelity, Sharpening]:
    indices = np.unique(np.linspace(0, source.count - 1, MEASURED_FRAMES).round().astype(int))
    parts = [Part.around(source.plate(i), source.hole(i), partial(answer, i)) for i in indices.tolist()]
    fidelity = Fidelity.measured(parts, tone)
    return fidelity, Sharpening.learned(parts, fidelity.cell_px, tone)


def _unrest(source: PlateSource, answer: Answer, cell_px: int, tone: Tone) -> float:
    """The `noise` of the plate in the middle of the shot."""
    pair = max(source.count // 2 - 1, 0), source.count // 2
    hole = np.maximum(*(source.hole(index) for index in pair))
    first, second = (Part.around(source.plate(index), hole, partial(answer, index)) for index in pair)
    return noise(first, second, cell_px, tone)
