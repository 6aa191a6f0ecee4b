"""How long work reports and how it is stopped: one callable, passed down from the worker to the engines."""

from __future__ import annotations

from typing import Protocol

from void_wire.messages import Stage


class Cancelled(Exception):
    """Raised by a Progress call once the job is to stop."""


class Halted(Cancelled):
    """Raised instead where the work is to be taken up again: what can be kept of it is kept."""


class Progress(Protocol):
    """Called after every step of a stage, ``step`` 1..``steps`` (0 when the stage begins).

    Raises Cancelled when the job is to stop; whoever catches it, but for the worker, raises it again.
    """

    def __call__(self, stage: Stage, step: int, steps: int) -> None:
        """Report; may raise Cancelled."""


def unwatched(stage: Stage, step: int, steps: int) -> None:
    """A Progress for callers that do not watch."""


def share_of(progress: Progress, number: int, of: int) -> Progress:
    """``progress`` for part ``number`` (0-based) of ``of`` like ones: a stage's steps are those of all parts."""

    def told(stage: Stage, step: int, steps: int) -> None:
        if stage is Stage.LOAD:
            progress(stage, step, steps)
        else:
            progress(stage, number * steps + step, of * steps)

    return told
