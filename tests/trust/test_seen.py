"""What an administrator sees: void doctor, void top, the log with job and key."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from real_shots import TINY_MODEL, StartServer, void

from void_server.config import Config
from void_server.doctor import Finding, examine
from void_server.key_folder import KeyFolder
from void_server.local_server import LocalServer
from void_wire.client import Client
from void_wire.connection import Connection
from void_wire.messages import FrameRange, JobSpec, Role

Give = Callable[[str, LocalServer], Connection]
SPEC = JobSpec(
    job="annas-job-1", shot="s", engine="draft", frames=FrameRange(1, 2), roles=(Role.PLATE, Role.REMOVE)
)


def found(**settings: str) -> dict[str, Finding]:
    return {one.name: one for one in examine(Config(**settings))}  # type: ignore[arg-type]


def test_a_machine_that_can_serve_is_fine_in_every_line(tmp_path: Path) -> None:
    lines = found(
        data_dir=str(tmp_path / "data"), weights=str(TINY_MODEL), address="127.0.0.1:7", device="cpu"
    )
    wrong = {name: line.says for name, line in lines.items() if not line.fine and name != "disk"}
    assert wrong == {}
    assert list(lines) == ["versions", "GPU", "disk", "clock", "keys", "port", "weights", "a job"]
    assert "sent, made and fetched" in lines["a job"].says


def test_each_thing_that_is_wrong_is_said_with_its_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("void_server.doctor._job", lambda config: "not asked for here")
    (tmp_path / "file").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        lines = found(data_dir=str(tmp_path / "file"), weights=str(tmp_path), address=f"127.0.0.1:{port}")
    assert "--data-dir" in lines["disk"].says
    assert f"Port {port} is taken by another program" in lines["port"].says
    assert "void weights pull" in lines["weights"].says
    lines = found(data_dir=str(tmp_path / "data"), address="tcp://0.0.0.0:7")
    assert "void keys make" in lines["keys"].says
    KeyFolder(tmp_path / "data" / "keys").make_server()
    lines = found(data_dir=str(tmp_path / "data"), address="tcp://0.0.0.0:7")
    assert "void keys add NAME" in lines["keys"].says
    assert not any(lines[name].fine for name in ("keys", "weights"))


def test_doctor_s_exit_code_says_whether_all_is_fine(tmp_path: Path, server: LocalServer) -> None:
    ended = void(
        "doctor", "--data-dir", tmp_path / "other", "--address", server.address, "--weights", tmp_path
    )
    assert ended.returncode == 1
    assert "FIX  weights" in ended.stdout
    assert "ok   keys" in ended.stdout or "FIX  keys" in ended.stdout


@pytest.mark.skipif(os.name != "posix", reason="a terminal is POSIX'")
def test_top_shows_the_queue_until_it_is_left(server: LocalServer, give: Give) -> None:
    anna = give("anna", server)
    terminal, its_end = os.openpty()
    os.set_blocking(terminal, False)
    with Client(anna) as client:
        client.submit(SPEC)
        command = [sys.executable, "-m", "void_server.cli", "top", "--every", "0.2"]
        environment = {**os.environ, "VOID_KEY": anna.secret_text(), "TERM": "xterm", "COLUMNS": "120"}
        top = subprocess.Popen(
            command, stdin=its_end, stdout=its_end, stderr=subprocess.PIPE, env=environment
        )
        shown, until = b"", time.monotonic() + 30
        while b"0/4 files" not in shown and time.monotonic() < until:
            with contextlib.suppress(BlockingIOError):
                shown += os.read(terminal, 65_536)
            time.sleep(0.05)
        top.send_signal(signal.SIGINT)
        while top.poll() is None and time.monotonic() < until:  # who is not read waits for the terminal
            with contextlib.suppress(BlockingIOError):
                os.read(terminal, 65_536)
            time.sleep(0.05)
        _, said = top.communicate(timeout=20)
    os.close(terminal)
    os.close(its_end)
    assert (top.returncode, said) == (0, b"")
    assert SPEC.job.encode() in shown
    assert b"0/4 files" in shown


def test_the_log_names_job_and_key(
    start_server: StartServer, give: Give, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOID_LOG_FORMAT", "json")
    server = start_server(weights=None)
    anna = give("anna", server)
    with Client(anna) as client:
        client.submit(SPEC)
        client.cancel(SPEC.job)
        client.purge(SPEC.job)
    log = (tmp_path / "data" / "server.log").read_text()
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    told = [(line["says"], line["key"]) for line in lines if line.get("job") == SPEC.job]
    assert told == [(f"{kind} of job {SPEC.job} by anna", "anna") for kind in ("submit", "cancel", "purge")]
    assert anna.key is not None
    assert anna.secret_text().rpartition(".")[2] not in log
