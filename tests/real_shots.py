"""Small shots on disk, the command line and the client as a user has them: for tests with real servers."""

import contextlib
import io
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from void_server import cli, local_server
from void_server.bench.small_shot import METADATA, ShotOnDisk, make_shot
from void_server.local_server import LocalServer
from void_wire.client import ENDED, Client
from void_wire.messages import JobSpec, JobStatus, Role, State

__all__ = [
    "METADATA",
    "TINY_MODEL",
    "ShotOnDisk",
    "StartServer",
    "bring",
    "done",
    "make_shot",
    "running",
    "servers",
    "void",
    "void_process",
    "wait_for",
]

StartServer = Callable[..., LocalServer]
TINY_MODEL = Path(__file__).parent / "golden" / "portable" / "model"


@contextlib.contextmanager
def servers(data_dir: Path) -> Iterator[StartServer]:
    """Starts servers on one data folder, each in a process of its own; whatever still runs at the end is killed."""
    started: list[LocalServer] = []

    def start(address: str = "tcp://127.0.0.1:0", weights: Path | None = TINY_MODEL) -> LocalServer:
        server = local_server.start(address, data_dir=data_dir, weights=weights, idle_exit_s=0)
        started.append(server)
        return server

    try:
        yield start
    finally:
        for server in started:
            if server.process.poll() is None:
                server.process.kill()  # its worker ends with it, in the middle of a step
                server.process.wait()


def void(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command line in this process: its exit code and what it says are a user's, and it starts faster."""
    command = ["void", *map(str, arguments)]
    said, complained = io.StringIO(), io.StringIO()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    exit_code: object = 0
    try:
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(complained),
        ):
            patch.setattr(sys, "argv", command)
            try:
                cli.main()
            except SystemExit as end:
                exit_code = end.code or 0
            except Exception:
                traceback.print_exc()
                exit_code = 1
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert isinstance(exit_code, int)
    return subprocess.CompletedProcess(command, exit_code, said.getvalue(), complained.getvalue())


def void_process(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does, in a process of its own."""
    command = [sys.executable, "-m", "void_server.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def bring(client: Client, spec: JobSpec, role: Role, folder: Path) -> dict[int, bytes]:
    """Every frame of ``role``, as bytes."""
    folder.mkdir(exist_ok=True)
    suffix = "png" if role is Role.OVERLAY else "exr"
    ready = client.watch(spec.job).ready.get(role, [])
    homes = client.fetch(spec.job, role, ready, lambda n: folder / f"{n}.{suffix}")
    return {frame: path.read_bytes() for frame, path in homes}


def send(client: Client, shot: ShotOnDisk, *jobs: str) -> None:
    """Have the server receive jobs of engine draft."""
    for job in jobs:
        spec = shot.spec(job)
        client.submit(spec)
        client.upload(spec, shot.files)


def wait_for(client: Client, job: str, until: Callable[[JobStatus], bool]) -> JobStatus:
    """The job's status once it is as ``until`` says; it fails when the job has ended as something else."""
    status = client.watch(job)
    while not until(status):
        assert status.state not in ENDED, f"{job} is {status.state.value}: {status.error}"
        status = client.watch(job, status.revision, 5.0)
    return status


def done(status: JobStatus) -> bool:
    return status.state is State.DONE


def running(status: JobStatus) -> bool:
    """The job is in its worker's hands."""
    return status.stage is not None
