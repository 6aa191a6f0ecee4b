"""Servers, workers and clients that go away in the middle: nothing is lost, and somebody says so."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from real_shots import ShotOnDisk, StartServer, running

from void_wire.client import ENDED, Client
from void_wire.errors import IllegalTransition, Unreachable, WorkerDied, from_code
from void_wire.messages import JobStatus, Stage, State, VoidSettings

ENDLESS = VoidSettings(passes=1, pass1_steps=1000, raster_height_px=32, raster_width_px=64, window_frames=21)


def until(client: Client, job: str, reached: Callable[[JobStatus], bool], within_s: float = 90) -> JobStatus:
    deadline, status = time.monotonic() + within_s, client.watch(job)
    while not reached(status):
        assert time.monotonic() < deadline, f"never came: {status}"
        status = client.watch(job, status.revision, 1.0)
    return status


def ended(status: JobStatus) -> bool:
    return status.state in ENDED


def in_pass_1(status: JobStatus) -> bool:
    assert status.state not in ENDED, status.error
    return status.stage is Stage.PASS1 and status.step >= 2


def worker_pid(server_pid: int) -> int:
    children = Path(f"/proc/{server_pid}/task/{server_pid}/children").read_text().split()
    assert len(children) == 1
    return int(children[0])


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")


@needs_proc
def test_a_worker_that_dies_twice_costs_one_job(
    shot: ShotOnDisk, start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server()
    with Client(server.address) as client:
        first, second = shot.spec("will-die-1", ENDLESS), shot.spec("next-job-1")
        client.submit(first)
        client.upload(first, shot.files)
        until(client, first.job, in_pass_1)
        scratch = tmp_path / "data" / "scratch"
        left = set(scratch.glob("void-take-*"))
        assert left
        lost = worker_pid(server.process.pid)
        os.kill(lost, signal.SIGKILL)
        until(client, first.job, lambda status: in_pass_1(status) and worker_pid(server.process.pid) != lost)
        assert "pass 1 goes on after step" in (tmp_path / "data" / "worker.log").read_text()
        assert not left & set(scratch.iterdir())  # its working files went with it
        client.submit(second)
        client.upload(second, shot.files)
        assert client.watch(second.job).queue_place == 1  # not beside one that may take it along
        server.process.kill()
        server.process.wait()
        server = start_server(server.address)
        until(client, first.job, running)  # about to load the model
        os.kill(worker_pid(server.process.pid), signal.SIGKILL)
        status = until(client, first.job, ended)
        assert status.state is State.FAILED
        error = from_code(status.error_code, status.error)
        assert isinstance(error, WorkerDied)
        assert "first with signal 9, and when the job was tried again with signal 9" in str(error)
        assert until(client, second.job, ended).state is State.DONE
        assert client.submit(first).state in (State.QUEUED, State.RUNNING)  # asked for again: two more tries


def test_cancel_stops_a_running_job_within_a_step_and_the_next_one_runs(
    shot: ShotOnDisk, client: Client
) -> None:
    first, second = shot.spec("cancel-me", ENDLESS), shot.spec("then-this")
    for spec in (first, second):
        client.submit(spec)
        client.upload(spec, shot.files)
    step = until(client, first.job, in_pass_1).step
    assert client.cancel(first.job).state in (State.CANCELLING, State.CANCELLED)
    seen = []
    status = client.watch(first.job)
    while status.state not in ENDED:
        seen.append(status.step)
        status = client.watch(first.job, status.revision, 5.0)
    assert status.state is State.CANCELLED
    # The steps that were on their way when the cancel arrived, not the other hundreds.
    assert max(seen, default=step) < step + 100
    assert until(client, second.job, ended).state is State.DONE


def test_cancel_while_receiving_and_queued(shot: ShotOnDisk, client: Client) -> None:
    spec = shot.spec("half-sent-1")
    client.submit(spec)
    assert client.cancel(spec.job).state is State.CANCELLED
    with pytest.raises(IllegalTransition, match="takes no more frames"):
        client.upload(spec, shot.files)


def test_nobody_there_is_said_within_patience() -> None:
    with (
        Client("tcp://127.0.0.1:9", patience_s=0.5) as client,
        pytest.raises(Unreachable, match="void serve"),
    ):
        client.connect()


def test_a_server_that_stops_leaves_within_seconds(start_server: StartServer) -> None:
    server = start_server()
    with Client(server.address) as client:
        client.connect()
    server.stop()
    assert server.process.returncode == 0
