"""Every control of the macro, in the order of its pages: the knobs of the Nuke node where they mean the same.

A knob of `void_nuke.knobs` becomes a control with the same name, label, tooltip, choices and beginning, or stands in
`NOT_CONTROLS` with the reason. `ONLY_HERE` are those that Fusion needs beside them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

from void_nuke.knobs import BY_NAME as KNOB
from void_nuke.knobs import KNOBS, VALUELESS, Code, Knob

Value = Union[str, int, float]


class Kind(Enum):
    """How the Inspector shows a control."""

    CHOICE = "ComboControl"
    NUMBER = "SliderControl"
    CHECK = "CheckboxControl"
    TEXT = "TextEditControl"
    BUTTON = "ButtonControl"


@dataclass(frozen=True)
class Control:
    """One control. ``name`` is forever: projects of the past hold it."""

    kind: Kind
    name: str
    label: str
    tip: str
    page: str
    value: Value = 0  # to begin with; of a choice its position
    choices: Tuple[str, ...] = ()
    slider: Tuple[float, float] = (0.0, 1.0)
    whole: bool = False  # whole numbers only
    lines: int = 1  # of a text
    says: bool = False  # a text that only the script writes
    press: str = ""  # what the script does
    hidden: bool = False


NOT_CONTROLS: Mapping[str, str] = {
    "from_input": "the range is the comp's render range until one is typed",
    "colorspace_from_script": "the project's colour management is read with every removal",
    "plate_depth": "a choice of its own here: Savers have other names for it",
    "remove_channel": "a choice of its own here",
    "affected_channel": "a choice of its own here",
    "view": "a comp has one",
    "box": "four numbers here",
    "test_connection": "every removal asks the server first",
    "server_says": "see test_connection",
    "output_preview": "the script says the path with every removal",
    "farm_job": "Fusion renders on a farm by its own render nodes; void submit sends what they wrote",
    "result": "the Loader at input result",
    "result_first": "a number here",
    "result_last": "a number here",
    "result_origfirst": "belongs to Nuke's Read",
    "result_origlast": "belongs to Nuke's Read",
    "result_reload": "belongs to Nuke's Read",
    "job": "kept in the tool's data, which undo does not touch",
    "job_server": "kept in the tool's data",
    "job_output": "kept in the tool's data",
    "export_folder": "Savers are placed for an export and taken away",
    "exporting": "Savers are placed for an export and taken away",
}
"""Knob of Nuke -> why there is no such control. Dividers are left out without one."""

_KINDS = {
    Code.ENUMERATION: Kind.CHOICE,
    Code.BOOLEAN: Kind.CHECK,
    Code.INT: Kind.NUMBER,
    Code.DOUBLE: Kind.NUMBER,
    Code.STRING: Kind.TEXT,
    Code.FILE: Kind.TEXT,
    Code.MULTILINE: Kind.TEXT,
    Code.TEXT: Kind.TEXT,
    Code.BUTTON: Kind.BUTTON,
}

_SLIDERS = {"grow": 64, "feather": 64, "model_grow": 64, "merge_grow": 32, "handles": 32, "seed": 10_000}
"""How far a slider of whole numbers goes; more can be typed."""

_LINES = {"prompt": 3, "status": 3}

_SAID_OTHERWISE: Mapping[str, Dict[str, Any]] = {
    "show": {"tip": KNOB["show"].tip.replace("What the node gives", "What the macro gives")},
    "first": {"tip": "First frame of the removal, as the Fusion page counts."},
    "last": {
        "value": -1,
        "tip": "Last frame of the removal. While it is before the first, the comp's render range is taken.",
    },
    "colorspace": {
        "tip": "The space the plate arrives in, as the server's OCIO config names it. scene_linear: what the project's "
        "colour management says. An unmanaged project needs the name here."
    },
    "merge_grow": {
        "tip": "In this macro the result is laid over the plate where the server may have merged, and this many pixels "
        "more, up to 121 in all. Live, no new job: take it below 0 to keep less of the fill. Outside, the plate passes "
        "bit for bit."
    },
    "merge_feather": {
        "tip": "Softens the edge of this macro's own merge inwards, in pixels. At 0 it is hard, and the result's own "
        "soft edge shows."
    },
    "output": {
        "tip": "Where results go. <folder> is VOID_OUTPUT, else the comp's own folder, in Resolve that of the clip's "
        "file; <script> is the project or comp; <node> and <version> are replaced too. A new job writes a new version "
        "and never over an old one."
    },
    "use_result": {"tip": "Off: the plate passes. A job turns it on with its first frame."},
}

_CHANNELS = ("alpha", "red", "green", "blue", "luminance")
DEPTHS = ("16 bit half", "32 bit float")

ONLY_HERE: Mapping[str, Tuple[Control, ...]] = {
    "cancel": (
        Control(
            Kind.BUTTON,
            "follow",
            "Go on",
            "Goes on with the job of this macro, after the project was closed and opened again.",
            "Remove",
            press="follow",
        ),
    ),
    "colorspace": (
        Control(
            Kind.CHOICE,
            "plate_depth",
            KNOB["plate_depth"].label,
            KNOB["plate_depth"].tip,
            "Picture",
            0,
            DEPTHS,
        ),
        Control(
            Kind.CHOICE,
            "remove_channel",
            KNOB["remove_channel"].label,
            "Channel of input remove. Masks have theirs in alpha.",
            "Picture",
            0,
            _CHANNELS,
        ),
        Control(
            Kind.CHOICE,
            "affected_channel",
            KNOB["affected_channel"].label,
            "Channel of input affected. Masks have theirs in alpha.",
            "Picture",
            0,
            _CHANNELS,
        ),
    ),
    "crop": tuple(
        Control(Kind.NUMBER, f"box_{side}", f"box {side}", tip, "Picture", slider=(0, 4096), whole=True)
        for side, tip in (
            ("x", "Left edge of the box, in plate pixels from the left. A finished job sets it."),
            ("y", "Lower edge of the box, in plate pixels from below. A finished job sets it."),
            ("width", "Width of the box in plate pixels. 0: the whole picture."),
            ("height", "Height of the box in plate pixels. 0: the whole picture."),
        )
    ),
    "use_result": (
        Control(
            Kind.NUMBER,
            "result_first",
            KNOB["result_first"].label,
            "First frame of the result, as the Fusion page counts.",
            "Output",
            slider=(0, 1000),
            whole=True,
        ),
        Control(
            Kind.NUMBER,
            "result_last",
            KNOB["result_last"].label,
            "Last frame of the result.",
            "Output",
            slider=(0, 1000),
            whole=True,
        ),
    ),
}
"""Knob of Nuke -> the controls that come after it."""


def _controls() -> List[Control]:
    found: List[Control] = []
    page = ""
    for knob in KNOBS:
        if knob.code is Code.TAB:
            page = knob.label
        elif knob.name not in NOT_CONTROLS and not knob.name.endswith("_divider"):
            found.append(_control(knob, page))
            found += ONLY_HERE.get(knob.name, ())
    return found


def _control(knob: Knob, page: str) -> Control:
    kind = _KINDS[knob.code]
    made = Control(
        kind,
        knob.name,
        knob.label,
        knob.tip,
        page,
        _beginning(knob),
        tuple(knob.choices),
        knob.slider or (0, _SLIDERS.get(knob.name, 1000)),
        knob.code is Code.INT,
        _LINES.get(knob.name, 1),
        knob.code is Code.TEXT,
        knob.press,
    )
    return replace(made, **_SAID_OTHERWISE.get(knob.name, {}))


def _beginning(knob: Knob) -> Value:
    if knob.choices:
        return list(knob.choices).index(str(knob.value))
    if isinstance(knob.value, bool):
        return int(knob.value)
    return knob.value if knob.value is not None else 0


CONTROLS: Tuple[Control, ...] = tuple(_controls())

BY_NAME: Dict[str, Control] = {control.name: control for control in CONTROLS}


def knob_values(read: Mapping[str, Any], plate_size: Optional[Tuple[int, int]]) -> Dict[str, Any]:
    """The knobs of the Nuke node that stand for what was ``read`` of the controls: name -> value.

    A control that the macro does not have, because an older one was placed, is as it is to begin with.
    """
    values: Dict[str, Any] = {
        knob.name: knob.value for knob in KNOBS if knob.code not in VALUELESS and knob.name in NOT_CONTROLS
    }
    for control in CONTROLS:
        given = read.get(control.name)
        value = control.value if given is None else given
        if control.kind is Kind.CHOICE:
            value = control.choices[min(max(int(value), 0), len(control.choices) - 1)]
        elif control.kind is Kind.CHECK:
            value = bool(value)
        elif control.whole:
            value = round(float(value))
        values[control.name] = value
    width, height = plate_size or (0, 0)
    x, y = values["box_x"], values["box_y"]
    values["box"] = [x, y, x + (values["box_width"] or width), y + (values["box_height"] or height)]
    return values
