"""The .setting files on disk: their text by a real Lua, their graph beside the drawn one, their controls."""

import json
import re

import pytest
from fusion import Comp, Session, _formulas, _setting
from fusion._lua import LuaError, LuaRuntime
from fusion._session import Formula, Link
from fusion._tables import USER_CONTROLS
from fusion_shots import TEMPLATES

from void_host import settings
from void_resolve import controls, macro
from void_resolve.controls import BY_NAME, CONTROLS, ONLY_HERE, Kind, box_in, values_of

FILES = {macro.FUSION_FILE: False, macro.EDIT_FILE: True}

DRAWN = """
Mattes      <- Plate
Area1       <- Mattes                          where the fill is merged
Area2       <- Area1
Area3       <- Area2
Area4       <- Area3
Area5       <- Area4
Feather     <- Area5
MergeMatte  <- Area5, Feather
Merged      <- Plate, MergeMatte               and the result, from outside
FillOnly    <- Plate, Merged, MergeMatte
Seen        <- Mattes                          what the model is told
Raster      <- Seen
Covered     <- Raster
Any2        <- Covered
Any4        <- Any2
Any8        <- Any4
Any16       <- Any8
Any32       <- Any16
Any48       <- Any32
Cells       <- Any48
Tint        <- Covered, Cells
BackToBox   <- Tint
Overlay     <- Plate, BackToBox
Views       <- Plate, Merged, FillOnly
Show        <- Views, Overlay
"""


def text(file):
    return (TEMPLATES / file).read_text(encoding="utf-8")


@pytest.fixture(params=FILES)
def file(request):
    return request.param


@pytest.fixture
def placed(file):
    """The macro in a comp, which refuses every wire, tool, input and choice that there is not."""
    comp = Comp(Session())
    comp.paste(text(file))
    (tool,) = comp.tools.values()
    return tool


def test_the_files_are_the_tables(file):
    assert text(file) == macro.setting(FILES[file]), "run: python -m void_resolve.macro"


def test_the_graph_is_the_drawn_one(placed, file):
    drawn = {
        line.split("<-")[0].strip(): line.split("<- ")[1].split("  ")[0].strip().split(", ")
        for line in DRAWN.split("\n")[1:-1]
    }
    if FILES[file]:
        drawn["Mattes"] = ["Plate", "RemoveShape", "AffectedShape"]
    wired = {}
    for tool in placed.inner.values():
        pins = sorted((pin, link.tool.name) for pin, link in tool.values.items() if isinstance(link, Link))
        if pins:
            wired[tool.name] = [name for _, name in pins]
    assert {name: sorted(sources) for name, sources in wired.items()} == {
        name: sorted(sources) for name, sources in drawn.items()
    }
    assert [tool.name for tool in placed.outputs] == ["Show", "Mattes"]
    assert placed.cls == ("GroupOperator" if FILES[file] else "MacroOperator")


def test_its_inputs_are_the_plate_the_mattes_and_the_result(placed, file):
    ends = {
        key: (tool.name, pin) for key, (tool, pin) in placed.published.items() if key.startswith("MainInput")
    }
    mattes = [("Mattes", "Image2"), ("Mattes", "Image3")]
    if FILES[file]:
        mattes = [("RemoveShape", "EffectMask"), ("AffectedShape", "EffectMask")]
    assert list(ends.values()) == [("Plate", "Input"), *mattes, ("Merged", "Image2")]


def test_every_expression_names_what_there_is(placed):
    seen = 0
    for tool in placed.inner.values():
        for pin, value in tool.values.items():
            if isinstance(value, Formula):
                seen += 1
                for name in _formulas.names(value.text):
                    other, _, what = name.partition(".")
                    assert name.startswith("self.Input.Original") or placed.inner[other].known(what), name
            elif tool.cls == "Custom" and isinstance(value, str):
                seen += 1
                for name in _formulas.names(value):
                    assert re.fullmatch(r"[rgba][123]|[nis]\d|[wh][12]?|x|y|time", name), (
                        tool.name,
                        pin,
                        name,
                    )
    assert seen > 100


def test_every_control_is_published_under_its_own_name(placed, file):
    order = re.findall(r"^\t\t\t\t(\w+) = InstanceInput", text(file), re.MULTILINE)
    names = [control.name for control in CONTROLS]
    assert [name for name in order if name in names] == names
    settings = placed.inner["Settings"]
    for control in CONTROLS:
        assert placed.published[control.name] == (settings, control.name)
        if control.kind is not Kind.BUTTON:
            assert settings.values[control.name] == control.value
    assert settings.values[macro.MARK] == macro.VERSION


