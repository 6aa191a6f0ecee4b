"""The self-test under the fake: every line of the table is asked, whatever goes wrong becomes a result."""

import json
import re
import time
from pathlib import Path

import pytest
from nuke._render import _CLASSES

from void_host.findings import Answer
from void_nuke import probes, selftest
from void_nuke.probes import PROBES, Probe

README = Path(__file__).parent.parent.parent / "nuke_plugin" / "README.md"

BY_HAND = {"_proxy", "_texts", "_script_load", "_panel", "_working_space", "_licence", "_views"}
"""Probes that name a reason here: nobody looks, and the fake is no Indie and its script not under OCIO."""


@pytest.fixture(autouse=True)
def alone(nuke, monkeypatch):
    """No server of the environment; small pictures at the root."""
    monkeypatch.delenv("VOID_SERVER", raising=False)
    monkeypatch.setattr(selftest, "_ASK_PATIENCE_S", 0.5)
    nuke.root()["format"].setValue("200 120 0 0 200 120 1 small")


def test_there_is_a_probe_for_every_line_of_the_table():
    rows = README.read_text().partition("| relied on |")[2].splitlines()[2:]
    table = [row.split(" | ")[0][2:] for row in rows if row.startswith("| ")]
    assert table == [probe.claim for probe in PROBES]


def test_probes_answer_and_leave_the_script_as_it_was(nuke):
    own = nuke.createNode("NoOp")
    own.setSelected(True)
    nuke._session.current().undo.clear()
    for probe in PROBES:
        found = probes.ask(probe)
        expected = {"_writes_inside"} | BY_HAND
        wanted = Answer.NOT_TRIED if probe.ask.__name__ in expected else Answer.CONFIRMED
        assert (found.answer, found.claim) == (wanted, probe.claim), found.saw
        assert found.saw
        assert "the probe failed" not in found.saw
    assert nuke.allNodes() == [own]
    assert nuke.selectedNodes() == [own]
    assert not nuke._session.current().undo


def test_a_nuke_that_is_otherwise_is_contradicted(nuke, monkeypatch):
    keymix = _CLASSES["Keymix"]
    monkeypatch.setitem(
        _CLASSES, "Keymix", lambda node, source, frame: keymix(node, lambda at: source((1, 0, 2)[at]), frame)
    )
    monkeypatch.setitem(_CLASSES, "Dilate", lambda node, source, frame: source(0))
    asked = {probe.ask.__name__: probe for probe in PROBES}
    for name in ("_keymix", "_dilate"):
        found = probes.ask(asked[name])
        assert found.answer is Answer.CONTRADICTED
        assert re.search(r"\d", found.saw)
    nuke.root()["colorManagement"].setValue("OCIO")
    assert probes.ask(asked["_working_space"]).answer is Answer.CONTRADICTED
    nuke.root()["workingSpaceLUT"].setValue("ACES - ACEScg")
    assert probes.ask(asked["_working_space"]).answer is Answer.CONFIRMED


def test_of_two_views_one_is_written(nuke):
    nuke._session.current().views = ["left", "right"]
    (probe,) = [probe for probe in PROBES if probe.ask.__name__ == "_views"]
    found = probes.ask(probe)
    assert found.answer is Answer.CONFIRMED, found.saw
    assert "of view right" in found.saw


def test_a_nuke_in_the_background_answers_for_the_writes(nuke, background):
    (probe,) = [probe for probe in PROBES if probe.ask.__name__ == "_writes_inside"]
    found = probes.ask(probe)
    assert found.answer is Answer.CONFIRMED, found.saw
    assert "plate, mattes" in found.saw
    for script, answer in (("exit 0", Answer.CONTRADICTED), ("echo no license; exit 100", Answer.NOT_TRIED)):
        background.write_text(f"#!/bin/sh\n{script}\n")
        assert probes.ask(probe).answer is answer


def test_frames_that_the_node_does_not_show_are_a_contradiction(terminal_nuke, server, tmp_path, monkeypatch):
    monkeypatch.setattr(selftest.controller.NodeScreen, "show", lambda *_: None)
    terminal_nuke.root()["format"].setValue("200 120 0 0 200 120 1 small")
    removal = selftest.run(str(tmp_path), server).findings[-1]
    assert removal.answer is Answer.CONTRADICTED
    assert "inside [2.0, 2.0]" in removal.saw


def test_a_probe_that_raises_is_a_result(nuke):
    def broken(bench):
        bench.make("Constant")
        bench.make("NoSuchClass")

    found = probes.ask(Probe("it works", broken))
    assert found.answer is Answer.NOT_TRIED
    assert "RuntimeError: NoSuchClass" in found.saw
    assert nuke.allNodes() == []


def test_without_a_server_the_report_is_written_and_says_so(terminal_nuke, tmp_path):
    terminal_nuke.root()["format"].setValue("200 120 0 0 200 120 1 small")
    assert selftest.main([str(tmp_path), "server=127.0.0.1:9"]) == 0
    text = (tmp_path / "void-selftest.txt").read_text()
    report = json.loads((tmp_path / "void-selftest.json").read_text())
    assert report["about"]["nuke"] == "15.0v4"
    assert [one["claim"] for one in report["findings"]] == [*(p.claim for p in PROBES), selftest.REMOVAL]
    assert {one["answer"] for one in report["findings"]} <= {one.value for one in Answer}
    for one in report["findings"]:
        assert f"[{one['answer']}] {one['claim']}\n    {one['saw']}" in text
    assert "127.0.0.1:9" in report["findings"][-1]["saw"]
    assert report["findings"][-1]["answer"] == "not tried"
    assert selftest.main([]) == 2


def test_with_a_server_a_removal_is_made_in_a_terminal(terminal_nuke, server, tmp_path):
    terminal_nuke.root()["format"].setValue("200 120 0 0 200 120 1 small")
    report = selftest.run(str(tmp_path), server)
    removal = report.findings[-1]
    assert (removal.claim, removal.answer) == (selftest.REMOVAL, Answer.CONFIRMED), removal.saw
    assert "3 frames in version 1" in removal.saw
    assert len([*tmp_path.glob("void/**/*.exr")]) == 3
    assert terminal_nuke.allNodes() == []


def test_in_the_gui_it_goes_on_by_itself_and_a_window_says_where_the_report_is(nuke, server, tmp_path):
    assert selftest.run(str(tmp_path), server) is None
    session, end = nuke._session.current(), time.monotonic() + 60
    while not session.messages:
        session.pump(0.02)
        assert time.monotonic() < end
    assert str(tmp_path / "void-selftest.txt") in session.messages[0]
    report = json.loads((tmp_path / "void-selftest.json").read_text())
    assert report["findings"][-1]["answer"] == "confirmed", report["findings"][-1]["saw"]
    assert nuke.allNodes() == []
