"""A few lines of text that wrap, can be copied, and are not there when they say nothing."""

from __future__ import annotations

from typing import Optional

from void_panel import tints
from void_panel.qt import Qt, QtCore, QtGui, QtWidgets


class Words(QtWidgets.QLabel):
    """``accent`` is one of `tints`, "" for the quiet text, None for the usual."""

    def __init__(self, parent: Optional[QtWidgets.QWidget] = None, accent: Optional[str] = None) -> None:
        super().__init__(parent)
        self._accent = accent
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._colour()

    def say(self, text: str, accent: Optional[str] = None) -> None:
        """Say ``text``; an accent stays until another is given."""
        if text != self.text():
            self.setText(text)
        if accent is not None and accent != self._accent:
            self._accent = accent
            self._colour()
        self.setVisible(bool(text))

    def changeEvent(self, event: QtCore.QEvent) -> None:  # noqa: N802
        """The host changed its palette: take the accent from the new one."""
        super().changeEvent(event)
        if event.type() == QtCore.QEvent.Type.ApplicationPaletteChange:
            self._colour()

    def _colour(self) -> None:
        palette = QtGui.QPalette()
        if self._accent is not None:
            parent = self.parentWidget()
            shown = parent.palette() if parent is not None else palette
            palette.setColor(QtGui.QPalette.ColorRole.WindowText, tints.accent(self._accent, shown))
        self.setPalette(palette)
