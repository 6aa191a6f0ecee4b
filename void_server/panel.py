"""``void panel``: the hosts' panel in a window of its own."""

from __future__ import annotations

import os
import signal

from void_wire.connection import ENVIRONMENT_KEY, Connection
from void_wire.errors import SettingsError

SIZE_PX = (900, 760)


def open_panel(server: Connection) -> int:
    """Show the panel until it is closed; returns the exit code.

    Raises SettingsError where Qt cannot be loaded.
    """
    try:
        from PySide6 import QtCore, QtWidgets

        from void_panel.dark import dark_palette
        from void_panel.panel import VoidPanel
    except ImportError as error:
        raise SettingsError(
            f"The panel needs Qt, which does not load here ({error}). Run python3 install/bootstrap.py env, or pip "
            "install 'PySide6-Essentials<6.12'; a bare Linux also lacks libegl1, libgl1, libxkbcommon0, "
            "libfontconfig1 and libdbus-1-3."
        ) from None
    if server.key is not None:  # the panel's threads look their key up, and its address is shown
        os.environ[ENVIRONMENT_KEY] = server.secret_text()
    app = QtWidgets.QApplication(["void panel"])
    app.setStyle("Fusion")
    app.setPalette(dark_palette())
    panel = VoidPanel(server.address)
    panel.resize(*SIZE_PX)
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # before it greets anybody; a close works once the loop runs
        signal.signal(number, lambda *_: QtCore.QTimer.singleShot(0, panel.close))
    panel.show()
    return app.exec()
