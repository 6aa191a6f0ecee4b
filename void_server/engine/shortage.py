"""A GPU that has no memory left: told from other faults, and where it was."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch

log = logging.getLogger(__name__)

ALSO = ("CUDA error: out of memory", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED")
"""How torch's RuntimeErrors begin for memory that its own allocator was not asked for; the process can go on."""


class RanOut(Exception):
    """There was no memory left ``where``: ``at step 3 of pass 1``."""

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where


@contextmanager
def memory_for(where: str) -> Iterator[None]:
    """Raise RanOut for what torch raises when the device's memory does not suffice for the work inside."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and not str(error).startswith(ALSO):
            raise
        log.warning("out of memory %s: %s", where, str(error))  # a kept record must not keep its tensors
        raise RanOut(where) from error
