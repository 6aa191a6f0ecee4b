"""The only file that touches Nuke, `probes` aside. It belongs on Nuke's main thread; `on_main` brings a call there.

What Nuke does that is easily forgotten: executeInMainThreadWithResult swallows exceptions and gives None; called from
the main thread it may stand still for ever; without the GUI it does not exist.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, TypeVar

import nuke

from void_host.inputs import INPUTS
from void_nuke.knobs import KNOBS, VALUELESS
from void_nuke.licence import COMMERCIAL, INDIE, NON_COMMERCIAL, Licence
from void_nuke.snapshot import NodeState
from void_wire.errors import SettingsError

T = TypeVar("T")
Node = Any
"""One of Nuke's nodes."""

_MATTES = {"remove": "remove_channel", "affected": "affected_channel"}


def on_main(call: Callable[..., T], *args: Any) -> T:
    """Run ``call`` on Nuke's main thread and give back its value, or raise its exception."""
    if not nuke.GUI or threading.current_thread() is threading.main_thread():
        return call(*args)
    value: Dict[str, T] = {}
    error: Dict[str, BaseException] = {}

    def carry() -> None:
        try:
            value["it"] = call(*args)
        except BaseException as caught:  # whatever it is, it belongs to the caller
            error["it"] = caught

    nuke.executeInMainThreadWithResult(carry)
    if error:
        raise error["it"]
    return value["it"]


def soon(call: Callable[[], None]) -> None:
    """Have ``call`` run on Nuke's main thread, in the order of asking, without waiting; at once where this is it."""
    if not nuke.GUI or threading.current_thread() is threading.main_thread():
        call()
    else:
        nuke.executeInMainThread(call)


def read(node: Node) -> NodeState:
    """The node as it is now; renders nothing."""
    connected = {name: node.input(at) for at, name in enumerate(INPUTS) if node.input(at) is not None}
    plate = connected.get("plate")
    return NodeState(
        name=node.fullName(),
        script=nuke.root()["name"].value(),
        values={knob.name: node[knob.name].value() for knob in KNOBS if knob.code not in VALUELESS},
        formats={
            name: (source.format().width(), source.format().height()) for name, source in connected.items()
        },
        channels={name: tuple(source.channels()) for name, source in connected.items()},
        matte_channels={name: node[knob].value() for name, knob in _MATTES.items()},
        plate_range=(plate.firstFrame(), plate.lastFrame()) if plate is not None else None,
        views=tuple(nuke.views()),
    )


def licence() -> Licence:
    """What this Nuke may do."""
    for one in (NON_COMMERCIAL, INDIE):
        try:
            if nuke.env[one.key]:
                return one
        except KeyError:  # a Nuke that knows no such licence
            pass
    return COMMERCIAL


def matte_level(name: str, frame: int) -> float:
    """The mean of input remove's channel about its whole picture: 0 when it is black. Renders that frame of it.

    Raises SettingsError when the node is gone, RuntimeError in Nuke's words.
    """
    node = _present(name)
    source = node.input(INPUTS.index("remove"))
    width, height = source.format().width(), source.format().height()
    # Nuke weighs the area towards its middle: of one twice as large the whole picture counts
    channel = node["remove_channel"].value()
    return float(source.sample(channel, width / 2, height / 2, 2 * width, 2 * height, frame))


def current_frame() -> int:
    """Of the script."""
    return int(nuke.root()["frame"].value())


def write(node: Node, values: Mapping[str, Any]) -> None:
    """Set knobs without a step of undo: progress and state are not the artist's work."""
    with no_undo():
        for name, value in values.items():
            node[name].setValue(value)


def change(node: Node, what: str, values: Mapping[str, Any]) -> None:
    """Set knobs in one step of undo named ``what``."""
    nuke.Undo.begin()
    try:
        nuke.Undo.name(what)
        for name, value in values.items():
            node[name].setValue(value)
    finally:
        nuke.Undo.end()


def grey_out(node: Node, idle: Mapping[str, bool]) -> None:
    """Knobs that do nothing as the others stand: name -> whether it does nothing."""
    for name, nothing in idle.items():
        node[name].setEnabled(not nothing)


def find(name: str) -> Optional[Node]:
    """The node of this full name, if it is still there and still ours."""
    node = nuke.toNode(name)
    return node if node is not None and _ours(node) else None


def reload_result(node: Node) -> None:
    """Make the Read of the result look at its files again."""
    node.node("Result")["reload"].execute()


def say(text: str) -> None:
    """A window with one message; in a terminal a line."""
    nuke.message(text)


def announce(text: str) -> None:
    """The same from any thread, without waiting until the window is closed."""
    if nuke.GUI and threading.current_thread() is not threading.main_thread():
        nuke.executeInMainThread(nuke.message, (text,))
    else:
        nuke.message(text)


