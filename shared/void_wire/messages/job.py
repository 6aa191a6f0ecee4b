"""A job: what is asked for, its states and stages, and what its frames show of their faults."""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass, field
from enum import Enum
from typing import Optional, Tuple

from void_wire.errors import SettingsError
from void_wire.messages import checks, noise_range
from void_wire.messages.limits import MAX_TEXT
from void_wire.messages.settings import DRAFT_HAS_NO, PictureSettings, VoidSettings
from void_wire.messages.shot import SENT_ROLES, FrameRange, Role

_JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{7,63}\Z")
_SHOT_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")


class State(str, Enum):
    """A job's life on the server."""

    RECEIVING = "receiving"
    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Stage(str, Enum):
    """What a running job is doing, in this order."""

    DECODE = "decode"
    LOAD = (
        "load"  # weights to the device, for a worker's first job; or it waits for the model, still another's
    )
    PASS1 = "pass 1"
    NOISE = "noise"
    PASS2 = "pass 2"
    FILL = "fill"  # the draft engine's own work; frames that are rebuilt between the model's
    ENCODE = "encode"


@dataclass(frozen=True)
class JobSpec:
    """One shot as the client asks for it. The client chooses ``job``: sending it twice is one job."""

    job: str
    shot: str
    engine: str
    frames: FrameRange
    roles: Tuple[Role, ...]
    prompt: str = ""  # what the empty scene looks like
    picture: PictureSettings = field(default_factory=PictureSettings)
    void: Optional[VoidSettings] = None  # exactly when engine is "void"

    def __post_init__(self) -> None:
        check_job_id(self.job)
        if not _SHOT_NAME.match(self.shot):
            raise SettingsError(
                f"Shot name {self.shot!r} may hold letters, digits, '_', '.', '-' only: rename it."
            )
        checks.one_of("engine", self.engine, ("void", "draft"))
        if tuple(self.roles) not in SENT_ROLES:
            raise SettingsError(
                "A job is made of a plate and either a quadmask, one mattes sequence, or a remove matte with an "
                f"optional affected matte; this one names {', '.join(r.value for r in self.roles) or 'nothing'}."
            )
        checks.text("prompt", self.prompt, MAX_TEXT)
        if (self.void is None) == (self.engine == "void"):
            raise SettingsError("Settings of engine void go with engine void, and only with it.")
        default = PictureSettings()
        idle = [name for name in DRAFT_HAS_NO if getattr(self.picture, name) != getattr(default, name)]
        if self.engine == "draft" and idle:
            raise SettingsError(f"Engine draft has no {', '.join(idle)}: leave that out, or use engine void.")
        if self.engine == "void" and not self.prompt.strip():
            raise SettingsError(
                'The prompt is empty: write what the empty scene looks like, for example --prompt "a wooden table".'
            )
        if self.void is not None and len(self.frames) > self.void.window_frames < 21:
            raise SettingsError(
                f"A temporal window of {self.void.window_frames} frames does not exceed the overlap of 16 that "
                f"{len(self.frames)} frames need: use 21 or more."
            )
        self.check_noise_range(self.void.frames_per_answer() if self.void is not None else None)

    def check_noise_range(self, every: Optional[int]) -> None:
        """Raise SettingsError where the noise's range has no place for the frames; None: as far as can be told yet.

        ``every``: the model sees one frame in this many.
        """
        whole = self.void and self.void.noise_frames()
        if whole:
            noise_range.check_part(whole, self.frames, every or 1)

    def sent_frames(self) -> int:
        """How many files the client uploads."""
        return len(self.frames) * len(self.roles)


@dataclass(frozen=True)
class Signs:
    """What one made frame shows of its own faults; None where it cannot be told.

    The measures are in void_server/signs.py, what they mean to an artist stands in PROTOCOL.md.
    """

    residual: Optional[float] = None  # share of the removed object's structure that is still there
    seam: Optional[float] = None  # step of level or colour along the matte's edge; 0.03 is 3 %
    flicker: Optional[float] = (
        None  # jumps of the level inside the matte over those beside it; about 1 is none
    )
    drift: Optional[float] = None  # how far the engine's kept pixels are off before compositing; 0.03 is 3 %
    borrowed: Optional[float] = None  # share of the merged pixels that are other frames' own
    generated: Optional[float] = None  # share that was made up, or averaged from several frames
    enlarged: Optional[float] = None  # share that was made up smaller than it is shown

    def __post_init__(self) -> None:
        for name in ("residual", "seam", "flicker", "drift"):
            checks.told(name, getattr(self, name), 1e6)
        for name in ("borrowed", "generated", "enlarged"):
            checks.told(name, getattr(self, name), 1.0)


WORTH_A_LOOK = {"residual": 0.1, "seam": 0.03, "flicker": 3.0, "drift": 0.02}
"""A frame whose sign is above this is named. Of frames without a fault at most one in twenty is."""


def new_job_id(shot: str) -> str:
    """A job id that nobody else has: shot, day, chance."""
    stem = re.sub(r"[^A-Za-z0-9_-]", "_", shot).strip("_-")[:32] or "shot"
    return f"{stem}-{time.strftime('%Y%m%d')}-{secrets.token_hex(4)}"


def check_job_id(job: str) -> None:
    """Raise SettingsError unless ``job`` is a legal id (it becomes a folder name on the server)."""
    if not _JOB_ID.match(job):
        raise SettingsError(f"Job id {job!r} is not 8 to 64 letters, digits, '_' or '-'.")
