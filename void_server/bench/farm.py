"""A farm's session killed in every way, many times: what is left behind, and whether the next run completes it.

Runs Open Job Description's own runtime, which Deadline Cloud's workers use too, on a bundle of engine draft.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from void_farm.bundle import SEGMENTS, TEMPLATE
from void_server.bench.row import Row
from void_server.farm.session_server import STATE
from void_server.frames.exr import write_frame
from void_server.scene import Scene
from void_wire import codec
from void_wire.files import PART_SUFFIX

RUNS = {"server killed": 20, "runner killed": 10, "runner terminated": 5, "runner interrupted": 5}
"""What is done in the middle of a job -> how often."""

SEGMENT_FRAMES, OVERLAP = 12, 4
SIZE = (54, 96)
GONE_S = 8.0
"""A server without its runner is gone after this: it looks once a second, and lets a step end for three."""

BUNDLE, LOG = "bundle", "log.txt"
COMMANDS = 3
"""A session has started these when it is at its second segment: the server, and two segments."""

PATIENCE_S = 120.0


@dataclass(frozen=True)
class Outcome:
    """Of one run that was disturbed, and the one after."""

    exit_code: int  # of the disturbed run
    server_left_s: float | None  # seconds until the server was gone; None: it was not within GONE_S
    parts_left: int  # half written files under a name of their own, after the second run
    completed: bool  # by the second run
    kept: bool  # whether the second run left what was done before as it was


def rows() -> list[Row]:
    """How many of each kind of kill the next run completed to the same bits, with no server left behind."""
    if importlib.util.find_spec("openjd") is None:
        raise ModuleNotFoundError(name="openjd-cli")
    with tempfile.TemporaryDirectory(prefix="void-farm-") as scratch:
        folder = Path(scratch)
        bundle = write_bundle(folder / "whole")
        reference = undisturbed(folder / "whole")
        return [_row(kind, count, folder, bundle, reference) for kind, count in RUNS.items()]


def _row(kind: str, count: int, folder: Path, bundle: Path, reference: Mapping[str, str]) -> Row:
    chance = np.random.default_rng(1)
    outcomes = [
        disturbed(
            kind,
            folder / f"{kind.replace(' ', '_')}_{at}",
            bundle,
            reference,
            float(chance.uniform(0.2, 1.7)),
        )
        for at in range(count)
    ]
    whole = sum(one.completed and one.kept and not one.parts_left for one in outcomes)
    gone = [one.server_left_s for one in outcomes]
    slowest = max((one for one in gone if one is not None), default=0.0)
    return Row(
        name=f"farm.{kind.replace(' ', '_')}",
        value=float(whole),
        unit="runs",
        baseline=float(count),
        ratio=whole / count,
        goal="the next run completes each, to the bits of an undisturbed one, and no server is left",
        holds=whole == count and None not in gone,
        note=f"baseline: how often it was done; the server was gone after {slowest:.1f} s at most; exit codes "
        + ", ".join(map(str, sorted({one.exit_code for one in outcomes}))),
    )


def write_bundle(folder: Path, segments: int = 2) -> Path:
    """A bundle of one small shot, with its files beside it."""
    frames = segments * (SEGMENT_FRAMES - OVERLAP) + OVERLAP
    scene = Scene(height_px=SIZE[0], width_px=SIZE[1], frames=frames, camera="static")
    shot = folder / "shot"
    shot.mkdir(parents=True)
    for index in range(frames):
        number = 1001 + index
        write_frame(shot / f"plate.{number}.exr", number, scene.plate(index), "RGB")
        write_frame(shot / f"remove.{number}.exr", number, scene.remove(index)[..., None], "A")
    table = shot / "shots.csv"
    table.write_text(
        "shot,plate,remove,engine,colorspace\ncart,plate.%04d.exr,remove.%04d.exr,draft,lin_rec709\n"
    )
    command = [
        sys.executable,
        "-m",
        "void_server.cli",
        "farm",
        "write",
        str(table),
        "--out",
        str(folder / BUNDLE),
    ]
    command += ["--segment-frames", str(SEGMENT_FRAMES), "--overlap", str(OVERLAP)]
    subprocess.run(command, check=True, capture_output=True)
    return folder / BUNDLE


def undisturbed(folder: Path) -> dict[str, str]:
    """The digests of all segments' frames where nothing goes wrong, with the bundle in ``folder``."""
    copied(folder / BUNDLE, folder / "undisturbed")
    if start(folder / "undisturbed").wait(timeout=PATIENCE_S):
        raise RuntimeError(f"the undisturbed run failed: {(folder / 'undisturbed' / LOG).read_text()}")
    return frames_of(folder / "undisturbed" / BUNDLE)


