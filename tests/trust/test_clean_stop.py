"""A server that is told to leave loses nothing: its step is done and saved, and the job waits for the next start."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from real_shots import ShotOnDisk, StartServer, make_shot, servers, void_process
from safetensors import safe_open

from void_server import local_server
from void_server.companion import Companion
from void_wire.client import ENDED, Client
from void_wire.errors import SettingsError
from void_wire.messages import Stage, State, VoidSettings

LONG = VoidSettings(passes=1, pass1_steps=1000, raster_height_px=32, raster_width_px=64, window_frames=21)

DEAF = """
import pathlib, sys, time
if "void_server.worker_process" in sys.orig_argv:
    from void_server.removal import Removal

    def remove(*given):
        pathlib.Path({began!r}).touch()
        time.sleep(1000)

    Removal.remove = remove
"""
"""Python's own hook at its start: a worker whose step never ends."""

unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process that it signals")


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts servers that ask for no keys."""
    with servers(tmp_path / "data") as start:
        yield start


@pytest.fixture
def began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is there once a worker whose step never ends has begun."""
    began = tmp_path / "began"
    (tmp_path / "sitecustomize.py").write_text(DEAF.format(began=str(began)))
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    monkeypatch.setenv("PYTHONPATH", path)
    return began


def state_on_disk(data_dir: Path) -> str:
    """Of the one job, with no server there."""
    with closing(sqlite3.connect(data_dir / "jobs.sqlite")) as database:
        ((state,),) = database.execute("SELECT state FROM jobs").fetchall()
    return str(state)


@unix
def test_the_step_is_saved_and_the_next_start_goes_on_there(
    start_server: StartServer, tmp_path: Path
) -> None:
    shot, data = make_shot(tmp_path / "shot"), tmp_path / "data"
    server = start_server()
    spec = shot.spec("stopped-1", LONG)
    with Client(server.address) as client:
        client.submit(spec)
        client.upload(spec, shot.files)
        status = client.watch(spec.job)
        while status.stage is not Stage.PASS1 or status.step < 20:
            assert status.state not in ENDED, status.error
            status = client.watch(spec.job, status.revision, 5.0)
        os.killpg(server.process.pid, signal.SIGINT)  # as Ctrl-C in a terminal: the worker gets it too
        assert server.process.wait(timeout=60) == 0
        assert state_on_disk(data) == "queued"
        with safe_open(data / "jobs" / spec.job / "milestones" / "0" / "pass1.safetensors", "pt") as held:
            saved = int(held.metadata()["step"])
        assert status.step <= saved < LONG.pass1_steps
        start_server(server.address)
        while status.stage is not Stage.PASS1 or status.step <= saved:
            status = client.watch(spec.job, status.revision, 5.0)
        steps = re.findall(r"pass 1 goes on after step (\d+)", (data / "worker.log").read_text())
        assert steps == [str(saved)]
        client.cancel(spec.job)


@unix
def test_a_second_signal_leaves_at_once_and_the_job_is_there_still(
    shot: ShotOnDisk, start_server: StartServer, tmp_path: Path, began: Path
) -> None:
    server = start_server(weights=None)
    spec, other = shot.spec("never-ends-1"), shot.spec("comes-late-1")
    with Client(server.address) as client:
        client.submit(spec)
        client.upload(spec, shot.files)
        while not began.exists():
            client.watch(spec.job, within_s=0.1)
        server.process.send_signal(signal.SIGTERM)
        client.submit(other)  # answered while the step goes on, and kept
        assert client.watch(spec.job).state is State.RUNNING
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=20) == 0
        (tmp_path / "sitecustomize.py").unlink()
        start_server(server.address, weights=None)
        status = client.watch(spec.job)
        while status.state not in ENDED:
            status = client.watch(spec.job, status.revision, 5.0)
        assert status.state is State.DONE
        assert client.watch(other.job).state is State.RECEIVING


@unix
def test_who_started_a_server_does_not_wait_for_a_step_that_never_ends(
    shot: ShotOnDisk, start_server: StartServer, began: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_server, "STEP_PATIENCE_S", 0.5)
    server, spec = start_server(weights=None), shot.spec("never-ends-1")
    with Client(server.address) as client:
        client.submit(spec)
        client.upload(spec, shot.files)
        while not began.exists():
            client.watch(spec.job, within_s=0.1)
    server.stop()
    assert server.process.returncode == 0


@unix
def test_a_server_leaves_with_the_process_it_was_started_for_though_a_step_never_ends(
    shot: ShotOnDisk, start_server: StartServer, tmp_path: Path, began: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = shot.spec("never-ends-1")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as runner:
        monkeypatch.setenv("VOID_EXIT_WITH", str(runner.pid))
        server = start_server(weights=None)
        with Client(server.address) as client:
            client.submit(spec)
            client.upload(spec, shot.files)
            while not began.exists():
                client.watch(spec.job, within_s=0.1)
        worker = psutil.Process(server.process.pid).children()
        assert worker
        assert not Companion(runner.pid).gone()
        os.kill(runner.pid, signal.SIGKILL)  # gone, and as a zombie still in the system's table
        assert server.process.wait(timeout=20) == 0
        assert not psutil.wait_procs(worker, timeout=20)[1]
        assert Companion(runner.pid).gone()
        assert state_on_disk(tmp_path / "data") == "running"  # the next start takes it up
    with pytest.raises(SettingsError, match=f"exit_with is {runner.pid}, and there is no such process"):
        Companion(runner.pid)


def test_a_server_does_not_start_for_a_process_that_is_gone(tmp_path: Path) -> None:
    gone = void_process(
        "serve", "--data-dir", tmp_path, "--address", "tcp://127.0.0.1:0", "--exit-with", 2**31 - 1
    )
    assert gone.returncode == 1
    assert "there is no such process" in gone.stderr
