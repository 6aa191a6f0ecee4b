"""From the macro to frames that its Loader shows, against real servers; and everything that can go wrong between."""

from dataclasses import replace

import numpy as np
import pytest
from fusion import Comp, _render
from fusion_shots import SIZE, TEMPLATES, fill, plate

from void_host import removal
from void_resolve import controller, export
from void_resolve.controls import BY_NAME
from void_resolve.host import application
from void_resolve.host.comp import SourceTool
from void_resolve.host.macro import JOB, Macro
from void_server.frames.exr import read_plate, write_frame
from void_wire.client import Client
from void_wire.errors import GpuMemory, MissingFrames, SettingsError, ShotError, TransportError, VoidError
from void_wire.messages import JobStatus, Role, Stage, State

SHIFT = 86400
"""The clip's file begins at 01:00:00:00."""


class Desk:
    """Who sits before the script: hears what it says."""

    def __init__(self):
        self.heard = []

    def told(self, text):
        self.heard.append(text)


@pytest.fixture
def desk():
    return Desk()


def ask_for(comp, **values):
    """Controls as an editor sets them."""
    for name, value in {"engine": "draft", "first": 3, "last": 6, **values}.items():
        if isinstance(value, str) and BY_NAME[name].choices:
            value = BY_NAME[name].choices.index(value)
        comp.macro.SetInput(name, value)
    comp.undo.clear()


def begin(app, desk, environment=None):
    (macro,) = app.macros()
    return controller.start(app, macro, desk.told, environment or {})


def shown(comp, frame):
    return _render.picture(comp.inside(comp.macro._tool, "MainOutput1")[0], frame)


def loader(comp):
    return comp.FindTool("VOID_result")


def test_remove_brings_frames_into_the_macro(session, comp, in_resolve, server, desk, tmp_path):
    user = comp.add("Saver", "Master")
    user.SetInput("Clip", str(tmp_path / "master_0000.exr"))
    ask_for(comp, server=server)
    app = in_resolve()
    assert begin(app, desk).run() is None
    folder = tmp_path / "media/void/Show_01/VOID/v001"
    assert sorted(path.name for path in folder.iterdir()) == [
        f"VOID_v001.{SHIFT + n}.exr" for n in range(3, 7)
    ]
    assert comp.renders == [["VOID_plate", "VOID_mattes"]], "nothing else renders"
    assert set(comp.tools) == {"MediaIn1", "Polygon1", "Polygon2", "VOID", "Master", "VOID_result"}
    assert user.GetAttrs()["TOOLB_PassThrough"] is False
    assert (comp.render_range, comp.now) == ([0, 47], 0.0)
    assert comp.ActiveTool.Name == "VOID"
    assert comp.macro.GetInput("status").startswith("done: 4 frames in version 1")
    assert "export and upload: frame 86406" in desk.heard
    with Client(server) as client:
        spec = client.spec(comp.macro.GetData(JOB))
    assert spec.picture.colorspace == "Linear Rec.709 (sRGB)"
    assert str(spec.frames) == f"{SHIFT + 3}-{SHIFT + 6}"
    for frame in range(3, 7):
        made = read_plate(folder / f"VOID_v001.{SHIFT + frame}.exr", frame)
        now, before = shown(comp, frame), plate()(frame)
        changed = (now != before).any(axis=-1)
        assert changed.any()
        assert changed.sum() < changed.size / 4
        assert (now[changed][:, :3] == made.pixels[::-1][changed][:, :3]).all()
    assert (shown(comp, 2) == plate()(2)).all()
    assert [name for name, _ in comp.undo] == ["VOID result 1"]
    comp.undo_last()
    assert "VOID_result" not in comp.tools
    assert (shown(comp, 3) == plate()(3)).all()


