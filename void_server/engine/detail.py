"""Detail: a model's enlarged answer becomes a fill that is as sharp as the plate around it.

The model answers at a low raster; enlarged, its answer is soft beside the plate. Three ways to use it:

- ``raw``: as it is.
- ``upscale``: in the plate's light, matched around the hole (`levelled`).
- ``borrow``: where the answer agrees, at its own resolution (`Fidelity`), with what another frame shows
  (`Borrowing`), that frame's real pixels; elsewhere as ``upscale``. Whatever came into the picture by the removal
  is in no plate: there the answer stands.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from void_server.engine.agreement import Agreement
from void_server.engine.borrowing import COVERED, Borrowing
from void_server.engine.fidelity import Cells, Fidelity, Part
from void_server.engine.flow import open_flow
from void_server.engine.motion import Pixels
from void_server.engine.noise import noise
from void_server.engine.proxy import Tone
from void_server.engine.sharpening import Sharpening
from void_server.engine.shelf import PlateSource
from void_server.progress import Progress
from void_wire.errors import SettingsError
from void_wire.messages import Stage

Answer = Callable[[int], Pixels]
"""The model's answer to the frame of an index, enlarged: float32 (H, W, 3), scene-linear as the plate.

Meant over all that the model saw, the kept pixels around the hole included: by those it is judged. Not finite
where the model saw nothing.
"""
MODES = ("borrow", "upscale", "raw")
MEASURED_FRAMES = 5


class Detail:
    """From the model's answer to a fill at plate resolution. Deterministic."""

    def __init__(self, mode: str = "borrow", flow: str = "dis") -> None:
        """``mode`` is one of MODES; ``flow`` a name that `open_flow` knows, used by "borrow" alone.

        Raises SettingsError for another mode, or a flow that cannot be opened.
        """
        if mode not in MODES:
            raise SettingsError(f"detail is {mode!r}; choose one of {', '.join(MODES)}.")
        self.mode = mode
        self._flow = open_flow(flow)
        self.record = {"detail": mode}

    def fill(
        self, source: PlateSource, answer: Answer, progress: Progress
    ) -> Iterator[tuple[int, Pixels, Pixels]]:
        """Every index of ``source`` once, in order: index, fill and share.

        The fill (H, W, 3) is scene-linear; where the hole is 0, and where neither the answer nor another frame
        has anything, it is the plate. The share (H, W), 0..1, says how much of a pixel was generated, or averaged
        from several frames: 1 for the model's answer, 0 for a real plate pixel. It is what grain has to make
        good.

        The record is complete after the first frame. Steps are those of Stage.FILL; working files lie in a
        temporary folder that is gone when the iterator ends, is closed or raises; Cancelled from ``progress``
        passes through.
        """
        if self.mode == "borrow":
            with tempfile.TemporaryDirectory(prefix="void-detail-", ignore_cleanup_errors=True) as folder:
                yield from self._borrowed(source, answer, Path(folder), progress)
        else:
            yield from self._alone(source, answer, progress)

    def _alone(
        self, source: PlateSource, answer: Answer, progress: Progress
    ) -> Iterator[tuple[int, Pixels, Pixels]]:
        progress(Stage.FILL, 0, source.count)
        tone = Tone.of(source.plate(0))
        matched = self.mode == "upscale"
        if matched:
            fidelity, sharpening = _measured(source, answer, tone)
        for index in range(source.count):
            plate, hole = source.plate(index), source.hole(index)
            fill, share = plate.astype(np.float32, copy=True), np.zeros(hole.shape, np.float32)
            if hole.any():
                part = Part.around(plate, hole, answer(index))
                own, put = part.answer, part.hole & part.answered
                if matched:
                    own = Cells.of(part, fidelity.cell_px, tone).levelled(own)
                    sharpening.sharpen(own, put, tone)
                fill[part.box.cut][put] = own[put]
                share[part.box.cut][put] = 1.0
            progress(Stage.FILL, index + 1, source.count)
            yield index, fill, share

    def _borrowed(
        self, source: PlateSource, answer: Answer, folder: Path, progress: Progress
    ) -> Iterator[tuple[int, Pixels, Pixels]]:
        steps = 2 * source.count
        progress(Stage.FILL, 0, steps)
        borrowing = Borrowing(source, self._flow, folder)
        for index in range(source.count):
            borrowing.survey(index)
            progress(Stage.FILL, index + 1, steps)
        fidelity, sharpening = _measured(source, answer, borrowing.tone)
        agreement = Agreement(fidelity, _unrest(source, answer, fidelity.cell_px, borrowing.tone))
        for index in range(source.count):
            hole, fill = borrowing.hole(index), np.array(borrowing.plate(index))
            share = np.zeros(hole.shape, np.float32)
            if hole.any():
                part = Part.around(fill, hole, answer(index))
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
                fill[part.box.cut][put] = own[put]
                share[part.box.cut][put] = (1.0 - believed * (1.0 - borrowed.averaged))[put]
            progress(Stage.FILL, source.count + index + 1, steps)
            yield index, fill, share


def _measured(source: PlateSource, answer: Answer, tone: Tone) -> tuple[Fidelity, Sharpening]:
    indices = np.unique(np.linspace(0, source.count - 1, MEASURED_FRAMES).round().astype(int))
    parts = [Part.around(source.plate(i), source.hole(i), answer(i)) for i in indices.tolist()]
    fidelity = Fidelity.measured(parts, tone)
    return fidelity, Sharpening.learned(parts, fidelity.cell_px, tone)


def _unrest(source: PlateSource, answer: Answer, cell_px: int, tone: Tone) -> float:
    """The `noise` of the plate in the middle of the shot."""
    pair = max(source.count // 2 - 1, 0), source.count // 2
    hole = np.maximum(*(source.hole(index) for index in pair))
    first, second = (Part.around(source.plate(index), hole, answer(index)) for index in pair)
    return noise(first, second, cell_px, tone)
