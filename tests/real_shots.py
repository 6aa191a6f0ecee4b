"""Small shots on disk, the command line and the client as a user has them: for tests with real servers."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from void_server import local_server
from void_server.frames.exr import write_frame
from void_server.frames.geometry import Box
from void_server.local_server import LocalServer
from void_wire.client import ENDED, Client
from void_wire.messages import FrameRange, JobSpec, JobStatus, PictureSettings, Role, State, VoidSettings

StartServer = Callable[..., LocalServer]
METADATA: dict[str, str | float] = {"nuke/node": "vfx", "framesPerSecond": 24.0}
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
                server.process.send_signal(signal.SIGTERM)
                try:
                    server.process.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    server.process.kill()
                    server.process.wait()


@dataclass(frozen=True)
class ShotOnDisk:
    """Plate, remove and affected matte of a small shot, and the job that asks for it."""

    folder: Path
    frames: FrameRange

    def pattern(self, role: Role) -> str:
        return str(self.folder / f"{role.value}.%04d.exr")

    def path(self, role: Role, frame: int) -> Path:
        return self.folder / f"{role.value}.{frame:04d}.exr"

    @property
    def files(self) -> dict[Role, dict[int, Path]]:
        roles = (Role.PLATE, Role.REMOVE, Role.AFFECTED)
        return {role: {n: self.path(role, n) for n in self.frames.numbers()} for role in roles}

    def spec(self, job: str, void: VoidSettings | None = None, **picture: object) -> JobSpec:
        """A job of engine draft, or with ``void`` of that engine, whose answers then come back as they are."""
        if void is not None:
            picture = {"detail": "raw", **picture}
        return JobSpec(
            job=job,
            shot="shot",
            engine="draft" if void is None else "void",
            frames=self.frames,
            roles=(Role.PLATE, Role.REMOVE, Role.AFFECTED),
            prompt="an empty room",
            picture=PictureSettings(colorspace="lin_rec709", **picture),  # type: ignore[arg-type]
            void=void,
        )


def make_shot(
    folder: Path,
    frames: int = 6,
    size: tuple[int, int] = (64, 96),
    seed: int = 0,
    metadata: dict[str, str | float] = METADATA,
) -> ShotOnDisk:
    """A textured plate with a depth channel whose data window is smaller than its display window, and a
    square that wanders through it."""
    folder.mkdir(parents=True, exist_ok=True)
    shot = ShotOnDisk(folder, FrameRange(1001, 1000 + frames))
    random = np.random.default_rng(seed)
    height, width = size
    texture = random.random((height, width, 3)) * 0.5 + 0.1
    inset = 4 if min(size) > 16 else 0
    for index, frame in enumerate(shot.frames.numbers()):
        plate, matte = texture.copy(), np.zeros(size, np.float16)
        x = width // 4 + index * max(1, width // 48)
        box = np.s_[height // 3 : 2 * height // 3, x : x + width // 6]
        plate[box], matte[box] = (4.0, 0.2, 0.1), 1.0
        depth = random.random((height, width, 1)) * 100
        pixels = np.concatenate([plate, depth], axis=2)[inset:, inset:].astype(np.float16)
        write_frame(
            shot.path(Role.PLATE, frame),
            frame,
            pixels,
            ("R", "G", "B", "Z"),
            display=Box(0, 0, width, height),
            origin=(inset, inset),
            metadata=metadata,
        )
        write_frame(shot.path(Role.REMOVE, frame), frame, matte[..., None], "A")
        shadow = np.roll(matte, height // 4, axis=0)
        write_frame(shot.path(Role.AFFECTED, frame), frame, shadow[..., None], "A")
    return shot


def void(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does."""
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
