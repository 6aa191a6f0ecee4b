"""The server of a node without sessions, and that of a session."""

import json
import os

import psutil
import pytest
from real_shots import TINY_MODEL

from void_server import local_server
from void_server.farm import node_server, session_server
from void_wire.errors import SettingsError


@pytest.fixture
def started(monkeypatch):
    """Every server process that is started is gone at the end."""
    processes = []
    start = local_server.start

    def noted(*arguments, **given):
        processes.append(start(*arguments, **given))
        return processes[-1]

    monkeypatch.setattr(local_server, "start", noted)
    yield processes
    for server in processes:
        server.process.kill()
        server.process.wait()


def test_tasks_of_a_node_share_a_server_for_each_model_and_gpu(tmp_path, started, monkeypatch):
    address = node_server.attach(TINY_MODEL, tmp_path)
    assert node_server.attach(TINY_MODEL, tmp_path) == address
    assert len(started) == 1
    started[0].process.kill()
    started[0].process.wait()
    again = node_server.attach(TINY_MODEL, tmp_path)
    assert local_server.answers(again)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert node_server.attach(TINY_MODEL, tmp_path) != again
    assert len(started) == 3


def test_a_session_has_one_server_which_leaves_with_it(tmp_path, started):
    address = session_server.serve(tmp_path, TINY_MODEL)
    assert address == f"ipc://{tmp_path}/void.sock" or address.startswith("tcp://127.0.0.1:")
    assert local_server.answers(address)
    command = started[0].process.args
    assert command[command.index("--exit-with") + 1] == str(session_server.runner())
    with pytest.raises(SettingsError, match="A server runs in session"):
        session_server.serve(tmp_path, TINY_MODEL)
    assert session_server.leave(tmp_path).startswith("The server has left.\n")
    assert started[0].process.wait() == 0
    assert session_server.leave(tmp_path).startswith("The server had ended already.")


def test_the_runner_is_no_shell(monkeypatch):
    assert session_server.runner() == next(
        parent.pid for parent in psutil.Process().parents() if parent.name() not in ("bash", "sh")
    )


def test_a_session_forgets_a_process_that_took_the_number(tmp_path):
    state = {"address": "tcp://127.0.0.1:9", "pid": os.getpid(), "began_s": 1.0}
    (tmp_path / session_server.STATE).write_text(json.dumps(state))
    assert session_server.leave(tmp_path) == "The server had ended already."
