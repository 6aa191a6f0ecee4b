"""A macro of ours in a comp: its controls, its data, what feeds it, and the Loader that shows its result."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from void_resolve.controls import CONTROLS, Kind
from void_resolve.fusion_api import Comp, Output, Tool
from void_resolve.host import savers
from void_resolve.host.comp import SourceTool, add_tool, undo_step
from void_resolve.host.loader import put_back, span, trims_of
from void_resolve.macro import INPUTS
from void_wire.errors import SettingsError, ShotError

SCRIPT = "Scripts:Comp/VOID.py"
"""Where install/resolve.py puts the script, as Fusion writes paths."""

_PRESS_S = 60.0
"""A press that no script took by then is none."""

JOB, SERVER, OUTPUT, PRESS = "void.job", "void.server", "void.output", "void.press"
"""Kept in the macro's data, so a project that is opened again knows its job."""
_PLACED = "void.placed"
"""First and last frame that the Loader's trims belong to."""
_TRIMS = "void.trims"
"""The Loader's trims from before a job began to show its pictures."""


class Macro:
    """One of ours in a comp. It may be deleted at any time; then `there` is False and nothing else has an effect."""

    def __init__(self, comp: Comp, tool: Tool) -> None:
        self._comp, self.tool = comp, tool
        self._in_steps = False  # this Fusion takes back what is no step of undo

    @property
    def name(self) -> str:
        """As the artist named it; "" when it is gone."""
        return str((self.tool.GetAttrs() or {}).get("TOOLS_Name") or "")

    def there(self) -> bool:
        """Whether it is still in the comp."""
        return bool(self.name)

    def job(self) -> Tuple[str, str, str]:
        """Id of its job, the job's server, the path of its frames; "" where there is none yet."""
        job, server, output = (str(self.tool.GetData(name) or "") for name in (JOB, SERVER, OUTPUT))
        return job, server, output

    def keep_job(self, job: str, server: str, output: str) -> None:
        """Remember the job with the macro."""
        for name, value in ((JOB, job), (SERVER, server), (OUTPUT, output)):
            self.tool.SetData(name, value)

    def said(self) -> str:
        """What its status says."""
        return str(self.tool.GetInput("status") or "")

    def pressed(self) -> str:
        """Which of its buttons started this script; asked once. "" where none did, or long ago."""
        press, _, at_s = str(self.tool.GetData(PRESS) or "").partition("@")
        if not press:
            return ""
        self.tool.SetData(PRESS, "")
        return press if abs(time.time() - float(at_s)) < _PRESS_S else ""

    def press(self, button: str) -> None:
        """Have a script of its own do what a button of the macro does."""
        self.tool.SetData(PRESS, f"{button}@{int(time.time())}")
        self.activate()
        self._comp.RunScript(SCRIPT)

    def write(self, values: Mapping[str, Any]) -> None:
        """Set controls without a step of undo: progress is not the artist's work. Nothing when it is gone."""
        if not self.there():
            return

        def change() -> None:
            for name, value in values.items():
                self.tool.SetInput(name, value)

        self._quietly(
            "VOID status", change, lambda: all(self.tool.GetInput(n) == v for n, v in values.items())
        )

    def _quietly(self, what: str, change: Callable[[], None], took: Callable[[], bool]) -> None:
        """Make a change that is no step of undo; where that takes it back, one that is."""
        with undo_step(self._comp, what, keep=self._in_steps):
            change()
        if not self._in_steps and not took():
            self._in_steps = True
            with undo_step(self._comp, what, keep=True):
                change()

    def activate(self) -> None:
        """Show it in the Inspector."""
        self._comp.SetActiveTool(self.tool)

    def wire(self, name: str, source: SourceTool) -> None:
        """Feed input ``name``. Raises ShotError when Fusion refuses."""
        pin = self.tool.FindMainInput(INPUTS.index(name) + 1)
        output = source.tool.FindMainOutput(1)
        if pin is None or output is None or pin.ConnectTo(output) is False:
            raise ShotError(
                f"{source.name} cannot be connected to {name} of {self.name}: connect it by hand."
            )

    def source(self, name: str) -> Optional[Output]:
        """What feeds input ``name``."""
        pin = self.tool.FindMainInput(INPUTS.index(name) + 1)
        return pin.GetConnectedOutput() if pin is not None else None

    def result_clip(self) -> str:
        """The file that the Loader at input result was given; "" where there is none."""
        output = self.source("result")
        return str(output.GetTool().GetInput("Clip") or "") if output is not None else ""

    def read(self) -> Dict[str, Any]:
        """Its controls, buttons aside. One of an older macro lacks some: None."""
        return {
            control.name: self.tool.GetInput(control.name)
            for control in CONTROLS
            if control.kind is not Kind.BUTTON
        }

    # --- export ------------------------------------------------------------------------------------------------

    def export(self, folder: Path, first: int, last: int, depth: str) -> None:
        """Render plate and mattes of the comp's frames ``first`` to ``last`` into ``folder``. Blocks; see `savers`.

        The comp is as before after it, and undo has no step of it. Raises SettingsError when Fusion does not render.
        """
        plate, mattes = self.source("plate"), self.tool.FindMainOutput(2)
        if plate is None or mattes is None:
            raise ShotError(f"Input plate of {self.name or 'the macro'} is not connected: connect the shot.")
        savers.render(self._comp, (plate, mattes), folder, first, last, depth)

    # --- result ------------------------------------------------------------------------------------------------

    def show_still(self, path: Path, first: int, last: int, what: str, fresh: bool) -> None:
        """Show one picture over all of the frames: the newest one, while the others are being made.

        ``fresh``: this is the first picture of its job, and a step of undo named ``what``.
        """

        def change() -> None:
            loader = self._loader()
            if loader is None:
                return
            if not self.tool.GetData(_TRIMS):
                self.tool.SetData(_TRIMS, trims_of(loader))
            loader.SetInput("Clip", str(path))
            span(loader, first, last)
            self._use(first, last)

        self._show(path, what, fresh, change)

    def show_sequence(self, path: Path, first: int, last: int, what: str, fresh: bool) -> None:
        """Show the finished sequence, of which ``path`` is the first file, from frame ``first`` of the comp on.

        Trims that the artist gave the Loader stay, while the frames are the same ones.
        """
        kept = self.tool.GetData(_TRIMS)
        same = self.tool.GetData(_PLACED) == {"first": first, "last": last}

        def change() -> None:
            loader = self._loader()
            if loader is None:
                return
            trims = kept or trims_of(loader)
            loader.SetInput("Clip", str(path))
            if not same:
                span(loader, first, last)
            put_back(loader, trims, in_time=same)
            self._use(first, last)

        self._show(path, what, fresh, change)
        self.tool.SetData(_PLACED, {"first": first, "last": last})
        self.tool.SetData(_TRIMS, None)

    def _show(self, path: Path, what: str, fresh: bool, change: Callable[[], None]) -> None:
        if fresh:
            with undo_step(self._comp, what, keep=True):
                change()
        else:
            self._quietly(what, change, lambda: not self.there() or Path(self.result_clip()) == path)

    def _use(self, first: int, last: int) -> None:
        for name, value in (("result_first", first), ("result_last", last), ("use_result", 1)):
            self.tool.SetInput(name, value)

    def _loader(self) -> Optional[Tool]:
        """The Loader at input result: the one that is there, or a new one. None when the macro is gone."""
        if not self.there():
            return None
        output, pin = self.source("result"), self.tool.FindMainInput(len(INPUTS))
        if output is not None:
            there = output.GetTool()
            if (there.GetAttrs() or {}).get("TOOLS_RegID") == "Loader":
                return there
        made = add_tool(self._comp, "Loader", f"{self.name}_result")
        source = made.FindMainOutput(1)
        if pin is None or source is None or pin.ConnectTo(source) is False:
            made.Delete()
            raise SettingsError(
                f"The result cannot be connected to {self.name}: place a Loader on it by hand. Its frames are at "
                f"{self.tool.GetData(OUTPUT)}."
            )
        return made
