"""How a task tells of itself: lines that Open Job Description's runners read, and people in every other farm's log."""

from __future__ import annotations

import time

BETWEEN_S = 2.0
"""A log that a night writes is kept."""


class ProgressLines:
    """Prints ``openjd_progress`` and ``openjd_status``, not too often."""

    def __init__(self) -> None:
        self._said = ""
        self._next = 0.0

    def __call__(self, what: str, share: float) -> None:
        """``share`` of the work, 0 to 1, is done; now it is ``what``."""
        now = time.monotonic()
        if what != self._said and now >= self._next:
            print(f"openjd_progress: {100 * share:.1f}\nopenjd_status: {what}", flush=True)
            self._said, self._next = what, now + BETWEEN_S
