"""Whether memory grows with the shot: a UHD job at several lengths, everything but the model."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from void_server.bench.row import Row
from void_server.engine.void import Decoded
from void_server.frames.exr import write_frame
from void_server.job_folder import MADE_ROLES, JobFolder
from void_server.progress import Progress, unwatched
from void_server.removal import Machine, Removal
from void_server.scene import Scene
from void_server.worker import ALLOCATION
from void_wire.messages import FrameRange, JobSpec, PictureSettings, Role, VoidSettings

UHD = (2160, 3840)
LENGTHS = (8, 40, 200)
ASKED = 1000
RENDERED = 13
"""Different frames; the shot runs through them back and forth."""
GOAL_GB, GOAL_S = 3.0, 2.5


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


def rows() -> list[Row]:
    """Peak memory at `ASKED` frames as `LENGTHS` foretell it, and seconds a frame; about ten minutes.

    The peaks differ by what happens to be in flight, so a line is laid through them (least squares).
    """
    with tempfile.TemporaryDirectory(prefix="void-long-") as folder:
        render(Path(folder), UHD)
        os.environ.update(ALLOCATION)  # of what is spawned: the worker has it too
        spawn = multiprocessing.get_context("spawn")
        seen = []
        for frames in LENGTHS:  # each in a process of its own: memory that was used is not given back
            with spawn.Pool(1) as pool:
                seen.append(pool.apply(measure, (Path(folder), frames)))
    lengths, every_peak = [one.frames for one in seen], [one.peak_gb for one in seen]
    growth, none = np.polyfit(lengths, every_peak, 1)
    foretold = max(*every_peak, float(none + growth * ASKED))
    seconds = (seen[-1].seconds - seen[0].seconds) / (lengths[-1] - lengths[0])
    peaks = ", ".join(f"{one.peak_gb:.2f} GB at {one.frames} frames" for one in seen)
    return [
        Row(f"long, memory at UHD, {ASKED} frames", foretold, "GB", None, None, f"at most {GOAL_GB:.0f} GB",
            foretold <= GOAL_GB, f"from {peaks}; beside the model, files not counted"),
        Row("long, time at UHD", seconds, "s a frame", None, None, f"at most {GOAL_S} s", seconds <= GOAL_S,
            f"detail {PictureSettings().detail}, grain; no model; cores {os.cpu_count()}"),
    ]  # fmt: skip


def render(folder: Path, size: tuple[int, int]) -> None:
    """`RENDERED` plates and mattes of ``size`` (height, width), for `measure`."""
    scene = Scene(*size, RENDERED, travel=0.1, grain=0.01)
    for index in range(RENDERED):
        write_frame(folder / f"plate.{index}", index, scene.plate(index).astype(np.float16), "RGB")
        matte = np.maximum(scene.remove(index), scene.affected(index))
        write_frame(folder / f"remove.{index}", index, matte[..., None].astype(np.float16), "A")


def measure(rendered: Path, frames: int) -> Seen:
    """One job, in this process."""
    spec = JobSpec("0" * 32, "long", "void", FrameRange(1, frames), (Role.PLATE, Role.REMOVE),
                   picture=PictureSettings(colorspace="lin_rec709"), void=VoidSettings(), prompt="a room")  # fmt: skip
    around = [*range(RENDERED), *range(RENDERED - 2, 0, -1)]
    with tempfile.TemporaryDirectory(prefix="void-long-job-") as path:
        folder = JobFolder(Path(path) / "job")
        folder.make((*spec.roles, *MADE_ROLES))
        for position, frame in enumerate(spec.frames.numbers()):
            for role in spec.roles:
                source = rendered / f"{role.value}.{around[position % len(around)]}"
                os.link(source, folder.frame(role, frame))

        def made(role: Role, frame: int, path: Path) -> None:
            path.unlink()  # as it would be home by then; the disk is not what is measured

        removal = Removal(Machine(Path(), None, "cpu", "auto"), Echo())
        with _Memory() as memory:
            began = time.perf_counter()
            removal.remove(spec, folder, unwatched, made)
            return Seen(frames, memory.peak_bytes / 1e9, time.perf_counter() - began)


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
