"""Every knob of the VOID node, in the order of its panel, and the field of the job that each one sets.

The head of gizmos/VOID.gizmo is written from this table (`void_nuke.gizmo`), and `void_nuke.snapshot` reads a
node's values by it. A field of the job's settings is set by a knob or stands in `NOT_KNOBS` with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Dict, Mapping, Optional, Tuple, Union

Value = Union[str, bool, int, float]


class Code(IntEnum):
    """What ``addUserKnob`` calls a knob's class: the numbers of Nuke's KnobType."""

    STRING = 1
    FILE = 2
    INT = 3
    ENUMERATION = 4
    BOOLEAN = 6
    DOUBLE = 7
    BBOX = 15
    TAB = 20
    BUTTON = 22
    TEXT = 26
    MULTILINE = 28
    LINK = 41


VALUELESS = (Code.TAB, Code.BUTTON, Code.TEXT, Code.LINK)
"""Classes of knobs that hold no value of the artist's own."""


@dataclass(frozen=True)
class Knob:
    """One knob. ``name`` is forever: scripts of the past hold it."""

    code: Code
    name: str
    label: str = ""
    tip: str = ""
    value: Optional[Value] = None  # to begin with; text in double braces is an expression
    sets: str = ""  # the job's field, for example "picture.grow_px"
    choices: Mapping[str, Value] = field(default_factory=dict)  # as shown -> what the field becomes
    slider: Optional[Tuple[float, float]] = None
    link: str = ""  # "Node.knob" inside
    press: str = ""  # the function of void_nuke.buttons
    same_line: bool = False
    hidden: bool = False


def _same(*names: str) -> Dict[str, Value]:
    return {name: name for name in names}


SHOWN = ("plate", "overlay", "result", "A-B wipe", "fill only")

