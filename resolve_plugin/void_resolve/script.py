"""What VOID.py does: the press of a macro's button, a window, or a command of the terminal.

A button starts this script in a process of its own, and that process does the work to its end. A window only starts
such scripts and shows what their macros say, so nothing in it waits, and closing it stops nothing.
"""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path
from typing import Any, Callable, List, Mapping, Optional, Sequence

from void_host import log as log_file
from void_resolve import controller, farm
from void_resolve.host.application import Host, connect
from void_resolve.host.comp import SourceTool
from void_resolve.host.macro import Macro
from void_wire.errors import SettingsError, ShotError, VoidError

FREE = (
    "Free Resolve runs no Python and opens no windows of scripts, so VOID works by itself in DaVinci Resolve Studio "
    'and in Fusion Studio; here, use "VOID Free" in the same menu: it exports and imports, with void submit between.'
)

NO_WINDOW = (
    "There is no window here, because this Python has no PySide6 and Resolve gave none of its own: use the buttons "
    "Remove, Cancel and Go on of the macro VOID in the Inspector."
)

ROLES = ("plate", "remove", "affected")

log = logging.getLogger(__name__)

Say = Callable[[str], None]


def main(
    given: Mapping[str, Any],
    arguments: Sequence[str],
    setting: Path,
    say: Say = print,
    environment: Mapping[str, str] = os.environ,
) -> int:
    """Do it; returns the exit code.

    Args:
        given: the script's globals, where a menu puts ``resolve``, ``fusion`` and ``bmd``.
        arguments: of the terminal; those of a menu are not looked at.
        setting: the macro's file.
        say: takes a line for the Console or terminal.
        environment: VOID_SERVER, VOID_OUTPUT.
    """
    from_menu = given.get("fusion") is not None or given.get("resolve") is not None
    asked = _parser().parse_args([] if from_menu else list(arguments))
    try:
        log_file.start(environment)
        host = connect(given)
        if host.free_edition():
            say(FREE)
            return 1
        if asked.command == "place":
            macro = place(host, setting, [getattr(asked, role) for role in ROLES])
            say(f"{macro.name} is placed.")
            return 0
        if asked.command == "selftest":
            return _selftest(host, setting, asked.to, asked.server, say)
        if asked.command:
            return _do(host, _named(host, asked.macro), asked.command, say, environment)
        for macro in host.macros():
            press = macro.pressed()
            if press:
                return _do(host, macro, press, say, environment)
        return _window(host, given, setting, say, environment)
    except controller.Left:
        return 0
    except VoidError as error:
        say(str(error))
        return 1


def place(host: Host, setting: Path, names: Sequence[Optional[str]] = ()) -> Macro:
    """A new macro, on tools by name or on the selected ones: the plate is the active one, the masks are the mattes.

    Raises ShotError where it is not clear which is which.
    """
    if any(names):
        sources = [host.find_tool(name) if name else None for name in names]
    else:
        sources = _sorted_out(host.selection())
    macro = host.place(setting)
    for role, source in zip(ROLES, sources):
        if source is not None:
            macro.wire(role, source)
    macro.activate()
    return macro


def _sorted_out(selected: List[SourceTool]) -> List[Optional[SourceTool]]:
    masks = [tool for tool in selected if tool.is_mask]
    pictures = [tool for tool in selected if not tool.is_mask]
    if len(pictures) + len(masks) > len(ROLES):
        raise ShotError(
            f"{len(selected)} tools are selected: select the plate, the roto of what goes and, if there is one, the "
            "roto of what changes with it."
        )
    if masks and not pictures:
        raise ShotError("Only masks are selected: select the plate with them.")
    found: List[Optional[SourceTool]] = [*pictures[:1], *masks, *pictures[1:]]
    return [*found, *[None] * (len(ROLES) - len(found))]


def _do(host: Host, macro: Macro, what: str, say: Say, environment: Mapping[str, str]) -> int:
    """The work behind a button; its errors stand in the macro too."""
    try:
        if what == "cancel":
            told = controller.cancel(macro)
            macro.write({"status": told})
            say(told)
            return 0
        if what == "farm":
            told = farm.write(host, macro, say, environment)
            macro.write({"status": told})
            say(told)
            return 0
        if what == "follow":
            error = controller.attach(host, macro, say).follow()
        else:
            error = controller.start(host, macro, say, environment).run()
        return 1 if error is not None else 0
    except VoidError as error:
        macro.write({"status": str(error)})
        raise
    except controller.Left:
        raise
    except Exception as error:  # a bug: said where the editor looks, and in full in Console and log
        log.exception("%s", macro.name)
        macro.write({"status": f"The plugin failed ({type(error).__name__}: {error}); see the Console."})
        raise


def _named(host: Host, name: Optional[str]) -> Macro:
    found = {macro.name: macro for macro in host.macros()}
    if name is None:
        chosen = host.chosen_macro()
        if chosen is not None:
            return chosen
        raise SettingsError(
            f"Which macro? Select one, or name it with --macro; there are {', '.join(found) or 'none'}."
        )
    if name not in found:
        raise SettingsError(f"There is no macro {name}; there are {', '.join(found) or 'none'}.")
    return found[name]


def _window(
    host: Host, given: Mapping[str, Any], setting: Path, say: Say, environment: Mapping[str, str]
) -> int:
    """The panel where Qt is, else a window of Fusion's own, else what can be done without one."""
    try:
        from void_resolve.panel import open_panel
    except ImportError:
        pass
    else:
        return open_panel(host, setting, environment)
    windows, bmd = host.windows(), given.get("bmd")
    if windows is not None and bmd is not None:
        from void_resolve.window import Window

        Window(host, windows, bmd, setting).run()
        return 0
    if not host.macros() and host.selection():
        say(f"{place(host, setting).name} is placed on the selected tools: its buttons are in the Inspector.")
        return 0
    say(NO_WINDOW)
    return 1


def _selftest(host: Host, setting: Path, folder: Path, server: str, say: Say) -> int:
    from void_resolve import selftest

    report = selftest.run(host, setting, server, say)
    say(f"The report is {report.write(folder)}.")
    return 0 if report.good else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="VOID.py", description="VOID in DaVinci Resolve and Fusion.")
    commands = parser.add_subparsers(dest="command")
    for name, what in (
        ("remove", "send the job of a macro and bring its frames"),
        ("follow", "go on with the job of a macro"),
        ("cancel", "stop the job of a macro"),
        ("farm", "render a macro's plate and mattes and write them as a farm job"),
    ):
        commands.add_parser(name, help=what).add_argument("--macro", help="its name; else the selected one")
    placing = commands.add_parser("place", help="place the macro on tools, else on the selected ones")
    for role in ROLES:
        placing.add_argument(f"--{role}", metavar="TOOL")
    asking = commands.add_parser(
        "selftest", help="ask this Fusion what the plugin relies on; writes a report"
    )
    asking.add_argument("--to", type=Path, default=Path(), metavar="FOLDER")
    asking.add_argument("--server", default="")
    return parser
