"""Two jobs of one worker: each is what it is alone, and what befalls one does not befall the other."""

import re
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from real_shots import ShotOnDisk, StartServer, bring, done, make_shot, servers, wait_for
from staged_workers import SETTINGS, StagedWorkers

from void_server.local_server import LocalServer
from void_wire.client import ENDED, Client
from void_wire.messages import JobStatus, Role, Stage, State, VoidSettings

FIRST, SECOND, THIRD = "first-job-1", "second-job-1", "third-job-1"
BOTH = VoidSettings(
    pass1_steps=2,
    pass2_steps=2,
    raster_height_px=32,
    raster_width_px=48,
    window_frames=21,
    warped_noise="corrected",
    show_pass1=True,
)

unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process that it signals")


@pytest.fixture
def staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StagedWorkers:
    return StagedWorkers(tmp_path, monkeypatch)


@pytest.fixture
def start_server(tmp_path: Path, staged: StagedWorkers) -> Iterator[StartServer]:
    """Starts servers that ask for no keys."""
    with servers(tmp_path / "data") as start:
        yield start


@pytest.fixture
def server(start_server: StartServer) -> LocalServer:
    return start_server()


@pytest.fixture
def client(server: LocalServer) -> Iterator[Client]:
    with Client(server.address) as client:
        yield client


def give(client: Client, shot: ShotOnDisk, *jobs: str, void: VoidSettings | None = SETTINGS) -> None:
    """Have the server receive them; without ``void`` of engine draft."""
    for job in jobs:
        spec = shot.spec(job, void, **({} if void is None else {"crop": "full"}))
        client.submit(spec)
        client.upload(spec, shot.files)


def at(stage: Stage) -> Callable[[JobStatus], bool]:
    return lambda status: status.stage is stage


def ended(client: Client, job: str) -> JobStatus:
    status = client.watch(job)
    while status.state not in ENDED:
        status = client.watch(job, status.revision, 5.0)
    return status


def starts(folder: Path) -> list[str]:
    """The jobs in the order in which they were begun."""
    return re.findall(r"job (\S+) starts on", (folder / "data" / "server.log").read_text())


def one_waits_for_the_other(client: Client, shot: ShotOnDisk, staged: StagedWorkers) -> None:
    """FIRST has the model until it is let go, SECOND is prepared."""
    staged.hold(FIRST, Stage.PASS1)
    give(client, shot, FIRST, SECOND)
    wait_for(client, FIRST, at(Stage.PASS1))
    wait_for(client, SECOND, at(Stage.LOAD))


def test_two_jobs_at_once_have_the_bits_of_each_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = StagedWorkers(tmp_path, monkeypatch, echo=False)
    shots = {
        FIRST: make_shot(tmp_path / "first", frames=3, size=(48, 72)),
        SECOND: make_shot(tmp_path / "second", frames=4, size=(40, 64), seed=1),
    }
    specs = {
        FIRST: shots[FIRST].spec(FIRST, BOTH, crop="full"),
        SECOND: shots[SECOND].spec(SECOND, BOTH, crop="full", detail="borrow"),
    }

    def made(client: Client, job: str) -> tuple[dict[Role, dict[int, bytes]], dict[str, str]]:
        record = wait_for(client, job, done).record
        frames = {
            role: bring(client, specs[job], role, tmp_path / "home") for role in (Role.PASS1, Role.RESULT)
        }
        client.purge(job)
        return frames, {name: value for name, value in record.items() if name != "seconds"}

    def give_one(client: Client, job: str) -> None:
        client.submit(specs[job])
        client.upload(specs[job], shots[job].files)

    with servers(tmp_path / "data") as start, Client(start().address) as client:
        alone = {}
        for job in specs:
            give_one(client, job)
            alone[job] = made(client, job)
        staged.hold(FIRST, Stage.PASS1)
        for job in specs:
            give_one(client, job)
        wait_for(client, SECOND, at(Stage.LOAD))  # read, checked and cropped meanwhile
        staged.hold(FIRST, Stage.ENCODE)
        staged.let_go(FIRST, Stage.PASS1)
        staged.hold(SECOND, Stage.PASS2)
        wait_for(client, SECOND, at(Stage.PASS2))  # while the first is written
        assert client.watch(FIRST).state is State.RUNNING
        staged.let_go(FIRST, Stage.ENCODE)
        wait_for(client, FIRST, done)
        staged.let_go(SECOND, Stage.PASS2)
        for job in specs:
            assert len(alone[job][0][Role.PASS1]) == len(specs[job].frames)
            assert made(client, job) == alone[job]


