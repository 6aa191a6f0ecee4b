"""The buttons, against a real server: from the node to frames the node shows, on threads as in Nuke."""

import socket
import sys
import time
from dataclasses import replace

import nuke_shots as shots
import numpy as np
import pytest
from nuke._render import image

import void_nuke
from void_host import removal as removals
from void_host.output import frame_path
from void_host.removal import Removal
from void_nuke import buttons, controller, first_look, host
from void_nuke.snapshot import take
from void_server.frames.exr import read_plate, write_frame
from void_wire.client import Client
from void_wire.errors import GpuMemory
from void_wire.messages import JobStatus, Role, Signs, Stage, State

SIZE = (96, 160)


@pytest.fixture
def node(nuke, tmp_path):
    nuke.root()["name"].setValue(f"{tmp_path}/sh010.nk")
    node = shots.comp(nuke, tmp_path, SIZE, (40, 20, 20, 20), None)
    buttons.from_input(node)
    node["engine"].setValue("draft")
    node["colorspace"].setValue("lin_rec709")
    return node


def press(node, name):
    node[name].execute()


def removal_of(shot):
    return Removal(shot, controller.NodeScreen(shot.owner), "Nuke")


def live(nuke, until, seconds=60.0):
    """Nuke's event loop."""
    session, end = nuke._session.current(), time.monotonic() + seconds
    while not until():
        session.pump(0.02)
        assert time.monotonic() < end, "the job takes too long"
    session.pump()


def test_remove_brings_frames_into_the_node(nuke, node, server, tmp_path):
    session = nuke._session.current()
    node["server"].setValue(server)
    nuke.root()["proxy"].setValue(True)
    press(node, "test_connection")
    assert server in node["server_says"].value()
    assert "draft: ready" in node["server_says"].value()
    session.undo.clear()
    press(node, "remove")
    assert node["status"].value() == "not sent yet" or "export" in node["status"].value()
    press(node, "remove")
    assert "at work" in session.messages.pop()
    live(nuke, lambda: not controller._running)
    assert not session.messages
    assert node["status"].value().startswith("done: 3 frames in version 1. Worth a look: ")
    assert node["result"].value() == f"{tmp_path}/void/sh010/VOID1/v001/VOID1_v001.%04d.exr"
    assert node["use_result"].value()
    assert node["job_server"].value() == server
    assert node.node("Result")._reloads >= 2
    assert nuke.root()["proxy"].value() is True
    assert (node["exporting"].value(), node["export_folder"].value()) == (False, "")
    assert not session.printed
    for frame in shots.FRAMES:
        plate = shots.plate(SIZE)(frame)
        made = read_plate(tmp_path / f"void/sh010/VOID1/v001/VOID1_v001.{frame}.exr", frame)
        shown = np.stack([image(node, frame)[name][::-1] for name in "RGB"], axis=-1).astype(np.float16)
        assert (shown == made.pixels[..., :3]).all()
        changed = (shown != plate[..., :3]).any(axis=-1)
        assert changed.any()
        assert changed.sum() < SIZE[0] * SIZE[1] / 4
    nuke.Undo.undo()
    assert not node["use_result"].value()
    assert node["result"].value() == ""
    assert not session.undo, "progress is no step of undo"
    with Client(server) as client:
        assert client.watch(node["job"].value()).state is State.DONE


def test_a_nuke_in_the_background_renders_the_export(nuke, node, server, background, monkeypatch):
    monkeypatch.setattr(host, "render", None)  # this one renders nothing
    node["server"].setValue(server)
    press(node, "remove")
    live(nuke, lambda: not controller._running)
    assert node["status"].value().startswith("done: 3 frames in version 1")
    assert (node["exporting"].value(), node["export_folder"].value()) == (False, "")
    assert (image(node, 1002)["R"] != image(node.input(0), 1002)["R"]).any()


def test_while_nuke_is_busy_frames_go_up(nuke, node, server, background):
    started = background.with_name("started")
    background.write_text(background.read_text().replace("PYTHONPATH=", f"touch {started}; PYTHONPATH=", 1))
    node["server"].setValue(server)
    press(node, "remove")
    live(nuke, started.exists)
    end = time.monotonic() + 60
    with Client(server) as client:  # the main thread does something else from here on
        while client.watch(node["job"].value()).received < 6:
            assert time.monotonic() < end
            time.sleep(0.05)
    live(nuke, lambda: not controller._running)
    assert node["status"].value().startswith("done: 3 frames in version 1")