def test_the_next_version_keeps_the_trims_of_the_one_before(comp, in_resolve, server, desk):
    ask_for(comp, server=server)
    app = in_resolve()
    begin(app, desk).run()
    for name, value in (("GlobalOut", 5), ("Reverse", 1), ("ClipTimeEnd", 2)):
        loader(comp).SetInput(name, value)
    begin(app, desk).run()
    assert loader(comp).GetInput("Clip").endswith(f"/v002/VOID_v002.{SHIFT + 3}.exr")
    kept = {name: loader(comp).GetInput(name) for name in ("GlobalIn", "GlobalOut", "Reverse", "ClipTimeEnd")}
    assert kept == {"GlobalIn": 3, "GlobalOut": 5, "Reverse": 1, "ClipTimeEnd": 2}
    ask_for(comp, first=10, last=12)
    begin(app, desk).run()
    kept = {name: loader(comp).GetInput(name) for name in ("GlobalIn", "GlobalOut", "Reverse", "ClipTimeEnd")}
    assert kept == {"GlobalIn": 10, "GlobalOut": 12, "Reverse": 1, "ClipTimeEnd": 2}, (
        "other frames: trims in time go"
    )
    assert len([tool for tool in comp.tools.values() if tool.cls == "Loader"]) == 1


def test_standalone_fusion_counts_for_itself(comp, app, server, desk, tmp_path):
    comp.path = str(tmp_path / "sh010.comp")
    ask_for(comp, server=server, first=1, last=-1, colorspace="lin_rec709")
    comp.render_range[:] = [20, 21]
    assert begin(app, desk).run() is None
    names = sorted(path.name for path in (tmp_path / "void/sh010/VOID/v001").iterdir())
    assert names == ["VOID_v001.0020.exr", "VOID_v001.0021.exr"]


def test_frames_that_the_editor_chose_stay_when_a_job_is_taken_up(comp, in_resolve, server, desk, tmp_path):
    ask_for(comp, server=server)
    app = in_resolve()
    begin(app, desk).run()
    write_frame(tmp_path / "mine.0001.exr", 1, np.zeros((*SIZE, 3), np.float16), "RGB")
    loader(comp).SetInput("Clip", str(tmp_path / "mine.0001.exr"))
    (macro,) = app.macros()
    controller.attach(app, macro, desk.told).follow()
    assert loader(comp).GetInput("Clip") == str(tmp_path / "mine.0001.exr")
    loader(comp).SetInput("Clip", "")
    controller.attach(app, macro, desk.told).follow()
    assert "/v001/" in loader(comp).GetInput("Clip")


def test_resolve_is_closed_and_a_project_opened_again_goes_on(
    session, comp, in_resolve, server, desk, tmp_path
):
    ask_for(comp, server=server)
    app = in_resolve()
    task = begin(app, desk)
    task.screen.told = lambda text: (
        session.close() if text.startswith(("decode", "fill", "encode", "result")) else None
    )
    with pytest.raises(controller.Left):
        task.run()
    session.closed = False  # controls and data of the macro are what is left
    (macro,) = app.macros()
    assert controller.attach(app, macro, desk.told).follow() is None
    assert comp.macro.GetInput("status").startswith("done: 4 frames in version 1")
    assert (shown(comp, 3) != plate()(3)).any()
    assert loader(comp).GetInput("GlobalIn") == 3


class Scripted:
    """A server that has all of Pass 1, then makes the result frame by frame."""

    def __init__(self, spec):
        self.spec, self.revision, self.ends = spec, 0, State.DONE

    def watch(self, job, after=-1, within_s=0.0):
        self.revision += 1
        numbers = self.spec.frames.numbers()
        ready = {Role.PASS1: numbers, Role.RESULT: numbers[: max(0, self.revision - 2)]}
        state = self.ends if self.revision > 5 else State.RUNNING
        error = {"error_code": "engine.gpu_memory", "error": "No."} if state is State.FAILED else {}
        return JobStatus(
            job, "shot", "void", self.revision, state, self.spec.frames, 8, 8, ready=ready, stage=Stage.PASS2,
            step=self.revision, steps=9, record={"crop": "10,20,64,32", "memory_mode": "offload"}, **error,
        )  # fmt: skip

    def signs(self, job):
        return {}

    def cancel(self, job):
        self.ends, self.revision = State.CANCELLED, 4
        return self.watch(job)

    def fetch(self, job, role, frames, target):
        for frame in frames:
            value = 7 if role is Role.RESULT else 5
            target(frame).parent.mkdir(parents=True, exist_ok=True)
            write_frame(target(frame), frame, np.full((*SIZE, 3), value, np.float16), "RGB")
            yield frame, target(frame)


