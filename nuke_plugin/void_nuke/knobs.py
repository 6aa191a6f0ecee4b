"""Every knob of the VOID node, in the order of its panel: the settings of every host, and what Nuke alone has.

The head of gizmos/VOID.gizmo is written from this table (`void_nuke.gizmo`), and `void_nuke.host` reads a node's
values by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Dict, Optional, Tuple

from void_host import settings
from void_host.settings import Kind, Value


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
    choices: Tuple[str, ...] = ()
    slider: Optional[Tuple[float, float]] = None
    link: str = ""  # "Node.knob" inside
    press: str = ""  # the function of void_nuke.buttons
    same_line: bool = False
    hidden: bool = False


_CODES = {
    Kind.CHOICE: Code.ENUMERATION,
    Kind.SWITCH: Code.BOOLEAN,
    Kind.WHOLE: Code.INT,
    Kind.NUMBER: Code.DOUBLE,
    Kind.LINE: Code.STRING,
    Kind.TEXT: Code.MULTILINE,
    Kind.PATH: Code.FILE,
    Kind.SAID: Code.TEXT,
    Kind.BUTTON: Code.BUTTON,
}


def _shared(name: str, tip: str = "", same_line: bool = False) -> Knob:
    """The knob of a setting; ``tip`` where Nuke has words of its own."""
    setting = settings.BY_NAME[name]
    return Knob(
        _CODES[setting.kind],
        name,
        setting.label,
        tip or setting.tip,
        setting.value,
        tuple(setting.choices),
        setting.slider,
        press=name if setting.kind is Kind.BUTTON else "",
        same_line=same_line,
    )


KNOBS: Tuple[Knob, ...] = (
    Knob(Code.TAB, "remove_tab", "Remove"),
    _shared("show", tip="What the node gives out.\n" + settings.BY_NAME["show"].tip),
    _shared("wipe"),
    _shared("prompt"),
    _shared("first", tip="First frame of the removal."),
    _shared("last", tip="Last frame of the removal.", same_line=True),
    Knob(
        Code.BUTTON,
        "from_input",
        "from input",
        "Takes the range of the plate.",
        press="from_input",
        same_line=True,
    ),
    _shared("handles"),
    _shared("quality"),
    _shared("passes"),
    _shared("seed"),
    Knob(Code.TEXT, "remove_divider"),
    _shared("remove"),
    _shared("cancel", same_line=True),
    _shared("status"),
    Knob(Code.TAB, "picture_tab", "Picture"),
    _shared(
        "colorspace",
        tip="The space the plate arrives in at this node, as the server's OCIO config names it: a space or a "
        "role. The export is raw, so this is the script's working space.",
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
    _shared("affected_shape"),
    _shared("affected_first_frame"),
    Knob(
        Code.STRING,
        "view",
        "view",
        "In a script with several views the one the job is made of; its result shows in all of them. Another "
        "node does the other. Empty: the script's only one.",
        "",
    ),
    Knob(Code.TEXT, "crop_divider"),
    _shared("crop"),
    Knob(
        Code.BBOX,
        "box",
        "box",
        "In plate pixels. With crop box it is where the model looks. The grid of overlay lies in it; a "
        "finished job sets it to the box the server chose.",
        "{0 0 {input.width} {input.height}}",
    ),
    _shared("crop_context"),
    _shared("enlarge"),
    _shared("segments"),
    Knob(Code.TEXT, "matte_divider"),
    _shared("model_grow"),
    _shared("grow"),
    _shared("feather", same_line=True),
    _shared(
        "merge_grow",
        tip="In this node the result is laid over the plate where the server may have merged, and this many "
        "pixels more. Live, no new job: take it below 0 to keep less of the fill. Outside, the plate passes "
        "bit for bit.",
    ),
    _shared(
        "merge_feather",
        tip="Blurs the edge of this node's own merge, in pixels. At 0 it is hard, and the result's own soft edge "
        "shows.",
        same_line=True,
    ),
    Knob(Code.TEXT, "look_divider"),
    _shared("detail"),
    _shared("regrain"),
    _shared("time_base"),
    _shared("rate"),
    _shared("encoding"),
    _shared("exposure"),
    Knob(Code.TAB, "server_tab", "Server"),
    _shared("server"),
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
    _shared("engine"),
    _shared("memory"),
    Knob(Code.TAB, "output_tab", "Output"),
    _shared(
        "output",
        tip="Where results go. <folder> is VOID_OUTPUT, else the script's own folder; <script>, <node> and "
        "<version> are replaced too. A new job writes a new version and never over an old one.",
    ),
    Knob(Code.TEXT, "output_preview", "next", "The path with everything replaced.", "save the script first"),
    Knob(
        Code.BUTTON,
        "farm_job",
        "Write farm job",
        "Writes this removal as an Open Job Description bundle into a folder beside the path: a farm renders plate and "
        "mattes with it, makes the result and puts it at the path. Nothing is rendered now; VOID_FARM_SUBMIT names the "
        "studio's command that sends the bundle.",
        press="farm_job",
    ),
    _shared("layer_fill"),
    _shared("layer_matte", same_line=True),
    _shared("layer_quadmask", same_line=True),
    _shared("layer_difference", same_line=True),
    Knob(Code.TEXT, "result_divider"),
    _shared("use_result"),
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

BY_NAME: Dict[str, Knob] = {knob.name: knob for knob in KNOBS}
