"""A script that is opened again: its job goes on, and the frames that came home show."""

import socket

import pytest
from nuke_artist import live, press

from void_host.output import frame_path
from void_host.removal import Removal
from void_nuke import controller, host
from void_wire.client import Client


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
