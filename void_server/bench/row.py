"""The form of every benchmark's result, and the one way to time a thing."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One measured figure beside what a user would otherwise use, measured in the same run."""

    name: str
    value: float | None  # None when it could not be measured here
    unit: str
    baseline: float | None  # the obvious alternative, same unit
    ratio: float | None  # value / baseline
    goal: str  # in words, for example "ratio >= 0.5"
    holds: bool | None  # None when not measured here
    note: str


def seconds(work: Callable[[], object]) -> float:
    """Of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def median_s(work: Callable[[], object], runs: int = 5) -> float:
    """Median seconds of ``runs`` calls, after one that is not counted."""
    work()
    return statistics.median(seconds(work) for _ in range(runs))
