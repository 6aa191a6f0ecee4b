"""``void bench gpu``: the full-size model with random weights on this machine's GPU, unattended, in eight minutes.

Each row is a ratio to ``plain`` in the same run: eager bfloat16, torch's own attention, noise on the CPU and the
steps of the reference. A pass is made of few steps that are timed and the number it has; nothing is run to its end.
"""

from __future__ import annotations

import logging
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from void_server.bench.gpu import modes, service
from void_server.bench.gpu.clock import Budget, NotMeasured, forget_peak, peak_gib
from void_server.bench.gpu.flops import forward_flops, peak_flops
from void_server.bench.gpu.passes import Parts, Shot, decibels_between, parts_of, step_seconds, warm_up
from void_server.bench.gpu.random_model import random_pipeline, write_layout
from void_server.bench.gpu.shortcuts import FINAL_JOBS, measure_shortcuts
from void_server.bench.gpu.sizes import Sizes
from void_server.bench.gpu.table import (
    BOTH,
    BOTH_FP8,
    FIRST_STEP,
    FLOOR,
    FRAMES,
    FRAMES_FP8,
    LOAD,
    LONG,
    LONGER,
    LOW,
    LOW_STEP,
    NOISE,
    OFFLOAD,
    OVERHEAD,
    PASS1,
    RESIDENT,
    SHORTCUTS,
    SHORTCUTS_OFF,
    SWAP,
    WINDOWS,
)
from void_server.bench.row import Row
from void_server.engine.float8 import multiplies_float8
from void_server.engine.memory import place
from void_server.engine.pipeline import PASS2, PassPlan, VoidPipeline
from void_server.engine.speed import Made, can_compile, make_exact, make_float8

log = logging.getLogger(__name__)

CPU = torch.device("cpu")
BUDGET_S = 460
"""Of a whole run: eight minutes less the start of Python and the end of a server."""
START_S = 90
"""About what the rows of the passes take, compilation included."""
DRAW_S = 15
"""About what a new pipeline takes."""

TABLE = (
    (PASS1, BOTH, NOISE, FRAMES, FLOOR, RESIDENT),
    (LONGER, LONG, WINDOWS),
    (BOTH_FP8, FRAMES_FP8),
    (OVERHEAD,),
    (OFFLOAD, SWAP, LOW, LOW_STEP),
    (LOAD,),
    (FIRST_STEP,),
    tuple(row for name in SHORTCUTS for row in (SHORTCUTS[name], SHORTCUTS_OFF[name])),
)
"""The rows in the order of `Run.groups`, which is that of their worth where time runs out."""


def rows() -> list[Row]:
    """Every row of the table; without a GPU none is measured."""
    if not torch.cuda.is_available():
        return [wanted.missing("no GPU") for group in TABLE for wanted in group]
    with tempfile.TemporaryDirectory(prefix="void-gpu-") as folder:
        run = Run(Sizes(), torch.device("cuda", 0), torch.bfloat16, Path(folder), Budget(BUDGET_S))
        return list(run.rows())


