"""The macro: stock tools of Fusion as a graph, and its two files.

``python -m void_resolve.macro`` writes templates/VOID.setting, for the Fusion page and for standalone Fusion, and
templates/VOID Remove.setting, an effect of the Edit page with two ellipses to mark with. Pixels are worked on by
Custom Tools, whose arithmetic the Resolve manual writes down, so that what passes unchanged is known and not hoped for.

::

    plate ── Plate ──┬───────────────────────────────────────────── Overlay ── Show ── output 1
    remove ──────────┼─ Mattes ─┬─ Area1..5 ─ Feather ─ MergeMatte ─┐  │        │
    affected ────────┘          │                        │          │  │        │
    result ─────────────────────┼──────────────────────Merged ─ FillOnly ─ Views
                                ├─ Seen ─ Raster ─ Covered ─ Any2..48 ─ Cells ─ Tint ─ BackToBox ┘
                                └────────────────────────────────────────────── output 2, for the export
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from void_host import inputs
from void_resolve.controls import CONTROLS, Control, Kind

TEMPLATES = Path(__file__).parent.parent / "templates"
FUSION_FILE, EDIT_FILE = "VOID.setting", "VOID Remove.setting"

INPUTS = (*inputs.INPUTS, "result")
"""Of the macro, as MainInput1 to MainInput4."""

MARK = "void_macro"
"""The control that says a macro is ours; its value is the version of what is in it."""
VERSION = 1

RASTER = (672, 384)
"""Width and height that the model was trained at."""
CELL = 48
"""Raster pixels of a cell's side: the grid that the affected area had in training."""
COVERED = 0.1
"""Share of a raster pixel that a matte must cover to count."""

SHIFTS = (1, 3, 9, 27, 81)
"""Of the five steps that grow the merge: a step may not leave a gap, so each is thrice the one before."""


_FOR_EVER = 1_000_000
"""The Edit page asks for frames by the timeline's numbers: 01:00:00:00 is 86400."""


_HOLDER = "Background"
"""Class of the tool that holds the controls; it is in no picture."""


@dataclass(frozen=True)
class Wire:
    """An input fed by another tool's output."""

    tool: str
    output: str = "Output"


@dataclass(frozen=True)
class Formula:
    """An input that follows others, by an expression of Fusion."""

    text: str
    value: float = 0.0


@dataclass(frozen=True)
class Id:
    """A choice that Fusion knows by a name."""

    name: str


Setting = Union[str, int, float, Wire, Formula, Id, Tuple[float, float]]


@dataclass(frozen=True)
class Tool:
    """One stock tool."""

    name: str
    cls: str
    inputs: Mapping[str, Setting]
    place: Tuple[int, int]
    controls: Sequence[Control] = field(default_factory=tuple)


def graph(shapes: bool) -> List[Tool]:
    """The tools, sources first. ``shapes``: the mattes come from two ellipses inside."""
    tools = [
        Tool("Settings", _HOLDER, _settings(), (-440, -200), CONTROLS),
        Tool("Plate", "PipeRouter", {}, (-440, 0)),
    ]
    if shapes:
        tools += [
            Tool("RemoveShape", "EllipseMask", _ellipse(0.5), (-440, 100)),
            Tool("AffectedShape", "EllipseMask", _ellipse(0.25), (-440, 150)),
        ]
    tools += [_mattes(shapes), *_merge(), *_overlay(), *_views()]
    return tools


def _settings() -> Dict[str, Setting]:
    made: Dict[str, Setting] = {"GlobalIn": 0, "GlobalOut": _FOR_EVER}
    made.update(UseFrameFormatSettings=0, Width=8, Height=8)
    made[MARK] = VERSION
    for control in CONTROLS:
        if control.kind is not Kind.BUTTON:
            made[control.name] = control.value
    return made


def _ellipse(height: float) -> Dict[str, Setting]:
    return {
        "UseFrameFormatSettings": 1,
        "GlobalIn": 0,
        "GlobalOut": _FOR_EVER,
        "Center": (0.5, height),
        "Width": 0.2,
        "Height": 0.2,
        "Angle": 0.0,
        "Level": 1.0 if height == 0.5 else 0.0,
    }


