"""What a server takes no more of: each refusal is one sentence with value, limit, option and next step."""

import dataclasses
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from real_shots import ShotOnDisk, StartServer, make_shot, servers

from void_server.config import Config
from void_server.frames import exr
from void_server.frames.exr import write_frame
from void_server.jobs import JobStore
from void_server.limits import Limits
from void_server.own_jobs import OwnJobs
from void_server.uploads import Uploads
from void_wire import codec, messages, sockets
from void_wire.client import Client
from void_wire.errors import ServerBusy, SettingsError, VoidError
from void_wire.messages import (
    PROTOCOL_VERSION,
    FrameAck,
    FrameHeader,
    FrameRange,
    FrameRefused,
    JobSpec,
    Role,
    State,
)

INSTALL = Path(__file__).parents[2] / "install" / "README.md"
FIXED = {
    "MAX_REQUEST_BYTES": codec.MAX_REQUEST_BYTES,
    "MAX_IMAGE_MB": exr.MAX_IMAGE_MB,
    "MAX_SIDE_PX": exr.MAX_SIDE_PX,
    "MAX_CHANNELS": exr.MAX_CHANNELS,
    "MAX_TEXT": messages.MAX_TEXT,
}


def spec(job: str = "job-00001", frames: int = 2) -> JobSpec:
    return JobSpec(
        job=job, shot="s", engine="draft", frames=FrameRange(1, frames), roles=(Role.PLATE, Role.REMOVE)
    )


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Without keys."""
    with servers(tmp_path / "data") as start:
        yield start


@pytest.mark.parametrize(
    ("limits", "given", "says"),
    [
        (Limits(frames_per_job=9), {}, ("10 frames", "takes 9", "frames_per_job", "split the shot")),
        (Limits(queue=3), {"unfinished": 3}, ("holds 3", "queue_limit 3", "void cancel")),
        (Limits(jobs_per_key=2), {"own_unfinished": 2}, ("have 2", "jobs_per_key 2", "void cancel")),
        (
            Limits(quota_bytes=2 * 10**9),
            {"own_bytes": 2 * 10**9},
            ("hold 2.00 GB", "may have 2 GB", "quota_gb", "void jobs --purge"),
        ),
    ],
)
def test_a_job_over_a_limit(limits: Limits, given: dict[str, int], says: tuple[str, ...]) -> None:
    none = {"unfinished": 0, "own_unfinished": 0, "own_bytes": 0}
    limits.check_job(spec(frames=9), **none)
    with pytest.raises((SettingsError, ServerBusy)) as raised:
        limits.check_job(spec(frames=10), **{**none, **given})
    for words in says:
        assert words in str(raised.value)
    for name, value in given.items():  # one less is taken
        limits.check_job(spec(frames=9), **{**none, name: value - 1})


def test_a_key_s_limit_is_its_own(tmp_path: Path) -> None:
    store = JobStore(tmp_path, limits=Limits(queue=3, jobs_per_key=1), changed=lambda job: None)
    anna, ben = OwnJobs(store, "aa" * 32), OwnJobs(store, "bb" * 32)
    anna.submit(spec("annas-job-1"))
    anna.submit(spec("annas-job-1"))  # the same job is no other
    with pytest.raises(ServerBusy, match="jobs_per_key 1"):
        anna.submit(spec("annas-job-2"))
    ben.submit(spec("bens-job-1"))
    store.move("annas-job-1", State.CANCELLED)
    anna.submit(spec("annas-job-2"))


def test_frames_over_a_key_s_quota_are_refused_until_there_is_room(tmp_path: Path) -> None:
    payload = bytes(1000)
    store = JobStore(tmp_path, limits=Limits(quota_bytes=2500), changed=lambda job: None)
    anna, ben = OwnJobs(store, "aa" * 32), OwnJobs(store, "bb" * 32)

    def sent(jobs: OwnJobs, job: str, frame: int) -> FrameAck | FrameRefused:
        header = FrameHeader(job, Role.PLATE, frame, len(payload), codec.digest(payload))
        return Uploads(jobs, 10**6).take(header, memoryview(payload))

    anna.submit(spec("annas-job-1", 3))
    ben.submit(spec("bens-job-1"))
    assert all(isinstance(sent(anna, "annas-job-1", frame), FrameAck) for frame in (1, 2, 2, 1))
    refused = sent(anna, "annas-job-1", 3)
    assert isinstance(refused, FrameRefused)
    assert (refused.code, "quota_gb" in refused.sentence) == ("server_busy", True)
    assert not store.folder("annas-job-1").frame(Role.PLATE, 3).exists()
    assert isinstance(sent(ben, "bens-job-1", 1), FrameAck)
    store.move("annas-job-1", State.CANCELLED)
    assert anna.purge("annas-job-1") == 2000
    anna.submit(spec("annas-job-2", 3))
    assert isinstance(sent(anna, "annas-job-2", 3), FrameAck)


def test_every_limit_is_in_the_table_as_it_is() -> None:
    section = INSTALL.read_text(encoding="utf-8").split("\n## Limits\n")[1].split("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if "|" in line
    ][2:]
    written = {row[1].strip("`"): row[2] for row in rows}
    fields = {field.name: field.default for field in dataclasses.fields(Config)}
    options = {
        "max_frame_mb", "frames_per_job", "jobs_per_key", "queue_limit", "quota_gb", "max_connections", "credit",
        "jobs_per_worker", "worker_memory_gb", "keep_days", "keep_gb", "receive_hours",
    }  # fmt: skip
    assert {name: re.match(r"\d*", text)[0] for name, text in written.items()} == {  # type: ignore[index]
        **{name: str(fields[name]) for name in options},
        **{name: str(value) for name, value in FIXED.items()},
    }
    assert {name for name, value in fields.items() if type(value) is int} <= options | {
        "metrics_port",
        "exit_with",
        "idle_exit_s",
    }


@pytest.mark.skipif(sys.platform != "linux", reason="counts in /proc")
def test_connections_are_bounded_and_silent_ones_make_room(
    start_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOID_MAX_CONNECTIONS", "12")
    server = start_server(weights=None)

    def connections() -> int:
        found = 0
        for descriptor in Path(f"/proc/{server.process.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                found += str(descriptor.readlink()).startswith("socket:")
        return found

    with Client(server.address) as first, ExitStack() as stack:
        first.submit(spec())
        before = connections()
        for data in (False, True):
            address = sockets.data_address(server.address) if data else server.address
            for _ in range(100):
                stack.enter_context(socket.create_connection(sockets.host_and_port(address)))
        hung_up_by = time.monotonic() + 4  # sooner than a handshake runs out
        while connections() - before > 2 * 12 and time.monotonic() < hung_up_by:
            time.sleep(0.05)
        assert connections() - before <= 2 * 12
        assert first.watch("job-00001").state is State.RECEIVING  # who has spoken keeps its place
        with Client(server.address, patience_s=10) as another:  # and who comes has that of a silent one
            assert another.connect().protocol == PROTOCOL_VERSION
        stack.close()
    log = (tmp_path / "data" / "server.log").read_text()
    assert "has 12 connections, its limit (max_connections)" in log


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux")
def test_a_picture_over_the_worker_s_memory_costs_its_job_alone(
    start_server: StartServer, shot: ShotOnDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOID_WORKER_MEMORY_GB", "1")
    server = start_server(weights=None)
    huge = make_shot(tmp_path / "huge", frames=1, size=(16, 32))
    frame, black = huge.frames.first, np.zeros((7800, 7800, 3), np.float32)
    # 730 MB, under OpenImageIO's limit of 768
    write_frame(huge.path(Role.PLATE, frame), frame, black, "RGB", compression="rle")
    with Client(server.address) as client:
        for job, one in (("huge-job-1", huge), ("small-job-1", shot)):
            wanted = replace(one.spec(job), frames=one.frames)
            client.submit(wanted)
            client.upload(wanted, one.files)
            status = client.watch(job)
            while status.state not in (State.DONE, State.FAILED):
                status = client.watch(job, status.revision, 5.0)
            if one is huge:
                assert (status.state, status.error_code) == (State.FAILED, "engine")
                assert "worker may take, 1 GB (worker_memory_gb)" in status.error
            else:
                assert status.state is State.DONE, status.error


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone counts so")
@pytest.mark.parametrize(("driver", "asked_gb"), [(True, 0), (True, 3), (False, 0), (False, 3)])
def test_beside_an_nvidia_driver_memory_is_bound_where_it_is_asked_for(
    tmp_path: Path, driver: bool, asked_gb: int
) -> None:
    import resource  # Unix alone has it

    if driver:
        (tmp_path / "nvidia").touch()
    script = (
        "import resource; from pathlib import Path; from void_server import worker_memory as own;"
        f"own.NVIDIA = Path({str(tmp_path / 'nvidia')!r}); told = own.limit_memory({asked_gb} << 30);"
        "print(told, resource.getrlimit(resource.RLIMIT_DATA)[0])"
    )
    told, bound = map(
        int, subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.PIPE).stdout.split()
    )
    if asked_gb:
        assert told == bound == asked_gb << 30
    elif driver:
        assert (told, bound) == (0, resource.getrlimit(resource.RLIMIT_DATA)[0])
    else:
        assert told == bound > 1 << 28


def test_config_bounds_each_limit() -> None:
    for name, value in (
        ("jobs_per_key", 0),
        ("frames_per_job", 20_001),
        ("max_connections", 7),
        ("keep_days", -1),
    ):
        with pytest.raises(SettingsError, match=rf"{name} is {value}; it goes from"):
            Config(**{name: value})  # type: ignore[arg-type]


def test_a_server_refuses_by_its_own_limits(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOID_FRAMES_PER_JOB", "3")
    monkeypatch.setenv("VOID_JOBS_PER_KEY", "1")
    server = start_server(weights=None)
    said = []
    with Client(server.address) as client:
        for one in (spec("job-00001", 4), spec("job-00001", 3), spec("job-00002", 3)):
            try:
                client.submit(one)
                said.append("")
            except VoidError as error:
                said.append(f"{error.code}: {error}")
    assert said[0].startswith("settings: Job job-00001 has 4 frames and this server takes 3")
    assert said[1] == ""
    assert said[2].startswith("server_busy: You have 1 unfinished jobs here")
