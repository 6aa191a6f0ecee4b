"""A small night done for real beside the same night simulated: whether `void farm expect` can be believed.

Nodes are sessions of this machine, each on a core of its own, and do a bundle of engine draft with the commands that a
farm's template has. What a load, a task and a frame cost is measured on the way and given to `farm.night`.
"""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from void_farm import plan as plans
from void_farm.plan import Plan, Task
from void_server.bench.row import Row
from void_server.farm import session_server
from void_server.farm.night import Cost, Night, Site, simulate
from void_server.farm.segment_folder import SegmentFolder
from void_server.frames.exr import write_frame
from void_server.scene import Scene

LENGTHS = (36, 32, 28, 24, 20, 16, 12, 8)
"""Frames of the night's shots."""

NEXT_LENGTHS = (30, 30, 22, 22, 14, 14, 10, 10, 10)
"""Of another night's, which is expected before it is done."""

SIZE = (180, 320)
NODES = 2
CLOSE = 0.15
"""How far the simulation may be off, in shares of what was seen."""

_LEAST_S_A_MB = 1e-6


@dataclass(frozen=True)
class Seen:
    """What one task took, in seconds."""

    frames: int
    megabytes: float  # of its plate, mattes and result
    whole_s: float  # of its process
    moved_s: float  # of that, until its files were at the server, and after the last one was made
    worked_s: float  # of that, as the server says
    first: bool  # of its node, so that a worker was started too


@dataclass(frozen=True)
class RealNight:
    """A night that was done."""

    seconds: float  # from the first server's start to the last task's end
    starts_s: tuple[float, ...]  # of each node's server
    tasks: tuple[Seen, ...]


def rows() -> list[Row]:
    """One node and two, each by its own figures; and two by figures from before; some minutes of two cores."""
    cores = _cores()
    with tempfile.TemporaryDirectory(prefix="void-night-") as scratch:
        alone = done(write_bundle(Path(scratch) / "alone", LENGTHS), cores[:1])
        found = [_row("1 node, by its own figures", alone, 1, figures(alone))]
        if len(cores) >= NODES:
            night = done(write_bundle(Path(scratch) / "night", LENGTHS), cores[:NODES])
            following = done(write_bundle(Path(scratch) / "next", NEXT_LENGTHS), cores[:NODES])
            found += [
                _row(f"{NODES} nodes, by their own figures", night, NODES, figures(night)),
                _row(
                    f"{NODES} nodes, other shots, by the figures of the night before",
                    following,
                    NODES,
                    figures(night),
                ),
                replace(
                    _row(f"{NODES} nodes, by the figures of one", night, NODES, figures(alone)),
                    goal="none: it shows what nodes of one machine take from each other",
                    holds=None,
                ),
            ]
        return found


def _row(name: str, real: RealNight, nodes: int, measured: tuple[Site, Cost]) -> Row:
    site, cost = measured
    expected_s = expected(real, nodes, site, cost).hours * 3600
    ratio, frames = expected_s / real.seconds, [one.frames for one in real.tasks]
    note = (
        f"{len(frames)} tasks of {min(frames)} to {max(frames)} frames {SIZE[1]} x {SIZE[0]}; a load "
        f"{site.load_s:.1f} s, a task {cost.task_s:.2f} s, a frame {cost.frame_s:.3f} s, {site.link_mb_s:.0f} MB/s"
    )
    goal = f"within {CLOSE:.0%} of the night that was done"
    return Row(f"night, {name}", expected_s, "s", real.seconds, ratio, goal, abs(ratio - 1) <= CLOSE, note)


def expected(real: RealNight, nodes: int, site: Site, cost: Cost) -> Night:
    """The same tasks, simulated."""
    frames = [one.frames for one in real.tasks]
    return simulate(frames, max(frames), 1, replace(site, gpus=nodes), cost)


def figures(real: RealNight) -> tuple[Site, Cost]:
    """What a night's parts cost, as the simulation takes it: straight lines through what was seen."""
    frames = np.array([one.frames for one in real.tasks], float)
    megabytes = np.array([one.megabytes for one in real.tasks])
    warm = np.array([not one.first for one in real.tasks])
    moved = np.array([one.moved_s for one in real.tasks])
    worked = np.array([one.worked_s for one in real.tasks])
    started = np.array([one.whole_s - one.moved_s - one.worked_s for one in real.tasks])
    a_frame, work = _line(frames, worked)
    a_megabyte, move = _line(megabytes[warm], moved[warm])
    first = [one.moved_s - move - a_megabyte * one.megabytes for one in real.tasks if one.first]
    load_s = float(np.mean(real.starts_s)) + max(0.0, float(np.mean(first)))
    rate = 1 / max(a_megabyte, _LEAST_S_A_MB)
    megabytes_a_frame = float(megabytes.sum() / frames.sum())
    return (
        Site(storage_mb_s=1e9, link_mb_s=rate, model_mb=0.0, load_s=load_s),
        Cost(
            window_s=0.0,
            frame_s=a_frame,
            task_s=work + move + float(started.mean()),
            in_mb=megabytes_a_frame,
            out_mb=0.0,
        ),
    )


