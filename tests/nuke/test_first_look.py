"""What is wrong is said before anything is rendered or sent, from a look at a few frames of the matte."""

import nuke_shots as shots
import numpy as np
import pytest
from nuke_artist import SIZE, live, press

from void_host import removal as removals
from void_nuke import controller, first_look, host
from void_wire.client import Client
from void_wire.messages import State


def black(nuke, node, tmp_path, marked=()):
    """Input remove as a roto that draws in these frames alone."""
    size, box = SIZE, shots.box(SIZE, 40, 20, 20, 20)
    path = shots.write(
        tmp_path, "black", lambda frame: box(frame) if frame in marked else np.zeros((*size, 1)), "A"
    )
    node.setInput(1, shots.read_node(nuke, path))


def test_what_is_wrong_is_said_at_once_and_nothing_is_rendered(nuke, node):
    node["engine"].setValue("void")
    press(node, "remove")
    (said,) = nuke._session.current().messages
    assert "prompt is empty" in said
    assert node["status"].value() == said
    assert not controller._running


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
