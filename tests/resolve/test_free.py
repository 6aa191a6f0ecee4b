"""The Lua script of free Resolve, by a real Lua: export, its command as typed in a terminal, import."""

import subprocess
import sys

import pytest
from fusion import _render
from fusion._lua import LuaRuntime, lua_type
from fusion_shots import ROOT, plate
from typer.main import get_command

from void_host.settings import SETTINGS
from void_resolve.controls import BY_NAME
from void_server.cli import app

FILE = ROOT / "resolve_plugin" / "scripts" / "VOID Free.lua"

_BRIDGE = """
return function(call, get)
  local wrap
  local function given(value)
    return type(value) == "table" and rawget(value, "__object") or value
  end
  wrap = function(object)
    return setmetatable({__object = object}, {__index = function(_, name)
      local kind, value = get(object, name)
      if kind == "value" then return value end
      if kind == "object" then return value and wrap(value) end
      return function(self, ...)
        local many = {...}
        for at = 1, select("#", ...) do many[at] = given(many[at]) end
        local what, made = call(object, name, (table.unpack or unpack)(many, 1, select("#", ...)))
        if what == "object" then return wrap(made) end
        if what == "objects" then
          local list = {}
          for key, one in pairs(made) do list[key] = wrap(one) end
          return list
        end
        return made
      end
    end})
  end
  return wrap
end
"""


@pytest.fixture
def run(comp, monkeypatch, tmp_path):
    """The script in Fusion's Lua; returns what it printed. Paths of the environment are the test's."""
    monkeypatch.setenv("VOID_OUTPUT", str(tmp_path / "out"))
    runtime = LuaRuntime(unpack_returned_tuples=True)

    def plain(value):
        return {key: plain(one) for key, one in value.items()} if lua_type(value) == "table" else value

    def call(thing, name, *arguments):
        made = getattr(thing, name)(*(plain(one) for one in arguments))
        if isinstance(made, dict):
            values = list(made.values())
            if values and hasattr(values[0], "_session"):
                return "objects", runtime.table_from(made)
            return "value", runtime.table_from(made)
        return ("object" if hasattr(made, "_session") else "value"), made

    def get(thing, name):
        if name in ("Name", "ActiveTool"):
            value = getattr(thing, name)
            return ("object" if value is None or hasattr(value, "_session") else "value"), value
        return "call", None

    def start():
        said = []
        place = runtime.globals()
        place.comp = runtime.execute(_BRIDGE)(call, get)(comp)
        place.print = lambda *words: said.append(" ".join(map(str, words)))
        runtime.execute(FILE.read_text(encoding="utf-8"))
        return said

    return start


def typed(line):
    """The words that a shell makes of a line."""
    command = ["bash", "-c", f"set -- {line}; printf '%s\\0' \"$@\""]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")[:-1]


def ask_for(comp, **values):
    for name, value in {
        "engine": "draft",
        "first": 3,
        "last": 5,
        "colorspace": "lin_rec709",
        **values,
    }.items():
        if isinstance(value, str) and BY_NAME[name].choices:
            value = BY_NAME[name].choices.index(value)
        comp.macro.SetInput(name, value)
    comp.undo.clear()


def test_export_the_typed_command_and_import(session, comp, run, server, tmp_path):
    user = comp.add("Saver", "Master")
    ask_for(comp, server=server, grow=5, layer_matte=1)
    said = run()
    assert set(comp.tools) == {"MediaIn1", "Polygon1", "Polygon2", "VOID", "Master"}
    assert user.GetAttrs()["TOOLB_PassThrough"] is False
    assert (comp.render_range, comp.now, comp.undo) == ([0, 47], 0.0, [])
    folder = tmp_path / "out" / "VOID_v001"
    assert (folder / "command.txt").read_text().strip() == said[1]
    words = typed(said[1])
    assert words[:2] == ["void", "submit"]
    assert {"--grow", "5", "--layers"} <= set(words)
    done = subprocess.run(
        [sys.executable, "-m", "void_server.cli", *words[1:]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert run() == ["VOID: the result of frames 3 to 5 is in."]
    assert (_render.picture(comp.inside(comp.macro._tool, "MainOutput1")[0], 4) != plate()(4)).any()
    assert (_render.picture(comp.inside(comp.macro._tool, "MainOutput1")[0], 2) == plate()(2)).all()
    assert [name for name, _ in comp.undo] == ["VOID result"]
    comp.undo_last()
    assert "VOID_result" not in comp.tools
    run()
    assert (tmp_path / "out" / "VOID_v002" / "plate_0003.exr").is_file(), "never over an old one"


def test_every_setting_of_a_job_is_an_option_that_there_is(comp, run):
    """All of them away from where they begin; `void submit` itself says whether it knows each."""
    ask_for(
        comp, engine="void", prompt='a "quiet" $5 room', quality="preview", passes="pass 1 only", seed=7, crop="box",
        box_x=10, box_y=20, box_width=64, box_height=32, crop_context=0.5, model_grow=2, detail="raw", regrain=0,
        time_base="model", rate=24, encoding="log", exposure="-1.5", affected_shape="drawn", segments="one",
        affected_first_frame="clear", feather=2, layer_fill=1, layer_difference=1, enlarge=1, handles=1,
        server="127.0.0.1:9",
    )  # fmt: skip
    _render.picture(comp.tools["MediaIn1"], 0)  # Fusion knows the size of what was seen
    words = typed(run()[1])
    given = dict(zip(words, [*words[1:], ""], strict=True))
    assert given["--prompt"] == 'a "quiet" $5 room'
    assert given["--crop"] == f"10,{96 - 20 - 32},64,32"
    assert given["--range"] == "2-6"
    assert {"--preview", "--no-regrain", "--exposure=-1.5"} <= set(words)
    assert given["--layers"] == "fill,difference"
    submit = get_command(app).commands["submit"]
    known = {option for each in submit.params for option in (*each.opts, *each.secondary_opts)}
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known
    text = FILE.read_text(encoding="utf-8")
    for setting in SETTINGS:
        if setting.sets and not setting.name.startswith("layer_"):
            assert f'"{setting.name}"' in text, setting.name


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"colorspace": "scene_linear"}, "write the plate's space"),
        ({"engine": "void"}, "the prompt is empty"),
        ({"last": 99}, "leaves what the comp has"),
        ({"engine": "void", "prompt": "x", "crop": "box"}, "the box has no size"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_renders(comp, run, wrong, reason):
    ask_for(comp, **wrong)
    (said,) = run()
    assert said.startswith("VOID: ")
    assert reason in said
    assert not comp.renders


def test_what_breaks_off_leaves_the_comp_as_it_was(session, comp, run):
    ask_for(comp)
    session.cancel_render_at = 4
    assert "did not render" in run()[0]
    assert set(comp.tools) == {"MediaIn1", "Polygon1", "Polygon2", "VOID"}
    comp.macro.FindMainInput(1).ConnectTo(None)
    assert "not connected" in run()[0]
    comp.macro.Delete()
    assert "no macro VOID" in run()[0]


def test_a_result_that_is_not_whole_is_not_taken(comp, run, tmp_path):
    ask_for(comp)
    run()
    folder = tmp_path / "out" / "VOID_v001"
    (folder / "result_0003.exr").write_bytes((folder / "plate_0003.exr").read_bytes())
    assert "frame 4 of the result is not there yet" in run()[0]
    assert "VOID_result" not in comp.tools