def custom(
    name: str,
    place: Tuple[int, int],
    images: Sequence[Optional[str]],
    channels: Tuple[str, str, str, str],
    numbers: Sequence[str] = (),
    setup: str = "",
    between: Sequence[str] = (),
    only: str = "",
) -> Tool:
    """A Custom Tool: its images (None: fed from outside), its four channels, and what they are made from.

    While ``only`` is 0 it gives on its first image and does nothing: so Fusion treats a Blend of 0 ("Process When Blend
    Is 0.0" in the manual), and asks for nothing that only this tool would need.
    """
    inputs: Dict[str, Setting] = {"Blend": Formula(only, 1.0)} if only else {}
    for at, source in enumerate(images, 1):
        if source is not None:
            inputs[f"Image{at}"] = Wire(source)
    for at, text in enumerate(numbers, 1):
        inputs[f"NumberIn{at}"] = Formula(text)
    if setup:
        inputs["Setup1"] = setup
    for at, text in enumerate(between, 1):
        inputs[f"Intermediate{at}"] = text
    for channel, text in zip(("Red", "Green", "Blue", "Alpha"), channels):
        inputs[f"{channel}Expression"] = text
    return Tool(name, "Custom", inputs, place)


def _mattes(shapes: bool) -> Tool:
    """Red: remove matte, green: affected matte, alpha: 1 where either is.

    Sampled by place, so a mask of another size fits.
    """

    def matte(image: int, number: str) -> str:
        taken = [f"get{channel}{image}b(x, y)" for channel in "argb"]
        luminance = f"0.2126*{taken[1]} + 0.7152*{taken[2]} + 0.0722*{taken[3]}"
        chosen = luminance
        for at in (3, 2, 1, 0):
            chosen = f"if({number} == {at}, {taken[at]}, {chosen})"
        return f"min(max({chosen}, 0), 1)"

    made = custom(
        "Mattes",
        (-220, 100),
        ("Plate",),
        ("i1", "i2", "0", "if(max(i1, i2) > 0, 1, 0)"),
        ("Settings.remove_channel", "Settings.affected_channel"),
        between=(matte(2, "n1"), matte(3, "n2")),
    )
    if shapes:
        sources = {"Image2": Wire("RemoveShape", "Mask"), "Image3": Wire("AffectedShape", "Mask")}
        return Tool(made.name, made.cls, {**made.inputs, **sources}, made.place)
    return made


def _merge() -> Iterator[Tool]:
    """Where the fill is merged, and the merge. Where the matte is 0 the plate's own value is given on."""
    before, reached = "Mattes", 0
    for at, shift in enumerate(SHIFTS, 1):
        taps = [
            f"geta1d(x {across:+d}*n1/w, y {up:+d}*n1/h)"
            for across in (-1, 0, 1)
            for up in (-1, 0, 1)
            if (across, up) != (0, 0)
        ]
        most = "a1"
        for tap in taps:
            most = f"max({most}, {tap})"
        grown = "(Settings.grow + Settings.feather + Settings.merge_grow)"
        yield custom(
            f"Area{at}",
            (-220, 100 + 50 * at),
            (before,),
            ("0", "0", "0", f"if(n1 > 0, {most}, a1)"),
            (f"min(max({grown} - {reached}, 0), {shift})",),
            only=f"iif({grown} > {reached}, 1, 0)",
        )
        before, reached = f"Area{at}", reached + shift
    yield Tool(
        "Feather",
        "Blur",
        {
            "Filter": Id("Fast Gaussian"),
            "XBlurSize": Formula("Settings.merge_feather"),
            "Input": Wire(before),
        },
        (-110, 350),
    )
    yield custom("MergeMatte", (0, 350), (before, "Feather"), ("0", "0", "0", "a1*min(max(2*a2 - 1, 0), 1)"))
    shown = "(n1 > 0.5)*(time >= n2)*(time <= n3)"
    numbers = ("Settings.use_result", "Settings.result_first", "Settings.result_last")
    merged = [f"if(i1 <= 0, {c}1, if(i1 >= 1, {c}2, {c}1 + ({c}2 - {c}1)*i1))" for c in "rgb"]
    yield custom(
        "Merged",
        (110, 50),
        ("Plate", None, "MergeMatte"),
        (merged[0], merged[1], merged[2], "a1"),
        numbers,
        shown,
        ("s1*a3",),
    )
    # What was merged is what is there now without the plate's share: the result comes into the macro at one place.
    fill = [f"if(i1 <= 0, 0, {c}2 - {c}1*(1 - i1))" for c in "rgb"]
    yield custom(
        "FillOnly",
        (110, 150),
        ("Plate", "Merged", "MergeMatte"),
        (fill[0], fill[1], fill[2], "i1"),
        numbers,
        shown,
        ("s1*a3",),
        only="iif(Settings.show == 4, 1, 0)",
    )


