"""The buttons, against a real server: from the node to frames the node shows, on threads as in Nuke."""

import sys
import time

import nuke_shots as shots
import numpy as np
import pytest
from nuke._render import image

from void_nuke import buttons, controller, host
from void_server.frames.exr import read_plate
from void_wire.client import Client
from void_wire.messages import State

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
    assert node["status"].value() == "done: 3 frames in version 1"
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


def test_what_is_wrong_is_said_at_once_and_nothing_is_rendered(nuke, node):
    node["engine"].setValue("void")
    press(node, "remove")
    (said,) = nuke._session.current().messages
    assert "prompt is empty" in said
    assert node["status"].value() == said
    assert not controller._running


def test_a_server_that_is_not_there_is_said_before_anything_renders(nuke, node, monkeypatch):
    monkeypatch.setattr(
        controller, "Client", lambda address, name: Client(address, patience_s=0.5, name=name)
    )
    node["server"].setValue("127.0.0.1:9")
    rendered = []
    monkeypatch.setattr(host, "render", lambda *what: rendered.append(what))
    press(node, "remove")
    live(nuke, lambda: not controller._running)
    assert "127.0.0.1:9" in node["status"].value()
    assert not rendered


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
    assert controller.render(node) is None
    assert node["status"].value() == "done: 2 frames in version 1"
    assert node["result_last"].value() == 1002


def test_without_the_plugin_every_button_says_so_in_one_sentence(nuke, node, monkeypatch):
    monkeypatch.setitem(sys.modules, "void_nuke", None)
    for knob in ("remove", "cancel", "from_input", "test_connection", "colorspace_from_script"):
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
