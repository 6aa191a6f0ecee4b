"""The panel in Nuke: registered by menu.py, opened as Nuke opens it, and what it asks of the script."""

import os
import sys
import time
from pathlib import Path

import nuke_shots as shots
import pytest

from void_wire.client import Client
from void_wire.messages import FrameRange, JobSpec, PictureSettings, Role

panel = pytest.importorskip("void_nuke.panel", exc_type=ImportError, reason="Qt does not load")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
MENU = Path(__file__).parent.parent.parent / "nuke_plugin" / "menu.py"
NODE = "Nodes/VOID/VOID"


@pytest.fixture(scope="module")
def app():
    from PySide6 import QtWidgets

    return QtWidgets.QApplication.instance() or QtWidgets.QApplication([])


def menu(nuke):
    session = nuke._session.current()
    exec(compile(MENU.read_text(), str(MENU), "exec"), session.main)
    return session


@pytest.fixture
def opened(nuke, app):
    """Opens the panel from its menu entry."""
    panels = []

    def open_it():
        panels.append(menu(nuke).commands["Pane/VOID"]())
        return panels[-1]

    yield open_it
    for one in panels:
        one.close()


@pytest.fixture(autouse=True)
def no_server_of_the_environment(monkeypatch):
    monkeypatch.delenv("VOID_SERVER", raising=False)


def comp(nuke, folder, job=""):
    node = shots.comp(nuke, folder, (64, 96), (30, 8, 20, 20), None)
    node["job"].setValue(job)
    if job:
        node["job_output"].setValue(f"{folder}/v001/x_v001.%04d.exr")
    return node


def test_a_qt_that_does_not_load_is_said_and_the_node_is_there(nuke, monkeypatch):
    for name in [*sys.modules]:
        if name.startswith(("void_panel.", "void_nuke.panel", "PySide6")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("void_nuke.panel")
    for name in ("PySide6", "PySide2"):
        monkeypatch.setitem(sys.modules, name, None)
    session = menu(nuke)
    assert session.commands[NODE] == "nuke.createNode('VOID')"
    exec(session.commands["Pane/VOID is not loaded"], {"nuke": nuke})
    (said,) = session.messages
    assert "PySide6" in said
    assert "void panel" in said
    assert not session.panels


def test_it_opens_without_a_node_at_the_default_server(opened):
    assert opened().state.address == "tcp://127.0.0.1:7801"


def test_its_server_is_the_environments_else_the_newest_nodes(nuke, opened, tmp_path, monkeypatch):
    for name in ("old", "new", ""):
        comp(nuke, tmp_path)["server"].setValue(f"{name}:1" if name else "")
    shown = menu(nuke).panels["void.panel"]()
    assert shown.state.address == "tcp://new:1"
    monkeypatch.setenv("VOID_SERVER", "studio:2")
    assert nuke._session.current().panels["void.panel"]().state.address == "tcp://studio:2"


def test_an_address_that_is_none_is_said_in_the_panel(opened, monkeypatch):
    monkeypatch.setenv("VOID_SERVER", "box:many")
    there = opened()
    assert there.state.address == "tcp://127.0.0.1:7801"
    assert "box:many" in there.state.log[0].sentence


def test_a_job_reveals_its_node_and_names_its_files(nuke, tmp_path):
    session = nuke._session.current()
    first, second = comp(nuke, tmp_path, "job-of-a"), comp(nuke, tmp_path, "job-of-b")
    first.setSelected(True)
    session.undo.clear()
    assert panel.reveal("job-of-b")
    assert (session.shown, session.zoomed_to) == ([second.fullName()], [second.fullName()])
    assert not first["selected"].value()
    assert not session.undo
    assert not panel.reveal("job-of-c")
    assert not panel.reveal("")
    assert panel.target("job-of-a")(1001) == tmp_path / "v001/x_v001.1001.exr"
    assert panel.target("job-of-c") is None


def test_in_the_panel_reveal_opens_the_node_of_the_job_that_is_chosen(nuke, app, opened, server, tmp_path):
    with Client(server) as client:
        client.submit(
            JobSpec(
                job="job-of-a", shot="shot", engine="draft", frames=FrameRange(1001, 1003),
                roles=(Role.PLATE, Role.MATTES), prompt="", picture=PictureSettings(), void=None,
            )
        )  # fmt: skip
    node = comp(nuke, tmp_path, "job-of-a")
    node["server"].setValue(server)
    there = opened()
    there.show()
    end = time.monotonic() + 30
    while "job-of-a" not in there.state.rows or there.state.selected != "job-of-a":
        assert time.monotonic() < end
        if "job-of-a" in there.state.rows:
            there.state.select("job-of-a")
        app.processEvents()
        time.sleep(0.01)
    while there.state.status is None:
        assert time.monotonic() < end
        app.processEvents()
        time.sleep(0.01)
    there.job.reveal.click()
    assert nuke._session.current().shown == [node.fullName()]
