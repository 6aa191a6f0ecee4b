"""The memory that the worker process may take: a hostile or enormous picture costs one job, not the machine."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import psutil

if sys.platform != "win32":
    import resource

NVIDIA = Path("/proc/driver/nvidia")

OOM_SCORE = "500"
"""Of 1000, over the server's: where the kernel has to end a process it ends the worker."""


def limit_memory(limit_bytes: int) -> int:
    """Bound this process's memory from now on; returns the bound in bytes, 0 where the system has none.

    What is bound is private memory that can be written (RLIMIT_DATA), and not the address space (RLIMIT_AS): CUDA
    reserves far more addresses than any machine has memory, weights are mapped from their files, and neither counts
    here. An allocation beyond it fails in the process that asks for it. Linux alone counts this way.

    Args:
        limit_bytes: 0 takes what the machine has; where there is an NVIDIA driver, whose own mappings have not been
            counted on any machine yet, it sets no bound.
    """
    if sys.platform != "linux":
        return 0
    with contextlib.suppress(OSError):  # in a container that has no such file
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)
    if not limit_bytes and NVIDIA.exists():
        return 0
    bound = limit_bytes or psutil.virtual_memory().total
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    if hard != resource.RLIM_INFINITY:
        bound = min(bound, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (bound, hard))
    return bound
