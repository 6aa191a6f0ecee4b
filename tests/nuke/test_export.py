"""Who renders the frames that go up: a Nuke in the background, or this one where that cannot be."""

import time

import nuke_shots as shots
import pytest
from nuke._render import image
from nuke_artist import live, press

from void_nuke import controller, host
from void_wire.client import Client
from void_wire.messages import State


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
