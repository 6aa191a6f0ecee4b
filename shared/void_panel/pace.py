"""How long a stage still takes, told from the steps that were seen, and only then."""

from __future__ import annotations

from collections import deque
from typing import Deque, Optional, Tuple

SEEN = 12
"""The last steps a pace is taken from: a stage that gets slower is believed soon."""


class Pace:
    """The pace of whatever one job does now; another stage begins anew."""

    def __init__(self) -> None:
        self._stage = ""
        self._steps = 0
        self._seen: Deque[Tuple[int, float]] = deque(maxlen=SEEN)  # step, and when it was first seen
        self._whole = False  # whether the first of them was seen as it began

    def seen(self, stage: str, step: int, steps: int, at_s: float) -> None:
        """``step`` of ``steps`` of ``stage`` is done, at ``at_s`` monotonic seconds."""
        if stage != self._stage or steps != self._steps or (self._seen and step < self._seen[-1][0]):
            self._stage, self._steps = stage, steps
            self._seen.clear()
            self._whole = step == 0
        if self._seen and step == self._seen[-1][0]:
            return
        if len(self._seen) == 1 and not self._whole:  # it had begun before anybody looked
            self._seen.clear()
            self._whole = True
        self._seen.append((step, at_s))

    def left_s(self, now_s: float) -> Optional[float]:
        """Seconds the stage still takes; None while nothing can be told.

        A step that takes longer than those before is taken for the new pace.
        """
        if len(self._seen) < 2:
            return None
        (first, began), (last, at) = self._seen[0], self._seen[-1]
        waited = now_s - at
        step_s = max((at - began) / (last - first), waited)
        remaining = self._steps - last
        return step_s * remaining - min(waited, step_s) if remaining > 0 else None


def about(seconds: Optional[float]) -> str:
    """A duration as one says it, never more exact than it is known: ``about 4 min``; "" for None."""
    if seconds is None:
        return ""
    if seconds < 10:
        return "a few seconds"
    if seconds < 55:
        return f"about {round(seconds / 10) * 10 or 10} s"
    minutes = seconds / 60
    for step, below in ((1, 10), (5, 60), (10, 120)):
        if minutes < below - step / 2:
            return f"about {max(1, round(minutes / step)) * step} min"
    return f"about {max(2, round(minutes / 60))} h"


def outlook(begins_in_s: Optional[float], ends_in_s: Optional[float]) -> str:
    """When a job begins and is done, as far as a server can tell: ``begins in about 4 min, done in about 9 min``."""
    begins, ends = about(begins_in_s), about(ends_in_s)
    told = ((f"begins in {begins}", begins), (f"done in {ends}", ends))
    return ", ".join(sentence for sentence, known in told if known)
