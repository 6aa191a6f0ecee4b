"""The gizmo on disk: its text by a real Tcl, its graph beside the one that was drawn, its knobs beside the table."""

import re
from pathlib import Path

import pytest
from nuke import _expressions, _scripts
from nuke._tables import CLASSES, COMMON

from void_host import settings
from void_host.settings import SETTINGS
from void_nuke import buttons, gizmo
from void_nuke.knobs import BY_NAME, KNOBS, VALUELESS, Code

FILE = Path(__file__).parent.parent.parent / "nuke_plugin" / "gizmos" / "VOID.gizmo"

OWN_WORDS = ("first", "last", "colorspace", "merge_grow", "merge_feather", "output")
"""Settings that Nuke explains by itself."""

DRAWN = """
plate, remove, affected: inputs of the node
NoMattes      <- plate                                    black with the plate's format
TakeRemove    <- NoMattes, remove                         B, A: red
TakeAffected  <- TakeRemove, affected                     B, A: green
Mattes        <- TakeAffected
WritePlate    <- plate
WriteMattes   <- Mattes
Marked        <- Mattes                                   where the fill is merged
MergeGrown    <- Marked
MergeMatte    <- MergeGrown
Merged        <- plate, Result, MergeMatte                B, A, mask
ResultOrPlate <- plate, Merged
FillMatte     <- ResultOrPlate, MergeMatte                B, A
FillOnly      <- FillMatte
WipeEdge      <- plate
Wipe          <- ResultOrPlate, plate, WipeEdge           B, A, mask
Seen          <- Mattes                                   what the model is told
Raster        <- Seen
Covered       <- Raster
Any2          <- Covered
Any4          <- Any2
Any8          <- Any4
Any16         <- Any8
Any32         <- Any16
Any48         <- Any32
Cells         <- Any48
GridOrDrawn   <- Cells, Covered
Tint          <- GridOrDrawn
BackToBox     <- Tint
BackToPlate   <- BackToBox
Overlay       <- plate, BackToPlate                       B, A
Show          <- plate, Overlay, ResultOrPlate, Wipe, FillOnly
Output1       <- Show
"""


@pytest.fixture
def machine():
    return _scripts.Machine(gizmo="VOID")


@pytest.fixture
def loaded(machine):
    (root,) = machine.load(FILE.read_text(encoding="utf-8"))
    return root


def test_the_graph_is_the_drawn_one(loaded):
    drawn = {}
    for line in DRAWN.splitlines():
        if "<-" in line:
            name, sources = line.split("  ", 1)[0].split(" <-")[0], line.split("<- ")[1].split("  ")[0]
            drawn[name.strip()] = sources.strip().split(", ")
    assert {
        node.name: [source.name for source in node.inputs] for node in loaded.nodes if node.inputs
    } == drawn
    pins = {node.name: node.knobs.get("number", "0") for node in loaded.nodes if node.cls == "Input"}
    assert pins == {"plate": "0", "remove": "1", "affected": "2"}
    assert loaded.cls == "Gizmo"


def test_the_stack_machine_takes_what_the_rules_say(machine):
    nodes = machine.load(
        "Read {\n inputs 0\n name mask\n}\nset M [stack 0]\nRead {\n name A\n}\nRead {\n name B\n}\n"
        "Merge2 {\n inputs 2+1\n name over\n}\npush $M\npush 0\nKeymix {\n inputs 3\n name mix\n}\n"
        "Group {\n name g\n}\n"
        " Input {\n  name in\n }\n Output {\n  name out\n }\nend_group\nDot {\n name after\n}\n"
    )
    inputs = {node.name: [source and source.name for source in node.inputs] for node in nodes}
    assert inputs["over"] == ["B", "A", "mask"]
    assert inputs["mix"] == [None, "mask", "over"]
    assert inputs["g"] == ["mix"]
    assert inputs["after"] == ["g"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Blorp {\n name x\n}", "Blorp"),
        ("Dot {\n inputs two\n}", "inputs two"),
        ("Group {\n name g\n}\n Output {\n  name o\n }", "end_group"),
        ("Dot {\n addUserKnob {99 what}\n}", "99"),
        ("Dot {\n addUserKnob {1 what Z 1}\n}", "Z"),
        ("Dot {\n label two words\n}", "two words"),
        ('Dot {\n label "a [b] c"\n}', "b"),
    ],
)
def test_the_stack_machine_refuses(machine, text, reason):
    with pytest.raises(_scripts.ScriptError) as refused:
        machine.load(text)
    assert reason in str(refused.value)


def test_the_head_is_the_tables():
    text = FILE.read_text(encoding="utf-8")
    assert gizmo.with_head(text) == text, "run: python -m void_nuke.gizmo"