def _overlay() -> Iterator[Tool]:
    """What the model is told: both mattes on its raster within the box, the affected area on the cells."""
    wide, high = "Settings.box_width", "Settings.box_height"
    yield Tool(
        "Seen",
        "Crop",
        {
            "XOffset": Formula("Settings.box_x"),
            "YOffset": Formula("Settings.box_y"),
            "XSize": Formula(f"iif({wide} > 0, {wide}, self.Input.OriginalWidth)"),
            "YSize": Formula(f"iif({high} > 0, {high}, self.Input.OriginalHeight)"),
            "KeepCentered": 0,
            "Input": Wire("Mattes"),
        },
        (330, 200),
    )
    yield _resize("Raster", "Seen", RASTER[0], RASTER[1], 1, (440, 200))
    yield custom(
        "Covered",
        (550, 200),
        ("Raster",),
        (f"if(r1 >= {COVERED}, 1, 0)", f"if(g1 >= {COVERED}, 1, 0)", "0", "0"),
    )
    before = "Covered"
    for at, (name, shift) in enumerate(
        (("Any2", 1), ("Any4", 2), ("Any8", 4), ("Any16", 8), ("Any32", 16), ("Any48", 16))
    ):
        right, up = f"x + {shift}/w", f"y + {shift}/h"
        any_of = f"max(max(g1, getg1b({right}, y)), max(getg1b(x, {up}), getg1b({right}, {up})))"
        yield custom(name, (550, 250 + 50 * at), (before,), ("r1", any_of, "0", "0"))
        before = name
    # The pixel's place is counted from its lower left corner or its middle: a little more than the corner is in both.
    across, up = f"(int(x*w + 0.001) % {CELL})/w", f"(int(y*h + 0.001) % {CELL})/h"
    yield custom("Cells", (660, 500), (before,), ("r1", f"getg1b(x - {across}, y - {up})", "0", "0"))
    yield custom(
        "Tint",
        (660, 200),
        ("Covered", "Cells"),
        (
            "if(i1 > 0.5, 0.55, if(i2 > 0.5, 0.0825, 0))",
            "if(i1 > 0.5, if(i2 > 0.5, 0.495, 0.1375), if(i2 > 0.5, 0.275, 0))",
            "if(i1 > 0.5, 0.055, if(i2 > 0.5, 0.55, 0))",
            "if(max(i1, i2) > 0.5, 0.55, 0)",
        ),
        ("Settings.affected_shape",),
        between=("r1", "if(n1 == 0, g2, g1)"),
    )
    yield _resize("BackToBox", "Tint", Formula("Seen.XSize"), Formula("Seen.YSize"), 0, (770, 200))
    u, v = "(x*w1 - n1)/w2", "(y*h1 - n2)/h2"
    over = [f"if(i1 <= 0, {c}1, {c}1*(1 - i1) + get{c}2b({u}, {v}))" for c in "rgb"]
    yield custom(
        "Overlay",
        (770, 0),
        ("Plate", "BackToBox"),
        (over[0], over[1], over[2], "a1"),
        ("Settings.box_x", "Settings.box_y"),
        between=(f"geta2b({u}, {v})",),
        only="iif(Settings.show == 1, 1, 0)",
    )


def _resize(
    name: str, source: str, width: Setting, height: Setting, method: int, place: Tuple[int, int]
) -> Tool:
    inputs: Dict[str, Setting] = {"Width": width, "Height": height, "FilterMethod": method}
    inputs.update(KeepAspect=0, UseFrameFormatSettings=0)  # either would take another size than the one given
    return Tool(name, "BetterResize", {**inputs, "Input": Wire(source)}, place)


