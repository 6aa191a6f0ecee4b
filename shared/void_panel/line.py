"""One line of text that is cut where there is no room, and whole in its tooltip."""

from __future__ import annotations

import html
from typing import Optional

from void_panel import tints
from void_panel.qt import Qt, QtCore, QtGui, QtWidgets


class Line(QtWidgets.QWidget):
    """Text with an optional dot before it. ``accent`` is one of `tints`; None: the text is as any."""

    def __init__(self, parent: Optional[QtWidgets.QWidget] = None, dotted: bool = False) -> None:
        super().__init__(parent)
        self._text, self._accent, self._dotted = "", "", dotted
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)

    def text(self) -> str:
        """What it says."""
        return self._text

    def say(self, text: str, accent: str = "") -> None:
        """Say ``text``; the dot, or without one the text, takes the accent."""
        text = " ".join(text.split())
        if (text, accent) != (self._text, self._accent):
            self._text, self._accent = text, accent
            self.setToolTip(f"<qt>{html.escape(text)}</qt>" if text else "")  # as HTML it wraps
            self.update()

    def sizeHint(self) -> QtCore.QSize:  # noqa: N802
        """A line, and as wide as there is room."""
        return QtCore.QSize(80, self.fontMetrics().height() + 4)

    def minimumSizeHint(self) -> QtCore.QSize:  # noqa: N802
        """A few letters."""
        return QtCore.QSize(40, self.fontMetrics().height() + 4)

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:  # noqa: N802
        """Draw what has room."""
        painter, palette, rect = QtGui.QPainter(self), self.palette(), self.rect()
        colour = tints.accent(self._accent, palette)
        if self._dotted:
            painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
            painter.drawEllipse(QtCore.QPointF(rect.left() + 5, rect.center().y() + 1), 3.5, 3.5)
            rect.adjust(15, 0, 0, 0)
            colour = palette.color(QtGui.QPalette.ColorRole.WindowText)
        painter.setPen(colour)
        text = painter.fontMetrics().elidedText(self._text, Qt.TextElideMode.ElideRight, rect.width())
        painter.drawText(rect, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), text)
