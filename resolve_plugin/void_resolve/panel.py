"""The panel of the hosts in a window of its own, with the buttons of the comp's macros above it.

Importing this raises ImportError where there is no Qt. Calls of Fusion are made on Qt's thread, and are short: the work
is done by scripts that the buttons start.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Callable, List, Mapping, Optional

from void_host.address import server_address
from void_host.output import frame_path
from void_panel import tints
from void_panel.dark import dark_palette
from void_panel.host import Host as PanelHost
from void_panel.line import Line
from void_panel.panel import VoidPanel
from void_panel.qt import QtCore, QtWidgets
from void_resolve import script
from void_resolve.host.application import Host
from void_resolve.host.macro import Macro
from void_wire import sockets
from void_wire.errors import SettingsError, VoidError

LOOK_MS = 1000
SIZE_PX = (900, 760)
_BUTTONS = (("Remove", "remove"), ("Cancel", "cancel"), ("Go on", "follow"), ("Write farm job", "farm"))


class ResolvePanel(QtWidgets.QWidget):
    """The macros of the comp that is open, over every job of a server.

    Args:
        host: the application.
        setting: the macro's file.
        environment: where VOID_SERVER may name the server; else the first macro that names one does.
    """

    def __init__(self, host: Host, setting: Path, environment: Mapping[str, str]) -> None:
        super().__init__()
        self._host, self._setting = host, setting
        self._macros: List[Macro] = []
        self.setWindowTitle("VOID")
        self.macro = QtWidgets.QComboBox()
        self.status = Line(self)
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self.macro, 1)
        self.buttons = {}
        for text, press in _BUTTONS:
            self.buttons[press] = self._button(text, functools.partial(self._press, press))
            row.addWidget(self.buttons[press])
        self.buttons["place"] = self._button("Place", self._place)
        self.buttons["place"].setToolTip("Puts the macro on the selected tools: the active one is the plate.")
        row.addWidget(self.buttons["place"])
        column = QtWidgets.QVBoxLayout(self)
        column.addLayout(row)
        column.addWidget(self.status)
        self.look()
        address, wrong = self._address(environment)
        self.jobs = VoidPanel(address, host=PanelHost(reveal=self._reveal, target=self._target))
        if wrong:
            self.jobs.state.say(wrong, bad=True)
        column.addWidget(self.jobs, 1)
        self.macro.currentIndexChanged.connect(lambda _: self._show())
        self._timer = QtCore.QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()

    def look(self) -> None:
        """Show the macros there are, and what the chosen one says. The window closes when Resolve is gone."""
        if not self._host.alive():
            self.close()
            return
        wrong = ""
        try:
            macros = self._host.macros()
        except VoidError as error:
            macros, wrong = [], str(error)
        names = [macro.name for macro in macros]
        self._macros = macros
        if names != [self.macro.itemText(at) for at in range(self.macro.count())]:
            self.macro.blockSignals(True)
            self.macro.clear()
            self.macro.addItems(names)
            chosen = self._host.chosen_macro() if macros else None
            if chosen is not None:
                self.macro.setCurrentText(chosen.name)
            self.macro.blockSignals(False)
        for press, button in self.buttons.items():
            button.setEnabled(not wrong if press == "place" else bool(macros))
        if macros:
            self._show()
        else:
            self.status.say(
                wrong or "There is no macro VOID in this comp yet: select plate and masks, and place it."
            )

    def _show(self) -> None:
        self.status.say(self._macros[max(self.macro.currentIndex(), 0)].said())

    def _press(self, press: str) -> None:
        self._macros[max(self.macro.currentIndex(), 0)].press(press)
        self.status.say(f"{press} is started")

    def _place(self) -> None:
        try:
            script.place(self._host, self._setting)
        except VoidError as error:
            self.status.say(str(error), tints.BAD)
            return
        self.look()

    def _of_job(self, job: str) -> Optional[Macro]:
        return next((macro for macro in self._macros if job and macro.job()[0] == job), None)

    def _reveal(self, job: str) -> bool:
        """Show the macro that made this job in the Inspector."""
        macro = self._of_job(job)
        if macro is None:
            return False
        macro.activate()
        return True

    def _target(self, job: str) -> Optional[Callable[[int], Path]]:
        """Frame number to the file that the job's macro reads."""
        macro = self._of_job(job)
        output = macro.job()[2] if macro is not None else ""
        return (lambda frame: frame_path(output, frame)) if output else None

    def _address(self, environment: Mapping[str, str]) -> "tuple[str, str]":
        named = (str(macro.read().get("server") or "") for macro in self._macros)
        try:
            given = environment.get("VOID_SERVER", "") or next((one for one in named if one.strip()), "")
            return server_address(given, environment), ""
        except SettingsError as error:
            return sockets.full_address(sockets.DEFAULT_ADDRESS), str(error)

    def _button(self, text: str, clicked: Callable[[], None]) -> QtWidgets.QPushButton:
        made = QtWidgets.QPushButton(text)
        made.clicked.connect(lambda _: clicked())
        return made


def open_panel(host: Host, setting: Path, environment: Mapping[str, str]) -> int:
    """Show it until it is closed or Resolve is gone; returns the exit code."""
    app = QtWidgets.QApplication(["VOID"])
    app.setStyle("Fusion")
    app.setPalette(dark_palette())
    panel = ResolvePanel(host, setting, environment)
    panel.resize(*SIZE_PX)
    panel.show()
    run = getattr(app, "exec", None) or app.exec_  # PySide2 calls it exec_
    return int(run())