def test_tcl_reads_the_table_back(loaded):
    assert [user.name for user in loaded.user] == [knob.name for knob in KNOBS]
    for user in loaded.user:
        knob = BY_NAME[user.name]
        assert user.code == knob.code
        assert user.options.get("t", "") == knob.tip
        assert list(user.options.get("M", ())) == list(knob.choices)
        assert ("+INVISIBLE" in user.flags) == knob.hidden
        assert user.code in _scripts.KNOB_CODES
        if knob.value is not None and knob.code not in VALUELESS and knob.code is not Code.BBOX:
            shown = str(knob.value).lower() if isinstance(knob.value, bool) else str(knob.value)
            assert loaded.knobs[user.name] == shown


def test_every_choice_has_a_tooltip_and_every_enumeration_holds_its_value():
    for knob in KNOBS:
        if knob.code is not Code.TAB and not knob.hidden and knob.label:
            assert knob.tip, knob.name
        if knob.code is Code.ENUMERATION:
            assert knob.value in knob.choices, knob.name


def test_inner_values_are_of_their_classes(loaded):
    for node in loaded.nodes:
        for name, value in node.knobs.items():
            kind, _, choices = {**COMMON, **CLASSES[node.cls]}[name]
            if kind == "Enumeration_Knob":
                assert value in choices, f"{node.name}.{name}"


def test_every_expression_and_link_names_a_knob(loaded, machine):
    knobs = {node.name: {**COMMON, **CLASSES[node.cls]} for node in loaded.nodes}
    own = {user.name for user in loaded.user}
    parts = {"x", "y", "r", "t"}
    checked = 0

    def check(name, at):
        nonlocal checked
        head, _, rest = name.partition(".")
        if head == "parent":
            knob, _, part = rest.partition(".")
            assert knob in own or re.fullmatch(r"input[012]", knob), f"{at}: {name}"
            assert (part in parts) if knob == "box" else not part, f"{at}: {name}"
        elif rest:
            assert rest in knobs.get(head, ()) or (head, rest) in (("input", "width"), ("input", "height")), (
                at
            )
        else:
            assert head in {"r", "g", "b", "a", "x", "y", "width", "height", "frame", "removed", "touched"}, (
                at
            )
        checked += 1

    for node in [*loaded.nodes, loaded]:
        for name, value in node.knobs.items():
            at = f"{node.name if node is not loaded else 'VOID'}.{name}: {value}"
            if re.fullmatch(r"(temp_)?expr\d", name):
                found = [value]
            elif node is loaded and name in ("help", "knobChanged", "prompt"):
                continue
            else:
                found = _scripts.expressions(machine, value).values()
            for text in found:
                tcl = re.findall(r"\[(?:value|exists) ([\w.]+)\]", text)
                text = re.sub(r"\[[^\]]*\]", "1", text)
                for used in [*tcl, *_expressions.names(text)]:
                    check(used, at)
            if not found:
                for used in re.findall(r"\[value ([\w.]+)\]", value):
                    check(used, at)
    for user in loaded.user:
        if user.code == Code.LINK:
            node, _, knob = user.options["T"].partition(".")
            assert knob in knobs[node], user.name
    assert checked > 40


def test_only_stock_nodes_render(loaded):
    """A farm without our Python renders it: no class of ours, no Python in a knob of a node inside."""
    for node in loaded.nodes:
        assert node.cls in CLASSES
        assert not any("python" in value.lower() for value in node.knobs.values())


def test_a_render_of_everything_writes_nothing(loaded):
    for node in loaded.nodes:
        if node.cls == "Write":
            assert node.knobs["disable"] == "{!parent.exporting}"
            assert (node.knobs["raw"], node.knobs["autocrop"]) == ("true", "false")
    assert loaded.knobs["exporting"] == "false"


def test_every_setting_of_the_hosts_is_a_knob_with_its_label_and_beginning():
    for setting in SETTINGS:
        knob = BY_NAME[setting.name]
        assert (knob.label, knob.value, knob.choices) == (
            setting.label,
            setting.value,
            tuple(setting.choices),
        )
        assert knob.tip == setting.tip or setting.name in ("show", *OWN_WORDS)
    assert {setting.name for setting in SETTINGS if not setting.tip} == set(OWN_WORDS)
    at = [knob.name for knob in KNOBS]
    assert [name for name in at if name in settings.BY_NAME] == list(settings.BY_NAME), "pages in one order"
    assert [knob.label for knob in KNOBS if knob.code is Code.TAB] == list(settings.PAGES)


def test_every_button_is_there():
    for knob in KNOBS:
        if knob.press:
            assert callable(getattr(buttons, knob.press))


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "",
        "two words",
        'a "quote"',
        "[exec rm]",
        "$HOME",
        "{",
        "}}",
        "back\\slash",
        "new\nline",
        "a;b",
        "#",
    ],
)
def test_a_word_is_one_word_of_tcl(machine, text):
    (node,) = machine.load(f"Dot {{\n name d\n label {gizmo.word(text)}\n}}\n")
    assert node.knobs["label"] == text
