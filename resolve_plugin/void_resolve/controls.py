"""Every control of the macro, in the order of its pages: the settings of every host, and what Fusion alone has.

A setting of `void_host.settings` becomes a control with the same name, label, tooltip, choices and beginning.
`ONLY_HERE` are those that Fusion needs beside them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Dict, Iterator, Mapping, Optional, Tuple, Union

from void_host import settings
from void_host.box import Box
from void_host.settings import PAGES, Setting

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


_KINDS = {
    settings.Kind.CHOICE: Kind.CHOICE,
    settings.Kind.SWITCH: Kind.CHECK,
    settings.Kind.WHOLE: Kind.NUMBER,
    settings.Kind.NUMBER: Kind.NUMBER,
    settings.Kind.LINE: Kind.TEXT,
    settings.Kind.TEXT: Kind.TEXT,
    settings.Kind.PATH: Kind.TEXT,
    settings.Kind.SAID: Kind.TEXT,
    settings.Kind.BUTTON: Kind.BUTTON,
}

_SLIDERS = {"grow": 64, "feather": 64, "model_grow": 64, "merge_grow": 32, "handles": 32, "seed": 10_000}
"""How far a slider of whole numbers goes; more can be typed."""

_LINES = {"prompt": 3, "status": 3}

_SAID_OTHERWISE: Mapping[str, Dict[str, Any]] = {
    "show": {"tip": "What the macro gives out.\n" + settings.BY_NAME["show"].tip},
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
            "plate is sent as",
            "Half keeps what a half float plate holds. Float is for plates with more range or precision.",
            "Picture",
            0,
            DEPTHS,
        ),
        Control(
            Kind.CHOICE,
            "remove_channel",
            "remove matte from",
            "Channel of input remove. Masks have theirs in alpha.",
            "Picture",
            0,
            _CHANNELS,
        ),
        Control(
            Kind.CHOICE,
            "affected_channel",
            "affected matte from",
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
    "output": (
        Control(
            Kind.BUTTON,
            "farm_job",
            "Write farm job",
            "Renders plate and mattes here and writes them, as an Open Job Description bundle, into a folder beside "
            "the path: a farm makes the result and puts it at the path. VOID_FARM_SUBMIT names the studio's command "
            "that sends the bundle. No server is asked.",
            "Output",
            press="farm",
        ),
    ),
    "use_result": (
        Control(
            Kind.NUMBER,
            "result_first",
            "frames",
            "First frame of the result, as the Fusion page counts.",
            "Output",
            slider=(0, 1000),
            whole=True,
        ),
        Control(
            Kind.NUMBER,
            "result_last",
            "to",
            "Last frame of the result.",
            "Output",
            slider=(0, 1000),
            whole=True,
        ),
    ),
}
"""Setting -> the controls that come after it."""


def _controls() -> Iterator[Control]:
    for page, there in PAGES.items():
        for setting in there:
            yield _control(setting, page)
            yield from ONLY_HERE.get(setting.name, ())


def _control(setting: Setting, page: str) -> Control:
    made = Control(
        _KINDS[setting.kind],
        setting.name,
        setting.label,
        setting.tip,
        page,
        _beginning(setting),
        tuple(setting.choices),
        setting.slider or (0, _SLIDERS.get(setting.name, 1000)),
        setting.kind is settings.Kind.WHOLE,
        _LINES.get(setting.name, 1),
        setting.kind is settings.Kind.SAID,
        setting.name if setting.kind is settings.Kind.BUTTON else "",
    )
    return replace(made, **_SAID_OTHERWISE.get(setting.name, {}))


def _beginning(setting: Setting) -> Value:
    if setting.choices:
        return list(setting.choices).index(str(setting.value))
    if isinstance(setting.value, bool):
        return int(setting.value)
    return setting.value if setting.value is not None else 0


CONTROLS: Tuple[Control, ...] = tuple(_controls())

BY_NAME: Dict[str, Control] = {control.name: control for control in CONTROLS}


def values_of(read: Mapping[str, Any]) -> Dict[str, Any]:
    """The values that stand for what was ``read`` of the controls, as `void_host.settings` has them: name -> value.

    A control that the macro does not have, because an older one was placed, is as it is to begin with.
    """
    values: Dict[str, Any] = {}
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
    return values


def box_in(values: Mapping[str, Any], plate_size: Optional[Tuple[int, int]]) -> Box:
    """The box of `values_of`. A side of 0 is the plate's."""
    width, height = plate_size or (0, 0)
    x, y = values["box_x"], values["box_y"]
    return x, y, x + (values["box_width"] or width), y + (values["box_height"] or height)
