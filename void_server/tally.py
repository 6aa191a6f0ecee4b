"""What a server has done since its start, counted."""

from __future__ import annotations

import threading
from collections import Counter

from void_wire.messages import Role, State


class Tally:
    """Counts that only grow. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended: Counter[str] = Counter()
        self._frames: Counter[tuple[str, bool]] = Counter()
        self._received_bytes = 0
        self._lost = 0

    def job_ended(self, state: State) -> None:
        """A job reached the state that it stays in."""
        with self._lock:
            self._ended[state.value] += 1

    def frame(self, role: Role, size_bytes: int, *, received: bool) -> None:
        """A frame is whole on disk: received, or made here."""
        with self._lock:
            self._frames[role.value, received] += 1
            self._received_bytes += size_bytes if received else 0

    def worker_lost(self) -> None:
        """A worker process ended under a job."""
        with self._lock:
            self._lost += 1

    @property
    def ended(self) -> dict[str, int]:
        """Jobs by the state they ended in."""
        with self._lock:
            return dict(self._ended)

    @property
    def received(self) -> tuple[int, int]:
        """Frames taken from clients, and their bytes."""
        with self._lock:
            frames = sum(count for (_, received), count in self._frames.items() if received)
            return frames, self._received_bytes

    @property
    def made(self) -> dict[str, int]:
        """Frames written by workers, by role."""
        with self._lock:
            return {role: count for (role, received), count in self._frames.items() if not received}

    @property
    def lost(self) -> int:
        """Worker processes that ended under a job."""
        with self._lock:
            return self._lost
