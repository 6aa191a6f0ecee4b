"""Time and memory on a device that works on its own, and the time that the whole benchmark may take."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import psutil
import torch


class NotMeasured(Exception):
    """A row cannot be had; the sentence says why."""


class Budget:
    """The seconds that a run may take, from now on."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    @property
    def left_s(self) -> float:
        """What is left of them."""
        return self._ends - time.monotonic()

    def spend(self, needed_s: float) -> None:
        """Raise NotMeasured unless so much is left."""
        if needed_s > self.left_s:
            raise NotMeasured(
                f"it takes about {needed_s:.0f} s, and {max(self.left_s, 0):.0f} s of the run are left"
            )


def now(device: torch.device) -> float:
    """The clock once the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """What ``work`` takes, the device's part included."""
    began = now(device)
    work()
    return now(device) - began


def forget_peak(device: torch.device) -> None:
    """From here on `peak_gib` counts anew; what nobody holds is given back first."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak_gib(device: torch.device) -> float:
    """The most that tensors took of the GPU at once; on a CPU what the process has now."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    return float(psutil.Process().memory_info().rss / 2**30)
