"""A strict fake of Nuke: only what hosts.md says, refusing what the real one would refuse.

The names without an underscore are the module's own; ``nuke._session`` is what a test starts and looks into.
"""

from pathlib import Path as _Path

from nuke import _session
from nuke._nodes import (
    Gizmo,
    Group,
    Node,
    Root,
    allNodes,
    createNode,
    delete,
    nodes,
    root,
    selectedNodes,
    thisKnob,
    thisNode,
    toNode,
    zoomToFitSelected,
)
from nuke._render import execute
from nuke._session import main_only as _main_only
from nuke._threads import ProgressTask, Undo, executeInMainThread, executeInMainThreadWithResult

__all__ = [
    "EXE_PATH",
    "GUI",
    "INVISIBLE",
    "NO_UNDO",
    "NUKE_VERSION_MAJOR",
    "NUKE_VERSION_STRING",
    "Gizmo",
    "Group",
    "Menu",
    "Node",
    "ProgressTask",
    "Root",
    "Undo",
    "addKnobChanged",
    "addOnScriptClose",
    "addOnScriptLoad",
    "allNodes",
    "ask",
    "createNode",
    "delete",
    "env",
    "execute",
    "executeInMainThread",
    "executeInMainThreadWithResult",
    "menu",
    "message",
    "nodes",
    "pluginAddPath",
    "removeKnobChanged",
    "root",
    "scriptSaveToTemp",
    "selectedNodes",
    "thisKnob",
    "thisNode",
    "toNode",
    "views",
    "zoomToFitSelected",
]  # fmt: skip

NUKE_VERSION_MAJOR, NUKE_VERSION_STRING = 15, "15.0v4"
EXE_PATH = "/usr/local/Nuke15.0v4/Nuke15.0"
INVISIBLE, NO_UNDO = 1024, 524288


def __getattr__(name):
    if name == "GUI":
        return _session.current().gui
    raise AttributeError(f"module 'nuke' has no attribute {name!r}")


class _Env:
    """hosts.md A1.1 'nuke.env is dict-like'; 'nc' and 'indie' as Foundry's own plug-ins ask for them."""

    def __getitem__(self, name):
        session = _session.current()
        licences = {kind: session.licence == kind for kind in ("nc", "indie")}
        return {
            "gui": session.gui, "ExecutablePath": EXE_PATH, "hiero": False, "LINUX": True, **licences
        }[name]  # fmt: skip


env = _Env()


@_main_only
def message(prompt):
    """A window; hosts.md A1.8: without the GUI the text goes to stdout."""
    if not isinstance(prompt, str):
        raise TypeError("message takes text")
    _session.current().messages.append(prompt)


@_main_only
def ask(prompt):
    """A window with yes and no."""
    session = _session.current()
    session.messages.append(prompt)
    return session.answer


@_main_only
def pluginAddPath(args, addToSysPath=True):
    """hosts.md A1.3: text, tuple or list; a trailing slash is stripped."""
    for path in [args] if isinstance(args, str) else args:
        _session.current().plugin_path.insert(0, path.rstrip("/"))


def _add(kind, call, args, kwargs, nodeClass, node):
    _session.current().callbacks.setdefault(kind, []).append((call, args, kwargs or {}, nodeClass, node))


@_main_only
def addKnobChanged(call, args=(), kwargs=None, nodeClass="*", node=None):
    _add("knobChanged", call, args, kwargs, nodeClass, node)


@_main_only
def removeKnobChanged(call, args=(), kwargs=None, nodeClass="*", node=None):
    """hosts.md A1.5: needs the arguments it was added with."""
    _session.current().callbacks["knobChanged"].remove((call, args, kwargs or {}, nodeClass, node))


@_main_only
def addOnScriptLoad(call, args=(), kwargs=None, nodeClass="*", node=None):
    _add("onScriptLoad", call, args, kwargs, nodeClass, node)


@_main_only
def addOnScriptClose(call, args=(), kwargs=None, nodeClass="*", node=None):
    _add("onScriptClose", call, args, kwargs, nodeClass, node)


@_main_only
def views():
    return list(_session.current().views)


@_main_only
def scriptSaveToTemp(filename):
    """hosts.md A1.6: writes a copy; the root keeps its name. A3: other licences write scripts of their own."""
    from nuke._saving import text

    wanted = {"": ".nk", "indie": ".nkind", "nc": ".nknc"}[_session.current().licence]
    if not filename.endswith(wanted):
        raise RuntimeError(f"{filename}: this licence saves {wanted}")

    _Path(filename).write_text(text(_session.current().root), encoding="utf-8")
    return filename


class Menu:
    def __init__(self, path):
        self._path = path

    def addMenu(self, name, icon=""):
        return Menu(f"{self._path}/{name}")

    def addCommand(self, name, command="", shortcut="", icon=""):
        _session.current().commands[f"{self._path}/{name}"] = command


@_main_only
def menu(name):
    """hosts.md A1.10: fails without the GUI."""
    if not _session.current().gui:
        raise RuntimeError("not in GUI mode")
    if name not in ("Nuke", "Nodes", "Pane", "Node Graph", "Properties", "Viewer", "Animation", "Axis"):
        raise ValueError(f"{name} is no menu")
    return Menu(name)
