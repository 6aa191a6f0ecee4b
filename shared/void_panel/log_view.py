"""What happened, line by line."""

from __future__ import annotations

import time
from itertools import islice
from typing import Deque, Optional

from void_panel.qt import QtCore, QtWidgets
from void_panel.state import LOG_LINES, LogLine


class LogView(QtWidgets.QPlainTextEdit):
    """Read-only; hidden until it is asked for."""

    def __init__(self, parent: Optional[QtWidgets.QWidget] = None) -> None:
        super().__init__(parent)
        self._shown = 0
        self.setReadOnly(True)
        self.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self.setMaximumBlockCount(LOG_LINES)
        self.hide()

    def show_log(self, log: Deque[LogLine], said: int) -> None:
        """Add what is new of ``log``, whose last line is the ``said``-th."""
        new = min(said - self._shown, len(log))
        self._shown = said
        if new > 0:
            lines = islice(log, len(log) - new, None)
            self.appendPlainText("\n".join(f"{_clock(line.at)}  {line.sentence}" for line in lines))

    def sizeHint(self) -> QtCore.QSize:  # noqa: N802
        """Some six lines."""
        return QtCore.QSize(200, self.fontMetrics().height() * 6 + 12)


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))