def disturbed(kind: str, folder: Path, bundle: Path, reference: Mapping[str, str], delay_s: float) -> Outcome:
    """Run a copy of ``bundle``, `disturb` it after its first segment, run it again."""
    copy = copied(bundle, folder)
    exit_code, left_s = disturb(kind, folder, 0, delay_s)
    before = {name: stamp(copy / name) for name in frames_of(copy) if "0000" in name}
    again = start(folder).wait(timeout=PATIENCE_S)
    return Outcome(
        exit_code=exit_code,
        server_left_s=left_s,
        parts_left=len(list(copy.rglob(f"*{PART_SUFFIX}"))),
        completed=again == 0 and frames_of(copy) == dict(reference),
        kept=all(stamp(copy / name) == one for name, one in before.items()),
    )


def disturb(kind: str, folder: Path, index: int, delay_s: float) -> tuple[int, float | None]:
    """Run a segment of the bundle in ``folder`` and the next, and do ``kind`` ``delay_s`` after the second has begun.

    Not between the two: `openjd run` hangs where a signal comes while it starts a command (its handler waits for what
    it interrupted).

    Returns the run's exit code, and after how many seconds its server was gone; None: not within GONE_S.
    """
    log = folder / LOG
    before = log.stat().st_size if log.exists() else 0
    runner = start(folder, "--step", "remove", "--job-param", f"Segments={index}-{index + 1}")
    _wait(
        lambda: log.read_bytes()[before:].count(b"Command started") >= COMMANDS or runner.poll() is not None
    )
    server = server_of(folder)
    time.sleep(delay_s)
    if kind == "server killed":
        server.kill()
    elif kind == "runner killed":
        runner.kill()
    else:
        runner.send_signal(signal.SIGTERM if kind == "runner terminated" else signal.SIGINT)
    try:
        exit_code = runner.wait(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        runner.kill()
        raise
    left_s = _gone_after(server)
    shutil.rmtree(folder / "tmp")  # a runner that was killed leaves its session's folder
    return exit_code, left_s


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Run the tasks of the bundle in ``folder`` in one session, whose folder and log lie there too.

    ``arguments`` are for ``openjd run``, in place of those that ask for all tasks of the step.
    """
    scratch = folder / "tmp"
    scratch.mkdir(exist_ok=True)
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-m", "openjd", "run", str(folder / BUNDLE / TEMPLATE)]
    with (folder / LOG).open("ab") as log:
        return subprocess.Popen(
            [*command, *(arguments or ("--step", "remove"))],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "TMPDIR": str(scratch), "PATH": programs},
        )


def frames_of(bundle: Path) -> dict[str, str]:
    """Path in the bundle -> digest, of every frame that a segment has."""
    return {
        path.relative_to(bundle).as_posix(): codec.digest(path.read_bytes())
        for path in sorted((bundle / SEGMENTS).rglob("*.exr"))
    }


def server_of(folder: Path) -> psutil.Process:
    """The server of the session that runs in ``folder``."""
    (state,) = folder.glob(f"tmp/OpenJD/*/{STATE}")
    return psutil.Process(int(json.loads(state.read_text())["pid"]))


def copied(bundle: Path, folder: Path) -> Path:
    """A copy of a bundle in ``folder``, which is made.

    Job ids come of the plan, and frames name them: copies of one plan make the same bits.
    """
    folder.mkdir()
    shutil.copytree(bundle, folder / BUNDLE)
    return folder / BUNDLE


def stamp(path: Path) -> tuple[int, bytes]:
    """When a file was written, and what it holds."""
    return path.stat().st_mtime_ns, path.read_bytes()


def _gone_after(process: psutil.Process) -> float | None:
    began = time.monotonic()
    try:
        process.wait(GONE_S)
    except psutil.TimeoutExpired:
        process.kill()
        return None
    return time.monotonic() - began


def _wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not until():
        if time.monotonic() > deadline:
            raise RuntimeError("the farm's session did not come so far")
        time.sleep(0.02)
