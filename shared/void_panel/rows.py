"""A job as one line of the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

from void_panel.pace import Pace, about, outlook
from void_panel.requests import Change
from void_wire.messages import JobSpec, JobStatus, Role, State

OPEN = (State.RECEIVING, State.QUEUED, State.RUNNING, State.CANCELLING)


@dataclass(frozen=True)
class JobRow:
    """What the table shows of a job."""

    job: str
    shot: str
    frames: str  # 1001-1046
    engine: str
    state: State
    standing: str  # the state in a word
    doing: str  # stage and step, place in the queue, what there is, or why it waits
    share: Optional[float]  # of that, 0 to 1; None where nothing is counted
    left: str  # of the stage; "" when it cannot be told
    outlook: str  # when it begins and is done; "" when the server cannot tell


def row_of(status: JobStatus, pace: Pace, now_s: float) -> JobRow:
    """The line of a job as ``pace`` (`watch_pace` keeps it) has it at ``now_s`` monotonic seconds."""
    doing, share = _doing(status)
    return JobRow(
        job=status.job,
        shot=status.shot,
        frames=str(status.frames),
        engine=status.engine,
        state=status.state,
        standing="waiting" if status.waits else _WORDS[status.state],
        doing=doing,
        share=share,
        left=about(pace.left_s(now_s)) if _counted(status) else "",
        outlook=outlook(status.begins_in_s, status.ends_in_s),
    )


def watch_pace(pace: Pace, status: JobStatus, at_s: float) -> None:
    """Tell ``pace`` where the job is."""
    counted = _counted(status)
    if counted:
        pace.seen(*counted, at_s)


def changes(status: JobStatus, spec: Optional[JobSpec]) -> Tuple[Change, ...]:
    """The ways in which a job can be done again; ``spec`` is None while it is not known."""
    if spec is None or status.received < status.expected:
        return ()
    possible = []
    if spec.void is not None and spec.void.preview:
        possible.append(Change.FULL)
    if spec.void is not None:
        possible.append(Change.SEED)
    if status.state in (State.FAILED, State.CANCELLED):
        possible.append(Change.NOTHING)
    return tuple(possible)


_WORDS = {
    State.RECEIVING: "arriving",
    State.QUEUED: "queued",
    State.RUNNING: "running",
    State.CANCELLING: "stopping",
    State.DONE: "done",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
}


def _counted(status: JobStatus) -> Optional[Tuple[str, int, int]]:
    if status.state is State.RECEIVING:
        return "files", status.received, status.expected
    if status.state is State.RUNNING and status.stage is not None and status.steps:
        return status.stage.value, status.step, status.steps
    return None


def _doing(status: JobStatus) -> Tuple[str, Optional[float]]:
    counted = _counted(status)
    if status.waits:
        return status.waits, None
    if counted:
        name, step, steps = counted
        return f"{name} {step}/{steps}", step / steps
    if status.queue_place:
        return f"place {status.queue_place}", None
    if status.state in OPEN:
        return status.stage.value if status.stage else "", None
    made, asked = len(status.ready.get(Role.RESULT, [])), len(status.frames)
    if made == asked:
        return f"{made} frame{'s' * (made != 1)}", 1.0
    return f"{made} of {asked} frames", made / asked
