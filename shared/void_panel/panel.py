"""The panel: widgets over a `PanelState`, two threads that talk to the server, and a timer between them.

The threads put events in a queue; the timer takes them out, a few milliseconds at a time. Nothing here waits: not
for the server, not for a thread, not for a lock that is held over work. Closing the panel ends no job.
"""

from __future__ import annotations

import os
import queue
import time
from pathlib import Path
from typing import Callable, List, Optional, Tuple, Union

from void_panel import tints
from void_panel.control import ControlThread
from void_panel.events import Event
from void_panel.farm import FarmThread, farm_folder
from void_panel.frames import FrameThread
from void_panel.host import Host
from void_panel.job_view import JobView
from void_panel.line import Line
from void_panel.log_view import LogView
from void_panel.pictures import Look
from void_panel.qt import Qt, QtCore, QtGui, QtWidgets, Signal
from void_panel.requests import Again, Bring, CancelJob, Change, See, Show
from void_panel.server_bar import ServerBar
from void_panel.state import Changed, Link, PanelState
from void_panel.table import JobTable

DRAIN_MS = 50
BUDGET_S = 0.01
"""Events are taken for so long at a stretch; the rest waits for the next."""

TICK_S = 1.0


class VoidPanel(QtWidgets.QWidget):
    """Every job of one server.

    Args:
        address: of the server; ``address_changed`` is emitted when the artist uses another.
        host: what a host does for the panel; None: it runs by itself.
        parent: as any widget's.
    """

    address_changed = Signal(str)

    def __init__(
        self,
        address: str,
        *,
        host: Optional[Host] = None,
        parent: Optional[QtWidgets.QWidget] = None,
    ) -> None:
        super().__init__(parent)
        self._host = host
        self.state = PanelState(address)
        self._events: "queue.SimpleQueue[Event]" = queue.SimpleQueue()
        self._threads: Optional[Tuple[ControlThread, FrameThread]] = None
        self._farm: Optional[FarmThread] = None  # the last one
        self._running: List[Union[ControlThread, FrameThread, FarmThread]] = []
        self._ticked_s = 0.0  # monotonic
        self._shown: Optional[str] = None
        self._wanted: Optional[Look] = None
        self._leave_if_deleted()
        self._build()
        self._timer = QtCore.QTimer(self)
        self._timer.setInterval(DRAIN_MS)
        self._timer.timeout.connect(self.drain)

    # --- life ----------------------------------------------------------------------------------------------

    def showEvent(self, event: QtGui.QShowEvent) -> None:  # noqa: N802
        """Watch the server."""
        if self._threads is None:
            self.connect_to(self.state.address)
        super().showEvent(event)

    def closeEvent(self, event: QtGui.QCloseEvent) -> None:  # noqa: N802
        """Leave the server; jobs go on."""
        self._leave()
        super().closeEvent(event)

    def connect_to(self, address: str) -> None:
        """Use the server at ``address`` from now on, and greet it anew if it is the same."""
        self._leave()
        before = self.state
        events: "queue.SimpleQueue[Event]" = queue.SimpleQueue()
        self.state = PanelState(address)
        self.state.take_over(before)
        if before.address == address:
            self.state.select(before.selected)
        self._events = events  # what the threads before still say goes to nobody
        self._shown = self._wanted = None
        self._threads = (
            ControlThread(address, events.put),
            FrameThread(address, events.put),
        )
        self._running.extend(self._threads)
        for thread in self._threads:
            thread.start()
        self._timer.start()
        self.drain()

    def drain(self) -> None:
        """Take what the threads reported, for `BUDGET_S` at most, and draw what changed."""
        began = time.perf_counter()
        try:
            while time.perf_counter() - began < BUDGET_S:
                self.state.take(self._events.get_nowait())
        except queue.Empty:
            pass
        now = time.monotonic()
        if now - self._ticked_s >= TICK_S:
            self._ticked_s = now
            self.state.tick(now)
        self._ask_for_what_is_shown()
        self._draw(self.state.take_changes())

    # --- what the artist does ------------------------------------------------------------------------------

    def _connect(self, address: str) -> None:
        if address != self.state.address:
            self.address_changed.emit(address)
        self.connect_to(address)

    def _choose(self, job: str) -> None:
        self.bar.fold()
        self.state.select(job)
        self._mark()

    def _mark(self) -> None:
        """The table is let be: Qt tells of a new row and of the selection one after the other, in no fixed order."""
        self.state.mark(self.table.selected_jobs())
        self.job.show_state(self.state)

    def _look_at(self, frame: Optional[int]) -> None:
        self.state.look_at(frame)
        self.drain()

    def _cancel(self) -> None:
        status = self.state.status
        if status is not None and self._threads is not None:
            self.state.say(f"{status.shot}: asked to stop.")
            self._threads[0].ask(CancelJob(status.job))

    def _again(self, change: Change) -> None:
        status = self.state.status
        if status is not None and self._threads is not None:
            self.state.say(f"{status.shot}: asked to be done again.")
            self._threads[0].ask(Again(status.job, change))

    def _fetch(self) -> None:
        status, frames = self.state.status, self.state.fetchable
        if status is None or not frames:
            return
        target = self._host.target(status.job) if self._host else None
        if target is None:
            folder = ask_folder(self, "Where do the frames go?")
            if folder is None:
                return
            target = in_folder(folder, status.job, status.shot)
        if self._threads is not None:
            self.state.say(f"{status.shot}: {len(frames)} frame{'s' * (len(frames) != 1)} are fetched.")
            self._threads[1].ask(Bring(status.job, status.shot, frames, target))

    def _write_farm_job(self) -> None:
        jobs = self.state.farmable
        if not jobs or self._threads is None:
            return
        if self._farm is not None and self._farm.is_alive():
            self.state.say("A farm job is being written already: wait until it is told of.")
            return
        folder = ask_folder(self, "Where does the farm job go? Its nodes must see that folder.")
        if folder is not None:
            self._farm = FarmThread(
                self.state.address, self._events.put, jobs, farm_folder(folder, jobs), os.environ
            )
            self._running.append(self._farm)
            self._farm.start()

    def _reveal(self) -> None:
        status = self.state.status
        if status is not None and self._host is not None and not self._host.reveal(status.job):
            self.state.say(f"{status.shot}: no node of this script made job {status.job}.")

    # --- inside --------------------------------------------------------------------------------------------

    def _ask_for_what_is_shown(self) -> None:
        if self._threads is None:
            return
        control, frames = self._threads
        if self.state.selected != self._shown:
            self._shown = self.state.selected
            control.ask(Show(self._shown))
        wanted = self.state.wanted if self.isVisible() else None  # none for a tab behind another
        if wanted != self._wanted:
            self._wanted = wanted
            frames.ask(See(wanted))

    def _draw(self, changed: Changed) -> None:
        state = self.state
        if changed.order or changed.rows:
            self.table.show_rows(state.order if changed.order else None, state.rows, changed.rows)
        if changed.order or changed.server:
            self.empty.setText(state.empty)
            self._stack.setCurrentWidget(self.empty if state.empty else self.table)
        if changed.server:
            self.bar.show_state(state)
            self.table.show_stale(state.link is Link.LOST)
        if changed.order or changed.selected:
            self.table.choose(state.selected, state.marked)
            self.job.show_state(state)
        if changed.log:
            self.log.show_log(state.log, state.said)
            last = state.log[-1] if state.log else None
            self.last.say(last.sentence if last else "", tints.BAD if last and last.bad else "")

    def _leave(self) -> None:
        self._timer.stop()
        for thread in self._running:
            thread.stop()
        self._running.clear()
        self._threads = None

    def _leave_if_deleted(self) -> None:
        """Hosts delete a docked panel without closing it, and by then its own methods are gone."""
        running = self._running

        def leave(_: object = None) -> None:
            for thread in running:
                thread.stop()

        self.destroyed.connect(leave)

    def _build(self) -> None:
        self.setWindowTitle("VOID")
        self.bar = ServerBar(self.state.address, self)
        self.bar.asked.connect(self._connect)
        self.table = JobTable(self)
        self.table.chosen.connect(self._choose)
        self.table.marked.connect(self._mark)
        self.empty = QtWidgets.QLabel(self)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty.setTextFormat(Qt.TextFormat.PlainText)
        self.empty.setWordWrap(True)
        self.empty.setMargin(24)
        self._stack = QtWidgets.QStackedWidget(self)
        self._stack.setContentsMargins(8, 0, 8, 0)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.table)
        self.job = JobView(self, revealing=self._host is not None)
        self.job.cancelled.connect(self._cancel)
        self.job.again.connect(self._again)
        self.job.fetched.connect(self._fetch)
        self.job.revealed.connect(self._reveal)
        self.job.farmed.connect(self._write_farm_job)
        self.job.looked_at.connect(self._look_at)
        self.log = LogView(self)
        self.last = Line(self)
        more = QtWidgets.QToolButton(self)
        more.setText("Log")
        more.setCheckable(True)
        more.setAutoRaise(True)
        more.toggled.connect(self.log.setVisible)
        foot = QtWidgets.QHBoxLayout()
        foot.setContentsMargins(8, 2, 8, 4)
        foot.addWidget(self.last, 1)
        foot.addWidget(more)
        parts = QtWidgets.QSplitter(Qt.Orientation.Vertical, self)
        parts.setChildrenCollapsible(False)
        for widget, stretch in ((self._stack, 3), (self.job, 2), (self.log, 0)):
            parts.addWidget(widget)
            parts.setStretchFactor(parts.count() - 1, stretch)
        whole = QtWidgets.QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self.bar)
        whole.addWidget(parts, 1)
        whole.addLayout(foot)
        self.setMinimumWidth(360)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setFocus()


def ask_folder(parent: QtWidgets.QWidget, question: str) -> Optional[Path]:
    """A folder of the artist's choice; None when they think better of it."""
    chosen = QtWidgets.QFileDialog.getExistingDirectory(parent, question)
    return Path(chosen) if chosen else None


def in_folder(folder: Path, job: str, shot: str) -> Callable[[int], Path]:
    """Frame number to file: in a folder of the job's own, so that nothing else is written over."""
    return lambda frame: folder / job / f"{shot}.{frame:04d}.exr"
