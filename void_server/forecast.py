"""When a job begins and ends: from what jobs of its kind took on this server, and from its own progress."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from void_wire.messages import JobSpec, Stage

Durations = Mapping[Stage, float]
"""Stage -> seconds; of a frame, or of a whole job."""

Expected = tuple[float | None, float | None]
"""Seconds until a job begins and until it ends; None where that cannot be told, or it has begun."""


@dataclass
class RunClock:
    """Where the time of one run of a job goes. All times in monotonic seconds."""

    whole: bool  # from the job's first frame on; else it goes on where another run had come to
    spent_s: dict[Stage, float] = field(default_factory=dict)
    share: dict[Stage, float] = field(default_factory=dict)  # of each stage that is done, 0 to 1
    stage: Stage | None = None
    at_s: float = 0.0  # of the last report

    def seen(self, stage: Stage, step: int, steps: int, now_s: float) -> None:
        """``step`` of ``steps`` of ``stage`` is done."""
        if self.stage is not None:  # what it took before it first reported is the process's start
            on = stage if step else self.stage
            self.spent_s[on] = self.spent_s.get(on, 0.0) + now_s - self.at_s
        self.share[stage] = step / steps if steps else 0.0
        self.stage, self.at_s = stage, now_s

    def per_frame(self, frames: int, now_s: float) -> dict[Stage, float]:
        """What the run, which ends now, took a frame; nothing of loading weights, which the next job need not do."""
        if self.stage is None:
            return {}
        spent = {**self.spent_s, self.stage: self.spent_s.get(self.stage, 0.0) + now_s - self.at_s}
        return {stage: seconds / frames for stage, seconds in spent.items() if stage is not Stage.LOAD}

    def left_s(self, expected: Durations, now_s: float) -> float:
        """Seconds the run still takes, of a job that is ``expected`` to take so long in each stage.

        A stage's own pace counts as much as of it is done, what was expected as much as is not; of a run that is not
        whole the latter alone.
        """
        left = 0.0
        for stage, whole_s in expected.items():
            share = self.share.get(stage, 0.0)
            own_s = self.spent_s.get(stage, 0.0) if share and self.whole else share * whole_s
            left += (1.0 - share) * (own_s + (1.0 - share) * whole_s)
        return max(0.0, left - (now_s - self.at_s if self.stage is not None else 0.0))


def kind_of(spec: JobSpec, frame_bytes: int) -> str:
    """What jobs have in common that take about the same time a frame.

    Args:
        spec: the job.
        frame_bytes: of a frame of its plate, for the plate's size; equal within a factor of two.
    """
    picture = spec.picture
    said: list[object] = [spec.engine, frame_bytes.bit_length(), picture.segments, picture.overlay]
    said.append(bool(picture.layers))
    if spec.void is not None:
        void = spec.void.as_run()
        both = void.passes == 2
        said += [
            void.passes,
            void.pass1_steps,
            void.pass1_guidance > 1,
            void.pass2_steps if both else 0,
            both and void.pass2_guidance > 1,
            void.raster_height_px,
            void.raster_width_px,
            void.preview,
            void.window_frames,
            void.warped_noise,
            void.flow,
            void.time_base,
            len(void.window_seeds),
            both and void.show_pass1,
            picture.detail,
            picture.regrain,
            picture.crop == "auto",
        ]
    return " ".join(str(one) for one in said)


def mean(runs: Sequence[Durations]) -> Durations | None:
    """Of several runs; None of none."""
    stages = {stage for run in runs for stage in run}
    return {stage: sum(run.get(stage, 0.0) for run in runs) / len(runs) for stage in stages} or None


def line_up(
    queue: Iterable[tuple[str, float | None]], running: Sequence[float | None], workers: int
) -> dict[str, Expected]:
    """Seconds until each queued job begins and ends; None where that cannot be told.

    Args:
        queue: each job and how long it takes, in order.
        running: what each running job still takes.
        workers: how many jobs run at once.
    """
    free_at = [math.inf if left is None else left for left in running]
    free_at += [0.0] * (workers - len(free_at))
    heapq.heapify(free_at)
    found = {}
    for job, takes_s in queue:
        begins = heapq.heappop(free_at)
        ends = math.inf if takes_s is None else begins + takes_s
        heapq.heappush(free_at, ends)
        found[job] = (_finite(begins), _finite(ends))
    return found


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None