KNOBS: Tuple[Knob, ...] = (
    Knob(Code.TAB, "remove_tab", "Remove"),
    Knob(
        Code.ENUMERATION,
        "show",
        "show",
        "What the node gives out.\nplate: the input.\noverlay: what the model is told, on its grid: remove red, "
        "affected blue, both yellow. With crop auto the server chooses where the grid lies: until a job is done it is "
        "that of the whole picture, or of the box in the Picture tab.\nresult: the fill merged over the plate; render "
        "with this.\nA-B wipe: result on the right of the wipe, plate on the left.\nfill only: what was merged, "
        "premultiplied, with its matte as alpha.",
        "result",
        choices=_same(*SHOWN),
    ),
    Knob(
        Code.DOUBLE,
        "wipe",
        "wipe",
        "Where A-B wipe changes from plate to result, 0 left to 1 right.",
        0.5,
        slider=(0, 1),
    ),
    Knob(
        Code.MULTILINE,
        "prompt",
        "what the empty scene looks like",
        'Describe the picture after the removal, not the object: "a ball lies on a wooden floor", not "remove the '
        'cart". Engine void needs it.',
        "",
        sets="prompt",
    ),
    Knob(Code.INT, "first", "range", "First frame of the removal.", 1, sets="frames"),
    Knob(Code.INT, "last", "to", "Last frame of the removal.", 1, sets="frames", same_line=True),
    Knob(
        Code.BUTTON,
        "from_input",
        "from input",
        "Takes the range of the plate.",
        press="from_input",
        same_line=True,
    ),
    Knob(
        Code.INT,
        "handles",
        "handles",
        "Frames before and after the range that are made too. The plate must have them.",
        0,
        sets="frames",
    ),
    Knob(
        Code.ENUMERATION,
        "quality",
        "quality",
        "final: the full work.\npreview: pass 1 alone, ten steps at half the raster, from the same "
        "seed and over the same "
        "crop: a quick look at what final will do.",
        "final",
        sets="void.preview",
        choices={"final": False, "preview": True},
    ),
    Knob(
        Code.ENUMERATION,
        "passes",
        "passes",
        "Pass 2 steadies what moves; pass 1 alone takes less than half the time.",
        "pass 1 and 2",
        sets="void.passes",
        choices={"pass 1 only": 1, "pass 1 and 2": 2},
    ),
    Knob(
        Code.INT,
        "seed",
        "seed",
        "Another number gives another fill. The same one gives the same pixels again on the same machine.",
        42,
        sets="void.seed",
    ),
    Knob(Code.TEXT, "remove_divider"),
    Knob(
        Code.BUTTON,
        "remove",
        "Remove",
        "Exports plate and mattes in the background, sends them to the server and brings the frames "
        "into a new version.",
        press="remove",
    ),
    Knob(
        Code.BUTTON,
        "cancel",
        "Cancel",
        "Stops the job at its next step. Frames that are done stay.",
        press="cancel",
        same_line=True,
    ),
    Knob(Code.TEXT, "status", "status", "What the job is doing.", "not sent yet"),
    Knob(Code.TAB, "picture_tab", "Picture"),
    Knob(
        Code.STRING,
        "colorspace",
        "colour space",
        "The space the plate arrives in at this node, as the server's OCIO config names it: a space "
        "or a role. The export is "
        "raw, so this is the script's working space.",
        "scene_linear",
        sets="picture.colorspace",
    ),
    Knob(
        Code.BUTTON,
        "colorspace_from_script",
        "from script",
        "Takes the working space of the project settings.",
        press="colorspace_from_script",
        same_line=True,
    ),
    Knob(
        Code.LINK,
        "plate_depth",
        "plate is sent as",
        "Half keeps what a half float plate holds. Float is for plates with more range or precision.",
        link="WritePlate.datatype",
    ),
    Knob(
        Code.LINK, "remove_channel", "remove matte from", "Channel of input remove.", link="TakeRemove.from0"
    ),
    Knob(
        Code.LINK,
        "affected_channel",
        "affected matte from",
        "Channel of input affected.",
        link="TakeAffected.from0",
    ),
    Knob(
        Code.ENUMERATION,
        "affected_shape",
        "affected area",
        "grid: fills the cells the model was trained on; overlay shows them.\ndrawn: as the roto draws it.",
        "grid",
        sets="picture.affected_shape",
        choices=_same("grid", "drawn"),
    ),
    Knob(
        Code.ENUMERATION,
        "affected_first_frame",
        "affected in the first frame",
        "keep: as the roto says.\nclear: nothing is affected yet in the first frame, as when the "
        "object has not touched "
        "anything so far.",
        "keep",
        sets="picture.affected_first_frame",
        choices=_same("keep", "clear"),
    ),
    Knob(
        Code.STRING,
        "view",
        "view",
        "In a script with several views the one the job is made of; its result shows in all of them. Another node "
        "does the other. Empty: the script's only one.",
        "",
    ),
    Knob(Code.TEXT, "crop_divider"),
    Knob(
        Code.ENUMERATION,
        "crop",
        "crop",
        "Where the model looks.\nauto: around everything that is marked in the range, with context.\nfull: the whole "
        "picture.\nbox: the box below.",
        "auto",
        sets="picture.crop",
        choices=_same("auto", "full", "box"),
    ),
    Knob(
        Code.BBOX,
        "box",
        "box",
        "In plate pixels. With crop box it is where the model looks. The grid of overlay lies in it; "
        "a finished job sets it "
        "to the box the server chose.",
        "{0 0 {input.width} {input.height}}",
        sets="picture.crop",
    ),
    Knob(
        Code.DOUBLE,
        "crop_context",
        "context",
        "Crop auto adds this share of what is marked on every side.",
        0.35,
        sets="picture.crop_context",
        slider=(0, 2),
    ),
    Knob(
        Code.BOOLEAN,
        "enlarge",
        "enlarge small crops",
        "A crop with fewer pixels than the model's raster is brought up to it. Else the raster becomes smaller.",
        False,
        sets="picture.enlarge",
    ),
    Knob(
        Code.ENUMERATION,
        "segments",
        "segments",
        "auto: a long way through the picture is split into boxes of their own, and every cut begins "
        "anew.\none: neither.",
        "auto",
        sets="picture.segments",
        choices=_same("auto", "one"),
    ),
    Knob(Code.TEXT, "matte_divider"),
    Knob(
        Code.INT,
        "model_grow",
        "model sees grown by",
        "The remove matte grows by this many plate pixels before the model sees it.",
        0,
        sets="picture.model_grow_px",
    ),
    Knob(
        Code.INT,
        "grow",
        "server merges grown by",
        "The server merges the fill over both mattes, grown by this many plate pixels.",
        3,
        sets="picture.grow_px",
    ),
    Knob(
        Code.INT,
        "feather",
        "and feathered by",
        "Beyond that the server's merge falls off over this many plate pixels.",
        4,
        sets="picture.feather_px",
        same_line=True,
    ),
    Knob(
        Code.INT,
        "merge_grow",
        "node merges grown by",
        "In this node the result is laid over the plate where the server may have merged, and this "
        "many pixels more. Live, no "
        "new job: take it below 0 to keep less of the fill. Outside, the plate passes bit for bit.",
        1,
    ),
    Knob(
        Code.DOUBLE,
        "merge_feather",
        "and feathered by",
        "Blurs the edge of this node's own merge, in pixels. At 0 it is hard, and the result's own soft edge shows.",
        0.0,
        slider=(0, 50),
        same_line=True,
    ),
    Knob(Code.TEXT, "look_divider"),
    Knob(
        Code.ENUMERATION,
        "detail",
        "detail",
        "borrow: real pixels of other frames where they agree with the model, the rest matched to the plate.\n"
        "upscale: only matched. Both come once the last pass is complete.\n"
        "raw: the model's answer, enlarged; frames come while the model works.",
        "borrow",
        sets="picture.detail",
        choices=_same("borrow", "upscale", "raw"),
    ),
    Knob(
        Code.BOOLEAN,
        "regrain",
        "grain",
        "The plate's measured grain over what the model made.",
        True,
        sets="picture.regrain",
    ),
    Knob(
        Code.ENUMERATION,
        "time_base",
        "time base",
        "native: the model sees every frame.\nmodel: it sees about 12 a second, the rate it was "
        "trained at, and the frames "
        "between are rebuilt: try it where something falls or rolls after the removal.",
        "native",
        sets="void.time_base",
        choices=_same("native", "model"),
    ),
    Knob(
        Code.DOUBLE,
        "rate",
        "plate's rate",
        "Frames a second, for time base model. 0: what the plate's metadata says.",
        0.0,
        sets="void.rate_fps",
        slider=(0, 60),
    ),
    Knob(
        Code.ENUMERATION,
        "encoding",
        "encoding",
        "How the model sees the plate. display: as on a screen, with a shoulder for highlights.\nlog: ACEScct.",
        "display",
        sets="picture.encoding",
        choices=_same("display", "log"),
    ),
    Knob(
        Code.STRING,
        "exposure",
        "exposure",
        "Before the plate is encoded, and taken back after. auto, off, or stops from -10 to 10.",
        "auto",
        sets="picture.exposure",
    ),
    Knob(Code.TAB, "server_tab", "Server"),
    Knob(
        Code.STRING,
        "server",
        "address",
        "host:port of the server. Empty: the environment variable VOID_SERVER, else 127.0.0.1:7801. "
        "The frames go nowhere "
        "else.",
        "",
    ),
    Knob(
        Code.BUTTON,
        "test_connection",
        "test connection",
        "Asks the server who it is and what it has.",
        press="test_connection",
        same_line=True,
    ),
    Knob(
        Code.TEXT, "server_says", "server says", "Its version and which engines are ready.", "not asked yet"
    ),
    Knob(
        Code.ENUMERATION,
        "engine",
        "engine",
        "void: the model.\ndraft: real pixels from other frames, no model and no prompt: a clean "
        "plate of simple shots. It "
        "undoes no interactions.",
        "void",
        sets="engine",
        choices=_same("void", "draft"),
    ),
    Knob(
        Code.TEXT,
        "memory",
        "memory mode",
        "How the server kept the model in memory for the last job, as it reports it.",
        "no job yet",
    ),
    Knob(Code.TAB, "output_tab", "Output"),
    Knob(
        Code.FILE,
        "output",
        "path",
        "Where results go. <folder> is VOID_OUTPUT, else the script's own folder; <script>, <node> and <version> are "
        "replaced too. A new job writes a new version and never over an old one.",
        "<folder>/void/<script>/<node>/<version>/<node>_<version>.%04d.exr",
    ),
    Knob(Code.TEXT, "output_preview", "next", "The path with everything replaced.", "save the script first"),
    Knob(
        Code.BUTTON,
        "farm_job",
        "Write farm job",
        "Writes this removal into a folder beside the path, with the two commands that a farm runs: one renders plate "
        "and mattes, one sends them and brings the result home. Nothing is rendered or sent now.",
        press="farm_job",
    ),
    Knob(
        Code.BOOLEAN,
        "layer_fill",
        "fill",
        "Also write layer fill: what was there to be merged.",
        False,
        sets="picture.layers",
    ),
    Knob(
        Code.BOOLEAN,
        "layer_matte",
        "matte",
        "Also write layer matte: how much of the fill was merged.",
        False,
        sets="picture.layers",
        same_line=True,
    ),
    Knob(
        Code.BOOLEAN,
        "layer_quadmask",
        "quadmask",
        "Also write layer quadmask: what the model saw.",
        False,
        sets="picture.layers",
        same_line=True,
    ),
    Knob(
        Code.BOOLEAN,
        "layer_difference",
        "difference",
        "Also write layer difference: result minus plate.",
        False,
        sets="picture.layers",
        same_line=True,
    ),
    Knob(Code.TEXT, "result_divider"),
    Knob(
        Code.BOOLEAN,
        "use_result",
        "use the result",
        "Off: the plate passes. A job turns it on with its first frame.",
        False,
    ),
    Knob(
        Code.LINK,
        "result",
        "result",
        "The frames this node reads. An older version can be chosen.",
        link="Result.file",
    ),
    Knob(Code.LINK, "result_first", "frames", "First frame of the result.", link="Result.first"),
    Knob(Code.LINK, "result_last", "to", "Last frame of the result.", link="Result.last", same_line=True),
    Knob(Code.LINK, "result_origfirst", link="Result.origfirst", hidden=True),
    Knob(Code.LINK, "result_origlast", link="Result.origlast", hidden=True),
    Knob(
        Code.LINK, "result_reload", "reload", "Reads the frames anew.", link="Result.reload", same_line=True
    ),
    Knob(Code.STRING, "job", "job", "The job this node belongs to.", "", hidden=True),
    Knob(Code.STRING, "job_server", "job's server", "The address the job was sent to.", "", hidden=True),
    Knob(Code.STRING, "job_output", "job's output", "Where the job's frames go.", "", hidden=True),
    Knob(Code.STRING, "export_folder", "export folder", "Where the two Write nodes write.", "", hidden=True),
    Knob(
        Code.BOOLEAN,
        "exporting",
        "exporting",
        "The two Write nodes render only while this is on, in the copy of the script that exports.",
        False,
        hidden=True,
    ),
)

LAYER_KNOBS = {
    "layer_fill": "fill",
    "layer_matte": "matte",
    "layer_quadmask": "quadmask",
    "layer_difference": "difference",
}
"""Knob -> the layer it adds to the result."""

NOT_KNOBS = {
    "job": "made for each job; the node keeps it in the hidden knob job",
    "shot": "made from the names of script and node",
    "roles": "always a plate and one sequence of both mattes",
    "picture.overlay": "the node draws its own overlay, live, before anything is sent",
    "picture.compression": "the result keeps the plate's, which the node's own Write sets",
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
    "void.show_pass1": "the node shows Pass 1 while Pass 2 runs, always",
}
"""Field of the job -> why no knob sets it."""

BY_NAME: Dict[str, Knob] = {knob.name: knob for knob in KNOBS}
