"""The panel's head: which server, whether it is there, and a test that says what it can do."""

from __future__ import annotations

import contextlib
from typing import Optional

from void_panel import tints
from void_panel.line import Line
from void_panel.qt import Qt, QtWidgets, Signal
from void_panel.state import Link, PanelState
from void_wire.connection import remember
from void_wire.errors import SettingsError

_ACCENTS = {Link.LOOKING: tints.WARN, Link.THERE: tints.GOOD, Link.LOST: tints.BAD}


class ServerBar(QtWidgets.QWidget):
    """``asked`` is emitted with the address when the artist wants it tested and used."""

    asked = Signal(str)

    def __init__(self, address: str, parent: Optional[QtWidgets.QWidget] = None) -> None:
        super().__init__(parent)
        self._reporting = False
        self.address = QtWidgets.QLineEdit(address, self)
        self.address.setPlaceholderText("tcp://host:7801")
        self.address.setToolTip(
            "Address of the VOID server, or the connection string you were given, which is kept for you. "
            "Enter tests the connection and uses it."
        )
        self.address.returnPressed.connect(self._ask)
        self.test = QtWidgets.QPushButton("Test connection", self)
        self.test.setAutoDefault(False)
        self.test.clicked.connect(self._ask)
        self.headline = Line(self, dotted=True)
        self.tally = QtWidgets.QLabel(self)
        self.report = QtWidgets.QLabel(self)
        self.report.setTextFormat(Qt.TextFormat.PlainText)
        self.report.setWordWrap(True)
        self.report.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.report.setContentsMargins(15, 0, 0, 2)
        self.report.hide()
        grid = QtWidgets.QGridLayout(self)
        grid.setContentsMargins(8, 8, 8, 4)
        grid.setVerticalSpacing(3)
        grid.addWidget(self.address, 0, 0)
        grid.addWidget(self.test, 0, 1)
        said = QtWidgets.QHBoxLayout()
        said.addWidget(self.headline, 1)
        said.addWidget(self.tally)
        grid.addLayout(said, 1, 0, 1, 2)
        grid.addWidget(self.report, 2, 0, 1, 2)

    def show_state(self, state: PanelState) -> None:
        """Say how the server is."""
        self.headline.say(state.headline, _ACCENTS[state.link])
        self.tally.setText(state.tally if state.link is Link.THERE else "")
        self.report.setText(state.report)
        self.report.setVisible(state.link is Link.LOST or (self._reporting and state.link is Link.THERE))

    def fold(self) -> None:
        """Put the report of the last test away."""
        self._reporting = False

    def _ask(self) -> None:
        """A connection string is kept, and its secret leaves the line."""
        self._reporting = True
        text = self.address.text().strip()
        if "#" in text:
            with contextlib.suppress(SettingsError):  # whoever uses the address says what is wrong with it
                text = remember(text).address
                self.address.setText(text)
        self.asked.emit(text)