@pytest.fixture
def scripted(comp, in_resolve, desk, monkeypatch):
    """A task, and a server for it."""
    ask_for(comp)
    monkeypatch.setattr(removal, "LOOK_AGAIN_S", 0.0)
    task = begin(in_resolve(), desk)
    client = Scripted(task.screen.asked.shot.spec)
    return task, client


def test_a_still_shows_the_newest_frame_until_all_are_there_in_one_step_of_undo(comp, scripted, monkeypatch):
    task, client = scripted
    stills = []
    show = Macro.show_still
    monkeypatch.setattr(
        Macro,
        "show_still",
        lambda *what, **more: show(*what, **more) or stills.append(shown(comp, 5)[30, 70, 0]),
    )
    task.removal._follow(client)
    task.screen.close()
    assert stills == [5, 5, 5, 5, 7, 7, 7, 7], "Pass 1 until the result comes"
    assert shown(comp, 5)[30, 70, 0] == 7
    assert len(comp.tools["VOID_result"].clip) == 4
    assert not task.screen._newest.parent.exists()
    assert comp.macro.GetInput("memory") == "offload"
    box = [comp.macro.GetInput(f"box_{side}") for side in ("x", "y", "width", "height")]
    assert box == [10, SIZE[0] - 52, 64, 32], "from below"
    assert [name for name, _ in comp.undo] == ["VOID result 1"]


