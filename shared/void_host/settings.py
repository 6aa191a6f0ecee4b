"""Every setting that hosts have alike, with the buttons and lines between them, and the job's field that each sets.

A host adds what it alone has and how it shows each: `void_nuke.knobs`, `void_resolve.controls`. A field of the job is
set here or stands in `NOT_SETTINGS` with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Dict, Mapping, Optional, Tuple, Union

from void_wire.messages import LAYERS

Value = Union[str, bool, int, float]


class Kind(Enum):
    """What an artist does with it."""

    CHOICE = auto()
    SWITCH = auto()
    WHOLE = auto()  # a whole number
    NUMBER = auto()
    LINE = auto()  # of text
    TEXT = auto()  # of several lines
    PATH = auto()
    SAID = auto()  # only read
    BUTTON = auto()


@dataclass(frozen=True)
class Setting:
    """One of them. ``name`` is forever: scripts and projects of the past hold it."""

    kind: Kind
    name: str
    label: str
    tip: str  # "" where each host says it in words of its own
    value: Optional[Value] = None  # to begin with; of a choice as it is shown
    sets: str = ""  # the job's field, for example "picture.grow_px"
    choices: Mapping[str, Value] = field(default_factory=dict)  # as shown -> what the field becomes
    slider: Optional[Tuple[float, float]] = None


def _same(*names: str) -> Dict[str, Value]:
    return {name: name for name in names}


PAGES: Mapping[str, Tuple[Setting, ...]] = {
    "Remove": (
        Setting(
            Kind.CHOICE,
            "show",
            "show",
            "plate: the input.\n"
            "overlay: what the model is told, on its grid: remove red, affected blue, both yellow. With crop "
            "auto the server chooses where the grid lies: until a job is done it is that of the whole picture, "
            "or of the box in the Picture tab.\nresult: the fill merged over the plate; render with this.\n"
            "A-B wipe: result on the right of the wipe, plate on the left.\n"
            "fill only: what was merged, premultiplied, with its matte as alpha.",
            "result",
            choices=_same("plate", "overlay", "result", "A-B wipe", "fill only"),
        ),
        Setting(
            Kind.NUMBER,
            "wipe",
            "wipe",
            "Where A-B wipe changes from plate to result, 0 left to 1 right.",
            0.5,
            slider=(0, 1),
        ),
        Setting(
            Kind.TEXT,
            "prompt",
            "what the empty scene looks like",
            'Describe the picture after the removal, not the object: "a ball lies on a wooden floor", not '
            '"remove the cart". Engine void needs it.',
            "",
            sets="prompt",
        ),
        Setting(Kind.WHOLE, "first", "range", "", 1, sets="frames"),
        Setting(Kind.WHOLE, "last", "to", "", 1, sets="frames"),
        Setting(
            Kind.WHOLE,
            "handles",
            "handles",
            "Frames before and after the range that are made too. The plate must have them.",
            0,
            sets="frames",
        ),
        Setting(
            Kind.CHOICE,
            "quality",
            "quality",
            "final: the full work.\n"
            "preview: pass 1 alone, ten steps at half the raster, from the same seed and over the same crop: a "
            "quick look at what final will do.",
            "final",
            sets="void.preview",
            choices={"final": False, "preview": True},
        ),
        Setting(
            Kind.CHOICE,
            "passes",
            "passes",
            "Pass 2 steadies what moves; pass 1 alone takes less than half the time.",
            "pass 1 and 2",
            sets="void.passes",
            choices={"pass 1 only": 1, "pass 1 and 2": 2},
        ),
        Setting(
            Kind.WHOLE,
            "seed",
            "seed",
            "Another number gives another fill. The same one gives the same pixels again on the same machine.",
            42,
            sets="void.seed",
        ),
        Setting(
            Kind.BUTTON,
            "remove",
            "Remove",
            "Exports plate and mattes in the background, sends them to the server and brings the frames into a "
            "new version.",
        ),
        Setting(
            Kind.BUTTON, "cancel", "Cancel", "Stops the job at its next step. Frames that are done stay."
        ),
        Setting(Kind.SAID, "status", "status", "What the job is doing.", "not sent yet"),
    ),
    "Picture": (
        Setting(Kind.LINE, "colorspace", "colour space", "", "scene_linear", sets="picture.colorspace"),
        Setting(
            Kind.CHOICE,
            "affected_shape",
            "affected area",
            "grid: fills the cells the model was trained on; overlay shows them.\ndrawn: as the roto draws it.",
            "grid",
            sets="picture.affected_shape",
            choices=_same("grid", "drawn"),
        ),
        Setting(
            Kind.CHOICE,
            "affected_first_frame",
            "affected in the first frame",
            "keep: as the roto says.\n"
            "clear: nothing is affected yet in the first frame, as when the object has not touched anything so "
            "far.",
            "keep",
            sets="picture.affected_first_frame",
            choices=_same("keep", "clear"),
        ),
        Setting(
            Kind.CHOICE,
            "crop",
            "crop",
            "Where the model looks.\nauto: around everything that is marked in the range, with context.\n"
            "full: the whole picture.\nbox: the box below.",
            "auto",
            sets="picture.crop",
            choices=_same("auto", "full", "box"),
        ),
        Setting(
            Kind.NUMBER,
            "crop_context",
            "context",
            "Crop auto adds this share of what is marked on every side.",
            0.35,
            sets="picture.crop_context",
            slider=(0, 2),
        ),
        Setting(
            Kind.SWITCH,
            "enlarge",
            "enlarge small crops",
            "A crop with fewer pixels than the model's raster is brought up to it. Else the raster becomes "
            "smaller.",
            False,
            sets="picture.enlarge",
        ),
        Setting(
            Kind.CHOICE,
            "segments",
            "segments",
            "auto: a long way through the picture is split into boxes of their own, and every cut begins anew.\n"
            "one: neither.",
            "auto",
            sets="picture.segments",
            choices=_same("auto", "one"),
        ),
        Setting(
            Kind.WHOLE,
            "model_grow",
            "model sees grown by",
            "The remove matte grows by this many plate pixels before the model sees it.",
            0,
            sets="picture.model_grow_px",
        ),
        Setting(
            Kind.WHOLE,
            "grow",
            "server merges grown by",
            "The server merges the fill over both mattes, grown by this many plate pixels.",
            3,
            sets="picture.grow_px",
        ),
        Setting(
            Kind.WHOLE,
            "feather",
            "and feathered by",
            "Beyond that the server's merge falls off over this many plate pixels.",
            4,
            sets="picture.feather_px",
        ),
        Setting(Kind.WHOLE, "merge_grow", "node merges grown by", "", 1),
        Setting(Kind.NUMBER, "merge_feather", "and feathered by", "", 0.0, slider=(0, 50)),
        Setting(
            Kind.CHOICE,
            "detail",
            "detail",
            "borrow: real pixels of other frames where they agree with the model, the rest matched to the plate.\n"
            "upscale: only matched. Both come once the last pass is complete.\n"
            "raw: the model's answer, enlarged; frames come while the model works.",
            "borrow",
            sets="picture.detail",
            choices=_same("borrow", "upscale", "raw"),
        ),
        Setting(
            Kind.SWITCH,
            "regrain",
            "grain",
            "The plate's measured grain over what the model made.",
            True,
            sets="picture.regrain",
        ),
        Setting(
            Kind.CHOICE,
            "time_base",
            "time base",
            "native: the model sees every frame.\n"
            "model: it sees about 12 a second, the rate it was trained at, and the frames between are rebuilt: "
            "try it where something falls or rolls after the removal.",
            "native",
            sets="void.time_base",
            choices=_same("native", "model"),
        ),
        Setting(
            Kind.NUMBER,
            "rate",
            "plate's rate",
            "Frames a second, for time base model. 0: what the plate's metadata says.",
            0.0,
            sets="void.rate_fps",
            slider=(0, 60),
        ),
        Setting(
            Kind.CHOICE,
            "encoding",
            "encoding",
            "How the model sees the plate. display: as on a screen, with a shoulder for highlights.\nlog: ACEScct.",
            "display",
            sets="picture.encoding",
            choices=_same("display", "log"),
        ),
        Setting(
            Kind.LINE,
            "exposure",
            "exposure",
            "Before the plate is encoded, and taken back after. auto, off, or stops from -10 to 10.",
            "auto",
            sets="picture.exposure",
        ),
    ),
    "Server": (
        Setting(
            Kind.LINE,
            "server",
            "address",
            "host:port of the server. Empty: the environment variable VOID_SERVER, else the server of VOID_KEY, else "
            "127.0.0.1:7801. The frames go nowhere else.",
            "",
        ),
        Setting(
            Kind.CHOICE,
            "engine",
            "engine",
            "void: the model.\n"
            "draft: real pixels from other frames, no model and no prompt: a clean plate of simple shots. It "
            "undoes no interactions.",
            "void",
            sets="engine",
            choices=_same("void", "draft"),
        ),
        Setting(
            Kind.SAID,
            "memory",
            "memory mode",
            "How the server kept the model in memory for the last job, as it reports it.",
            "no job yet",
        ),
    ),
    "Output": (
        Setting(
            Kind.PATH,
            "output",
            "path",
            "",
            "<folder>/void/<script>/<node>/<version>/<node>_<version>.%04d.exr",
        ),
        Setting(
            Kind.SWITCH,
            "layer_fill",
            "fill",
            "Also write layer fill: what was there to be merged.",
            False,
            sets="picture.layers",
        ),
        Setting(
            Kind.SWITCH,
            "layer_matte",
            "matte",
            "Also write layer matte: how much of the fill was merged.",
            False,
            sets="picture.layers",
        ),
        Setting(
            Kind.SWITCH,
            "layer_quadmask",
            "quadmask",
            "Also write layer quadmask: what the model saw.",
            False,
            sets="picture.layers",
        ),
        Setting(
            Kind.SWITCH,
            "layer_difference",
            "difference",
            "Also write layer difference: result minus plate.",
            False,
            sets="picture.layers",
        ),
        Setting(
            Kind.SWITCH,
            "use_result",
            "use the result",
            "Off: the plate passes. A job turns it on with its first frame.",
            False,
        ),
    ),
}
"""Page -> what stands on it, in order."""

SETTINGS: Tuple[Setting, ...] = tuple(setting for page in PAGES.values() for setting in page)

BY_NAME: Dict[str, Setting] = {setting.name: setting for setting in SETTINGS}

LAYER_SETTINGS = {f"layer_{layer}": layer for layer in LAYERS}
"""Setting -> the layer it adds to the result."""

NOT_SETTINGS = {
    "job": "made for each job; the host keeps it with what asked for it",
    "shot": "made from the names of the script and of what asked for it",
    "roles": "always a plate and one sequence of both mattes",
    "picture.overlay": "the host draws its own overlay, live, before anything is sent",
    "picture.compression": "the result keeps the plate's, which the host's export sets",
    "void.pass1_steps": "the model's recipe; void submit --steps tries another",
    "void.pass2_steps": "the model's recipe; void submit --steps tries another",
    "void.pass1_guidance": "the model's recipe; void submit --guidance tries another",
    "void.pass2_guidance": "the model's recipe; void submit --guidance tries another",
    "void.raster_height_px": "the raster the model was trained at, which the overlay's grid shows",
    "void.raster_width_px": "the raster the model was trained at, which the overlay's grid shows",
    "void.window_frames": "the model's recipe; void submit --window tries another",
    "void.conditioning": "has one value",
    "void.warped_noise": "the model's recipe; void submit --warped-noise tries another",
    "void.flow": "belongs to the server's installation",
    "void.latents": "for comparisons with the reference implementation",
    "void.window_seeds": "of a finished job, which void rerun changes",
    "void.noise_range": "of a shot that is cut into jobs, which a farm does; a node sends its range as one job",
    "void.show_pass1": "the host shows Pass 1 while Pass 2 runs, always",
}
"""Field of the job -> why no setting sets it."""
