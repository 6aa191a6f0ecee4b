"""What server and worker process say to each other, over the worker's stdin and stdout.

Each message is four bytes of length (big endian) and the codec's bytes; job ids tie answers to requests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar

from void_wire import codec
from void_wire.messages import JobSpec, Role, Signs, Stage

DRIVER_FAULT = 70
"""The exit code of a process whose GPU faulted: nothing that it holds there can be used any more."""


@dataclass(frozen=True)
class Configure:
    """First message to the process. Empty paths mean none."""

    kind: ClassVar[str] = "configure"
    weights: str
    raft_weights: str
    device: str
    memory: str
    speed: str
    prompts: str  # folder of what the text encoder made of them; kept nowhere without
    memory_bytes: int  # that the process may take; 0: what the machine has
    private: bool  # prompts are left out of what leaves


@dataclass(frozen=True)
class Run:
    """Do this job; its received frames lie in ``folder``, what is made goes there."""

    kind: ClassVar[str] = "run"
    spec: JobSpec
    folder: str


@dataclass(frozen=True)
class CancelRun:
    """Stop the job at its next step."""

    kind: ClassVar[str] = "cancel_run"
    job: str


@dataclass(frozen=True)
class HaltRun:
    """Leave the job at its next step, where another process will take it up."""

    kind: ClassVar[str] = "halt_run"
    job: str


@dataclass(frozen=True)
class Progressed:
    """``step`` of ``steps`` of ``stage`` is done."""

    kind: ClassVar[str] = "progressed"
    job: str
    stage: Stage
    step: int
    steps: int


@dataclass(frozen=True)
class FrameMade:
    """A frame is whole in the job's folder."""

    kind: ClassVar[str] = "frame_made"
    job: str
    role: Role
    frame: int
    digest: str


@dataclass(frozen=True)
class FrameJudged:
    """What a frame of the result shows of its own faults: after its FrameMade, once its neighbours are made."""

    kind: ClassVar[str] = "frame_judged"
    job: str
    frame: int
    signs: Signs


@dataclass(frozen=True)
class Finished:
    """The job is done."""

    kind: ClassVar[str] = "finished"
    job: str
    record: dict[str, str]


@dataclass(frozen=True)
class Stopped:
    """The job was cancelled."""

    kind: ClassVar[str] = "stopped"
    job: str


@dataclass(frozen=True)
class LeftOff:
    """The job was halted; what it had reached is kept."""

    kind: ClassVar[str] = "left_off"
    job: str


@dataclass(frozen=True)
class Crowded:
    """The job failed beside another one, and maybe by it, as where memory is short: it is to be done alone."""

    kind: ClassVar[str] = "crowded"
    job: str


@dataclass(frozen=True)
class Failed:
    """The job cannot go on; ``code`` names a class of void_wire.errors."""

    kind: ClassVar[str] = "failed"
    job: str
    code: str
    sentence: str


TO_WORKER: codec.Kinds = {cls.kind: cls for cls in (Configure, Run, CancelRun, HaltRun)}
FROM_WORKER: codec.Kinds = {
    cls.kind: cls for cls in (Progressed, FrameMade, FrameJudged, Finished, Stopped, LeftOff, Crowded, Failed)
}


def write_event(pipe: BinaryIO, event: Any) -> None:
    """Send ``event``. Raises OSError when the other side is gone."""
    data = codec.encode(event)
    pipe.write(len(data).to_bytes(4, "big") + data)
    pipe.flush()


def read_event(pipe: BinaryIO, kinds: codec.Kinds) -> Any | None:
    """The next event, or None when the other side is gone."""
    length = pipe.read(4)
    if len(length) < 4:
        return None
    data = pipe.read(int.from_bytes(length, "big"))
    return codec.decode(data, kinds)[0]
