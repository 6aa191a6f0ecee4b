"""The one place that knows which Qt there is: PySide6, or PySide2 in hosts before 2025.

Everything else imports QtCore, QtGui, QtWidgets and Signal from here and keeps to what both have: scoped enums,
no QAction, no exec_. ImportError when there is neither, or when a library of the system is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PySide6 import QtCore, QtGui, QtWidgets
else:
    try:
        from PySide6 import QtCore, QtGui, QtWidgets
    except ImportError as six:
        try:
            from PySide2 import QtCore, QtGui, QtWidgets
        except ImportError:
            raise six from None

Signal = QtCore.Signal
Qt = QtCore.Qt


def x_of(event: "QtGui.QMouseEvent") -> int:
    """Where in its widget a mouse event is, in pixels from the left."""
    return round(event.position().x()) if hasattr(event, "position") else event.x()


__all__ = ["Qt", "QtCore", "QtGui", "QtWidgets", "Signal", "x_of"]
