"""What of a job changes too often for the database and need not outlive the server."""

from __future__ import annotations

from dataclasses import dataclass, field

from void_server.forecast import RunClock
from void_wire.messages import Role, Stage


@dataclass(frozen=True)
class Wait:
    """Why a job does not go on although its turn has come, or its frames would."""

    sentence: str
    need_bytes: int  # that it takes to go on
    above_bytes: int = 0  # that must be free at least: less did not suffice
    until_s: float = float("inf")  # monotonic: it is tried again then


@dataclass
class LiveJob:
    """How far a job is."""

    revision: int
    ready: dict[Role, list[int]] = field(default_factory=dict)
    stage: Stage | None = None
    step: int = 0
    steps: int = 0
    device: str = ""
    worker: int = 0  # its place in the list of them
    clock: RunClock | None = None  # while it runs
    wait: Wait | None = None

    def rest(self) -> None:
        """No stage runs."""
        self.stage, self.step, self.steps, self.device, self.clock = None, 0, 0, "", None
