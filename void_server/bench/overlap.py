"""Shots one after the other and two at once: what a GPU gains when the rest of a shot is done beside the next one's.

Server and worker are real; in place of the model is one that takes a GPU's time and none of the CPU's: as long as all
the rest of a shot takes, which at 1080p on two cores is about what it takes on a large GPU.
"""

from __future__ import annotations

import itertools
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from void_server.bench.disk_job import Echo, render, travelling
from void_server.bench.row import Row
from void_server.bench.trust.tried_server import TriedServer
from void_server.engine.void import Decoded
from void_server.progress import Progress, unwatched
from void_wire.client import ENDED, Client
from void_wire.messages import FrameRange, JobSpec, PictureSettings, Role, Stage, State, VoidSettings

SIZE = (1080, 1920)
SHOTS, FRAMES = 4, 4
LAUNCH_S = 0.002
"""Between moments in which the model needs Python's interpreter, which it shares with the other jobs' threads."""
GOAL = 0.75

HOOK = """
import sys
if "void_server.worker_process" in sys.orig_argv:
    from pathlib import Path
    from void_server.bench.overlap import Sleeper
    from void_server.removal import Removal
    model = Sleeper(Path({log!r}), {shot_s!r})
    Removal._loaded = lambda self, largest, progress: model
else:
    import void_server.engines
    void_server.engines._missing_for_void = lambda weights: ""
"""
"""Python's own hook at its start: worker and server are the real ones but for the model."""


class Sleeper(Echo):
    """Gives back what it is shown after about ``shot_s`` seconds; ``log`` gets a line that says when these were."""

    def __init__(self, log: Path, shot_s: float) -> None:
        super().__init__()
        self._log, self._shot_s = log, shot_s

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
        began = time.time()
        progress(Stage.PASS1, 0, 1)
        for _ in range(round(self._shot_s / LAUNCH_S)):
            time.sleep(LAUNCH_S)
        progress(Stage.PASS1, 1, 1)
        with self._log.open("a") as log:
            print(json.dumps([began, time.time()]), file=log)
        yield from super().remove(plate, quadmask, prompt, settings)


@dataclass(frozen=True)
class Seen:
    """Of `SHOTS` shots."""

    seconds: float
    model_s: float  # of them: what the model was at work


def rows() -> list[Row]:
    """Seconds of `SHOTS` shots, and the share of them that the model waits; some minutes."""
    with tempfile.TemporaryDirectory(prefix="void-overlap-") as folder:
        render(Path(folder), travelling(SIZE))
        shot_s = _run(Path(folder), 0.0, 1).seconds / SHOTS
        alone, both = (_run(Path(folder), shot_s, jobs) for jobs in (1, 2))
    ratio, name = both.seconds / alone.seconds, f"{SHOTS} shots of {FRAMES} frames, {SIZE[1]} x {SIZE[0]}"
    note = (
        f"baseline: one after the other; of a shot the model takes {shot_s:.1f} s, and the rest as long without one; "
        f"cores {os.cpu_count()}"
    )
    waits = [100 * (1 - one.model_s / one.seconds) for one in (both, alone)]
    stretched = both.model_s / alone.model_s
    return [
        Row(f"overlap, {name}", both.seconds, "s", alone.seconds, ratio, f"ratio <= {GOAL}", ratio <= GOAL, note),
        Row("overlap, the model waits", waits[0], "%", waits[1], waits[0] / waits[1], "", None, "of that time"),
        Row("overlap, the model's own time", both.model_s, "s", alone.model_s, stretched, "", None,
            f"it needs the interpreter every {1000 * LAUNCH_S:g} ms and gets no GPU to run ahead of it"),
    ]  # fmt: skip


def _run(folder: Path, shot_s: float, jobs_per_worker: int) -> Seen:
    """The shots, of frames that the server has, after one that is not counted."""
    place = folder / f"{shot_s:.3f}-{jobs_per_worker}"
    place.mkdir()
    log, settings = place / "model", {"jobs_per_worker": jobs_per_worker, "device": "cpu"}
    hook = HOOK.format(log=str(log), shot_s=shot_s)
    with (
        TriedServer(place / "data", None, settings, hook=hook) as server,
        Client(server.address) as client,
    ):
        first, *specs = (_spec(f"overlap-{seed:03d}", seed) for seed in range(SHOTS + 1))
        client.submit(first)
        files = {role: {n: folder / f"{role.value}.{n}" for n in range(FRAMES)} for role in first.roles}
        client.upload(first, files)
        _finish(client, first.job)
        log.unlink()
        began = time.time()
        for spec in specs:
            client.rerun(first.job, spec)
        for spec in specs:
            _finish(client, spec.job)
        seconds = time.time() - began
    worked = [json.loads(line) for line in log.read_text().splitlines()]
    if any(before[1] > after[0] for before, after in itertools.pairwise(worked)):
        raise RuntimeError("two jobs had the model at once")
    return Seen(seconds, sum(ended - begun for begun, ended in worked))


def _finish(client: Client, job: str) -> None:
    status = client.watch(job)
    while status.state not in ENDED:
        status = client.watch(job, status.revision, 5.0)
    if status.state is not State.DONE:
        raise RuntimeError(f"job {job} is {status.state.value}: {status.error}")


def _spec(job: str, seed: int) -> JobSpec:
    picture, roles = PictureSettings(colorspace="lin_rec709"), (Role.PLATE, Role.REMOVE)
    frames, void = FrameRange(0, FRAMES - 1), VoidSettings(seed=seed)
    return JobSpec(job, "overlap", "void", frames, roles, prompt="a room", picture=picture, void=void)
