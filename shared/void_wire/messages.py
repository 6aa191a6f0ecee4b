"""The messages that cross the wire: frozen dataclasses and enums, nothing else.

Every message is checked whole when it is made, on either side, so an object that exists is valid.
What each is for, and who answers with what, stands in PROTOCOL.md.
"""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import ClassVar, Dict, List, Optional, Tuple

from void_wire.errors import SettingsError

PROTOCOL_VERSION = 1
MAX_FRAMES = 20_000
MAX_NUMBER = 10**9  # of a frame
MAX_TEXT = 4_000
MAX_SEED = 2**63 - 1
MAX_FRAME_BYTES = 1024 * 1024 * 1024
_JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{7,63}\Z")
_SHOT_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")
_CROP = re.compile(r"(-?\d{1,6}),(-?\d{1,6}),(\d{1,6}),(\d{1,6})\Z", re.ASCII)
_STOPS = re.compile(r"[+-]?\d{1,2}(\.\d{1,6})?\Z", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{32}\Z")


class Role(str, Enum):
    """What a sequence of frames is to its shot."""

    PLATE = "plate"
    QUADMASK = "quadmask"  # ready-made, one channel: 0 remove, 63 overlap, 127 affected, 255 keep
    MATTES = "mattes"  # one EXR with two raw mattes: channel R remove, G affected
    REMOVE = "remove"  # remove matte alone, 0..1
    AFFECTED = "affected"  # affected matte alone, 0..1
    RESULT = "result"
    PASS1 = "pass1"  # Pass 1's result, there while Pass 2 runs
    OVERLAY = "overlay"  # PNG: the plate tinted with the quadmask exactly as the engine gets it
    RESULT_THUMBNAIL = (
        "result_thumbnail"  # PNG: plate and result side by side, small, as a display shows them
    )
    PASS1_THUMBNAIL = "pass1_thumbnail"  # PNG: the same of Pass 1's result

    @property
    def label(self) -> str:
        """The role in a sentence: ``remove matte``."""
        return f"{self.value} matte" if self in (Role.REMOVE, Role.AFFECTED) else self.value.replace("_", " ")


SENT_ROLES = (
    (Role.PLATE, Role.QUADMASK),
    (Role.PLATE, Role.MATTES),
    (Role.PLATE, Role.REMOVE),
    (Role.PLATE, Role.REMOVE, Role.AFFECTED),
)
"""The combinations of sequences a job can be made of."""

THUMBNAILS = {Role.RESULT: Role.RESULT_THUMBNAIL, Role.PASS1: Role.PASS1_THUMBNAIL}
"""A sequence -> its thumbnails. A frame that is ready has its thumbnail, so those are not listed as ready."""


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
    LOAD = "load"  # weights to the device; only the first job of a worker waits for it
    PASS1 = "pass 1"
    NOISE = "noise"
    PASS2 = "pass 2"
    FILL = "fill"  # the draft engine's own work; frames that are rebuilt between the model's
    ENCODE = "encode"


@dataclass(frozen=True)
class FrameRange:
    """Frame numbers ``first``..``last`` inclusive, every ``step``-th."""

    first: int
    last: int
    step: int = 1

    def __post_init__(self) -> None:
        if self.step < 1 or self.last < self.first:
            raise SettingsError(
                f"Range {self} holds no frames: give it as first-last, for example 1001-1046."
            )
        if not -MAX_NUMBER <= self.first <= self.last <= MAX_NUMBER:
            raise SettingsError(f"Range {self} leaves the frame numbers there are, up to {MAX_NUMBER}.")
        if len(self) > MAX_FRAMES:
            raise SettingsError(
                f"Range {self} holds {len(self)} frames; one job takes {MAX_FRAMES}. Split the shot."
            )

    def __len__(self) -> int:
        return (self.last - self.first) // self.step + 1

    def __str__(self) -> str:
        return f"{self.first}-{self.last}" + (f"x{self.step}" if self.step != 1 else "")

    def numbers(self) -> List[int]:
        """The frame numbers in order."""
        return list(range(self.first, self.last + 1, self.step))


LAYERS = ("fill", "matte", "quadmask", "difference")
"""What a result can hold beside the plate's own channels."""


@dataclass(frozen=True)
class PictureSettings:
    """How plate and mattes become what the engine sees, and how its fill comes back. Used by every engine."""

    colorspace: str = "scene_linear"  # a space or role of the server's OCIO config
    affected_shape: str = "grid"  # "grid": on the cells the model was trained on; "drawn": as it is
    affected_first_frame: str = "keep"  # "clear": the scene has not diverged yet (upstream's mask pipeline)
    grow_px: int = 3  # the composite matte grows by this, in plate pixels
    feather_px: int = 4  # then falls off outwards over this, in plate pixels
    segments: str = "auto"  # boxes of their own where it helps, and a new start at every cut; "one": neither
    overlay: bool = False  # also return Role.OVERLAY
    compression: Optional[str] = None  # of the result's EXR; None keeps the plate's
    layers: Tuple[str, ...] = ()  # of LAYERS, to write beside the plate's own channels
    # Engine void alone: the draft engine works on the plate itself.
    crop: str = (
        "auto"  # where the model looks: "auto", "full", or "x,y,w,h" from the upper left, in plate pixels
    )
    crop_context: float = 0.35  # "auto" adds this share of what is marked on every side
    enlarge: bool = False  # bring a crop that is smaller than the raster up to it; else the raster shrinks
    encoding: str = "display"  # of what the model sees; "log": ACEScct
    exposure: str = "auto"  # before it is encoded: "auto", "off", or stops as a number
    model_grow_px: int = 0  # the remove matte grows by this before the model sees it, in plate pixels
    detail: str = (
        "borrow"  # other frames' pixels where the answer agrees; "upscale": matched to the plate; "raw"
    )
    regrain: bool = True  # the plate's grain, measured, over what the model made

    def __post_init__(self) -> None:
        _one_of("affected_shape", self.affected_shape, ("grid", "drawn"))
        _one_of("affected_first_frame", self.affected_first_frame, ("keep", "clear"))
        _within("grow_px", self.grow_px, 0, 512)
        _within("feather_px", self.feather_px, 0, 512)
        _within("model_grow_px", self.model_grow_px, 0, 512)
        _within("crop_context", self.crop_context, 0.0, 10.0)
        _one_of("segments", self.segments, ("auto", "one"))
        _one_of("encoding", self.encoding, ("display", "log"))
        _one_of("detail", self.detail, ("raw", "upscale", "borrow"))
        _text("colorspace", self.colorspace, 256, empty=False)
        self.crop_px()
        self.exposure_stops()
        if self.compression is not None:
            _one_of("compression", self.compression, ("none", "rle", "zips", "zip", "piz", "pxr24"))
        for layer in self.layers:
            _one_of("layers", layer, LAYERS)
        if len(set(self.layers)) < len(self.layers):
            raise SettingsError(f"Layers {', '.join(self.layers)} name one twice: name each once.")

    def crop_px(self) -> Optional[Tuple[int, int, int, int]]:
        """x, y, width and height of a crop given in pixels, else None."""
        if self.crop in ("auto", "full"):
            return None
        match = _CROP.match(self.crop)
        if not match:
            raise SettingsError(
                f"crop is {self.crop!r}; write auto, full, or x,y,width,height in pixels from the plate's upper "
                "left corner, for example 640,300,1344,768."
            )
        x, y, width, height = (int(number) for number in match.groups())
        return x, y, width, height

    def exposure_stops(self) -> Optional[float]:
        """The stops that were asked for, 0 for "off"; None for "auto"."""
        if self.exposure == "auto":
            return None
        if self.exposure == "off":
            return 0.0
        if not _STOPS.match(self.exposure):
            raise SettingsError(
                f"exposure is {self.exposure!r}; write auto, off, or stops from -10 to 10, for example 1.5."
            )
        _within("exposure", float(self.exposure), -10.0, 10.0)
        return float(self.exposure)


DRAFT_HAS_NO = (
    "crop",
    "crop_context",
    "enlarge",
    "encoding",
    "exposure",
    "model_grow_px",
    "detail",
    "regrain",
)
"""Fields of PictureSettings that must be as they are by default in a job of engine draft."""


PREVIEW_STEPS = 10
"""Of a preview's one pass."""

MAX_REDONE = 16
"""Temporal windows of a job that can have a seed of their own: each costs one window more a step."""


@dataclass(frozen=True)
class WindowSeed:
    """Temporal window ``window``, counted from 1, is drawn from another ``seed``."""

    window: int
    seed: int

    def __post_init__(self) -> None:
        _within("window", self.window, 1, MAX_FRAMES)
        _within("seed", self.seed, 0, MAX_SEED)


@dataclass(frozen=True)
class VoidSettings:
    """Settings of the engine ``void`` alone."""

    passes: int = 2
    seed: int = 42
    pass1_steps: int = 30
    pass2_steps: int = 50
    pass1_guidance: float = 1.0
    pass2_guidance: float = 6.0
    raster_height_px: int = 384
    raster_width_px: int = 672
    window_frames: int = 85
    conditioning: str = "reference"
    warped_noise: str = "as_reference"
    flow: str = "dis"
    latents: str = "float32"  # between steps; "model" rounds to the model's dtype as the reference does
    time_base: str = "native"  # every frame; "model": about 12 a second, the frames between are rebuilt
    rate_fps: float = 0.0  # of the plate, for time_base "model"; 0: what the plate's metadata says
    preview: bool = (
        False  # a quick look at the job these settings describe, see `as_run`; the raster is halved
    )
    window_seeds: Tuple[WindowSeed, ...] = ()  # windows done anew, each over what stood before
    show_pass1: bool = False  # of two passes, also return Role.PASS1, frame by frame while pass 2 runs

    def __post_init__(self) -> None:
        _within("passes", self.passes, 1, 2)
        _within("seed", self.seed, 0, MAX_SEED)
        _within("pass1_steps", self.pass1_steps, 1, 1000)
        _within("pass2_steps", self.pass2_steps, 1, 1000)
        _within("pass1_guidance", self.pass1_guidance, 1.0, 30.0)
        _within("pass2_guidance", self.pass2_guidance, 1.0, 30.0)
        _within("window_frames", self.window_frames, 5, 197)
        for name in ("raster_height_px", "raster_width_px"):
            value = getattr(self, name)
            _within(name, value, 32, 2048)
            if value % 16:
                raise SettingsError(
                    f"{_words(name)} is {value}; the model runs at multiples of 16, for example "
                    f"{round(value / 16) * 16}."
                )
        _one_of("conditioning", self.conditioning, ("reference",))
        _one_of("warped_noise", self.warped_noise, ("as_reference", "corrected"))
        _one_of("flow", self.flow, ("dis", "raft"))
        _one_of("latents", self.latents, ("float32", "model"))
        _one_of("time_base", self.time_base, ("native", "model"))
        _within("rate_fps", self.rate_fps, 0.0, 1000.0)
        if self.rate_fps and self.time_base == "native":
            raise SettingsError("The plate's rate is for time base model: leave it out, or choose that.")
        if len(self.window_seeds) > MAX_REDONE:
            raise SettingsError(
                f"{len(self.window_seeds)} windows have seeds of their own; up to {MAX_REDONE} work. Give the whole "
                "job another seed."
            )

    def as_run(self) -> "VoidSettings":
        """These settings; of a preview the steps and the one pass that run."""
        if not self.preview:
            return self
        return replace(self, passes=1, pass1_steps=min(self.pass1_steps, PREVIEW_STEPS))


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
        _one_of("engine", self.engine, ("void", "draft"))
        if tuple(self.roles) not in SENT_ROLES:
            raise SettingsError(
                "A job is made of a plate and either a quadmask, one mattes sequence, or a remove matte with an "
                f"optional affected matte; this one names {', '.join(r.value for r in self.roles) or 'nothing'}."
            )
        _text("prompt", self.prompt, MAX_TEXT)
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
            _told(name, getattr(self, name), 1e6)
        for name in ("borrowed", "generated", "enlarged"):
            _told(name, getattr(self, name), 1.0)


WORTH_A_LOOK = {"residual": 0.1, "seam": 0.03, "flicker": 3.0, "drift": 0.02}
"""A frame whose sign is above this is named. Of frames without a fault at most one in twenty is."""


# --- requests of a client, on the control socket -------------------------------------------------------


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
        _within("within_s", self.within_s, 0.0, 30.0)


@dataclass(frozen=True)
class Cancel:
    """Stop the job; frames that are done stay. Answered by JobStatus."""

    kind: ClassVar[str] = "cancel"
    job: str


@dataclass(frozen=True)
class ListJobs:
    """Every job the server knows, newest first; answered by JobList."""

    kind: ClassVar[str] = "list_jobs"


# --- the server's answers ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Welcome:
    """The server's side of the greeting."""

    kind: ClassVar[str] = "welcome"
    protocol: int
    server: str  # its version
    credit: int  # frames a client may have sent and not acknowledged
    max_frame_bytes: int
    engines: Dict[str, str]  # name -> "" when ready, else the sentence that says what is missing


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
    queue_place: int = 0  # 1 is next; 0 when not queued
    stage: Optional[Stage] = None
    step: int = 0  # of ``steps``, within the stage
    steps: int = 0
    ready: Dict[Role, List[int]] = field(default_factory=dict)  # frame numbers that can be fetched
    error_code: str = ""
    error: str = ""  # the sentence
    record: Dict[str, str] = field(default_factory=dict)  # what made the result: engine, memory mode, times
    created_s: float = 0.0  # seconds since the epoch


@dataclass(frozen=True)
class JobList:
    """All jobs, newest first."""

    kind: ClassVar[str] = "job_list"
    jobs: List[JobStatus]


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
class Refused:
    """The request failed; ``code`` names a class of void_wire.errors."""

    kind: ClassVar[str] = "refused"
    code: str
    sentence: str


# --- the data socket -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class FrameHeader:
    """One frame; its file's bytes follow as a raw trailing part of the same message."""

    kind: ClassVar[str] = "frame"
    job: str
    role: Role
    frame: int
    size_bytes: int
    digest: str  # BLAKE2b-128 of the bytes, hex

    def __post_init__(self) -> None:
        check_job_id(self.job)
        _within("size_bytes", self.size_bytes, 0, 2**40)
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


def new_job_id(shot: str) -> str:
    """A job id that nobody else has: shot, day, chance."""
    stem = re.sub(r"[^A-Za-z0-9_-]", "_", shot).strip("_-")[:32] or "shot"
    return f"{stem}-{time.strftime('%Y%m%d')}-{secrets.token_hex(4)}"


def check_job_id(job: str) -> None:
    """Raise SettingsError unless ``job`` is a legal id (it becomes a folder name on the server)."""
    if not _JOB_ID.match(job):
        raise SettingsError(f"Job id {job!r} is not 8 to 64 letters, digits, '_' or '-'.")


def _one_of(name: str, value: str, choices: Tuple[str, ...]) -> None:
    if value not in choices:
        raise SettingsError(f"{_words(name)} is {value!r}; choose one of {', '.join(choices)}.")


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise SettingsError(f"{_words(name)} is {value}; it goes from {low} to {high}.")


def _told(name: str, value: Optional[float], high: float) -> None:
    if value is not None:
        _within(name, value, 0.0, high)


def _words(name: str) -> str:
    """A field's name as a sentence begins: ``Raster height``."""
    return name.replace("_px", "").replace("_", " ").capitalize()


def _text(name: str, value: str, longest: int, empty: bool = True) -> None:
    if len(value) > longest or "\0" in value or not (empty or value.strip()):
        raise SettingsError(
            f"{_words(name)} must be text of {0 if empty else 1} to {longest} characters without NUL."
        )
