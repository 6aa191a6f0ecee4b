"""``void panel``: the hosts' panel in a window of its own."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from void_wire.errors import SettingsError

if TYPE_CHECKING:
    from PySide6 import QtGui

SIZE_PX = (900, 760)

_DARK = {
    "Window": "#2f2f2f",
    "WindowText": "#cfcfcf",
    "Base": "#262626",
    "AlternateBase": "#2b2b2b",
    "Text": "#cfcfcf",
    "Button": "#3a3a3a",
    "ButtonText": "#cfcfcf",
    "ToolTipBase": "#1c1c1c",
    "ToolTipText": "#cfcfcf",
    "Highlight": "#3d5063",
    "HighlightedText": "#f2f2f2",
    "PlaceholderText": "#7d7d7d",
}
_DIM = "#767676"
"""A window of its own has no host whose palette it could follow: the grey that compositors work in."""


def open_panel(address: str) -> int:
    """Show the panel until it is closed; returns the exit code. Raises SettingsError where Qt cannot be loaded."""
    try:
        from PySide6 import QtCore, QtWidgets

        from void_panel.panel import VoidPanel
    except ImportError as error:
        raise SettingsError(
            f"The panel needs Qt, which does not load here ({error}). Install it with pip install "
            "'void-compositor[panel]'; a bare Linux also lacks libegl1, libgl1, libxkbcommon0, libfontconfig1 and "
            "libdbus-1-3."
        ) from None
    app = QtWidgets.QApplication(["void panel"])
    app.setStyle("Fusion")
    app.setPalette(dark_palette())
    panel = VoidPanel(address)
    panel.resize(*SIZE_PX)
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # before it greets anybody; a close works once the loop runs
        signal.signal(number, lambda *_: QtCore.QTimer.singleShot(0, panel.close))
    panel.show()
    return app.exec()


def dark_palette() -> QtGui.QPalette:
    """The grey of the window of its own."""
    from PySide6 import QtGui

    role, palette = QtGui.QPalette.ColorRole, QtGui.QPalette()
    for name, colour in _DARK.items():
        palette.setColor(role[name], QtGui.QColor(colour))
    for name in ("WindowText", "Text", "ButtonText"):
        palette.setColor(QtGui.QPalette.ColorGroup.Disabled, role[name], QtGui.QColor(_DIM))
    return palette
