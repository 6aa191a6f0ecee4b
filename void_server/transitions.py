"""What a job can become."""

from __future__ import annotations

from void_wire.errors import IllegalTransition
from void_wire.messages import State

TRANSITIONS: dict[State, frozenset[State]] = {
    State.RECEIVING: frozenset({State.QUEUED, State.CANCELLED}),
    State.QUEUED: frozenset({State.RUNNING, State.CANCELLED}),
    # back to QUEUED: server or worker ended under it, and it is taken up again
    State.RUNNING: frozenset({State.DONE, State.FAILED, State.CANCELLING, State.QUEUED}),
    # a job can finish or fail in the moment it is cancelled
    State.CANCELLING: frozenset({State.CANCELLED, State.DONE, State.FAILED}),
    State.DONE: frozenset(),
    State.FAILED: frozenset({State.QUEUED}),  # asked for again after a failure that may pass
    State.CANCELLED: frozenset(),
}


def check_transition(job: str, before: State, after: State) -> None:
    """Raise IllegalTransition for what the table does not have."""
    if after not in TRANSITIONS[before]:
        raise IllegalTransition(f"Job {job} is {before.value}; it cannot become {after.value}.")
