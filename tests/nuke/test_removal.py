"""The buttons, against a real server: from the node to frames the node shows, on threads as in Nuke."""

import sys

import nuke_shots as shots
import numpy as np
import pytest
from nuke._render import image
from nuke_artist import SIZE, live, press

import void_nuke
from void_nuke import controller, host
from void_server.frames.exr import read_plate
from void_wire.client import Client
from void_wire.messages import State


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


def test_undo_that_was_off_stays_off(nuke, node):
    nuke.Undo.disable()
    host.write(node, {"status": "x"})
    assert nuke.Undo.disabled()
    nuke.Undo.enable()
    host.write(node, {"status": "y"})
    assert not nuke.Undo.disabled()


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