def test_user_controls_say_what_the_table_says(file):
    settings = next(iter(_setting.read(text(file))["Tools"].keys.values()))["Tools"]["Settings"]
    made = settings["UserControls"]
    assert set(made.keys) == {*BY_NAME, macro.MARK}
    for control in CONTROLS:
        one = made[control.name]
        assert set(one.keys) <= USER_CONTROLS
        assert one["LINKS_Name"] == control.label
        assert one["INPS_StatusText"] == control.tip
        assert one["INPID_InputControl"] == control.kind.value
        assert one["ICS_ControlPage"] == control.page
        assert tuple(row["CCS_AddString"] for row in one.rows) == control.choices
        if control.kind is Kind.CHOICE:
            assert one["INP_Default"] == control.value
            assert one["INP_MaxAllowed"] == len(control.choices) - 1


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ('SourceOp = "Area1"', 'SourceOp = "Area9"'),
        ('Source = "Image2"', 'Source = "Image9"'),
        ("= Custom {", "= Costum {"),
        ("XBlurSize = Input", "XBlur = Input"),
        ('FuID { "Fast Gaussian" }', 'FuID { "Fast" }'),
    ],
)
def test_a_mistake_in_a_file_is_refused(wrong, reason):
    whole = text(macro.FUSION_FILE)
    assert wrong in whole
    with pytest.raises((ValueError, KeyError)):
        Comp(Session()).paste(whole.replace(wrong, reason, 1))


def test_lua_refuses_a_file_that_is_cut_short():
    with pytest.raises(LuaError):
        _setting.read(text(macro.FUSION_FILE)[:-40])


# --- the table ------------------------------------------------------------------------------------------------


def test_every_setting_of_the_hosts_is_a_control():
    own = {control.name for extra in ONLY_HERE.values() for control in extra}
    assert [name for name in BY_NAME if name not in own] == list(settings.BY_NAME)
    for page, there in settings.PAGES.items():
        for setting in there:
            control = BY_NAME[setting.name]
            assert (control.label, control.choices, control.page) == (
                setting.label,
                tuple(setting.choices),
                page,
            )
            if "tip" not in controls._SAID_OTHERWISE.get(setting.name, ()):
                assert control.tip == setting.tip
    assert set(ONLY_HERE) <= set(settings.BY_NAME)
    assert all(control.tip for control in CONTROLS)


def test_untouched_controls_are_untouched_settings():
    values = values_of({name: control.value for name, control in BY_NAME.items()})
    for setting in settings.SETTINGS:
        if setting.value is not None and setting.name != "last":
            assert values[setting.name] == setting.value, setting.name
    assert values == values_of({}), "a macro that lacks a control"
    assert box_in(values, (160, 96)) == (0, 0, 160, 96)
    assert box_in({**values, "box_x": 10, "box_y": 5, "box_width": 20}, (160, 96)) == (10, 5, 30, 101)
    assert values_of({"seed": 7.0, "regrain": 0.0, "engine": 1.0})["engine"] == "draft"


# --- the buttons ----------------------------------------------------------------------------------------------


def press(name, script_is_there, parents=True):
    """Run a button's Lua with what Fusion gives it; returns what it did. Without ``parents`` a tool names none."""
    settings = next(iter(_setting.read(text(macro.FUSION_FILE))["Tools"].keys.values()))["Tools"]["Settings"]
    runtime, did = LuaRuntime(), []
    outer = runtime.table_from({"SetData": lambda _, key, value: did.append((key, value))})
    place = runtime.globals()
    place.tool = runtime.table_from({"ParentTool": outer} if parents else {"ID": "Background"})
    place.comp = runtime.table_from(
        {
            "ActiveTool": outer,
            "SetActiveTool": lambda _, tool: did.append("active"),
            "MapPath": lambda _, path: path,
            "RunScript": lambda _, path: did.append(path),
        }
    )
    place.bmd = runtime.table_from({"fileexists": lambda path: script_is_there})
    place.print = lambda *words: did.append(" ".join(words))
    runtime.execute(settings["UserControls"][name]["BTNCS_Execute"])
    return did


def test_a_button_notes_its_press_and_starts_the_script():
    pressed, *then = press("remove", True)
    assert re.fullmatch(r"remove@\d{10}", pressed[1])
    assert (pressed[0], then) == ("void.press", ["active", "Scripts:Comp/VOID.py"])
    for button in (control for control in CONTROLS if control.kind is Kind.BUTTON):
        assert press(button.name, True)[0][1].startswith(f"{button.press}@")


def test_a_button_of_a_tool_without_a_parent_means_the_active_macro():
    assert press("cancel", True, parents=False)[0][1].startswith("cancel@")


def test_without_the_script_a_button_says_so_in_one_sentence():
    (said,) = press("remove", False)[2:]
    assert "not installed here" in said
    assert "\n" not in said
    assert json.dumps(said).isascii()