def ask(question: str) -> bool:
    """Let the artist decide, from any thread; waits for the answer. In a terminal nobody says no."""
    return bool(on_main(nuke.ask, question)) if nuke.GUI else True


def working_space() -> str:
    """The project's working space by its name."""
    return str(nuke.root()["workingSpaceLUT"].value())


def in_gui() -> bool:
    """Whether this Nuke has windows; known on any thread."""
    return bool(nuke.GUI)


def version() -> str:
    """Of this Nuke, as it writes it."""
    return str(nuke.NUKE_VERSION_STRING)


def go_to(frame: int) -> None:
    """Make this the script's frame."""
    with no_undo():
        nuke.root()["frame"].setValue(frame)


def executable() -> str:
    """The program of this Nuke; known on any thread."""
    return str(nuke.EXE_PATH)


def begin_export(name: str, folder: str) -> None:
    """Let the node's two Writes write into ``folder``. Raises SettingsError when the node is gone."""
    write(_present(name), {"export_folder": folder, "exporting": True})


def end_export(name: str) -> None:
    """Let them write nothing again."""
    node = find(name)
    if node is not None:
        write(node, {"export_folder": "", "exporting": False})


def save_copy(name: str, folder: str, path: str) -> None:
    """Write a copy of the script to ``path`` whose node exports into ``folder``; the script stays as it is.

    Raises SettingsError when the node is gone.
    """
    begin_export(name, folder)
    try:
        nuke.scriptSaveToTemp(path)
    finally:
        end_export(name)


def render(name: str, writer: str, frame: int, view: str) -> None:
    """Render one frame of a Write inside the node, at full size whatever the proxy mode is. Blocks.

    ``view`` names one of several, "" is the only one.

    Raises SettingsError when the node is gone, RuntimeError in Nuke's words; they begin with "Cancelled" where the
    artist pressed cancel.
    """
    node = _present(name)
    proxy = nuke.root()["proxy"]
    was = proxy.value()
    with no_undo():
        try:
            if was:
                proxy.setValue(False)
            nuke.execute(node.node(writer), frame, frame, 1, [view] if view else nuke.views())
        finally:
            if was:
                proxy.setValue(True)


@contextmanager
def no_undo() -> Iterator[None]:
    """What is done within is no step of undo; undo is as it was after it."""
    was_off = nuke.Undo.disabled()
    nuke.Undo.disable()
    try:
        yield
    finally:
        if not was_off:
            nuke.Undo.enable()


def _present(name: str) -> Node:
    node = find(name)
    if node is None:
        raise SettingsError(f"{name} is no longer in the script, so its job was not sent.")
    return node


def all_nodes() -> List[Node]:
    """Every node of ours in the script, the newest first."""
    return [node for node in nuke.allNodes(recurseGroups=True) if _ours(node)]


def show(node: Node) -> None:
    """Select the node alone, bring it into view and open its properties."""
    with no_undo():
        for other in nuke.selectedNodes():
            other.setSelected(False)
        node.setSelected(True)
    nuke.zoomToFitSelected()
    node.showControlPanel()


def when_script_loads(call: Callable[[], None]) -> None:
    """Call ``call`` after every script that is opened."""
    nuke.addOnScriptLoad(call)


def _ours(node: Node) -> bool:
    """By the knobs that hold a job: a Group made of an older node may lack others."""
    return all(name in node.knobs() for name in ("job", "job_server", "job_output", "exporting"))


class ProgressBar:
    """Nuke's own task bar with its cancel button. Make it on the main thread; tell it from any.

    It disappears with `close`: Nuke shows a bar for as long as its object lives.
    """

    def __init__(self, name: str) -> None:
        self._task: Any = nuke.ProgressTask(name) if nuke.GUI else None

    def show(self, message: str, share: float) -> None:
        """What is being done, and how much of it: 0 to 1."""
        if self._task is not None:
            self._task.setMessage(message)
            self._task.setProgress(int(100 * min(max(share, 0.0), 1.0)))

    def cancelled(self) -> bool:
        """Whether the artist pressed cancel."""
        return self._task is not None and bool(self._task.isCancelled())

    def close(self) -> None:
        """Take it away."""
        self._task = None


def add_menu(command: str) -> None:
    """The node in Nuke's menu of nodes; ``command`` is Python."""
    nuke.menu("Nodes").addMenu("VOID").addCommand("VOID", command)


def add_panel(widget: str, name: str, identifier: str) -> None:
    """A panel in Nuke's menu of panes; ``widget`` is Python that Nuke evaluates to its class, where menu.py runs.

    ``identifier`` is what saved layouts know it by.
    """
    from nukescripts import registerWidgetAsPanel  # a Nuke without its GUI may have none

    registerWidgetAsPanel(widget, name, identifier, create=False)