def _views() -> Iterator[Tool]:
    """Which of them leaves the macro."""
    views = [f"if(n1 == 4, {c}3, if(i1 > 0.5, {c}2, {c}1))" for c in "rgba"]
    yield custom(
        "Views",
        (880, 100),
        ("Plate", "Merged", "FillOnly"),
        (views[0], views[1], views[2], views[3]),
        ("Settings.show", "Settings.wipe"),
        between=("if(n1 == 2, 1, if(n1 == 3, x >= n2, 0))",),
    )
    yield custom(
        "Show",
        (990, 0),
        ("Views", "Overlay"),
        ("if(n1 == 1, r2, r1)", "if(n1 == 1, g2, g1)", "if(n1 == 1, b2, b1)", "if(n1 == 1, a2, a1)"),
        ("Settings.show",),
    )


def published(shapes: bool) -> List[Tuple[str, Dict[str, object]]]:
    """The macro's inputs, in the Inspector's order: key -> what it stands for."""
    matte = (("RemoveShape", "EffectMask"), ("AffectedShape", "EffectMask")) if shapes else ()
    ends = [
        ("Plate", "Input"),
        *(matte or (("Mattes", "Image2"), ("Mattes", "Image3"))),
        ("Merged", "Image2"),
    ]
    found: List[Tuple[str, Dict[str, object]]] = [
        (f"MainInput{at}", {"SourceOp": tool, "Source": source, "Name": name})
        for at, (name, (tool, source)) in enumerate(zip(INPUTS, ends), 1)
    ]
    if shapes:
        for tool, what in (("RemoveShape", "remove"), ("AffectedShape", "affected")):
            for source in ("Center", "Width", "Height", "Angle", "Level"):
                key = f"{what}_{source.lower()}"
                made = {
                    "SourceOp": tool,
                    "Source": source,
                    "Name": f"{what} {source.lower()}",
                    "Page": "Shapes",
                }
                found.append((key, dict(made)))
    for control in CONTROLS:
        published_control: Dict[str, object] = {
            "SourceOp": "Settings",
            "Source": control.name,
            "Name": control.label,
            "Page": control.page,
        }
        if control.kind in (Kind.NUMBER, Kind.CHECK, Kind.CHOICE):
            published_control["Default"] = control.value
        found.append((control.name, published_control))
    found.append((MARK, {"SourceOp": "Settings", "Source": MARK, "Name": MARK, "Page": "Output"}))
    return found


def setting(shapes: bool = False) -> str:
    """The file: of the macro, or with ``shapes`` of the effect for the Edit page."""
    name, operator = ("VOIDRemove", "GroupOperator") if shapes else ("VOID", "MacroOperator")
    lines = ["{", "\tTools = ordered() {", f"\t\t{name} = {operator} {{", "\t\t\tCtrlWZoom = false,"]
    lines.append("\t\t\tInputs = ordered() {")
    for key, made in published(shapes):
        inside = "".join(f"{word} = {_lua(value)}, " for word, value in made.items())
        lines.append(f"\t\t\t\t{key} = InstanceInput {{ {inside}}},")
    lines += ["\t\t\t},", "\t\t\tOutputs = {"]
    for at, (tool, what) in enumerate((("Show", "Output"), ("Mattes", "mattes")), 1):
        lines.append(
            f'\t\t\t\tMainOutput{at} = InstanceOutput {{ SourceOp = "{tool}", Source = "Output", Name = "{what}", }},'
        )
    lines += ["\t\t\t},", "\t\t\tViewInfo = GroupInfo { Pos = { 0, 0 } },", "\t\t\tTools = ordered() {"]
    for inner in graph(shapes):
        lines += _tool(inner)
    lines += ["\t\t\t},", "\t\t},", "\t},", f'\tActiveTool = "{name}"', "}", ""]
    return "\n".join(lines)