def test_where_it_renders_nothing_this_nuke_does(nuke, node, server, background):
    background.write_text("#!/bin/sh\necho no licence for a render\nexit 100\n")
    node["server"].setValue(server)
    seen = []
    nuke.addKnobChanged(lambda: seen.append(nuke.thisKnob().value()), nodeClass="VOID")
    press(node, "remove")
    live(nuke, lambda: not controller._running)
    assert node["status"].value().startswith("done: 3 frames in version 1")
    assert any("no licence for a render" in str(value) for value in seen)


def test_where_it_breaks_off_the_frame_is_named_and_the_job_cancelled(nuke, node, server, background):
    text = background.read_text()
    background.write_text(text.replace('"$@"', '$(echo "$@" | sed s/1001-1003/1001/)'))
    node["server"].setValue(server)
    press(node, "remove")
    live(nuke, lambda: not controller._running)
    assert "Frame 1002 was not rendered" in node["status"].value()
    with Client(server) as client:
        assert client.watch(node["job"].value()).state is State.CANCELLED


def test_a_script_opened_again_goes_on_with_its_job(nuke, node, server, monkeypatch):
    node["server"].setValue(server)
    with monkeypatch.context() as closed:
        closed.setattr(Removal, "_follow", lambda *_: None)  # Nuke is closed once all is sent
        press(node, "remove")
        live(nuke, lambda: not controller._running)
    assert not node["use_result"].value()
    controller.attach_all()
    live(nuke, lambda: node["status"].value().startswith("done"))
    assert node["status"].value().startswith("done: 3 frames in version 1")
    assert node["use_result"].value()
    live(nuke, lambda: not controller._running)
    node["status"].setValue("")
    controller.attach_all()
    live(nuke, lambda: node["status"].value().startswith("done"))
    assert node["result"].value() == node["job_output"].value()


@pytest.mark.parametrize("chosen", ["", "/before/v001/x.%04d.exr"])
def test_after_a_crash_the_frames_that_are_home_show_unless_others_were_chosen(nuke, node, server, chosen):
    node["server"].setValue(server)
    press(node, "remove")
    live(nuke, lambda: not controller._running)
    output = node["job_output"].value()
    for name, value in {"result": chosen, "use_result": bool(chosen), "status": ""}.items():
        node[name].setValue(value)  # as the script was saved before they came
    frame_path(output, 1002).unlink()
    controller.attach_all()
    live(nuke, lambda: node["status"].value().startswith("done: 3 frames") and not controller._running)
    assert frame_path(output, 1002).is_file()
    assert node["use_result"].value()
    assert node["result"].value() == (chosen or output)


def test_a_job_that_was_not_sent_whole_is_said(nuke, node, server, monkeypatch):
    node["server"].setValue(server)
    with monkeypatch.context() as closed:
        closed.setattr(Removal, "_follow", lambda *_: None)
        closed.setattr(controller.export, "frames", lambda *_: iter(()))
        closed.setattr(Client, "cancel", lambda *_: None)
        press(node, "remove")
        live(nuke, lambda: not controller._running)
    controller.attach(node)
    live(nuke, lambda: "0 of 6 files" in node["status"].value())


class Scripted:
    """A server that has all of Pass 1, then makes the result frame by frame."""

    def __init__(self, spec):
        self.spec, self.revision = spec, 0

    def watch(self, job, after=-1, within_s=0.0):
        self.revision += 1
        numbers = self.spec.frames.numbers()
        ready = {Role.PASS1: numbers, Role.RESULT: numbers[: max(0, self.revision - 2)]}
        state = State.DONE if self.revision > 5 else State.RUNNING
        return JobStatus(
            job, "shot", "void", self.revision, state, self.spec.frames, 6, 6, ready=ready,
            stage=Stage.PASS2, step=self.revision, steps=5, record={"crop": "10,20,64,32", "memory_mode": "offload"},
        )  # fmt: skip

    def fetch(self, job, role, frames, target):
        for frame in frames:
            value = 7 if role is Role.RESULT else 5
            write_frame(target(frame), frame, np.full((*SIZE, 3), value, np.float16), "RGB")
            yield frame, target(frame)

    def signs(self, job):
        return {frame: Signs(seam=frame / 20000) for frame in self.spec.frames.numbers()}


