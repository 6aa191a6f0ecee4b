"""The grey that compositors work in, for a window of its own: it has no host whose palette it could follow."""

from __future__ import annotations

from void_panel.qt import QtGui

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


def dark_palette() -> QtGui.QPalette:
    """It, for an application with Qt's style Fusion."""
    role, palette = QtGui.QPalette.ColorRole, QtGui.QPalette()
    for name, colour in _DARK.items():
        palette.setColor(getattr(role, name), QtGui.QColor(colour))
    for name in ("WindowText", "Text", "ButtonText"):
        palette.setColor(QtGui.QPalette.ColorGroup.Disabled, getattr(role, name), QtGui.QColor(_DIM))
    return palette
