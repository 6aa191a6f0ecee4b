"""What the panel's threads report to it. Each is small: none takes the panel longer than an eye blinks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional, Tuple, Union

from void_panel.faults import Fault
from void_panel.pictures import Look, Picture
from void_wire.messages import JobSpec, JobStatus

CHUNK = 50
"""Jobs in one Listed at most."""


@dataclass(frozen=True)
class Found:
    """The server answers."""

    version: str
    engines: Dict[str, str]  # name -> "" when ready, else what it lacks


@dataclass(frozen=True)
class Lost:
    """The server does not answer, or not as it should."""

    sentence: str
    given_up: bool = False  # the address is none: nobody looks for it any more


@dataclass(frozen=True)
class Listed:
    """Jobs that changed. ``order`` closes a listing: every job there is, newest first."""

    changed: Tuple[JobStatus, ...]
    at_s: float  # monotonic
    order: Optional[Tuple[str, ...]] = None


@dataclass(frozen=True)
class Detailed:
    """What is known of the job that is looked at."""

    job: str
    spec: JobSpec
    judged: int  # frames of the result that have signs
    faults: Tuple[Fault, ...]  # those of them that stand out, worst first


@dataclass(frozen=True)
class Pictured:
    """A picture that was asked for, or why there is none."""

    look: Look
    picture: Optional[Picture]
    sentence: str = ""


@dataclass(frozen=True)
class Made:
    """A job was made in answer to Again."""

    job: str
    sentence: str


@dataclass(frozen=True)
class Said:
    """Something happened that the log tells."""

    sentence: str
    bad: bool = False


Event = Union[Found, Lost, Listed, Detailed, Pictured, Made, Said]
