"""What the leaner memory modes take of the GPU, and how much slower the leanest is."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch

from void_server.bench.gpu.clock import Budget, forget_peak, peak_gib, seconds
from void_server.bench.gpu.passes import Shot, drained, step_seconds, warm_up
from void_server.bench.gpu.random_model import random_pipeline
from void_server.bench.gpu.table import LOW, LOW_STEP, OFFLOAD, SWAP
from void_server.bench.row import Row
from void_server.engine.memory import place
from void_server.engine.pipeline import PASS2, TRANSFORMERS
from void_server.engine.speed import can_compile, make_exact

ESTIMATE_S = 60
"""Of one mode: drawing a model, bringing it to the host and back."""


def mode_rows(layout: Path, shot: Shot, dtype: torch.dtype, budget: Budget) -> Iterator[Row]:
    """OFFLOAD, SWAP, LOW, LOW_STEP."""
    budget.spend(ESTIMATE_S)
    peak, offload_s, swap_s = _tried("offload", layout, shot, dtype)
    note = "most that tensors took: prompt, conditions, guided steps and decoding of one window"
    yield OFFLOAD.row(peak, note)
    yield SWAP.row(swap_s, "mode offload: from locked host memory, in one go; most of it beside other work")
    budget.spend(ESTIMATE_S)
    peak, low_s, _ = _tried("low", layout, shot, dtype)
    yield LOW.row(peak, note)
    yield LOW_STEP.row(low_s, "a guided step; baseline: mode offload", offload_s)


def _tried(mode: str, layout: Path, shot: Shot, dtype: torch.dtype) -> tuple[float, float, float]:
    """Peak in GiB, seconds of a guided step, and those of bringing a transformer where that is done in one go."""
    forget_peak(shot.device)
    pipe = random_pipeline(layout, shot.device, torch.device("cpu"), dtype)
    make_exact(pipe, shot.device, compiles=can_compile(shot.device, mode))
    place(pipe, mode, shot.device)
    forget_peak(shot.device)
    steps = step_seconds(pipe, shot, PASS2, warm_up(pipe, shot))
    drained(pipe.decode(shot.start(pipe)))  # the transformer was there before it
    pipe.maybe_free_model_hooks()
    swap_s = seconds(partial(pipe.swap.bring, TRANSFORMERS[PASS2.number]), shot.device) if pipe.swap else 0.0
    return peak_gib(shot.device), statistics.median(steps[1:]), swap_s
