"""Two workers and one queue: each has its own job, scratch and log, and what befalls one does not befall the other."""

import re
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from held_workers import HeldWorkers
from real_shots import ShotOnDisk, StartServer, done, running, send, servers, wait_for

from void_wire.client import Client
from void_wire.messages import State


@pytest.fixture
def start_server(tmp_path: Path, held: HeldWorkers, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartServer]:
    """Starts servers of two workers that ask for no keys."""
    monkeypatch.setenv("VOID_DEVICE", "cpu, cpu")
    with servers(tmp_path / "data") as start:
        yield start


def test_a_lost_worker_concerns_its_own_job_alone(
    shot: ShotOnDisk, start_server: StartServer, held: HeldWorkers, tmp_path: Path
) -> None:
    server, jobs = start_server(weights=None), ("runs-job-1", "runs-job-2", "waits-job-1")
    with Client(server.address) as client:
        assert client.connect().devices == ["cpu", "cpu"]
        send(client, shot, *jobs)
        assert [wait_for(client, job, running).device for job in jobs[:2]] == ["cpu", "cpu"]
        assert (client.watch("waits-job-1").state, client.watch("waits-job-1").queue_place) == (
            State.QUEUED,
            1,
        )
        data = tmp_path / "data"
        assert all((data / name).exists() for name in ("worker.log", "worker-2.log", "scratch", "scratch-2"))
        children = psutil.Process(server.process.pid).children()
        assert len(children) == 2
        children[0].kill()
        held.let_go(*jobs)
        for job in jobs:
            assert wait_for(client, job, done).device == ""
    log = (data / "server.log").read_text()
    (lost,) = re.findall(r"job (\S+): its worker ended with signal 9", log)
    started = re.findall(r"job (\S+) starts on cpu", log)
    assert {job: started.count(job) for job in jobs} == {
        "runs-job-1": 1,
        "runs-job-2": 1,
        "waits-job-1": 1,
        lost: 2,
    }


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process that it signals")
def test_a_clean_stop_leaves_both_jobs_at_a_step(
    shot: ShotOnDisk, start_server: StartServer, tmp_path: Path
) -> None:
    server, jobs = start_server(weights=None), ("runs-job-1", "runs-job-2")
    with Client(server.address) as client:
        send(client, shot, *jobs)
        for job in jobs:
            wait_for(client, job, running)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=30) == 0
    with closing(sqlite3.connect(tmp_path / "data" / "jobs.sqlite")) as database:
        assert database.execute("SELECT state FROM jobs").fetchall() == [("queued",)] * 2
    log = (tmp_path / "data" / "server.log").read_text()
    assert log.count("is left, to be taken up again") == 2
