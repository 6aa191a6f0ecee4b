"""A window of Fusion's own (UIManager), for a Python without PySide6: the macros of the comp and their buttons.

It starts scripts and reads what their macros say; it waits for nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, List

from void_resolve import script
from void_resolve.host.application import Host
from void_resolve.host.macro import Macro
from void_wire.errors import VoidError

_ID = "VoidWindow"
_BUTTONS = (("Remove", "remove"), ("Cancel", "cancel"), ("Go on", "follow"), ("Write farm job", "farm"))
_LOOK_MS = 1000


class Window:
    """The window.

    Args:
        host: the application.
        ui: its UIManager.
        bmd: the module with the dispatcher of windows.
        setting: the macro's file.
    """

    def __init__(self, host: Host, ui: Any, bmd: Any, setting: Path) -> None:
        self._host, self._setting = host, setting
        self._dispatcher = bmd.UIDispatcher(ui)
        self._macros: List[Macro] = []
        buttons = [ui.Button({"ID": press, "Text": text}) for text, press in _BUTTONS]
        self._window = self._dispatcher.AddWindow(
            {"ID": _ID, "WindowTitle": "VOID", "Geometry": [200, 200, 460, 150]},
            [
                ui.VGroup(
                    [
                        ui.ComboBox({"ID": "macro", "Weight": 0}),
                        ui.Label({"ID": "status", "WordWrap": True, "Weight": 1}),
                        ui.HGroup({"Weight": 0}, buttons),
                        ui.Button(
                            {"ID": "place", "Text": "Place the macro on the selected tools", "Weight": 0}
                        ),
                    ]
                )
            ],
        )
        self._items = self._window.GetItems()
        self._timer = ui.Timer({"ID": "look", "Interval": _LOOK_MS})
        on = self._window.On
        for _, press in _BUTTONS:
            on[press].Clicked = self._pressing(press)
        on["place"].Clicked = lambda event: self._place()
        on[_ID].Close = lambda event: self._dispatcher.ExitLoop()
        self._dispatcher.On.Timeout = lambda event: self.look()  # of every timer; this is the only one

    def run(self) -> None:
        """Show it until it is closed or Resolve is gone."""
        self.look()
        self._window.Show()
        self._timer.Start()
        self._dispatcher.RunLoop()
        self._timer.Stop()
        self._window.Hide()

    def look(self) -> None:
        """Show the macros there are, and what the chosen one says."""
        if not self._host.alive():
            self._dispatcher.ExitLoop()
            return
        try:
            macros = self._host.macros()
        except VoidError as error:
            self._macros = []
            self._items["status"].Text = str(error)
            return
        names = [macro.name for macro in macros]
        if names != [macro.name for macro in self._macros]:
            self._items["macro"].Clear()
            self._items["macro"].AddItems(names)
            chosen = self._host.chosen_macro()
            if chosen is not None:
                self._items["macro"].CurrentIndex = names.index(chosen.name)
        self._macros = macros
        self._items["status"].Text = (
            self._chosen().said()
            if macros
            else "There is no macro VOID in this comp yet: select the plate and its masks, and place it."
        )

    def _chosen(self) -> Macro:
        at = int(self._items["macro"].CurrentIndex or 0)
        return self._macros[min(max(at, 0), len(self._macros) - 1)]

    def _pressing(self, press: str) -> Callable[[Any], None]:
        def clicked(event: Any) -> None:
            if self._macros:
                self._chosen().press(press)

        return clicked

    def _place(self) -> None:
        try:
            script.place(self._host, self._setting)
        except VoidError as error:
            self._items["status"].Text = str(error)
            return
        self.look()
