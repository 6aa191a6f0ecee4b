"""The folder of one segment: its frames, and files that say how it went. All that a farm leaves behind."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from void_farm.bundle import SEGMENTS
from void_wire import codec
from void_wire.errors import ProtocolError, SettingsError
from void_wire.files import write_whole
from void_wire.messages import Signs

NAMES = ("begun", "done", "failed")
R = TypeVar("R")


@dataclass(frozen=True)
class Begun:
    """Somebody works on it, or was killed while they did."""

    job: str
    host: str
    at_s: float  # seconds since the epoch, here and below


@dataclass(frozen=True)
class Done:
    """It is whole."""

    job: str
    host: str
    began_s: float
    ended_s: float
    digests: tuple[str, ...]  # of its frames' files, in order
    record: dict[str, str]  # what the server says made them
    signs: tuple[Signs, ...] = field(default=())  # in order; none where they could not be had


@dataclass(frozen=True)
class Failed:
    """The last attempt came to nothing."""

    job: str
    host: str
    at_s: float
    code: str
    sentence: str


@dataclass(frozen=True)
class SegmentFolder:
    """``BUNDLE/segments/0007/<frame>.exr``, with ``done.json`` once it is whole."""

    path: Path

    @staticmethod
    def of(bundle: Path, index: int) -> SegmentFolder:
        """The folder of the plan's segment of this index."""
        return SegmentFolder(bundle / SEGMENTS / f"{index:04d}")

    def frame(self, number: int) -> Path:
        """The file of a frame."""
        return self.path / f"{number:04d}.exr"

    def begun(self, job: str) -> Begun | None:
        """Who works on this job, if somebody does."""
        return self._read("begun", Begun, job)

    def done(self, job: str) -> Done | None:
        """How this job was done, if it was."""
        return self._read("done", Done, job)

    def failed(self, job: str) -> Failed | None:
        """How this job failed last, if it did."""
        return self._read("failed", Failed, job)

    def note(self, state: Begun | Done | Failed) -> None:
        """Write what is so now, in place of what was. Raises SettingsError when the folder cannot be written."""
        name = type(state).__name__.lower()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_whole(
                self.path / f"{name}.json", (json.dumps(codec.to_map(state), indent=1) + "\n").encode()
            )
            for other in NAMES:
                if other != name:
                    (self.path / f"{other}.json").unlink(missing_ok=True)
        except OSError as error:
            raise SettingsError(
                f"{self.path} cannot be written ({error.strerror}): make room there, or ask for access to it."
            ) from None

    def is_whole(self, done: Done, numbers: list[int]) -> bool:
        """Whether every frame is there with the digest that was noted."""
        if len(done.digests) != len(numbers):
            return False
        try:
            return all(
                digest == codec.digest(self.frame(number).read_bytes())
                for digest, number in zip(done.digests, numbers, strict=True)
            )
        except OSError:
            return False

    def _read(self, name: str, kind: type[R], job: str) -> R | None:
        """What stands in one of the files, when it is of this job: another plan's says nothing of this one."""
        try:
            state = codec.from_map(json.loads((self.path / f"{name}.json").read_text(encoding="utf-8")), kind)
        except (OSError, ValueError, ProtocolError, SettingsError):
            return None
        return state if getattr(state, "job", None) == job else None


def now_s() -> float:
    """Seconds since the epoch, as the records have them."""
    return round(time.time(), 3)
