"""The self-test in a Fusion as it is thought to be, and in ones that are otherwise."""

import json

import pytest
from fusion import Comp, _render
from fusion import _session as model
from fusion_shots import SIZE, TEMPLATES

from void_host.findings import Answer, Finding
from void_resolve import probes, selftest
from void_resolve.host import application
from void_resolve.probes import PROBES

SETTING = TEMPLATES / "VOID.setting"
BY_EYE = 4


@pytest.fixture
def comp(session):
    """A comp that nobody needs, with a tool of the editor's in it."""
    made = session.comp = Comp(session, size=SIZE[::-1])
    made.add("MediaIn", "MediaIn1")
    made.active = made.tools["MediaIn1"]
    return made


def answers(report):
    return {one.claim: one.answer for one in report.findings}


def test_in_the_fusion_that_is_expected_nothing_is_contradicted(session, comp, in_resolve, server, tmp_path):
    said = []
    report = selftest.run(in_resolve(), SETTING, server, said.append)
    assert report.good, report.text()
    found = answers(report)
    assert found[selftest.REMOVAL] is Answer.CONFIRMED
    assert sum(answer is Answer.NOT_TRIED for answer in found.values()) == BY_EYE + 1, "no windows here"
    assert len(said) == len(PROBES) + 1
    assert list(comp.tools) == ["MediaIn1"]
    assert comp.render_range == [0, 47]
    path = report.write(tmp_path / "report")
    assert "DaVinci Resolve Studio 21.1" in path.read_text()
    assert json.loads(path.with_suffix(".json").read_text())["findings"][0]["answer"] == "confirmed"


def test_without_a_server_or_resolve_it_says_what_it_did_not_try(session, comp, host, monkeypatch):
    monkeypatch.setattr(selftest, "_ASK_PATIENCE_S", 0.3)
    report = selftest.run(host, SETTING, "127.0.0.1:9", lambda text: None)
    assert report.good
    assert answers(report)[selftest.REMOVAL] is Answer.NOT_TRIED
    assert "127.0.0.1:9" in report.findings[-1].saw


OTHERWISE = {
    "Lua in comp.Execute pastes": lambda patch: (
        patch.setattr(Comp, "Execute", lambda *_: None),
        patch.setattr(application, "_PASTE_S", 0.1),
    ),
    "published controls are read": lambda patch: patch.setattr(
        model.ToolProxy, "GetInput", lambda *_: 1 if _[1] == "void_macro" else None
    ),
    "EndUndo(False) ends stay": lambda patch: patch.setattr(Comp, "EndUndo", _rolls_back),
    "SetData keeps a dict": lambda patch: patch.setattr(model.ToolProxy, "SetData", lambda *_: None),
    "waits for no window": lambda patch: patch.setattr(probes, "_WINDOW_S", -1.0),
    "coverage in alpha": lambda patch: patch.setitem(_render._CLASSES, "EllipseMask", _in_red),
    "open image of a Custom Tool is 0": lambda patch: patch.setattr(
        _render, "source", _white_when_open(_render.source)
    ),
    "changes no bit": lambda patch: patch.setitem(
        _render._CLASSES, "Custom", _rounded(_render._CLASSES["Custom"])
    ),
    "resets its trims": lambda patch: patch.setattr(Comp, "_load", staticmethod(lambda tool, path: None)),
    "is a still": lambda patch: patch.setattr(_render, "sequence", lambda path: [path, path]),
}


def _rolls_back(self, keep):
    _, state = self.undo_open.pop()
    if not keep:
        self._restore(state)


def _in_red(tool, frame):
    made = _render._ellipse(tool, frame)
    return made[..., [3, 0, 1, 2]]


def _white_when_open(source):
    def found(tool, name, frame):
        made = source(tool, name, frame)
        if made is None and name in ("Image2", "Image3"):
            return _render.np.ones((96, 160, 4), _render.np.float32)
        return made

    return found


def _rounded(custom):
    return lambda tool, frame: custom(tool, frame) * _render.np.float32(1.01)


@pytest.mark.parametrize("claim", OTHERWISE)
def test_a_fusion_that_is_otherwise_is_found_out(session, comp, host, monkeypatch, claim):
    (probe,) = (probe for probe in PROBES if claim in probe.claim)
    monkeypatch.setattr(selftest, "PROBES", (probe,))
    monkeypatch.setattr(selftest, "_removal", lambda *_: Finding("", Answer.NOT_TRIED, ""))
    assert selftest.run(host, SETTING, "", lambda text: None).good
    OTHERWISE[claim](monkeypatch)
    assert not selftest.run(host, SETTING, "", lambda text: None).good
    monkeypatch.undo()
    session.unknown.clear()


def test_every_claim_is_in_the_readme():
    text = (TEMPLATES.parent / "README.md").read_text(encoding="utf-8")
    for probe in PROBES:
        assert f"| {probe.claim} |" in text, probe.claim
