"""Draws the panel's states to PNG, without a screen and without a server: ``draw.py DEMO_OUT FOLDER``.

DEMO_OUT is what ``void demo`` left: its frames are the pictures. The jobs are made up, the widgets are not.
"""

import os
import sys
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6 import QtGui, QtWidgets

from void_panel.dark import dark_palette
from void_panel.events import Detailed, Event, Found, Listed, Lost, Pictured
from void_panel.faults import faults
from void_panel.panel import VoidPanel
from void_panel.pictures import Look, Picture
from void_server.frames.color import ColorTransform
from void_server.frames.exr import read_plate
from void_server.frames.overlay import write_png
from void_server.frames.thumbnail import thumbnail
from void_wire.messages import (
    FrameRange,
    JobSpec,
    JobStatus,
    PictureSettings,
    Role,
    Signs,
    Stage,
    State,
    VoidSettings,
)

ADDRESS = "tcp://gpu-box:7801"
READY = Found("0.1.0", {"draft": "", "void": ""})
NO_WEIGHTS = Found(
    "0.1.0", {"draft": "", "void": "Engine void has no weights: void weights pull FOLDER brings them."}
)
UNREACHABLE = Lost(
    f"No VOID server answers at {ADDRESS}. Start one there with: void serve --address {ADDRESS}"
)
SILENT = Lost(
    f"The server at {ADDRESS} stopped answering 3 s ago. Nothing it received is lost; try again when it is back."
)
TOO_LARGE = (
    "The GPU has 23.6 GB and raster 384x672 in memory mode resident needs 31.2 GB: start the server with "
    "--memory offload, or choose a smaller raster."
)
ALL_46 = {Role.RESULT: list(range(1001, 1047))}


def job(shot: str, state: State, *, count: int = 46, engine: str = "void", **more: object) -> JobStatus:
    """A job as the server would tell of it."""
    name = f"{shot}-20260314-{zlib.crc32(shot.encode()):08x}"
    frames = FrameRange(1001, 1000 + count)
    plain = JobStatus(name, shot, engine, 1, state, frames, 3 * count, 3 * count)
    return replace(plain, **more)  # type: ignore[arg-type]


def detailed(status: JobStatus, signs: dict[int, Signs]) -> Detailed:
    prompt = "A ball lies on the wooden floor in front of a brick wall."
    picture, roles = PictureSettings(colorspace="lin_rec709"), (Role.PLATE, Role.REMOVE, Role.AFFECTED)
    spec = JobSpec(
        status.job, status.shot, "void", status.frames, roles, prompt, picture, VoidSettings(passes=2)
    )
    return Detailed(status.job, spec, len(signs), tuple(faults(signs)))


def listed(*statuses: JobStatus, at_s: float = 0.0) -> Listed:
    return Listed(statuses, at_s, tuple(status.job for status in statuses))


def working_day(demo: Path) -> list[Event]:
    """Eight jobs, one of which runs and has frames."""
    made = sorted(int(path.name.split(".")[1]) for path in demo.glob("result.*.exr"))[:9]
    arriving = job("stairs_020", State.RECEIVING, count=81, received=61)
    running = job("kitchen_040", State.RUNNING, count=24, stage=Stage.ENCODE, steps=24)
    jobs = (
        arriving,
        job("kitchen_060", State.QUEUED, queue_place=2),
        job("kitchen_050", State.QUEUED, queue_place=1, count=120),
        running,
        job("kitchen_030", State.DONE, ready=ALL_46),
        job("kitchen_020_preview", State.DONE, ready=ALL_46),
        job("alley_110", State.CANCELLED, count=97, ready={Role.RESULT: list(range(1001, 1024))}),
        job("alley_100", State.DONE, count=97, engine="draft", ready={Role.RESULT: list(range(1001, 1098))}),
    )
    steps = [
        Listed(
            (
                replace(running, step=step, ready={Role.RESULT: made[:step]}),
                replace(arriving, received=61 + 5 * step),
            ),
            4.0 * step,
        )
        for step in range(1, len(made) + 1)
    ]
    signs = {frame: Signs(seam=0.011, flicker=1.1, residual=0.03) for frame in made}
    signs[made[3]], signs[made[4]] = Signs(seam=0.041, flicker=3.4), Signs(seam=0.033)
    newest = Look(running.job, Role.RESULT, made[-1])
    return [READY, listed(*jobs), *steps, detailed(running, signs), Pictured(newest, picture(demo, made[-1]))]


def picture(demo: Path, frame: int) -> Picture:
    """As the server makes it."""
    plate, result = (read_plate(demo / f"{name}.{frame}.exr", frame) for name in ("plate", "result"))
    changed = np.ones(plate.pixels.shape[:2], bool)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "thumbnail.png"
        write_png(path, thumbnail(plate, result.rgb, changed, ColorTransform("lin_rec709").encode))
        return Picture(path.read_bytes())


def failed() -> list[Event]:
    bad = job("alley_090", State.RUNNING, stage=Stage.PASS1, step=1, steps=30)
    other = job("alley_080", State.DONE, ready=ALL_46)
    ended = job("alley_090", State.FAILED, error_code="engine.gpu_memory", error=TOO_LARGE)
    return [READY, listed(bad, other), listed(ended, other), detailed(ended, {})]


def fifty(demo: Path) -> list[Event]:
    others = [
        job(f"seq{at // 10 + 1:02d}_{at % 10 * 10 + 10:03d}", State.DONE, ready=ALL_46) for at in range(42)
    ]
    ready, first, *rest = working_day(demo)
    assert isinstance(first, Listed)
    return [ready, listed(*first.changed, *others), *rest]


def states(demo: Path) -> Iterator[tuple[str, tuple[int, int], list[Event]]]:
    yield "no_server", (900, 620), [UNREACHABLE]
    yield "empty", (480, 620), [NO_WEIGHTS, listed()]
    yield "tested", (480, 720), [NO_WEIGHTS, *working_day(demo)[1:]]
    yield "running", (900, 640), working_day(demo)
    yield "running_480", (480, 760), working_day(demo)
    yield "running_420", (420, 760), working_day(demo)
    yield "running_light", (900, 640), working_day(demo)
    yield "several", (480, 760), working_day(demo)
    yield "several_light", (900, 640), working_day(demo)
    yield "failed", (900, 560), failed()
    yield "failed_420", (420, 620), failed()
    yield "lost", (900, 640), [*working_day(demo), SILENT]
    yield "fifty", (900, 900), fifty(demo)


def draw(demo: Path, folder: Path) -> None:
    app = QtWidgets.QApplication(["draw"])
    app.setStyle("Fusion")
    folder.mkdir(parents=True, exist_ok=True)
    light = QtGui.QPalette(QtGui.QColor("#e4e4e4"), QtGui.QColor("#efefef"))
    for name, size, events in states(demo):
        app.setPalette(light if name.endswith("light") else dark_palette())
        panel = VoidPanel(ADDRESS)
        panel.connect_to = lambda address: None  # type: ignore[method-assign]  # nobody is there
        panel.resize(*size)
        panel.show()
        if name == "tested":
            panel.bar.test.click()
        if name == "fifty":
            panel.log.show()
        for event in events:
            panel.state.take(event)
            panel.drain()
        if name.startswith("several"):
            panel.state.mark(panel.state.order[3:6])
            panel.drain()
        app.processEvents()
        panel.grab().save(str(folder / f"{name}.png"))
        panel.close()


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