def test_pass_1_shows_until_pass_2_comes_in_one_step_of_undo(nuke, node, monkeypatch):
    node["engine"].setValue("void")
    node["prompt"].setValue("a table")
    nuke._session.current().undo.clear()
    shot = take(host.read(node), {})
    removal = removal_of(shot)
    shown, reload = [], host.reload_result
    monkeypatch.setattr(
        host, "reload_result", lambda node: shown.append(node["result"].value()) or reload(node)
    )
    removal._follow(Scripted(shot.spec))
    assert shown[0].endswith("/v001/pass1/VOID1_v001.%04d.exr")
    assert shown[-1] == shot.output
    assert image(node, 1001)["R"].max() == 7
    assert node["memory"].value() == "offload"
    assert node["box"].value() == [10, SIZE[0] - 52, 74, SIZE[0] - 20]
    (task,) = nuke._session.current().tasks
    assert (task.message, task.progress) == ("pass 2 5 of 5", 100)
    nuke.Undo.undo()
    assert not node["use_result"].value()
    assert not nuke._session.current().undo


def test_cancel_while_it_renders_sends_nothing(nuke, node, server):
    node["server"].setValue(server)
    press(node, "remove")
    live(nuke, lambda: node["status"].value().startswith("export"))
    press(node, "cancel")
    live(nuke, lambda: not controller._running)
    assert node["status"].value() == "cancelled before it was sent"
    assert not node["exporting"].value()
    assert not node["use_result"].value()
    with Client(server) as client:
        assert client.watch(node["job"].value()).state is State.CANCELLED


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_is_said_in_the_node(nuke, node, server, monkeypatch):
    monkeypatch.setattr(host, "render", None)
    node["server"].setValue(server)
    press(node, "remove")
    live(nuke, lambda: not controller._running)
    assert node["status"].value().startswith("The plugin failed (TypeError")
    assert not node["exporting"].value()


def test_while_an_opened_script_asks_for_its_job_remove_waits(nuke, node, monkeypatch):
    monkeypatch.setattr(controller, "ASK_PATIENCE_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        host.write(
            node, {"job": "sh010_VOID1-1", "job_server": address, "job_output": "/renders/v001/a.%04d.exr"}
        )
        controller.attach(node)
        press(node, "remove")
        (said,) = nuke._session.current().messages
        assert "VOID1 is at work on a job" in said
        live(nuke, lambda: not controller._running)
    assert address in node["status"].value()


def test_undo_that_was_off_stays_off(nuke, node):
    nuke.Undo.disable()
    host.write(node, {"status": "x"})
    assert nuke.Undo.disabled()
    nuke.Undo.enable()
    host.write(node, {"status": "y"})
    assert not nuke.Undo.disabled()


def test_what_is_wrong_is_said_at_once_and_nothing_is_rendered(nuke, node):
    node["engine"].setValue("void")
    press(node, "remove")
    (said,) = nuke._session.current().messages
    assert "prompt is empty" in said
    assert node["status"].value() == said
    assert not controller._running


def black(nuke, node, tmp_path, marked=()):
    """Input remove as a roto that draws in these frames alone."""
    size, box = SIZE, shots.box(SIZE, 40, 20, 20, 20)
    path = shots.write(
        tmp_path, "black", lambda frame: box(frame) if frame in marked else np.zeros((*size, 1)), "A"
    )
    node.setInput(1, shots.read_node(nuke, path))


def test_a_black_matte_is_said_before_anything_renders(nuke, node, server, tmp_path, monkeypatch):
    black(nuke, node, tmp_path)
    monkeypatch.setattr(host, "render", None)
    node["server"].setValue(server)
    press(node, "remove")
    live(nuke, lambda: not controller._running)
    (said,) = nuke._session.current().messages
    assert "Input remove is black in every frame of 1001-1003" in said
    assert node["status"].value() == said
    assert not node["job"].value(), "the server was not asked"


@pytest.mark.parametrize("go_on", [True, False])
def test_where_only_some_frames_were_looked_at_the_artist_decides(
    nuke, node, server, tmp_path, monkeypatch, go_on
):
    black(nuke, node, tmp_path)
    monkeypatch.setattr(first_look, "LOOKS", 2)
    rendered, render = [], host.render
    monkeypatch.setattr(host, "render", lambda *what: rendered.append(what) or render(*what))
    node["server"].setValue(server)
    session = nuke._session.current()
    session.answer = go_on
    press(node, "remove")
    live(nuke, lambda: not controller._running)
    assert "black in the 2 frames that were looked at: 1001, 1002" in session.messages[0]
    if not go_on:
        assert node["status"].value() == session.messages[0]
        assert not rendered
        return
    assert len(rendered) == 6
    assert "black in all frames of 1001-1003, so nothing was sent" in session.messages[1]
    with Client(server) as client:
        status = client.watch(node["job"].value())
    assert (status.state, status.received) == (State.CANCELLED, 0)


