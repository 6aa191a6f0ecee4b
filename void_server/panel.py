"""``void panel``: the hosts' panel in a window of its own, with pictures made by our own EXR reader."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from void_panel.pictures import WIDTH_PX, Picture
from void_server.frames.color import ColorTransform
from void_server.frames.exr import limit_decoder, read_plate
from void_server.frames.geometry import place, resize
from void_wire.errors import SettingsError

if TYPE_CHECKING:
    from PySide6 import QtGui

SIZE_PX = (900, 760)

_LARGEST_HALF = 65504.0

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
    limit_decoder()
    app = QtWidgets.QApplication(["void panel"])
    app.setStyle("Fusion")
    app.setPalette(dark_palette())
    panel = VoidPanel(address, thumbnailer=picture_of)
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


def picture_of(path: Path, frame: int, colorspace: str) -> Picture:
    """The display window of the EXR at ``path`` as the model's display encoding shows it, pixels made square.

    Reduced in the file's own values, then encoded: a picture for looking, no measure of anything.

    Raises:
        UnsupportedImage: the file is no frame with red, green and blue.
        SettingsError: this machine's colour config does not know ``colorspace``.
    """
    plate = read_plate(path, frame)
    layout = plate.layout
    values = np.nan_to_num(plate.rgb, copy=False, nan=0.0, posinf=_LARGEST_HALF, neginf=0.0)
    canvas = place(values, layout.data, layout.display, outside=0.0)
    height, width = canvas.shape[:2]
    wide = min(WIDTH_PX, width)
    high = max(1, round(height * wide / (width * layout.pixel_aspect)))
    seen = ColorTransform(colorspace).encode(resize(canvas, (high, wide)))
    pixels = (np.clip(np.nan_to_num(seen), 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    return Picture(wide, high, pixels.tobytes())
