"""VOID.py as Resolve starts it: presses, windows, the terminal; and the panel where Qt is."""

import builtins
import logging
import runpy
import shutil
import subprocess
import sys
import time

import pytest
from fusion import Fusion, Resolve, _windows
from fusion_shots import MANAGED, ROOT, TEMPLATES

from void_host import log as log_file
from void_resolve import controller, script
from void_resolve.host.macro import PRESS
from void_wire.client import Client
from void_wire.messages import State

SETTING = TEMPLATES / "VOID.setting"


@pytest.fixture
def heard():
    return []


@pytest.fixture
def run(session, heard, comp, tmp_path):
    """The script from Fusion's menu, or with arguments from a terminal that reaches Fusion."""
    comp.path = str(tmp_path / "sh010.comp")

    def make(*arguments, **given):
        given = given or {"fusion": Fusion(session)}
        return script.main(given, arguments, SETTING, heard.append, {})

    return make


@pytest.fixture
def no_qt(monkeypatch):
    monkeypatch.setitem(sys.modules, "void_resolve.panel", None)


def ask_for(comp, server):
    for name, value in {
        "server": server,
        "engine": 1,
        "first": 3,
        "last": 5,
        "colorspace": "lin_rec709",
    }.items():
        comp.macro.SetInput(name, value)


def test_a_press_of_remove_does_it_to_the_end(run, comp, server, heard):
    ask_for(comp, server)
    (macro,) = script.connect({"fusion": Fusion(comp.session)}).macros()
    macro.press("remove")
    assert comp.session.scripts == ["Scripts:Comp/VOID.py"]
    assert run() == 0
    assert heard[-1].startswith("done: 3 frames in version 1")
    assert not comp.macro.GetData(PRESS)
    macro.press("cancel")
    assert run() == 0
    assert comp.macro.GetInput("status") == "done"
    macro.press("follow")
    assert run() == 0
    assert heard[-1].startswith("done: 3 frames")


def test_what_is_wrong_stands_in_the_macro_and_in_the_console(run, comp, heard):
    comp.macro.FindMainInput(1).ConnectTo(None)
    comp.macro.SetInput("engine", 1)
    comp.macro.SetData(PRESS, f"remove@{int(time.time())}")
    assert run() == 1
    assert "Input plate is not connected" in heard[-1]
    assert comp.macro.GetInput("status") == heard[-1]


def test_a_press_of_long_ago_is_none(run, comp, heard, no_qt):
    comp.macro.SetData(PRESS, "remove@1000000000")
    assert run() == 1
    assert heard == [script.NO_WINDOW]
    assert not comp.renders


def test_without_a_window_it_is_placed_on_what_is_selected(run, comp, heard, no_qt):
    comp.macro.Delete()
    comp.selected, comp.active = ["MediaIn1", "Polygon1"], comp.tools["MediaIn1"]
    assert run() == 0
    assert heard == ["VOID is placed on the selected tools: its buttons are in the Inspector."]
    assert comp.FindTool("VOID").FindMainInput(2).GetConnectedOutput().GetTool().Name == "Polygon1"


def test_the_macro_that_was_pressed_is_meant_whatever_is_active(run, comp, heard):
    comp.macro.SetData(PRESS, f"cancel@{int(time.time())}")
    comp.paste(SETTING.read_text(encoding="utf-8"))
    comp.active = comp.tools["VOID_1"]
    assert run() == 1
    assert heard == ["VOID has no job to cancel."]


def test_a_bug_is_said_in_the_macro(run, comp, monkeypatch):
    monkeypatch.setattr(controller, "ask", None)
    with pytest.raises(TypeError):
        run_macro(comp, "remove", run)
    assert comp.macro.GetInput("status").startswith("The plugin failed (TypeError")


