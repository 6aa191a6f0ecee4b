"""Colours: the host's palette, and a few accents mixed into it so that they sit well in dark and in light."""

from __future__ import annotations

from void_panel.qt import QtGui
from void_wire.messages import State

GOOD, BAD, WARN, BUSY = "#5fb58a", "#e0696b", "#e0a458", "#6aa0dc"

STATES = {
    State.RECEIVING: BUSY,
    State.QUEUED: "",
    State.RUNNING: BUSY,
    State.CANCELLING: WARN,
    State.DONE: GOOD,
    State.FAILED: BAD,
    State.CANCELLED: "",
}
"""The accent of a state; "" is quiet."""


def quiet(palette: QtGui.QPalette) -> QtGui.QColor:
    """Text that steps back."""
    return mixed(
        palette.color(QtGui.QPalette.ColorRole.Text), palette.color(QtGui.QPalette.ColorRole.Base), 0.45
    )


def accent(name: str, palette: QtGui.QPalette) -> QtGui.QColor:
    """One of the accents, darker on a light ground; "" is the quiet text."""
    if not name:
        return quiet(palette)
    colour = QtGui.QColor(name)
    light = palette.color(QtGui.QPalette.ColorRole.Base).lightness() > 128
    return colour.darker(150) if light else colour


def on_row(name: str, palette: QtGui.QPalette, selected: bool) -> QtGui.QColor:
    """An accent that is seen on a selected row too."""
    if not selected:
        return accent(name, palette)
    return mixed(
        QtGui.QColor(name or "#ffffff"), palette.color(QtGui.QPalette.ColorRole.HighlightedText), 0.4
    )


def mixed(one: QtGui.QColor, other: QtGui.QColor, share: float) -> QtGui.QColor:
    """``one`` with ``share`` of ``other`` in it."""

    def mix(a: int, b: int) -> int:
        return round(a + (b - a) * share)

    return QtGui.QColor(
        mix(one.red(), other.red()), mix(one.green(), other.green()), mix(one.blue(), other.blue())
    )
