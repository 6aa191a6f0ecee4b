"""The rows of ``void bench gpu``, before anything is measured: what each is called and what it should reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from void_server.bench.gpu.shortcuts import NAMES
from void_server.bench.row import Row


@dataclass(frozen=True)
class Wanted:
    """A row and its goal: ``judged`` (the value itself, or its ratio to the baseline) at most or at least ``limit``."""

    name: str
    unit: str
    judged: Literal["value", "ratio"]
    how: Literal["<=", ">="]
    limit: float | None  # None: no goal, measured for the picture

    @property
    def goal(self) -> str:
        """In words."""
        if self.limit is None:
            return ""
        return f"{self.judged} {self.how} {self.limit:.4g}{f' {self.unit}' if self.judged == 'value' else ''}"

    def row(self, value: float, note: str, baseline: float | None = None) -> Row:
        """The row of a measured value."""
        ratio = None if baseline is None else value / baseline
        found = value if self.judged == "value" else ratio
        holds = None
        if self.limit is not None and found is not None:
            holds = found <= self.limit if self.how == "<=" else found >= self.limit
        return Row(f"gpu.{self.name}", value, self.unit, baseline, ratio, self.goal, holds, note)

    def missing(self, why: str) -> Row:
        """The row when there is nothing to be said."""
        return Row(f"gpu.{self.name}", None, self.unit, None, None, self.goal, None, f"not measured: {why}")


PASS1 = Wanted("pass1", "s", "ratio", "<=", 1 / 1.6)
BOTH = Wanted("both_passes", "s", "ratio", "<=", 1 / 1.8)
NOISE = Wanted("noise", "s", "ratio", "<=", None)
FRAMES = Wanted("frames_beside_plain", "dB", "value", ">=", 50)
BOTH_FP8 = Wanted("both_passes_fp8", "s", "ratio", "<=", 1 / 2.5)
FRAMES_FP8 = Wanted("fp8_frames_beside_exact", "dB", "value", ">=", 40)
FLOOR = Wanted("share_of_floor", "%", "value", ">=", 60)
LONGER = Wanted("frames_141_over_85", "s", "ratio", "<=", None)
LONG = Wanted("frames_197_over_85", "s", "ratio", "<=", 2.4)
WINDOWS = Wanted("windows_at_once", "s", "ratio", "<=", None)
RESIDENT = Wanted("memory_resident", "GiB", "value", "<=", 36)
OFFLOAD = Wanted("memory_offload", "GiB", "value", "<=", 16)
LOW = Wanted("memory_low", "GiB", "value", "<=", 10)
LOW_STEP = Wanted("step_low", "s", "ratio", "<=", 2)
OVERHEAD = Wanted("overhead", "%", "value", "<=", 3)
LOAD = Wanted("load", "s", "value", "<=", 5)
FIRST_STEP = Wanted("submit_to_first_step", "s", "value", "<=", 1)
SWAP = Wanted("transformer_from_host", "s", "value", "<=", None)
SHORTCUTS = {name: Wanted(f"preview_{name}", "s", "ratio", "<=", None) for name in NAMES}
SHORTCUTS_OFF = {name: Wanted(f"preview_{name}_off", "levels", "ratio", "<=", None) for name in NAMES}
