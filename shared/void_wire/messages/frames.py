"""The data socket's messages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from void_wire.errors import SettingsError
from void_wire.messages import checks
from void_wire.messages.job import check_job_id
from void_wire.messages.shot import Role

_DIGEST = re.compile(r"[0-9a-f]{32}\Z")


@dataclass(frozen=True)
class FrameHeader:
    """One frame; its file's bytes follow as a raw trailing part of the same message."""

    kind: ClassVar[str] = "frame"
    job: str
    role: Role
    frame: int
    size_bytes: int
    digest: str  # XXH3-128 of the bytes, hex

    def __post_init__(self) -> None:
        check_job_id(self.job)
        checks.within("size_bytes", self.size_bytes, 0, 2**40)
        if not _DIGEST.match(self.digest):
            raise SettingsError(f"Digest {self.digest!r} is not 32 hex digits.")


@dataclass(frozen=True)
class FrameAck:
    """The frame is safe on disk; its credit is free again."""

    kind: ClassVar[str] = "frame_ack"
    job: str
    role: Role
    frame: int


@dataclass(frozen=True)
class FrameRefused:
    """The frame was not taken, or cannot be given."""

    kind: ClassVar[str] = "frame_refused"
    job: str
    role: Role
    frame: int
    code: str
    sentence: str


@dataclass(frozen=True)
class FetchFrame:
    """Send me this frame; answered by FrameHeader with bytes, or FrameRefused."""

    kind: ClassVar[str] = "fetch_frame"
    job: str
    role: Role
    frame: int