def test_a_log_is_kept_where_one_is_asked_for(comp, session, heard, tmp_path, no_qt):
    path = tmp_path / "void.log"
    try:
        script.main({"fusion": Fusion(session)}, (), SETTING, heard.append, {"VOID_LOG": str(path)})
        logging.getLogger("void_resolve.script").info("a line")
        assert "a line" in path.read_text()
    finally:
        for name in log_file.LOGGERS:
            logging.getLogger(name).handlers.clear()
            logging.getLogger(name).setLevel(logging.NOTSET)


def run_macro(comp, press, run):
    (macro,) = script.connect({"fusion": Fusion(comp.session)}).macros()
    macro.press(press)
    return run()


def test_a_press_of_write_farm_job_writes_it_and_says_so(run, comp, heard, tmp_path):
    ask_for(comp, "127.0.0.1:9")
    assert run_macro(comp, "farm", run) == 0
    (plan,) = tmp_path.rglob("plan.json")
    assert heard[-1].startswith(f"Farm job written: {plan.parent}. Nobody is told: ")
    assert comp.macro.GetInput("status") == heard[-1]
    comp.macro.FindMainInput(1).ConnectTo(None)
    assert run_macro(comp, "farm", run) == 1
    assert comp.macro.GetInput("status") == heard[-1] == "Input plate is not connected: connect the shot."


def test_it_leaves_when_resolve_leaves(run, comp, server, heard, monkeypatch):
    ask_for(comp, server)
    watch = Client.watch

    def closed(client, *asked):
        comp.session.close()
        return watch(client, *asked)

    monkeypatch.setattr(Client, "watch", closed)
    comp.macro.SetData("void.server", "")
    assert run_macro(comp, "remove", run) == 0
    comp.session.closed = False
    monkeypatch.setattr(Client, "watch", watch)
    with Client(server) as client:
        assert client.watch(comp.macro.GetData("void.job")).state in (State.QUEUED, State.RUNNING, State.DONE)


def test_free_resolve_is_told_what_studio_is_needed_for(session, run, heard):
    resolve = Resolve(session, MANAGED, product="DaVinci Resolve")
    assert run(resolve=resolve, fusion=Fusion(session)) == 1
    assert heard == [script.FREE]
    assert "\n" not in script.FREE


def test_from_a_terminal(session, comp, server, heard, monkeypatch, run):
    """`scriptapp` of Resolve's own module reaches the application from outside."""
    module = type(sys)("DaVinciResolveScript")
    module.scriptapp = lambda name: Fusion(session) if name == "Fusion" else None
    monkeypatch.setitem(sys.modules, "DaVinciResolveScript", module)
    ask_for(comp, server)

    def typed(*arguments):
        return script.main({}, arguments, SETTING, heard.append, {})

    assert typed("remove", "--macro", "VOID") == 0
    assert heard[-1].startswith("done: 3 frames")
    assert typed("remove", "--macro", "Elsewhere") == 1
    assert heard[-1] == "There is no macro Elsewhere; there are VOID."
    assert typed("place", "--plate", "MediaIn1", "--remove", "Polygon1") == 0
    assert comp.FindTool("VOID_1").FindMainInput(2).GetConnectedOutput().GetTool().Name == "Polygon1"
    comp.active = None
    assert typed("cancel") == 1
    assert heard[-1].startswith("Which macro?")
    monkeypatch.setitem(sys.modules, "DaVinciResolveScript", None)
    assert typed("remove") == 1
    assert "Neither Resolve nor Fusion" in heard[-1]


def test_place_sorts_out_what_is_selected(session, comp, host):
    comp.macro.Delete()
    comp.selected, comp.active = ["Polygon1", "MediaIn1"], comp.tools["MediaIn1"]
    macro = script.place(host, SETTING)
    assert [macro.source(role) and macro.source(role).GetTool().Name for role in script.ROLES] == [
        "MediaIn1", "Polygon1", None,
    ]  # fmt: skip
    assert comp.ActiveTool.Name == macro.name
    for selected, reason in ((["Polygon1"], "Only masks"), ([*comp.tools], "4 tools are selected")):
        comp.add("MediaIn", "MediaIn2")
        comp.selected, comp.active = selected, None
        comp.selected = [
            name for name in [*selected, "MediaIn2"] if reason.startswith("4") or name != "MediaIn2"
        ]
        with pytest.raises(script.ShotError, match=reason):
            script.place(host, SETTING)