def _tool(tool: Tool) -> Iterator[str]:
    yield f"\t\t\t\t{tool.name} = {tool.cls} {{"
    yield "\t\t\t\t\tCtrlWShown = false,"
    yield "\t\t\t\t\tNameSet = true,"
    if tool.inputs:
        yield "\t\t\t\t\tInputs = {"
        for key, value in tool.inputs.items():
            yield f"\t\t\t\t\t\t{key} = Input {{ {_input(value)}, }},"
        yield "\t\t\t\t\t},"
    info = "PipeRouterInfo" if tool.cls == "PipeRouter" else "OperatorInfo"
    yield f"\t\t\t\t\tViewInfo = {info} {{ Pos = {{ {tool.place[0]}, {tool.place[1]} }} }},"
    if tool.controls:
        yield "\t\t\t\t\tUserControls = ordered() {"
        for control in tool.controls:
            yield f"\t\t\t\t\t\t{control.name} = {{ {_user_control(control)} }},"
        hidden = Control(Kind.NUMBER, MARK, MARK, "Which macro this is.", "Output", VERSION, hidden=True)
        yield f"\t\t\t\t\t\t{MARK} = {{ {_user_control(hidden)} }},"
        yield "\t\t\t\t\t},"
    yield "\t\t\t\t},"


def _input(value: Setting) -> str:
    if isinstance(value, Wire):
        return f'SourceOp = "{value.tool}", Source = "{value.output}"'
    if isinstance(value, Formula):
        return f"Value = {_lua(value.value)}, Expression = {_lua(value.text)}"
    if isinstance(value, Id):
        return f"Value = FuID {{ {_lua(value.name)} }}"
    if isinstance(value, tuple):
        return f"Value = {{ {value[0]}, {value[1]} }}"
    return f"Value = {_lua(value)}"


def _user_control(control: Control) -> str:
    made: Dict[str, object] = {
        "LINKS_Name": control.label,
        "LINKID_DataType": "Text" if control.kind is Kind.TEXT else "Number",
        "INPID_InputControl": control.kind.value,
        "INPS_StatusText": control.tip,
        "ICS_ControlPage": control.page,
    }
    parts = [f"{{ CCS_AddString = {_lua(choice)} }}" for choice in control.choices]
    if control.kind is Kind.TEXT:
        made.update(INPS_DefaultText=control.value, TEC_Lines=control.lines, TEC_Wrap=control.lines > 1)
        made.update(TEC_ReadOnly=control.says, INP_External=False)
    elif control.kind is Kind.BUTTON:
        made.update(INP_Integer=False, INP_External=False, ICD_Width=0.5, BTNCS_Execute=button(control.press))
    else:
        made["INP_Default"] = control.value
        ends = control.slider
        if control.kind is not Kind.NUMBER:
            ends = (0, max(len(control.choices) - 1, 1))
            made.update(INP_MinAllowed=0, INP_MaxAllowed=ends[1], INP_External=False)
        made.update(INP_MinScale=ends[0], INP_MaxScale=ends[1])
        made["INP_Integer"] = control.whole or control.kind is not Kind.NUMBER
    if control.hidden:
        made.update(IC_Visible=False, INP_Passive=True)
    return ", ".join([*parts, *(f"{word} = {_lua(value)}" for word, value in made.items())])


def button(press: str) -> str:
    """Lua of a button: note on the macro what is asked, and start the script, which runs beside Fusion."""
    return "\n".join(
        [
            "local macro = tool",
            "while macro.ParentTool do macro = macro.ParentTool end",
            f'if macro.ID == "{_HOLDER}" then macro = comp.ActiveTool end',
            f'macro:SetData("void.press", "{press}@" .. os.time())',
            "comp:SetActiveTool(macro)",
            'local script = comp:MapPath("Scripts:Comp/VOID.py")',
            "if bmd.fileexists(script) then",
            "  comp:RunScript(script)",
            "else",
            '  print("VOID: the script is not installed here, so this button does nothing: "',
            '    .. "run install/resolve.py on this machine.")',
            "end",
        ]
    )


def _lua(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return f"{value:g}" if isinstance(value, float) else str(value)
    return json.dumps(str(value), ensure_ascii=False)


def write(folder: Path = TEMPLATES) -> None:
    """Write both files."""
    (folder / FUSION_FILE).write_text(setting(), encoding="utf-8")
    (folder / EDIT_FILE).write_text(setting(shapes=True), encoding="utf-8")


if __name__ == "__main__":
    write()
