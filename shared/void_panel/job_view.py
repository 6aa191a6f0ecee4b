"""The job that is looked at: its newest frame against the plate, its signs, and what can be done with it."""

from __future__ import annotations

from typing import Optional, Tuple

from void_panel import tints
from void_panel.compare import Compare, SideButtons
from void_panel.line import Line
from void_panel.qt import Qt, QtGui, QtWidgets, Signal
from void_panel.requests import Change
from void_panel.state import Link, PanelState
from void_panel.strip import FrameStrip
from void_panel.words import Words
from void_wire.messages import Role, State

BESIDE_PX = 600
"""From this width on the words stand beside the picture."""


FARM = "Write farm job"
FARM_TIP = (
    "Write the selected jobs, with their plates and mattes, as an Open Job Description bundle for a farm. "
    "VOID_FARM_SUBMIT names the command that sends it."
)


class JobView(QtWidgets.QWidget):
    """Shows the selected job of a PanelState. Its signals are what the artist wants; it does nothing itself."""

    cancelled = Signal()
    again = Signal(object)  # a Change
    fetched = Signal()
    revealed = Signal()
    farmed = Signal()
    looked_at = Signal(object)  # a frame number, or None: the newest

    def __init__(self, parent: Optional[QtWidgets.QWidget] = None, *, revealing: bool) -> None:
        super().__init__(parent)
        self.title = QtWidgets.QLabel(self)
        font = self.title.font()
        font.setBold(True)
        self.title.setFont(font)
        self.about = Line(self)
        self.compare = Compare(self)
        self.strip = FrameStrip(self)
        self.strip.picked.connect(lambda frame: self.looked_at.emit(frame))
        self.frame = Line(self)
        self.newest = QtWidgets.QToolButton(self)
        self.newest.setText("Newest")
        self.newest.setAutoRaise(True)
        self.newest.setToolTip("Go on with the newest frame, whichever that is.")
        self.newest.clicked.connect(lambda: self.looked_at.emit(None))
        sides = SideButtons(self)
        sides.turned.connect(self.compare.show_side)
        self.standing, self.trouble = Words(self), Words(self, tints.BAD)
        self.verdict, self.prompt = Words(self), Words(self, "")
        self.cancel = self._button("Cancel", "Stop at the next step; finished frames stay.")
        self.cancel.clicked.connect(lambda: self.cancelled.emit())
        self.rerun = self._button("Re-run", "")
        self._ways: Tuple[Change, ...] = ()
        self.menu = QtWidgets.QMenu(self.rerun)
        self.rerun.setMenu(self.menu)
        self.fetch = self._button("Fetch again", "Bring every finished frame once more.")
        self.fetch.clicked.connect(lambda: self.fetched.emit())
        self.reveal = self._button("Reveal in node", "")
        self.reveal.clicked.connect(lambda: self.revealed.emit())
        self.farm = self._button(FARM, "")
        self.farm.clicked.connect(lambda: self.farmed.emit())
        self._revealing = revealing
        self.reveal.setToolTip(
            "Show the node that made this job."
            if revealing
            else "There are no nodes: this panel runs by itself."
        )
        self._lay_out(sides)

    def show_state(self, state: PanelState) -> None:
        """Show the job that ``state`` looks at."""
        status = state.status
        self.setVisible(status is not None)
        if status is None:
            return
        row = state.rows[status.job]
        self.title.setText(status.shot)
        self.about.say(f"{row.frames}, engine {row.engine}, job {row.job}")
        look, picture = state.picture()
        made = "pass 1" if look and look.role is Role.PASS1 else "result"
        self.compare.show_picture(picture, made, state.blank)
        shown = look.frame if look and picture else None
        ready = status.ready.get(Role.RESULT) or status.ready.get(Role.PASS1, [])
        standing = {fault.frame: fault.words for fault in state.faults}
        self.strip.show_frames(status.frames.numbers(), frozenset(ready), standing, shown)
        following = state.frame is None
        self.frame.say("" if shown is None else f"Frame {shown}{', the newest' if following else ''}")
        self.newest.setEnabled(not following)
        self._say(state)
        self.cancel.setEnabled(state.can_cancel)
        self._offer(state.again, state.why_not_again)
        self.fetch.setEnabled(bool(state.fetchable))
        self.reveal.setEnabled(self._revealing)
        jobs = state.farmable
        self.farm.setEnabled(bool(jobs))
        self.farm.setText(f"{FARM} ({len(jobs)})" if len(jobs) > 1 else FARM)
        self.farm.setToolTip(state.why_not_farm or FARM_TIP)

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:  # noqa: N802
        """Words beside the picture, or below it where it is narrow; so with the buttons."""
        direction = QtWidgets.QBoxLayout.Direction
        beside = event.size().width() >= BESIDE_PX
        for parts in (self._body, self._buttons):
            parts.setDirection(direction.LeftToRight if beside else direction.TopToBottom)
        self._body.setStretch(1, 2 if beside else 0)
        super().resizeEvent(event)

    # --- inside --------------------------------------------------------------------------------------------

    def _say(self, state: PanelState) -> None:
        status, spec = state.status, state.spec
        if status is None:
            return
        row = state.rows[status.job]
        heard = "" if state.link is Link.THERE else " when last heard of"
        standing = ": ".join(part for part in (row.standing.capitalize() + heard, row.doing) if part)
        left = f"{row.left} left of it" if row.left else ""
        self.standing.say(", ".join(part for part in (standing, left, row.outlook) if part))
        self.trouble.say(status.error if status.state is State.FAILED else "")
        self.verdict.say(state.verdict, tints.WARN if state.faults else "")
        self.prompt.say(f"“{spec.prompt}”" if spec is not None and spec.prompt else "")

    def _offer(self, ways: Tuple[Change, ...], why_not: str) -> None:
        if ways != self._ways:
            self._ways = ways
            self.menu.clear()
            for way in ways:
                action = self.menu.addAction(way.value)
                action.triggered.connect(lambda checked=False, way=way: self.again.emit(way))
        self.rerun.setEnabled(bool(ways))
        self.rerun.setToolTip("Do it again with the frames the server has." if ways else why_not)

    def _button(self, text: str, tip: str) -> QtWidgets.QPushButton:
        button = QtWidgets.QPushButton(text, self)
        button.setAutoDefault(False)
        button.setToolTip(tip)
        button.setMinimumWidth(0)
        return button

    def _lay_out(self, sides: QtWidgets.QWidget) -> None:
        whole = QtWidgets.QVBoxLayout(self)
        whole.setContentsMargins(8, 6, 8, 6)
        whole.setSpacing(5)
        head = QtWidgets.QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.title)
        head.addWidget(self.about, 1)
        whole.addLayout(head)
        under = QtWidgets.QHBoxLayout()
        under.addWidget(sides)
        under.addWidget(self.frame, 1)
        under.addWidget(self.newest)
        pictures = QtWidgets.QVBoxLayout()
        pictures.setSpacing(3)
        pictures.addWidget(self.compare, 1)
        pictures.addWidget(self.strip)
        pictures.addLayout(under)
        self._body = QtWidgets.QBoxLayout(QtWidgets.QBoxLayout.Direction.LeftToRight)
        self._body.setSpacing(10)
        self._body.addLayout(pictures, 3)
        words = QtWidgets.QVBoxLayout()
        words.setSpacing(6)
        for label in (self.standing, self.trouble, self.verdict, self.prompt):
            words.addWidget(label)
        words.addStretch(1)
        self._body.addLayout(words, 2)
        whole.addLayout(self._body, 1)
        self._buttons = QtWidgets.QBoxLayout(QtWidgets.QBoxLayout.Direction.LeftToRight)
        self._buttons.setSpacing(4)
        for row in ((self.cancel, self.rerun, self.fetch, self.reveal), (self.farm,)):
            buttons = QtWidgets.QHBoxLayout()
            buttons.setSpacing(4)
            for button in row:
                buttons.addWidget(button)
            self._buttons.addLayout(buttons)
            self._buttons.setAlignment(buttons, Qt.AlignmentFlag.AlignLeft)
        self._buttons.addStretch(1)
        whole.addLayout(self._buttons)