def test_without_room_for_a_still_the_result_comes_all_the_same(comp, scripted, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(controller.shutil, "copyfile", full)
    task, client = scripted
    task.removal._follow(client)
    task.screen.close()
    assert shown(comp, 5)[30, 70, 0] == 7
    assert [name for name, _ in comp.undo] == ["VOID result 1"]


def test_a_fusion_that_takes_back_what_is_no_step_of_undo_shows_the_result_in_steps(
    comp, scripted, monkeypatch
):
    def end(self, keep):
        step = self.undo_open.pop()
        self.undo.append(step) if keep else self._restore(step[1])

    monkeypatch.setattr(Comp, "EndUndo", end)
    task, client = scripted
    task.removal._follow(client)
    task.screen.close()
    assert shown(comp, 5)[30, 70, 0] == 7
    assert len(comp.tools["VOID_result"].clip) == 4
    assert comp.macro.GetInput("status").startswith("done")
    assert len(comp.undo) > 3


def test_a_cancel_keeps_the_frames_that_are_done(comp, scripted):
    task, client = scripted
    task.screen.told = lambda text: task.removal.stop.set() if text.startswith("pass 2") else None
    task.removal._follow(client)
    task.screen.close()
    assert comp.macro.GetInput("status").startswith("cancelled: ")
    assert comp.macro.GetInput("use_result") == 1


def test_a_job_that_fails_says_why_and_shows_what_came_in_a_row(comp, scripted):
    task, client = scripted
    client.ends = State.FAILED
    watch = client.watch
    numbers = client.spec.frames.numbers()
    client.watch = lambda *asked: replace(
        watch(*asked), ready={Role.RESULT: [numbers[0], numbers[1], numbers[3]]}
    )
    with pytest.raises(GpuMemory):
        task.removal._follow(client)
    task.screen.close()
    assert comp.macro.GetInput("result_last") == 4


def test_a_macro_that_is_deleted_meanwhile_harms_nobody(comp, scripted, tmp_path):
    task, client = scripted
    comp.macro.Delete()
    task.removal._follow(client)
    task.screen.close()
    assert len(list((tmp_path / "media").rglob("*.exr"))) == 8
    assert "VOID_result" not in comp.tools


# --- what can go wrong ----------------------------------------------------------------------------------------


@pytest.fixture
def app(host):
    return host  # the module has its name here


def test_all_that_is_wrong_is_said_at_once_and_nothing_renders(comp, in_resolve, desk):
    comp.macro.FindMainInput(1).ConnectTo(None)
    ask_for(comp, engine="void", output="<folder>/x.%04d.exr")
    with pytest.raises(VoidError) as said:
        begin(in_resolve({"colorScienceMode": "davinciYRGB"}), desk)
    for part in ("not colour managed", "Input plate is not connected", "<version>", "prompt is empty"):
        assert part in str(said.value)
    assert not comp.renders


def test_an_unmanaged_project_is_warned_about_and_sent_as_named(comp, in_resolve, server, desk):
    ask_for(comp, server=server, colorspace="Gamma 2.4 Encoded Rec.709")
    assert begin(in_resolve({"colorScienceMode": "davinciYRGB"}), desk).run() is None
    assert "because you named it" in desk.heard[0]
    assert "because you named it" in comp.macro.GetInput("status")
    with Client(server) as client:
        assert client.spec(comp.macro.GetData(JOB)).picture.colorspace == "Gamma 2.4 Encoded Rec.709"


def test_a_clip_without_a_file_needs_a_folder(comp, in_resolve, desk, tmp_path):
    ask_for(comp)
    with pytest.raises(SettingsError, match="VOID_OUTPUT"):
        begin(in_resolve(path=""), desk)
    task = begin(in_resolve(path=""), desk, {"VOID_OUTPUT": str(tmp_path / "renders")})
    assert task.screen.asked.shot.output.startswith(str(tmp_path / "renders/void/Show_01/VOID/v001"))


def test_a_range_beyond_the_handles_is_refused(comp, in_resolve, desk):
    ask_for(comp, handles=10)
    with pytest.raises(ShotError, match="leaves what the clip has, which goes from 0 to 47"):
        begin(in_resolve(handles=(0, 0)), desk)


def test_a_retimed_clip_is_numbered_by_the_comp_and_that_is_said(comp, in_resolve, desk):
    ask_for(comp)
    task = begin(in_resolve(source=(100, 195), duration=48), desk)
    assert str(task.screen.asked.shot.spec.frames) == "3-6"
    assert "retimed" in desk.heard[0]


def test_a_server_that_is_not_there_is_said_before_anything_renders(comp, in_resolve, desk, monkeypatch):
    monkeypatch.setattr(removal, "ASK_PATIENCE_S", 0.5)
    ask_for(comp, server="127.0.0.1:9")
    error = begin(in_resolve(), desk).run()
    assert isinstance(error, TransportError)
    assert "127.0.0.1:9" in comp.macro.GetInput("status")
    assert not comp.renders
    assert not comp.undo


@pytest.mark.parametrize("how", ["cancelled in Fusion", "a tool in error"])
def test_a_render_that_breaks_off_leaves_the_comp_as_it_was(session, comp, in_resolve, server, desk, how):
    if how == "cancelled in Fusion":
        session.cancel_render_at = 5
    else:
        comp.tools["MediaIn1"].pixels = lambda frame: plate()(frame) if frame < 5 else None
    ask_for(comp, server=server)
    error = begin(in_resolve(), desk).run()
    assert "did not render" in str(error)
    assert comp.macro.GetInput("status") == str(error)
    assert set(comp.tools) == {"MediaIn1", "Polygon1", "Polygon2", "VOID"}
    assert comp.render_range == [0, 47]
    assert not comp.undo
    with Client(server) as client:
        assert client.watch(comp.macro.GetData(JOB)).state is State.CANCELLED


def test_a_frame_that_fusion_left_out_is_named_as_it_counts(comp, in_resolve, server, desk, monkeypatch):
    save = _render.save
    monkeypatch.setattr(_render, "save", lambda tool, frame: None if frame == 5 else save(tool, frame))
    ask_for(comp, server=server)
    error = begin(in_resolve(), desk).run()
    assert isinstance(error, MissingFrames)
    assert "no picture of 1 frames, the first 5 " in str(error)


def test_a_cancel_during_the_upload_ends_the_job(comp, in_resolve, server, desk):
    ask_for(comp, server=server)
    task = begin(in_resolve(), desk)
    task.screen.told = lambda text: task.removal.stop.set() if "upload" in text else None
    assert task.run() is None
    assert comp.macro.GetInput("status") == "cancelled before it was sent"
    with Client(server) as client:
        assert client.watch(comp.macro.GetData(JOB)).state is State.CANCELLED


def test_a_matte_that_is_black_is_never_sent(comp, in_resolve, server, desk):
    comp.tools["Polygon1"].pixels = lambda frame: np.zeros((*SIZE, 4), np.float32)
    ask_for(comp, server=server)
    assert "black in all frames" in str(begin(in_resolve(), desk).run())
    with Client(server) as client:
        assert client.watch(comp.macro.GetData(JOB)).received == 0


def test_a_window_that_waits_after_the_render_is_pointed_at(
    session, comp, in_resolve, server, desk, monkeypatch
):
    monkeypatch.setattr(export, "_STILL_S", 0.1)
    session.window_after_render_s = 0.6
    ask_for(comp, server=server)
    assert begin(in_resolve(), desk).run() is None
    assert any("Render completed: press OK" in text for text in desk.heard)


def test_a_job_that_was_not_sent_whole_is_said_and_can_be_cancelled(
    comp, in_resolve, server, desk, monkeypatch
):
    ask_for(comp, server=server)
    app = in_resolve()
    with monkeypatch.context() as closed:
        closed.setattr(controller.Task, "_export", lambda *_: iter(()))
        closed.setattr(Client, "cancel", lambda *_: None)
        begin(app, desk).run()
    (macro,) = app.macros()
    assert "0 of 8 files" in str(controller.attach(app, macro, desk.told).follow())
    with pytest.raises(SettingsError, match="at work on a job"):
        begin(app, desk)
    assert controller.cancel(macro) == "cancelled"
    assert begin(app, desk).run() is None


def test_a_macro_without_a_job_has_nothing_to_follow_or_cancel(comp, in_resolve, desk):
    app = in_resolve()
    (macro,) = app.macros()
    with pytest.raises(SettingsError, match="no job to go on with"):
        controller.attach(app, macro, desk.told)
    with pytest.raises(SettingsError, match="no job to cancel"):
        controller.cancel(macro)


# --- macros and tools -----------------------------------------------------------------------------------------


def test_a_macro_is_placed_on_selected_tools(session, comp, app):
    comp.macro.Delete()
    comp.selected = ["MediaIn1", "Polygon1", "Polygon2"]
    comp.active = comp.tools["MediaIn1"]
    assert [(tool.name, tool.is_mask) for tool in app.selection()] == [
        ("MediaIn1", False), ("Polygon1", True), ("Polygon2", True),
    ]  # fmt: skip
    macro = app.place(TEMPLATES / "VOID.setting")
    for name, source in zip(("plate", "remove", "affected"), app.selection(), strict=True):
        macro.wire(name, source)
    comp.macro = comp.FindTool("VOID")
    assert (shown(comp, 3) == plate()(3)).all()
    assert macro.source("affected").GetTool().Name == "Polygon2"
    with pytest.raises(ShotError, match="cannot be connected"):
        macro.wire("plate", SourceTool(comp.macro, "VOID", False))
    with pytest.raises(ShotError, match="no tool Elsewhere"):
        app.find_tool("Elsewhere")


def test_a_macro_that_fusion_does_not_take_is_said(comp, app, monkeypatch):
    monkeypatch.setattr(application, "_PASTE_S", 0.1)
    monkeypatch.setattr(Comp, "Execute", lambda *_: None)
    with pytest.raises(SettingsError, match=r"drag .*VOID\.setting into the node view"):
        app.place(TEMPLATES / "VOID.setting")


def test_which_macro_is_meant(session, comp, app):
    assert app.chosen_macro().name == "VOID"
    comp.paste((TEMPLATES / "VOID.setting").read_text(encoding="utf-8"))
    comp.active = None
    assert [macro.name for macro in app.macros()] == ["VOID", "VOID_1"]
    assert app.chosen_macro() is None, "there are two"
    comp.selected = ["VOID_1"]
    assert app.chosen_macro().name == "VOID_1"
    comp.active = comp.tools["VOID"]
    assert app.chosen_macro().name == "VOID"


def test_without_a_comp_it_says_what_to_open(session, app):
    session.comp = None
    with pytest.raises(SettingsError, match="No comp is open"):
        app.macros()


def test_without_a_project_it_says_what_to_open(session, comp, in_resolve, desk):
    with pytest.raises(SettingsError, match="no project open"):
        begin(in_resolve(settings=None), desk)


def test_a_comp_on_its_own_size_before_anything_was_rendered(session, in_resolve, desk):
    made = Comp(session, size=(320, 200))
    made.macro = fill(session, made, size=(200, 320))
    ask_for(made)
    assert in_resolve().see(in_resolve().macros()[0]).size == (320, 200)