def test_a_matte_that_is_marked_in_its_last_frame_alone_is_made(nuke, node, server, tmp_path, monkeypatch):
    black(nuke, node, tmp_path, marked=(1003,))
    seen = []
    nuke.addKnobChanged(lambda: seen.append(str(nuke.thisKnob().value())), nodeClass="VOID")
    node["server"].setValue(server)
    press(node, "remove")
    live(nuke, lambda: not controller._running)
    assert node["status"].value().startswith("done: 3 frames")
    assert not nuke._session.current().messages
    assert any("nothing marked yet: frame 1002" in text for text in seen)


def test_the_frame_on_screen_is_looked_at_first():
    frames = list(range(1001, 1101))
    assert first_look.frames_to_look_at(frames, 1040) == [1040, 1051, 1001, 1100, 1026]
    assert first_look.frames_to_look_at(frames, 3) == [1051, 1001, 1100, 1026, 1075]
    assert first_look.frames_to_look_at([7], 7) == [7]


@pytest.mark.parametrize("view", ["left", "right"])
def test_a_view_of_a_stereo_script_is_made(nuke, node, server, background, view):
    nuke._session.current().views = ["left", "right"]
    node["view"].setValue(view)
    node["server"].setValue(server)
    if view == "right":
        background.unlink()
    press(node, "remove")
    live(nuke, lambda: not controller._running)
    assert node["status"].value().startswith("done: 3 frames")


@pytest.mark.parametrize(
    ("licence", "said"), [("nc", "Nuke Non-commercial renders in no background"), ("indie", "")]
)
def test_other_licences_export_as_they_may(nuke, node, server, background, licence, said):
    nuke._session.current().licence = licence
    started = background.with_name("started")
    text = background.read_text()
    background.write_text(text.replace("PYTHONPATH=", f'echo "$@" >> {started}; PYTHONPATH=', 1))
    seen = []
    nuke.addKnobChanged(lambda: seen.append(str(nuke.thisKnob().value())), nodeClass="VOID")
    node["server"].setValue(server)
    press(node, "remove")
    live(nuke, lambda: not controller._running)
    assert node["status"].value().startswith("done: 3 frames")
    if licence == "nc":
        assert any(said in text for text in seen)
        assert not started.exists()
    else:
        assert started.read_text().startswith("-x -i --indie ")
        assert started.read_text().strip().endswith("export.nkind")
    node["farm_job"].execute()
    assert "encrypts its scripts" in nuke._session.current().messages.pop()


def test_an_export_of_another_size_than_the_plate_is_not_sent(nuke, node, server, tmp_path, monkeypatch):
    nuke._session.current().licence = "nc"
    small = shots.write(tmp_path, "small", shots.plate((48, 80)), "RGB")
    render = host.render

    def limited(owner, writer, frame, view):
        render(owner, writer, frame, view)
        if writer == "WritePlate":
            path = node["export_folder"].value() + f"/plate.{frame}.exr"
            (tmp_path / f"small.{frame}.exr").replace(path)

    assert small
    monkeypatch.setattr(host, "render", limited)
    node["server"].setValue(server)
    press(node, "remove")
    live(nuke, lambda: not controller._running)
    said = nuke._session.current().messages.pop()
    assert said.startswith("The plate is 160 x 96 and Nuke Non-commercial exported it as 80 x 48")
    assert node["status"].value() == said
    with Client(server) as client:
        status = client.watch(node["job"].value())
    assert (status.state, status.received) == (State.CANCELLED, 0)


def test_a_server_that_is_not_there_is_said_before_anything_renders(nuke, node, monkeypatch):
    monkeypatch.setattr(removals, "ASK_PATIENCE_S", 0.5)
    node["server"].setValue("127.0.0.1:9")
    rendered = []
    monkeypatch.setattr(host, "render", lambda *what: rendered.append(what))
    press(node, "remove")
    live(nuke, lambda: not controller._running)
    assert "127.0.0.1:9" in node["status"].value()
    assert nuke._session.current().messages == [node["status"].value()]
    assert not rendered