def test_a_third_job_waits_until_one_is_gone(
    client: Client, shot: ShotOnDisk, staged: StagedWorkers, tmp_path: Path
) -> None:
    one_waits_for_the_other(client, shot, staged)
    give(client, shot, THIRD)
    assert client.watch(THIRD).queue_place == 1
    staged.hold(FIRST, Stage.ENCODE)
    staged.let_go(FIRST, Stage.PASS1)
    wait_for(client, FIRST, at(Stage.ENCODE))
    wait_for(client, SECOND, lambda status: status.stage in (Stage.FILL, Stage.ENCODE) or done(status))
    staged.let_go(FIRST, Stage.ENCODE)
    for job in (FIRST, SECOND, THIRD):
        wait_for(client, job, done)
    assert starts(tmp_path) == [FIRST, SECOND, THIRD]


def test_drafts_are_done_one_after_the_other_and_beside_a_job_with_the_model(
    client: Client, shot: ShotOnDisk, staged: StagedWorkers
) -> None:
    staged.hold(FIRST, Stage.PASS1)
    staged.hold(SECOND, Stage.FILL)
    give(client, shot, FIRST)
    give(client, shot, SECOND, THIRD, void=None)
    wait_for(client, SECOND, at(Stage.FILL))
    staged.let_go(FIRST, Stage.PASS1)
    wait_for(client, FIRST, done)
    assert client.watch(THIRD).queue_place == 1
    staged.let_go(SECOND, Stage.FILL)
    wait_for(client, THIRD, done)


def test_one_job_at_a_time_where_the_server_is_told_so(
    shot: ShotOnDisk, staged: StagedWorkers, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOID_JOBS_PER_WORKER", "1")
    with Client(start_server().address) as client:
        staged.hold(FIRST, Stage.ENCODE)
        give(client, shot, FIRST, SECOND)
        wait_for(client, FIRST, at(Stage.ENCODE))
        assert client.watch(SECOND).queue_place == 1
        staged.let_go(FIRST, Stage.ENCODE)
        wait_for(client, SECOND, done)


def test_either_is_cancelled_at_once_and_the_other_goes_on(
    client: Client, shot: ShotOnDisk, staged: StagedWorkers, tmp_path: Path
) -> None:
    begun = []
    for first_at, second_at in ((Stage.PASS1, Stage.LOAD), (Stage.ENCODE, Stage.PASS1)):
        for stopped in (0, 1):
            jobs = [f"{name}-{first_at.name}-{stopped}" for name in ("first", "second")]
            begun += jobs
            staged.hold(jobs[0], first_at)
            staged.hold(jobs[1], Stage.PASS1)
            give(client, shot, *jobs)
            wait_for(client, jobs[0], at(first_at))
            wait_for(client, jobs[1], at(second_at))
            client.cancel(jobs[stopped])
            assert ended(client, jobs[stopped]).state is State.CANCELLED
            staged.let_go(jobs[0], first_at)
            staged.let_go(jobs[1], Stage.PASS1)
            wait_for(client, jobs[1 - stopped], done)
    assert starts(tmp_path) == begun  # nobody had to be killed for it


def test_rubbish_beside_a_job_fails_alone(client: Client, shot: ShotOnDisk, staged: StagedWorkers) -> None:
    staged.hold(FIRST, Stage.PASS1)
    give(client, shot, FIRST)
    wait_for(client, FIRST, at(Stage.PASS1))
    shot.path(Role.PLATE, 1002).write_bytes(b"\x76\x2f\x31\x01 and nothing of a picture")
    give(client, shot, SECOND)
    failed = ended(client, SECOND)
    assert (failed.state, failed.error_code) == (State.FAILED, "shot.unsupported_image")
    staged.let_go(FIRST, Stage.PASS1)
    wait_for(client, FIRST, done)


@unix
def test_a_clean_stop_leaves_both_and_the_next_start_does_them(
    server: LocalServer,
    start_server: StartServer,
    shot: ShotOnDisk,
    staged: StagedWorkers,
    tmp_path: Path,
) -> None:
    with Client(server.address) as client:
        one_waits_for_the_other(client, shot, staged)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=30) == 0
        with closing(sqlite3.connect(tmp_path / "data" / "jobs.sqlite")) as database:
            assert database.execute("SELECT state, alone FROM jobs").fetchall() == [("queued", 0)] * 2
        staged.let_go(FIRST, Stage.PASS1)
        start_server(server.address)
        for job in (FIRST, SECOND):
            wait_for(client, job, done)