def test_fusions_own_window_starts_scripts_and_says_what_their_macros_say(session, comp, run, no_qt):
    seen = []

    def person(dispatcher):
        items = dispatcher.window.GetItems()
        assert dispatcher.window.shown
        assert items["macro"].items == ["VOID"]
        seen.append(items["status"].Text)
        dispatcher.click("remove")
        comp.macro.SetInput("status", "pass 1 3 of 30")
        dispatcher.later()
        seen.append(items["status"].Text)
        comp.selected, comp.active = [], None
        dispatcher.click("place")
        seen.append((items["macro"].items, items["macro"].CurrentIndex))
        comp.session.close()
        dispatcher.later()

    bmd = _windows.Bmd(person)
    session.ui = _windows.UIManager()
    assert run(fusion=Fusion(session), bmd=bmd) == 0
    assert seen == ["not sent yet", "pass 1 3 of 30", (["VOID", "VOID_1"], 1)]
    assert session.scripts == ["Scripts:Comp/VOID.py"]
    assert comp.tools["VOID"].data[PRESS].startswith("remove@")
    assert not bmd.dispatcher.window.shown


def test_the_window_says_when_no_clip_is_open(session, comp, run, no_qt, host):
    from void_resolve.window import Window

    bmd, session.ui = _windows.Bmd(None), _windows.UIManager()
    window = Window(host, session.ui, bmd, SETTING)
    comp.macro.Delete()
    window.look()
    assert "no macro VOID" in window._items["status"].Text
    bmd.dispatcher.click("remove")
    assert not session.scripts
    session.comp = None
    window.look()
    assert "No comp is open" in window._items["status"].Text
    bmd.dispatcher.click("place")
    assert "No comp is open" in window._items["status"].Text


# --- the file itself ------------------------------------------------------------------------------------------

FILE = ROOT / "resolve_plugin" / "scripts" / "VOID.py"


def test_the_file_finds_the_rest(session, comp, tmp_path, monkeypatch, capsys, no_qt):
    home = tmp_path / "VOID"
    for source in (
        "resolve_plugin/void_resolve",
        "shared/void_wire",
        "shared/void_host",
    ):
        shutil.copytree(ROOT / source, home / source.rpartition("/")[2])
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("VOID_RESOLVE", str(home))
    given = {"fusion": Fusion(session), "bmd": None}
    runpy.run_path(str(FILE), given, "__main__")
    assert capsys.readouterr().out.strip() == script.NO_WINDOW
    assert sys.path[0] == str(home)


def test_the_file_says_what_is_missing(tmp_path):
    def start(home):
        return subprocess.run(
            [sys.executable, "-S", "-s", "-E", str(FILE)],
            capture_output=True, text=True, check=False, env={"VOID_RESOLVE": str(home)},
        )  # fmt: skip

    ran = start(tmp_path / "nowhere")
    assert (ran.returncode, ran.stderr) == (1, "")
    assert f"its folder {tmp_path / 'nowhere'} is not there" in ran.stdout


def test_without_its_packages_the_file_says_so(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("VOID_RESOLVE", str(tmp_path))
    monkeypatch.setattr(sys, "path", [*sys.path])
    real = builtins.__import__

    def no_zmq(name, *rest, **more):
        if name == "void_host":
            raise ImportError("no module zmq")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", no_zmq)
    runpy.run_path(str(FILE), {"fusion": None}, "__main__")
    assert "does not load in this Python" in capsys.readouterr().out
