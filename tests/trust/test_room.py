"""A full disk or quota makes jobs wait, with the sentence, and go on by themselves; what there was is kept."""

import contextlib
import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from held_workers import HeldWorkers
from real_shots import ShotOnDisk, StartServer, done, running, send, servers, void, wait_for

from void_server.config import Config
from void_server.jobs import NOBODY, JobStore
from void_server.limits import Limits
from void_server.room import Room, told_when_full
from void_server.server import Server
from void_server.waiting import Waiting
from void_server.worker import Worker
from void_wire.client import Client
from void_wire.errors import ServerBusy
from void_wire.messages import JobStatus, Role, State

MIB = 2**20
pytestmark = pytest.mark.timeout(150)  # whoever waits for ever fails


class Disk:
    """A file system of 24 MiB in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, leave_bytes: int) -> None:
        """Have somebody else's file take all but this much, to the block."""
        free = os.statvfs(self.folder).f_bavail * os.statvfs(self.folder).f_frsize
        with self._filler.open("ab") as file:
            os.posix_fallocate(file.fileno(), file.tell(), max(1, free - leave_bytes))

    def free(self) -> None:
        """Remove it again."""
        self._filler.unlink()

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """There is no room at all meanwhile."""
        self.fill(0)
        yield
        self.free()

    @contextlib.contextmanager
    def read_only(self) -> Iterator[None]:
        """The jobs cannot be written meanwhile."""
        jobs = str(self.folder / "data" / "jobs")
        subprocess.run(["mount", "--bind", jobs, jobs], check=True)
        try:
            subprocess.run(["mount", "-o", "remount,ro,bind", jobs], check=True)
            yield
        finally:
            subprocess.run(["umount", jobs], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a file system is mounted by root on Linux")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], check=False)
    if mounted.returncode:
        pytest.skip("this container mounts nothing")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def start_server(disk: Disk, held: HeldWorkers) -> Iterator[StartServer]:
    """Starts servers on the small disk that ask for no keys."""
    with servers(disk.folder / "data") as start:
        yield start


@contextlib.contextmanager
def serving(data_dir: Path) -> Iterator[Server]:
    """A server on a thread of this process, to be meddled with."""
    with Server(Config(address="tcp://127.0.0.1:0", data_dir=str(data_dir), device="cpu")) as server:
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            yield server
        finally:
            server.stop()
            thread.join()


def waiting(status: JobStatus) -> bool:
    return bool(status.waits)


def test_an_upload_waits_for_room_and_goes_on(
    shot: ShotOnDisk, start_server: StartServer, held: HeldWorkers, disk: Disk
) -> None:
    told: list[str] = []
    spec = shot.spec("waits-job-1")
    with Client(start_server(weights=None).address) as client, Client(client.address) as other:
        client.submit(spec)
        disk.fill(9 * MIB // 2)

        def waits(sentence: str) -> None:
            if not told:
                assert other.watch(spec.job).waits == sentence
                listed = " ".join(void("jobs", "--server", client.address).stdout.split())
                assert "waits: The server cannot write to its data folder" in listed
                disk.free()
            told.append(sentence)

        client.upload(spec, shot.files, waits=waits)
        assert "to spare there" in told[0]
        held.let_go(spec.job)
        assert wait_for(client, spec.job, done).waits == ""


@pytest.mark.parametrize(("trouble", "says"), [(Disk.full, ""), (Disk.read_only, "Read-only file system")])
def test_a_job_whose_frames_find_no_room_is_queued_again_and_done_once_there_is(
    shot: ShotOnDisk,
    start_server: StartServer,
    held: HeldWorkers,
    disk: Disk,
    trouble: Callable[[Disk], contextlib.AbstractContextManager[None]],
    says: str,
) -> None:
    server = start_server(weights=None)
    with Client(server.address) as client:
        send(client, shot, "waits-job-1")
        wait_for(client, "waits-job-1", running)
        with trouble(disk):
            held.let_go("waits-job-1")
            stopped = wait_for(client, "waits-job-1", waiting)
            assert "void jobs --purge" in stopped.waits
            assert says in stopped.waits
        status = wait_for(client, "waits-job-1", done)
        assert (status.ready[Role.RESULT], status.error) == ([1001, 1002], "")
    log = (disk.folder / "data" / "server.log").read_text()
    assert log.count("job waits-job-1 waits: ") == 1
    assert not list(disk.folder.rglob("*.part"))


def test_what_fills_its_key_s_quota_waits_until_something_is_purged(
    shot: ShotOnDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = HeldWorkers(tmp_path, monkeypatch, at_start=False)
    held.let_go("first-job-1")
    with serving(tmp_path / "data") as server, Client(server.address) as client:
        send(client, shot, "first-job-1")
        wait_for(client, "first-job-1", done)
        sent = sum(path.stat().st_size for files in shot.files.values() for path in files.values())
        whole = server._store.held_bytes(NOBODY)
        server._store.limits = Limits(quota_bytes=whole + sent + 1000)  # not for a frame of the result
        send(client, shot, "waits-job-1")
        stopped = wait_for(client, "waits-job-1", waiting)
        assert "(quota_gb)" in stopped.waits
        wait_for(client, "waits-job-1", lambda status: status.state is State.QUEUED)
        assert client.watch("waits-job-1").queue_place == 0
        held.let_go("waits-job-1")
        client.purge("first-job-1")
        status = wait_for(client, "waits-job-1", done)
        assert len(status.ready[Role.RESULT]) == len(shot.frames)


def test_a_worker_that_cannot_be_started_costs_no_job(
    shot: ShotOnDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Worker] = []
    starts = Worker._start

    def start(worker: Worker) -> None:
        tried.append(worker)
        if len(tried) == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        starts(worker)

    monkeypatch.setattr(Worker, "_start", start)
    monkeypatch.setattr("void_server.waiting.AGAIN_S", 0.0)
    with serving(tmp_path / "data") as server, Client(server.address) as client:
        send(client, shot, "waits-job-1")
        assert "did not suffice" in wait_for(client, "waits-job-1", waiting).waits
        wait_for(client, "waits-job-1", done)
    assert len(tried) == 2


def test_void_fetch_on_a_full_disk_is_one_sentence_and_the_same_command_goes_on(
    shot: ShotOnDisk, start_server: StartServer, held: HeldWorkers, disk: Disk
) -> None:
    held.let_go("first-job-1")
    server = start_server(weights=None)
    out = disk.folder / "home" / "result.%04d.exr"
    with Client(server.address) as client:
        send(client, shot, "first-job-1")
        wait_for(client, "first-job-1", done)
        fetch = ("fetch", "first-job-1", "--out", out, "--server", server.address)
        result = disk.folder / "data" / "jobs" / "first-job-1" / "result"
        disk.fill(sum(path.stat().st_size for path in result.iterdir()) * 3 // 4)
        full = void(*fetch)
        assert (full.returncode, len(full.stderr.strip().splitlines())) == (1, 1)
        assert "cannot be written (No space left on device)" in full.stderr
        home = {path.name: path.stat().st_mtime_ns for path in out.parent.iterdir()}
        assert len(home) == 1
        disk.free()
        assert void(*fetch).returncode == 0
        again = {path.name: path.stat().st_mtime_ns for path in out.parent.iterdir()}
        assert (len(again), home.items() <= again.items()) == (2, True)


def test_a_job_that_waits_lets_others_pass_and_a_larger_need_stays(tmp_path: Path, shot: ShotOnDisk) -> None:
    store = JobStore(tmp_path / "data", limits=Limits(quota_bytes=10**6), changed=lambda job: None)
    for number in range(2):
        spec = shot.spec(f"job-0000{number}")
        store.submit(spec, f"{number}" * 64)
        store.add_frames(
            spec.job, {(role, n): "0" * 32 for role in spec.roles for n in spec.frames.numbers()}
        )
    looks = Waiting(store)
    assert looks.may_begin("job-00000")
    store.limits = Limits(quota_bytes=1)
    store._db.note("job-00000", Role.RESULT, 1, "0" * 32, 1000)  # what it made is over the quota
    assert not looks.may_begin("job-00000")
    assert (store.next_queued(), store.status("job-00000").queue_place) == ("job-00001", 0)
    looks.look()
    assert store.waiting()
    store.limits = Limits()
    Waiting(store).look()
    assert store.next_queued() == "job-00000"
    store.close()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_what_a_disk_does_not_take_is_no_bug(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ServerBusy, match="goes on by itself"), told_when_full():
        raise OSError(code, os.strerror(code))
    with pytest.raises(FileNotFoundError), told_when_full():
        (tmp_path / "none").read_bytes()

    def refuse(descriptor: int, offset: int, length: int) -> None:
        raise OSError(code, os.strerror(code))

    Room(tmp_path).probe(1000)
    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with pytest.raises(ServerBusy, match=os.strerror(code)):
        Room(tmp_path).probe(1000)
