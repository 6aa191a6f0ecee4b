"""When a job begins and ends: from what jobs of its kind took on this server, and from its own progress."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from void_wire.messages import JobSpec, Stage

Durations = Mapping[Stage, float]
"""Stage -> seconds; of a frame, or of a whole job."""

Expected = tuple[float | None, float | None]
"""Seconds until a job begins and until it ends; None where that cannot be told, or it has begun."""


MODEL = (Stage.LOAD, Stage.PASS1, Stage.NOISE, Stage.PASS2)
"""The stages of a job that has the model."""


@dataclass(frozen=True)
class Parts:
    """What a job takes, or still takes, in seconds."""

    before: float  # until it is ready for the model
    model: float
    after: float

    @classmethod
    def of(cls, takes: Durations, kind: Durations) -> Parts:
        """``takes`` of a job that as a whole takes ``kind``. Where no model is in that, all is before one."""
        if not any(stage in MODEL for stage in kind):
            return cls(sum(takes.values()), 0.0, 0.0)
        before = takes.get(Stage.DECODE, 0.0)
        model = sum(takes.get(stage, 0.0) for stage in MODEL)
        return cls(before, model, max(0.0, sum(takes.values()) - before - model))


class Lane:
    """One worker's jobs in time: a job begins when the one before it is ready for the model, and a place is free.

    Args:
        places: how many jobs it has at once, at most.
    """

    def __init__(self, places: int) -> None:
        self._ready = self._model_free = 0.0  # of the last job
        self._ends = [0.0] * places  # of the last jobs, in order of their beginning

    @property
    def begins(self) -> float:
        """When another job would."""
        return max(self._ready, self._ends[0])

    def add(self, begins: float, parts: Parts | None) -> float:
        """The next job, and when it ends; infinity, as all after it, where that cannot be told."""
        if parts is None:
            parts = Parts(math.inf, 0.0, 0.0)
        self._ready = begins + parts.before
        self._model_free = max(self._ready, self._model_free) + parts.model
        ends = self._model_free + parts.after
        self._ends = [*self._ends[1:], ends]
        return ends


@dataclass
class RunClock:
    """Where the time of one run of a job goes. All times in monotonic seconds."""

    whole: bool  # from the job's first frame on; else it goes on where another run had come to
    begun_s: float = 0.0
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

    def left(self, expected: Durations, now_s: float) -> Durations:
        """What each stage still takes, of a job that is ``expected`` to take so long in it.

        A stage's own pace counts as much as of it is done, what was expected as much as is not; of a run that is not
        whole the latter alone. The time since the last report is off the first stages that are left.
        """
        found, gone_s = {}, now_s - self.at_s if self.stage is not None else 0.0
        for stage in (one for one in Stage if one in expected):
            share, whole_s = self.share.get(stage, 0.0), expected[stage]
            own_s = self.spent_s.get(stage, 0.0) if share and self.whole else share * whole_s
            left_s = (1.0 - share) * (own_s + (1.0 - share) * whole_s)
            found[stage] = max(0.0, left_s - gone_s)
            gone_s = max(0.0, gone_s - left_s)
        return found


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


def line_up(queue: Iterable[tuple[str, Parts | None]], lanes: Sequence[Lane]) -> dict[str, Expected]:
    """Seconds until each queued job begins and ends; None where that cannot be told.

    Args:
        queue: each job and what it takes, in order.
        lanes: of the workers, with what they do; each job goes to the one that has a place first.
    """
    found = {}
    for job, parts in queue:
        lane = min(lanes, key=lambda lane: lane.begins)
        begins = lane.begins
        found[job] = (finite(begins), finite(lane.add(begins, parts)))
    return found


def finite(seconds: float) -> float | None:
    """None for infinity."""
    return seconds if math.isfinite(seconds) else None
