"""A client's requests, on the control socket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from void_wire.messages import checks
from void_wire.messages.job import JobSpec


@dataclass(frozen=True)
class Hello:
    """First message of every client; answered by Welcome."""

    kind: ClassVar[str] = "hello"
    protocol: int
    client: str


@dataclass(frozen=True)
class Submit:
    """Make this job, or find it made already; answered by JobStatus."""

    kind: ClassVar[str] = "submit"
    spec: JobSpec


@dataclass(frozen=True)
class AskSpec:
    """What was this job asked to be? Answered by Spec."""

    kind: ClassVar[str] = "ask_spec"
    job: str


@dataclass(frozen=True)
class Rerun:
    """Make this job of the frames the server holds of ``job``, or find it made already; answered by JobStatus."""

    kind: ClassVar[str] = "rerun"
    job: str
    spec: JobSpec


@dataclass(frozen=True)
class AskInventory:
    """Which frames of this job does the server hold? Answered by Inventory."""

    kind: ClassVar[str] = "ask_inventory"
    job: str


@dataclass(frozen=True)
class AskSigns:
    """What is known of the quality of each made frame? Answered by SignTable."""

    kind: ClassVar[str] = "ask_signs"
    job: str


@dataclass(frozen=True)
class Watch:
    """The job's status as soon as its revision exceeds ``after``, at the latest after ``within_s``."""

    kind: ClassVar[str] = "watch"
    job: str
    after: int = -1
    within_s: float = 0.0

    def __post_init__(self) -> None:
        checks.within("within_s", self.within_s, 0.0, 30.0)


@dataclass(frozen=True)
class Cancel:
    """Stop the job; frames that are done stay. Answered by JobStatus."""

    kind: ClassVar[str] = "cancel"
    job: str


@dataclass(frozen=True)
class Purge:
    """Delete a job that has ended, with all its frames; answered by Purged."""

    kind: ClassVar[str] = "purge"
    job: str


@dataclass(frozen=True)
class ListJobs:
    """Every job the server knows, newest first; answered by JobList."""

    kind: ClassVar[str] = "list_jobs"
