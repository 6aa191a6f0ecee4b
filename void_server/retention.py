"""What is kept, and for how long: which jobs a server deletes, and which it no longer waits for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from void_wire.client import ENDED
from void_wire.messages import State


@dataclass(frozen=True)
class Kept:
    """A job on disk. ``changed_s``: when its last frame came or its state changed, in seconds since the epoch."""

    job: str
    state: State
    changed_s: float
    size_bytes: int


@dataclass(frozen=True)
class Retention:
    """How long jobs stay; 0 is for ever."""

    keep_s: float = 0.0  # after its end a job is deleted
    keep_bytes: int = 0  # ended jobs above this are deleted, those that ended first before others
    receive_s: float = 0.0  # a job that gets no frame for so long is cancelled

    def abandoned(self, jobs: Iterable[Kept], now_s: float) -> Iterator[str]:
        """Jobs whose client has not sent anything for too long."""
        for one in jobs:
            if self.receive_s and one.state is State.RECEIVING and now_s - one.changed_s > self.receive_s:
                yield one.job

    def expired(self, jobs: Iterable[Kept], now_s: float) -> Iterator[str]:
        """Ended jobs that are too old, or too much."""
        ended = sorted((one for one in jobs if one.state in ENDED), key=lambda one: one.changed_s)
        held = sum(one.size_bytes for one in ended)
        for one in ended:
            old = self.keep_s and now_s - one.changed_s > self.keep_s
            if old or (self.keep_bytes and held > self.keep_bytes):
                held -= one.size_bytes
                yield one.job