def _line(across: np.ndarray, up: np.ndarray) -> tuple[float, float]:
    """Slope and beginning of the straight line nearest to the points, neither below 0."""
    slope, begin = np.polyfit(across, up, 1)
    if slope < 0:
        return 0.0, float(up.mean())
    if begin < 0:
        return float((across * up).sum() / (across**2).sum()), 0.0
    return float(slope), float(begin)


def done(bundle: Path, cores: Sequence[int | None]) -> RealNight:
    """Do every task of a bundle, the longest first, with a node on each of ``cores`` (None: wherever there is room).

    Raises RuntimeError when a task fails.
    """
    plan = plans.read(bundle / plans.NAME)
    waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
    for task in sorted(plan.tasks(), key=lambda task: -len(task.segment.frames)):
        waiting.put(task)
    began = time.monotonic()
    with ThreadPoolExecutor(len(cores)) as nodes:
        working = [
            nodes.submit(_node, plan, bundle, bundle.parent / f"node_{at}", waiting, core)
            for at, core in enumerate(cores)
        ]
        worked = [one.result() for one in working]
    return RealNight(
        max(ended for _, ended, _ in worked) - began,
        tuple(start_s for start_s, _, _ in worked),
        tuple(seen for *_, tasks in worked for seen in tasks),
    )


def _node(
    plan: Plan, bundle: Path, session: Path, waiting: queue.SimpleQueue[Task], core: int | None
) -> tuple[float, float, list[Seen]]:
    """Take one task after the other; returns what the server's start took, when the last ended, and the tasks."""
    if core is not None and sys.platform == "linux":
        os.sched_setaffinity(0, {core})  # of this thread, and of all it starts
    session.mkdir(mode=0o700)
    began = time.monotonic()
    address = session_server.serve(session, None, os.getpid())
    start_s, seen = time.monotonic() - began, list[Seen]()
    try:
        with contextlib.suppress(queue.Empty):
            while True:
                seen.append(_task(plan, bundle, waiting.get_nowait(), address, first=not seen))
        return start_s, time.monotonic(), seen
    finally:
        session_server.leave(session)


def _task(plan: Plan, bundle: Path, task: Task, address: str, *, first: bool) -> Seen:
    command = [sys.executable, "-m", "void_server.cli", "farm", "run", "--plan", str(bundle / plans.NAME)]
    began = time.monotonic()
    ran = subprocess.run(
        [*command, "--index", str(task.index), "--server", address],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    whole_s = time.monotonic() - began
    folder, numbers = SegmentFolder.of(bundle, task.index), task.segment.frames.numbers()
    noted = folder.done(plan.job(task).job)
    if ran.returncode or noted is None:
        raise RuntimeError(f"a task of the night failed: {ran.stderr}")
    files = [Path(pattern % number) for pattern in task.shot.inputs.values() for number in numbers]
    files += [folder.frame(number) for number in numbers]
    worked_s = float(noted.record["seconds"])
    return Seen(
        len(numbers),
        sum(file.stat().st_size for file in files) / 1e6,
        whole_s,
        noted.ended_s - noted.began_s - worked_s,
        worked_s,
        first,
    )


def write_bundle(folder: Path, lengths: Sequence[int]) -> Path:
    """A bundle of shots of so many frames, each whole, with their files beside it."""
    lines = ["shot,plate,remove,engine,colorspace,range"]
    (folder / "shots").mkdir(parents=True)
    scene = Scene(*SIZE, max(lengths), "static")
    for index in range(max(lengths)):
        number = 1001 + index
        write_frame(folder / f"shots/plate.{number}.exr", number, scene.plate(index), "RGB")
        write_frame(folder / f"shots/remove.{number}.exr", number, scene.remove(index)[..., None], "A")
    for at, length in enumerate(lengths):
        files = ",".join(str(folder / f"shots/{name}.%04d.exr") for name in ("plate", "remove"))
        lines.append(f"sh{at:02d},{files},draft,lin_rec709,1001-{1000 + length}")
    (folder / "night.csv").write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "void_server.cli", "farm", "write", str(folder / "night.csv")]
    subprocess.run([*command, "--out", str(folder / "bundle")], check=True, capture_output=True)
    return folder / "bundle"


def _cores() -> Sequence[int | None]:
    if sys.platform == "linux":
        return sorted(os.sched_getaffinity(0))
    return [None] * (os.cpu_count() or 1)
