"""How a job is done: settings of the picture, and of engine void."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Optional, Tuple

from void_wire.errors import SettingsError
from void_wire.messages import checks
from void_wire.messages.limits import MAX_FRAMES, MAX_SEED
from void_wire.messages.shot import FrameRange

_CROP = re.compile(r"(-?\d{1,6}),(-?\d{1,6}),(\d{1,6}),(\d{1,6})\Z", re.ASCII)
_STOPS = re.compile(r"[+-]?\d{1,2}(\.\d{1,6})?\Z", re.ASCII)

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
        checks.one_of("affected_shape", self.affected_shape, ("grid", "drawn"))
        checks.one_of("affected_first_frame", self.affected_first_frame, ("keep", "clear"))
        checks.within("grow_px", self.grow_px, 0, 512)
        checks.within("feather_px", self.feather_px, 0, 512)
        checks.within("model_grow_px", self.model_grow_px, 0, 512)
        checks.within("crop_context", self.crop_context, 0.0, 10.0)
        checks.one_of("segments", self.segments, ("auto", "one"))
        checks.one_of("encoding", self.encoding, ("display", "log"))
        checks.one_of("detail", self.detail, ("raw", "upscale", "borrow"))
        checks.text("colorspace", self.colorspace, 256, empty=False)
        self.crop_px()
        self.exposure_stops()
        if self.compression is not None:
            checks.one_of("compression", self.compression, ("none", "rle", "zips", "zip", "piz", "pxr24"))
        for layer in self.layers:
            checks.one_of("layers", layer, LAYERS)
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
        checks.within("exposure", float(self.exposure), -10.0, 10.0)
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

MODEL_FPS = 12.0
"""What the model was trained at (void.md 1)."""

MAX_REDONE = 16
"""Temporal windows of a job that can have a seed of their own: each costs one window more a step."""


@dataclass(frozen=True)
class WindowSeed:
    """Temporal window ``window``, counted from 1, is drawn from another ``seed``."""

    window: int
    seed: int

    def __post_init__(self) -> None:
        checks.within("window", self.window, 1, MAX_FRAMES)
        checks.within("seed", self.seed, 0, MAX_SEED)


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
    noise_range: str = (
        ""  # the whole shot that this job is a part of, whose noise it takes its part of: "1001-1200"
    )

    def __post_init__(self) -> None:
        checks.within("passes", self.passes, 1, 2)
        checks.within("seed", self.seed, 0, MAX_SEED)
        checks.within("pass1_steps", self.pass1_steps, 1, 1000)
        checks.within("pass2_steps", self.pass2_steps, 1, 1000)
        checks.within("pass1_guidance", self.pass1_guidance, 1.0, 30.0)
        checks.within("pass2_guidance", self.pass2_guidance, 1.0, 30.0)
        checks.within("window_frames", self.window_frames, 5, 197)
        for name in ("raster_height_px", "raster_width_px"):
            value = getattr(self, name)
            checks.within(name, value, 32, 2048)
            if value % 16:
                raise SettingsError(
                    f"{checks.words(name)} is {value}; the model runs at multiples of 16, for example "
                    f"{round(value / 16) * 16}."
                )
        checks.one_of("conditioning", self.conditioning, ("reference",))
        checks.one_of("warped_noise", self.warped_noise, ("as_reference", "corrected"))
        checks.one_of("flow", self.flow, ("dis", "raft"))
        checks.one_of("latents", self.latents, ("float32", "model"))
        checks.one_of("time_base", self.time_base, ("native", "model"))
        checks.within("rate_fps", self.rate_fps, 0.0, 1000.0)
        if self.rate_fps and self.time_base == "native":
            raise SettingsError("The plate's rate is for time base model: leave it out, or choose that.")
        if len(self.window_seeds) > MAX_REDONE:
            raise SettingsError(
                f"{len(self.window_seeds)} windows have seeds of their own; up to {MAX_REDONE} work. Give the whole "
                "job another seed."
            )
        self.noise_frames()

    def noise_frames(self) -> Optional[FrameRange]:
        """The whole shot whose noise the job takes its part of; None: the job has noise of its own."""
        return FrameRange.of_text(self.noise_range, "Noise range") if self.noise_range else None

    def frames_per_answer(self, said_fps: float = 0.0) -> Optional[int]:
        """1 when the model sees every frame, n when every n-th; None when the plate's rate decides and nobody says it.

        ``said_fps``: what the plate's metadata says, 0 for nothing.
        """
        if self.time_base == "native":
            return 1
        rate = self.rate_fps or said_fps
        return max(1, round(rate / MODEL_FPS)) if rate else None

    def as_run(self) -> "VoidSettings":
        """These settings; of a preview the steps and the one pass that run."""
        if not self.preview:
            return self
        return replace(self, passes=1, pass1_steps=min(self.pass1_steps, PREVIEW_STEPS))
