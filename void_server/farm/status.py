"""How a bundle stands, told from its files alone: no server and no engine is asked."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from pathlib import Path

from void_farm.plan import Plan, Task
from void_server.farm.finishing import read_finished
from void_server.farm.segment_folder import Done, SegmentFolder


class How(str, Enum):
    """How a segment stands."""

    DONE = "done"
    BEGUN = "begun"  # somebody works on it, or was killed
    FAILED = "failed"
    MISSING = "missing"


@dataclass(frozen=True)
class SegmentStatus:
    """One segment as its folder tells."""

    task: Task
    how: How
    says: str = ""  # where and when, how long it took
    done: Done | None = None
    why: str = ""  # it failed: the sentence


@dataclass(frozen=True)
class BundleStatus:
    """All of them."""

    segments: tuple[SegmentStatus, ...]
    finished: tuple[str, ...]  # shots whose result is whole

    def of(self, how: How) -> list[SegmentStatus]:
        """Those that stand like this."""
        return [one for one in self.segments if one.how is how]

    @property
    def frames_left(self) -> int:
        """Frames of the segments that are not done."""
        return sum(len(one.task.segment.frames) for one in self.segments if one.how is not How.DONE)

    def frames_a_second(self) -> float | None:
        """Of all nodes together while any was at work on what is done by now; None before anything is.

        The time in which nobody worked, between two nights, does not count.
        """
        done = [one.done for one in self.segments if one.done is not None]
        frames = sum(len(one.digests) for one in done)
        at_work_s, until = 0.0, float("-inf")
        for one in sorted(done, key=lambda one: one.began_s):
            at_work_s += max(0.0, one.ended_s - max(one.began_s, until))
            until = max(until, one.ended_s)
        return frames / at_work_s if at_work_s > 0 else None

    def left_s(self) -> float | None:
        """Seconds to go at that pace; None while there is none."""
        pace = self.frames_a_second()
        return None if pace is None else self.frames_left / pace


def status(plan: Plan, bundle: Path) -> BundleStatus:
    """How every segment of the plan stands in its bundle. Frames are looked for, not read: finish reads them."""
    segments = tuple(_segment(plan, task, bundle) for task in plan.tasks())
    finished = [
        shot.spec.shot for shot in plan.shots if read_finished(plan, bundle, shot.spec.shot) is not None
    ]
    return BundleStatus(segments, tuple(finished))


def _segment(plan: Plan, task: Task, bundle: Path) -> SegmentStatus:
    job, folder = plan.job(task).job, SegmentFolder.of(bundle, task.index)
    if (done := folder.done(job)) is not None:
        gone = [frame for frame in task.segment.frames.numbers() if not folder.frame(frame).is_file()]
        if gone:
            return SegmentStatus(task, How.MISSING, f"was done, and frame {gone[0]} is gone: run it again")
        return SegmentStatus(task, How.DONE, f"{done.ended_s - done.began_s:.0f} s on {done.host}", done)
    if (failed := folder.failed(job)) is not None:
        return SegmentStatus(task, How.FAILED, f"{_clock(failed.at_s)} on {failed.host}", why=failed.sentence)
    if (begun := folder.begun(job)) is not None:
        return SegmentStatus(task, How.BEGUN, f"{_clock(begun.at_s)} on {begun.host}")
    return SegmentStatus(task, How.MISSING)


def _clock(at_s: float) -> str:
    return time.strftime("%a %H:%M", time.localtime(at_s))


def ranges(indices: list[int]) -> str:
    """Indices as Open Job Description writes a range: ``0-3,7``. Given to a farm it does these alone."""
    starts = [at for at, index in enumerate(indices) if at == 0 or index != indices[at - 1] + 1]
    stretches = [indices[first:stop] for first, stop in pairwise([*starts, len(indices)])]
    return ",".join(f"{one[0]}-{one[-1]}" if len(one) > 1 else f"{one[0]}" for one in stretches)
