"""What the leaner memory modes take of the GPU, and how much slower the leanest is."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path

import torch

from void_server.bench.gpu.clock import Budget, forget_peak, peak_gib
from void_server.bench.gpu.passes import Shot, drained, step_seconds, warm_up
from void_server.bench.gpu.random_model import random_pipeline
from void_server.bench.gpu.table import LOW, LOW_STEP, OFFLOAD
from void_server.bench.row import Row
from void_server.engine.memory import place
from void_server.engine.pipeline import PASS2
from void_server.engine.speed import can_compile, make_exact

ESTIMATE_S = 60
"""Of one mode: drawing a model, bringing it to the host and back."""


def mode_rows(layout: Path, shot: Shot, dtype: torch.dtype, budget: Budget) -> Iterator[Row]:
    """OFFLOAD, LOW, LOW_STEP."""
    budget.spend(ESTIMATE_S)
    peak, offload_s = _tried("offload", layout, shot, dtype)
    note = "most that tensors took: prompt, conditions, guided steps and decoding of one window"
    yield OFFLOAD.row(peak, note)
    budget.spend(ESTIMATE_S)
    peak, low_s = _tried("low", layout, shot, dtype)
    yield LOW.row(peak, note)
    yield LOW_STEP.row(low_s, "a guided step; baseline: mode offload", offload_s)


def _tried(mode: str, layout: Path, shot: Shot, dtype: torch.dtype) -> tuple[float, float]:
    """Peak in GiB and seconds of a guided step."""
    forget_peak(shot.device)
    pipe = random_pipeline(layout, shot.device, torch.device("cpu"), dtype)
    make_exact(pipe, shot.device, compiles=can_compile(shot.device, mode))
    place(pipe, mode, shot.device)
    forget_peak(shot.device)
    steps = step_seconds(pipe, shot, PASS2, warm_up(pipe, shot))
    drained(pipe.decode(shot.start(pipe)))  # the transformer may still be there
    pipe.maybe_free_model_hooks()
    return peak_gib(shot.device), statistics.median(steps[1:])
