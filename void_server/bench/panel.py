"""The longest the panel keeps its host's thread, beside a plain table that is filled anew at every listing."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from void_server.bench.row import Row
from void_wire.messages import FrameRange, JobStatus, Role, Stage, State

GOAL_MS = 50
JOBS = (200, 1000)
RUNNING = 20
REFRESHES = 20
FRAMES = FrameRange(1001, 1197)


def rows() -> list[Row]:
    """The first listing of many jobs, and listings in which some went on, each drawn without a screen."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6 import QtWidgets

    app = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["void bench"])
    found = []
    for count in JOBS:
        first, later = _panel_ms(count, app.processEvents)
        plain = _plain_ms(count, app.processEvents)
        for name, value in ((f"first_{count}_jobs", first), (f"refresh_{count}_jobs", later)):
            note = f"longest stretch of the host's thread; {RUNNING} of the jobs run"
            goal = f"value <= {GOAL_MS} ms"
            found.append(Row(name, value, "ms", plain, value / plain, goal, value <= GOAL_MS, note))
    return found


def _panel_ms(count: int, work: Callable[[], None]) -> tuple[float, float]:
    """The longest stretch while the first listing arrives, and the median of the longest of those after it."""
    from void_panel.events import CHUNK, Event, Found, Listed
    from void_panel.panel import VoidPanel

    class Unconnected(VoidPanel):
        def connect_to(self, address: str) -> None:
            """Stay alone: what is reported is made here."""

        def report(self, event: Event) -> None:
            self._events.put(event)

    panel = Unconnected("tcp://127.0.0.1:7801")
    panel.resize(900, 700)
    panel.show()
    work()
    panel.report(Found("", {"draft": ""}))
    longest: list[float] = []
    for listing in _listings(count):
        order = tuple(status.job for status in listing)
        changed = listing if not longest else listing[:RUNNING]
        for at in range(0, len(changed), CHUNK):
            piece = tuple(changed[at : at + CHUNK])
            panel.report(Listed(piece, time.monotonic(), order if at + CHUNK >= len(changed) else None))
        stretches = [_ms(panel.drain), _ms(work)]
        while not panel._events.empty():
            stretches += [_ms(panel.drain), _ms(work)]
        longest.append(max(stretches))
    panel.close()
    return longest[0], statistics.median(longest[1:])


def _plain_ms(count: int, work: Callable[[], None]) -> float:
    """The median of what a QTableWidget takes for a listing."""
    from PySide6 import QtWidgets

    table = QtWidgets.QTableWidget(0, 6)
    table.resize(900, 700)
    table.show()

    def fill(listing: list[JobStatus]) -> None:
        table.setRowCount(len(listing))
        for row, status in enumerate(listing):
            texts = (status.shot, str(status.frames), status.engine, status.state.value)
            progress = f"{status.stage.value} {status.step}/{status.steps}" if status.stage else ""
            for column, text in enumerate((*texts, progress, "")):
                table.setItem(row, column, QtWidgets.QTableWidgetItem(text))
        table.resizeColumnsToContents()

    times = []
    for listing in _listings(count):
        times.append(_ms(lambda listing=listing: fill(listing)) + _ms(work))  # type: ignore[misc]
    table.close()
    return statistics.median(times)


def _listings(count: int) -> Iterator[list[JobStatus]]:
    """What a busy server lists one after the other: the first ones run, the others are done."""
    made = FRAMES.numbers()
    plain = JobStatus("job", "shot", "void", 1, State.DONE, FRAMES, 591, 591, ready={Role.RESULT: made})
    jobs = [replace(plain, job=f"job-{at:05d}", shot=f"seq_{at:04d}") for at in range(count)]
    for step in range(1, REFRESHES + 2):
        going = {"state": State.RUNNING, "stage": Stage.PASS1, "step": step, "steps": 30, "ready": {}}
        yield [replace(job, **going) for job in jobs[:RUNNING]] + jobs[RUNNING:]  # type: ignore[arg-type]


def _ms(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3