@unix
def test_a_worker_that_is_killed_costs_neither_a_try_and_each_is_done_alone(
    server: LocalServer,
    start_server: StartServer,
    shot: ShotOnDisk,
    staged: StagedWorkers,
    tmp_path: Path,
) -> None:
    with Client(server.address) as client:
        one_waits_for_the_other(client, shot, staged)
        (worker,) = psutil.Process(server.process.pid).children()
        worker.kill()
        wait_for(client, SECOND, lambda status: status.state is State.QUEUED)
        wait_for(client, FIRST, at(Stage.PASS1))
        assert client.watch(SECOND).queue_place == 1
        server.process.kill()  # what is known of them outlives the server
        server.process.wait()
        again = start_server(server.address)
        wait_for(client, FIRST, at(Stage.PASS1))
        assert client.watch(SECOND).queue_place == 1
        staged.let_go(FIRST, Stage.PASS1)
        for job in (FIRST, SECOND):
            wait_for(client, job, done)
        again.process.kill()
        again.process.wait()
    with closing(sqlite3.connect(tmp_path / "data" / "jobs.sqlite")) as database:
        assert database.execute("SELECT lost, alone FROM jobs").fetchall() == [("", 1)] * 2


@unix
def test_a_job_that_ends_its_worker_fails_and_the_one_beside_it_is_done(
    client: Client, shot: ShotOnDisk, staged: StagedWorkers, tmp_path: Path
) -> None:
    for guilty in (0, 1):
        jobs = [f"first-guilty-{guilty}", f"second-guilty-{guilty}"]
        staged.hold(jobs[0], Stage.PASS1)
        give(client, shot, *jobs)
        wait_for(client, jobs[0], at(Stage.PASS1))
        wait_for(client, jobs[1], at(Stage.LOAD))
        staged.die(jobs[guilty], Stage.PASS1)
        if guilty == 1:
            staged.die(jobs[1], Stage.LOAD)
            staged.let_go(jobs[0], Stage.PASS1)
        failed = ended(client, jobs[guilty])
        assert (failed.state, failed.error_code) == (State.FAILED, "engine.worker_died")
        assert "first with signal 9, and when the job was tried again with signal 9" in failed.error
        wait_for(client, jobs[1 - guilty], done)
        begun = starts(tmp_path)
        assert begun.count(jobs[guilty]) == 3  # with the other, and alone twice
        assert begun.count(jobs[1 - guilty]) <= 2


@unix
def test_a_driver_fault_ends_the_process_before_the_next_job_has_the_model(
    client: Client, shot: ShotOnDisk, staged: StagedWorkers, tmp_path: Path
) -> None:
    one_waits_for_the_other(client, shot, staged)
    staged.driver_fault(FIRST, Stage.PASS1)
    for job in (FIRST, SECOND):
        wait_for(client, job, done)
    log = (tmp_path / "data" / "server.log").read_text()
    assert log.count("its worker ended with exit code 70") == 2


def test_a_job_without_memory_beside_another_is_done_alone(
    client: Client, shot: ShotOnDisk, staged: StagedWorkers, tmp_path: Path
) -> None:
    staged.hold(FIRST, Stage.PASS1)
    staged.memory_error(SECOND, Stage.DECODE)
    give(client, shot, FIRST, SECOND)
    wait_for(client, SECOND, lambda status: status.queue_place == 1 and starts(tmp_path) == [FIRST, SECOND])
    staged.memory_error(SECOND, Stage.PASS1)
    staged.let_go(FIRST, Stage.PASS1)
    failed = ended(client, SECOND)
    assert (failed.state, failed.error_code) == (State.FAILED, "engine")
    assert "worker_memory_gb" in failed.error
    assert client.watch(FIRST).state is State.DONE


def test_a_job_that_waits_for_the_model_goes_to_a_worker_that_is_free(
    shot: ShotOnDisk,
    staged: StagedWorkers,
    start_server: StartServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("VOID_DEVICE", "cpu, cpu")
    with Client(start_server().address) as client:
        for job in (FIRST, SECOND):
            staged.hold(job, Stage.PASS1)
            give(client, shot, job)
            wait_for(client, job, at(Stage.PASS1))
        give(client, shot, THIRD)
        wait_for(client, THIRD, at(Stage.LOAD))
        staged.let_go(SECOND, Stage.PASS1)
        wait_for(client, THIRD, done)
        assert client.watch(FIRST).stage is Stage.PASS1
        staged.let_go(FIRST, Stage.PASS1)
        wait_for(client, FIRST, done)
    assert starts(tmp_path) == [FIRST, SECOND, THIRD, THIRD]
