"""A job as a client is told of it."""

from __future__ import annotations

from void_server.forecast import Expected
from void_server.job_database import JobRow
from void_server.live_job import LiveJob
from void_wire.messages import JobSpec, JobStatus


def status_of(
    spec: JobSpec, row: JobRow, live: LiveJob, received: int, place: int, expected: Expected
) -> JobStatus:
    """What is asked for, what is kept of it, and how far it is, in one.

    Args:
        spec: what was asked for.
        row: what is kept.
        live: how far it is.
        received: how many of its files are here.
        place: in the queue; 0 for none.
        expected: when it begins and ends.
    """
    return JobStatus(
        job=spec.job,
        shot=spec.shot,
        engine=spec.engine,
        revision=live.revision,
        state=row.state,
        frames=spec.frames,
        received=received,
        expected=spec.sent_frames(),
        queue_place=place,
        begins_in_s=expected[0],
        ends_in_s=expected[1],
        waits=live.wait.sentence if live.wait else "",
        device=live.device,
        stage=live.stage,
        step=live.step,
        steps=live.steps,
        ready={role: list(frames) for role, frames in live.ready.items()},
        error_code=row.error_code,
        error=row.error,
        record=row.record,
        created_s=row.created_s,
    )