class Run:
    """One run of the benchmark over one device.

    Args:
        sizes: of model and shot.
        device: to be measured; a CPU for tests, whose figures mean nothing.
        dtype: of the weights.
        folder: for configs, weights and frames.
        budget: rows that it has no time for are left out, and say so.
    """

    def __init__(
        self, sizes: Sizes, device: torch.device, dtype: torch.dtype, folder: Path, budget: Budget
    ) -> None:
        self._sizes, self._device, self._dtype, self._budget = sizes, device, dtype, budget
        self._layout, self._frames = folder / "model", folder / "frames"
        self._frames.mkdir()
        write_layout(self._layout, sizes)
        self._shot = Shot(sizes, sizes.frames, device)
        self._pipe: VoidPipeline | None = None
        self._plain: Parts | None = None
        self._exact: Parts | None = None
        self._made: Made | None = None

    def rows(self) -> Iterator[Row]:
        """Every row of the table, measured or with the sentence why not."""
        for wanted, measured in zip(TABLE, self.groups(), strict=True):
            missing = {f"gpu.{one.name}": one for one in wanted}
            why = ""
            try:
                for row in measured():
                    del missing[row.name]
                    print(f"{row.name}: {row.value:.4g} {row.unit}", file=sys.stderr, flush=True)
                    yield row
            except NotMeasured as error:
                why = str(error)
            except Exception as error:  # on a machine that nobody watches the other rows still count
                log.exception("void bench gpu")
                why = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            for one in missing.values():
                yield one.missing(why)

    def groups(self) -> tuple[Callable[[], Iterator[Row]], ...]:
        """What measures each group of the table."""
        return (
            self._passes,
            self._lengths,
            self._float8,
            lambda: service.overhead_rows(self._sizes, self._frames, self._model(), self._budget),
            self._modes,
            lambda: service.load_rows(self._layout, self._device, self._dtype, self._budget),
            lambda: service.first_step_rows(
                self._sizes, self._layout, self._frames, self._model(), self._budget
            ),
            self._previews,
        )

    def _model(self) -> Parts:
        if self._exact is None:
            raise NotMeasured("it is told beside the model's own time, which is missing")
        return self._exact

    def _passes(self) -> Iterator[Row]:
        self._budget.spend(START_S)
        sizes, device, shot = self._sizes, self._device, self._shot
        pipe = random_pipeline(self._layout, device, device, self._dtype)
        place(pipe, "resident", device)
        short = PassPlan(1, sizes.compared_steps, 1.0)
        condition = warm_up(pipe, shot)
        plain = parts_of(pipe, shot, noise_on=CPU)
        before = shot.frames(pipe, short, condition)
        made = make_exact(pipe, device, compiles=can_compile(device, "resident"))
        forget_peak(device)
        exact = parts_of(pipe, shot, noise_on=device)
        resident = peak_gib(device)
        off = decibels_between(shot.frames(pipe, short, condition), before)
        self._pipe, self._plain, self._exact, self._made = pipe, plain, exact, made
        yield PASS1.row(exact.pass1, f"{made}; {exact}; began with {exact.begin:.0f} s", plain.pass1)
        yield BOTH.row(exact.both, f"{made}; plain: {plain}", plain.both)
        yield NOISE.row(exact.noise, f"{sizes.warped_noise}; baseline: on the CPU", plain.noise)
        yield FRAMES.row(
            off, f"decoded after {short.steps} steps from the same latents; 150 dB: the same bits"
        )
        height, width = sizes.raster
        work = forward_flops(
            sizes.transformer, shot.windows[0].stop - shot.windows[0].start, (height // 8, width // 8)
        )
        peak = peak_flops(device, self._dtype, sizes.peak_side)
        yield FLOOR.row(
            100 * work / peak / exact.step1,
            f"{work:.3g} operations in {exact.step1:.3f} s, where a product of matrices makes {peak / 1e12:.0f} a ps",
        )
        yield RESIDENT.row(resident, "most that tensors took, of both passes")

    def _lengths(self) -> Iterator[Row]:
        exact, (pipe, _, _) = self._model(), self._loaded()
        for wanted, frames in zip((LONGER, LONG), self._sizes.longer, strict=True):
            self._budget.spend(exact.timing(self._sizes.timed_steps) * frames / self._sizes.frames)
            shot = Shot(self._sizes, frames, self._device)
            longer = parts_of(pipe, shot, noise_on=self._device)
            yield wanted.row(
                longer.both,
                f"both passes over {frames} frames in {len(shot.windows)} windows; {longer}; baseline: "
                f"{self._sizes.frames} frames",
                exact.both,
            )
        self._budget.spend(longer.begin + (1 + self._sizes.timed_steps) * longer.step2)
        condition = shot.condition(pipe, 1)
        together, pipe.together = pipe.together, None
        alone_s = statistics.median(step_seconds(pipe, shot, PASS2, condition)[1:])
        pipe.together = together
        yield WINDOWS.row(
            longer.step2,
            f"a guided step of {frames} frames; at once: {together.told if together else ''}; baseline: one by one",
            alone_s,
        )

    def _float8(self) -> Iterator[Row]:
        sizes, device, shot = self._sizes, self._device, self._shot
        exact, (pipe, plain, made) = self._model(), self._loaded()
        if device.type == "cuda" and not multiplies_float8(device):
            raise NotMeasured("this GPU multiplies no float8")
        self._budget.spend(3 * exact.timing(sizes.timed_steps))
        short = PassPlan(1, sizes.compared_steps, 1.0)
        condition = shot.condition(pipe, 1)
        before = shot.frames(pipe, short, condition)
        self._pipe = None  # it is no exact one any more
        float8 = make_float8(pipe, made)
        parts = parts_of(pipe, shot, noise_on=device)
        yield BOTH_FP8.row(parts.both, f"{float8}; {parts}; began with {parts.begin:.0f} s", plain.both)
        off = decibels_between(shot.frames(pipe, short, condition), before)
        yield FRAMES_FP8.row(off, f"decoded after {short.steps} steps from the same latents")

    def _loaded(self) -> tuple[VoidPipeline, Parts, Made]:
        if self._pipe is None or self._plain is None or self._made is None:
            raise NotMeasured("the pipeline is gone")
        return self._pipe, self._plain, self._made

    def _previews(self) -> Iterator[Row]:
        """On a new pipeline, at speed plain: what they change is the same at every other."""
        if self._plain is None:
            raise NotMeasured("how long it takes is told from speed plain, which is missing")
        one = self._plain.encode + self._sizes.final_steps * self._plain.step1 + self._plain.decode
        self._budget.spend(DRAW_S + FINAL_JOBS * one)
        self._pipe = None
        forget_peak(self._device)
        pipe = random_pipeline(self._layout, self._device, self._device, self._dtype)
        place(pipe, "resident", self._device)
        for found in measure_shortcuts(pipe, self._shot):
            yield SHORTCUTS[found.name].row(found.seconds, found.note, found.final_s)
            yield SHORTCUTS_OFF[found.name].row(
                found.off, "inside the matte, of 255; baseline: another seed's", found.other_seed
            )

    def _modes(self) -> Iterator[Row]:
        self._pipe = None
        torch.compiler.reset()  # what is compiled may hold the model
        forget_peak(self._device)
        yield from modes.mode_rows(self._layout, self._shot, self._dtype, self._budget)
