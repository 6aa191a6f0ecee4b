"""The server's answers, on the control socket."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Dict, List, Optional

from void_wire.messages.job import JobSpec, Signs, Stage, State
from void_wire.messages.shot import FrameRange, Role


@dataclass(frozen=True)
class Welcome:
    """The server's side of the greeting."""

    kind: ClassVar[str] = "welcome"
    protocol: int
    server: str  # its version
    credit: int  # frames a client may have sent and not acknowledged
    max_frame_bytes: int
    engines: Dict[str, str]  # name -> "" when ready, else the sentence that says what is missing
    devices: List[str] = field(
        default_factory=list
    )  # one a worker: how many jobs are done at once, and on what


@dataclass(frozen=True)
class JobStatus:
    """One job as it is now. ``revision`` grows with every change."""

    kind: ClassVar[str] = "job_status"
    job: str
    shot: str
    engine: str
    revision: int
    state: State
    frames: FrameRange
    received: int  # files of the job that are safe on the server
    expected: int
    queue_place: int = 0  # 1 is next; 0 when not queued, or while it waits for room
    begins_in_s: Optional[float] = None  # of a queued job, from now; None while it cannot be told
    ends_in_s: Optional[float] = None  # of a queued or running one
    waits: str = ""  # the sentence that says why it does not go on, and what would help
    device: str = ""  # of the worker that does it
    stage: Optional[Stage] = None
    step: int = 0  # of ``steps``, within the stage
    steps: int = 0
    ready: Dict[Role, List[int]] = field(default_factory=dict)  # frame numbers that can be fetched
    error_code: str = ""
    error: str = ""  # the sentence
    record: Dict[str, str] = field(default_factory=dict)  # what made the result: engine, memory mode, times
    created_s: float = 0.0  # seconds since the epoch


@dataclass(frozen=True)
class OthersJob:
    """As much of another key's job as a server may be told to list."""

    owner: str  # the name that the server has for the key
    job: str
    shot: str
    engine: str
    state: State
    frames: FrameRange
    queue_place: int
    created_s: float


@dataclass(frozen=True)
class JobList:
    """The client's jobs, newest first, and those of others where the server tells of them."""

    kind: ClassVar[str] = "job_list"
    jobs: List[JobStatus]
    others: List[OthersJob]


@dataclass(frozen=True)
class Spec:
    """What a job was asked to be."""

    kind: ClassVar[str] = "spec"
    spec: JobSpec


@dataclass(frozen=True)
class Inventory:
    """Digests of what the server holds of a job: role -> frame -> digest."""

    kind: ClassVar[str] = "inventory"
    job: str
    digests: Dict[Role, Dict[int, str]]


@dataclass(frozen=True)
class SignTable:
    """The signs of each frame of the result that was judged so far: a frame's come after the frame itself."""

    kind: ClassVar[str] = "sign_table"
    job: str
    frames: Dict[int, Signs]


@dataclass(frozen=True)
class Purged:
    """The job is not there, or no longer; its files had ``size_bytes``."""

    kind: ClassVar[str] = "purged"
    job: str
    size_bytes: int


@dataclass(frozen=True)
class Refused:
    """The request failed; ``code`` names a class of void_wire.errors."""

    kind: ClassVar[str] = "refused"
    code: str
    sentence: str
