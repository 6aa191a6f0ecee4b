"""A job of frames that lie on disk, in a process of its own, with its memory watched: no server, no sockets."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from void_server.engine.void import Decoded
from void_server.frames.exr import write_frame
from void_server.job_folder import MADE_ROLES, JobFolder
from void_server.progress import Progress, unwatched
from void_server.removal import Machine, Removal
from void_server.scene import Scene
from void_server.worker import ALLOCATION
from void_wire.messages import FrameRange, JobSpec, PictureSettings, Role, VoidSettings

UHD = (2160, 3840)
RENDERED = 13
"""Different frames of `travelling`; a longer shot runs through them back and forth."""


class Echo:
    """An engine that gives back what it is shown, in both passes."""

    def __init__(self) -> None:
        self.record = {"engine": "echo"}

    def remove(
        self,
        plate: NDArray[np.float32],
        quadmask: NDArray[np.uint8],
        prompt: str,
        settings: VoidSettings,
        progress: Progress = unwatched,
        milestones: Path | None = None,
        noise_at: int = 0,
    ) -> Iterator[Decoded]:
        """Both passes."""
        for number in range(1, settings.passes + 1):
            for first in range(0, len(plate), 8):
                yield Decoded(number, first, np.array(plate[first : first + 8]))


@dataclass(frozen=True)
class Seen:
    """Of one job."""

    frames: int
    peak_gb: float  # memory of its own at most, above what the process had before
    seconds: float


def travelling(size: tuple[int, int]) -> Scene:
    """`RENDERED` frames of ``size`` (height, width)."""
    return Scene(*size, RENDERED, travel=0.1, grain=0.01)


def there_and_back(frames: int) -> list[int]:
    """So many pictures of `travelling`."""
    return list(islice(cycle([*range(RENDERED), *range(RENDERED - 2, 0, -1)]), frames))


def render(folder: Path, scene: Scene) -> None:
    """Plates and mattes of ``scene``, for `measure`."""
    for index in range(scene.frames):
        write_frame(folder / f"plate.{index}", index, scene.plate(index).astype(np.float16), "RGB")
        matte = np.maximum(scene.remove(index), scene.affected(index))
        write_frame(folder / f"remove.{index}", index, matte[..., None].astype(np.float16), "A")


def measure(rendered: Path, pictures: Sequence[int], engine: str) -> Seen:
    """One job whose frames show ``pictures`` of what was rendered; engine "void" is `Echo`, "draft" the real one.

    In a process of its own, since memory that was used is not given back, which allocates as a worker does.
    """
    os.environ.update(ALLOCATION)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (rendered, pictures, engine))


def _measure(rendered: Path, pictures: Sequence[int], engine: str) -> Seen:
    model = engine == "void"
    spec = JobSpec("0" * 32, "bench", engine, FrameRange(1, len(pictures)), (Role.PLATE, Role.REMOVE),
                   picture=PictureSettings(colorspace="lin_rec709"), void=VoidSettings() if model else None,
                   prompt="a room" if model else "")  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="void-job-") as path:
        folder = JobFolder(Path(path) / "job")
        folder.make((*spec.roles, *MADE_ROLES))
        for frame, picture in zip(spec.frames.numbers(), pictures, strict=True):
            for role in spec.roles:
                os.link(rendered / f"{role.value}.{picture}", folder.frame(role, frame))

        def made(role: Role, frame: int, path: Path) -> None:
            path.unlink()  # as it would be home by then; the disk is not what is measured

        removal = Removal(Machine(Path(), None, "cpu", "auto"), Echo() if model else None)
        with _Memory() as memory:
            began = time.perf_counter()
            removal.remove(spec, folder, unwatched, made)
            return Seen(len(pictures), memory.peak_bytes / 1e9, time.perf_counter() - began)


class _Memory:
    """Watches this process's own memory: mapped files, which the system takes back when it needs to, are not it."""

    def __enter__(self) -> _Memory:
        self._before, self.peak_bytes = _own_bytes(), 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.05):
            self.peak_bytes = max(self.peak_bytes, _own_bytes() - self._before)


def _own_bytes() -> int:
    memory = psutil.Process().memory_info()
    return int(memory.rss - getattr(memory, "shared", 0))