def test_cancel_of_a_job_that_runs_keeps_its_frames(nuke, node):
    shot = take(host.read(node), {})
    server = Scripted(shot.spec)
    removal = removal_of(shot)
    watch = server.watch

    def cancelled(job):
        return replace(watch(job), state=State.CANCELLED)

    def watched(job, after=-1, within_s=0.0):
        status = watch(job)
        nuke._session.current().tasks[0].cancelled = status.revision >= 3  # pressed in Nuke's own bar
        return status

    server.watch, server.cancel = watched, cancelled
    removal._follow(server)
    assert (
        node["status"].value()
        == "cancelled: 2 frames in version 1. Worth a look: 1003 seam 5.0 %; and 2 more"
    )
    assert node["use_result"].value()
    assert frame_path(shot.output, 1002).is_file()
    assert not frame_path(shot.output, 1003).is_file()


def test_a_job_that_fails_says_why_and_keeps_what_there_is(nuke, node):
    shot = take(host.read(node), {})
    server = Scripted(shot.spec)
    watch = server.watch
    failed = {
        "state": State.FAILED,
        "error_code": "engine.gpu_memory",
        "error": "The GPU has not enough memory.",
    }
    server.watch = lambda *asked: replace(watch(*asked), **failed) if server.revision == 3 else watch(*asked)
    with pytest.raises(GpuMemory):
        removal_of(shot)._follow(server)
    assert node["use_result"].value()


def test_a_node_that_is_deleted_meanwhile_harms_nobody(nuke, node, server):
    node["server"].setValue(server)
    press(node, "remove")
    live(nuke, lambda: node["status"].value().startswith("export"))
    nuke.delete(node)
    live(nuke, lambda: not controller._running)
    assert not nuke._session.current().printed


def test_in_a_terminal_it_runs_in_the_foreground(terminal_nuke, server, tmp_path):
    nuke = terminal_nuke
    nuke.root()["name"].setValue(f"{tmp_path}/sh010.nk")
    node = shots.comp(nuke, tmp_path, SIZE, (40, 20, 20, 20), None)
    node["server"].setValue(server)
    node["engine"].setValue("draft")
    node["first"].setValue(1001)
    node["last"].setValue(1002)
    assert void_nuke.render(node) is None
    assert node["status"].value().startswith("done: 2 frames in version 1")
    assert node["result_last"].value() == 1002


def test_without_the_plugin_every_button_says_so_in_one_sentence(nuke, node, monkeypatch):
    monkeypatch.setitem(sys.modules, "void_nuke", None)
    for knob in ("remove", "cancel", "farm_job", "from_input", "test_connection", "colorspace_from_script"):
        press(node, knob)
        said = nuke._session.current().messages.pop()
        assert "not loaded here" in said
        assert "\n" not in said
    node["engine"].setValue("void")
    assert not nuke._session.current().messages


def test_knobs_that_do_nothing_are_grey(node):
    def grey():
        return {name for name, knob in node.knobs().items() if not knob.enabled()}

    node["engine"].setValue("draft")
    assert {"prompt", "detail", "seed", "passes", "crop", "exposure"} <= grey()
    assert not {"grow", "feather", "layer_fill", "segments"} & grey()
    node["engine"].setValue("void")
    assert grey() == {"rate"}
    node["time_base"].setValue("model")
    node["crop"].setValue("full")
    node["quality"].setValue("preview")
    assert grey() == {"box", "crop_context", "passes"}


def test_a_new_node_takes_the_plates_range_and_an_old_one_keeps_its_own(nuke, node):
    new = nuke.createNode("VOID", inpanel=False)
    new.setInput(0, node.input(0))
    assert (new["first"].value(), new["last"].value()) == (1001, 1003)
    new["first"].setValue(1002)
    new.setInput(0, None)
    new.setInput(0, node.input(0))
    assert (new["first"].value(), new["last"].value()) == (1002, 1003)
    new["output_preview"].setValue("")
    new.showControlPanel()
    assert "/VOID2/v001/" in new["output_preview"].value()


def test_the_preview_of_the_path_is_the_path(node, tmp_path):
    node["output"].setValue("<folder>/<node>/<version>/x.%04d.exr")
    assert node["output_preview"].value() == f"{tmp_path}/VOID1/v001/x.%04d.exr"
    node["output"].setValue("<folder>/x.%04d.exr")
    assert "<version>" in node["output_preview"].value()


def test_the_working_space_is_taken(nuke, node):
    nuke.root()["workingSpaceLUT"].setValue("ACES - ACEScg")
    press(node, "colorspace_from_script")
    assert node["colorspace"].value() == "ACES - ACEScg"
    nuke.Undo.undo()
    assert node["colorspace"].value() == "lin_rec709"
