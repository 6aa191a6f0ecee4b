"""The panel where Qt is: the macros of the comp over the jobs of their server."""

import os
import time

import pytest
from fusion_shots import TEMPLATES

from void_resolve.host.macro import PRESS

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
SETTING = TEMPLATES / "VOID.setting"


@pytest.fixture
def open_panel(comp, host):
    qt = pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError, reason="Qt does not load")
    app = qt.QApplication.instance() or qt.QApplication([])
    from void_resolve.panel import ResolvePanel

    opened = []

    def make(environment=None):
        opened.append(ResolvePanel(host, SETTING, environment or {}))
        opened[-1].app = app
        return opened[-1]

    yield make
    for panel in opened:
        panel.close()


def test_it_starts_scripts_and_shows_what_their_macros_say(session, comp, open_panel):
    comp.macro.SetInput("server", "gpu-box:7801")
    panel = open_panel()
    assert panel.jobs.state.address == "tcp://gpu-box:7801"
    assert (panel.macro.currentText(), panel.status.text()) == ("VOID", "not sent yet")
    panel.buttons["remove"].click()
    assert session.scripts == ["Scripts:Comp/VOID.py"]
    assert comp.macro.GetData(PRESS).startswith("remove@")
    comp.macro.SetInput("status", "pass 1 3 of 30")
    panel.look()
    assert panel.status.text() == "pass 1 3 of 30"
    comp.selected, comp.active = [], None
    panel.buttons["place"].click()
    assert panel.macro.currentText() == "VOID_1"
    comp.SetActiveTool(comp.FindTool("VOID"))
    assert panel.macro.currentText() == "VOID_1", "what the editor chose here stays"


def test_a_job_is_found_by_its_macro(comp, open_panel, tmp_path):
    panel = open_panel({"VOID_SERVER": "127.0.0.1:9"})
    comp.macro.SetData("void.job", "shot-20260101-12345678")
    comp.macro.SetData("void.server", "127.0.0.1:9")
    comp.macro.SetData("void.output", f"{tmp_path}/v001/a_v001.%04d.exr")
    comp.active = None
    assert panel._reveal("shot-20260101-12345678")
    assert comp.ActiveTool.Name == "VOID"
    assert panel._target("shot-20260101-12345678")(7) == tmp_path / "v001/a_v001.0007.exr"
    assert not panel._reveal("another-20260101-12345678")
    assert panel._target("another-20260101-12345678") is None


def test_what_is_not_there_is_said_and_its_buttons_are_grey(session, comp, open_panel):
    comp.macro.SetInput("server", "http://gpu-box")
    panel = open_panel()
    assert any("http://gpu-box" in line.sentence for line in panel.jobs.state.log)
    comp.macro.Delete()
    panel.look()
    assert "no macro VOID" in panel.status.text()
    assert not panel.buttons["remove"].isEnabled()
    assert panel.buttons["place"].isEnabled()
    session.comp = None
    panel.look()
    assert "No comp is open" in panel.status.text()
    assert not panel.buttons["place"].isEnabled()


def test_it_closes_when_resolve_is_gone(session, comp, open_panel):
    panel = open_panel()
    panel.show()
    session.close()
    end = time.monotonic() + 30
    while panel.isVisible():
        panel.app.processEvents()
        assert time.monotonic() < end
        time.sleep(0.01)
