"""A node's removal: `void_host` does it, this shows it in Nuke.

The removal's thread touches Nuke through `host.on_main` alone. The node is named, not held: it may be deleted or
renamed meanwhile, and then the job goes on without it. Closing Nuke ends the thread and not the job: the node's knobs
say which job it is, and `attach` goes on with it.
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Tuple

from void_host.box import box_of
from void_host.output import pass1_path, version_in
from void_host.removal import ASK_PATIENCE_S, Exported, Removal, Stopped
from void_host.shot import Shot
from void_nuke import export, first_look, host
from void_nuke.snapshot import take
from void_wire.client import Client
from void_wire.errors import EmptyMatte, SettingsError, VoidError
from void_wire.messages import JobStatus

log = logging.getLogger(__name__)

_running: Dict[str, Optional[Removal]] = {}
"""Node's full name -> its removal, while this Nuke follows it; None while its job is still asked for. The node's knobs
are what lasts."""


def start(node: Any, shot: Shot) -> None:
    """Begin on a thread of its own. Raises SettingsError while the node's last job is still being made."""
    if shot.owner in _running:
        raise SettingsError(f"{shot.owner} is at work on a job: cancel that first, or wait for it.")
    removal, run = prepared(shot)
    _running[shot.owner] = removal
    _on_thread(shot.owner, run)


def render(node: Any) -> Optional[VoidError]:
    """The same in the foreground, for ``nuke -t`` and ``-x``; returns what went wrong, None when all is home."""
    try:
        shot = take(host.read(node), os.environ)
    except VoidError as error:
        return error
    return prepared(shot)[1]()


def prepared(shot: Shot) -> Tuple[Removal, Callable[[], Optional[VoidError]]]:
    """On the main thread: a removal, and what does all of it on any thread and returns what went wrong."""
    screen = NodeScreen(shot.owner)
    removal = Removal(shot, screen, "Nuke")

    def exporting(folder: Path, stopped: Stopped) -> Iterator[Exported]:
        for frame in export.frames(shot, folder, stopped, screen.say):
            yield frame, export.files(shot, folder, frame)

    def run() -> Optional[VoidError]:
        try:
            question = first_look.look(shot, removal.stop.is_set)
        except VoidError as error:
            screen.say(str(error))
            screen.warn(error)
            screen.close()
            return error
        if question:
            screen.say(question)
            if not host.ask(question):
                screen.close()
                return EmptyMatte(question)
        return removal.run(exporting)

    return removal, run


def attach(node: Any) -> None:
    """Go on with the job a node belongs to, if that was not brought home: for a script that was opened again."""
    name, job, server = node.fullName(), node["job"].value(), node["job_server"].value()
    output = node["job_output"].value()
    if not (job and server and output) or name in _running:
        return
    result = node["result"].value()
    screen = NodeScreen(name, inserted=result == output, other=result not in ("", output, pass1_path(output)))

    def follow() -> None:
        try:
            with Client(server, patience_s=ASK_PATIENCE_S, name="nuke") as client:
                shot = Shot(name, server, output, version_in(output), client.spec(job))
        except VoidError as error:
            log.info("%s: %s", name, error)
            screen.close()
            screen.say(str(error))
            return
        removal = Removal(shot, screen, "Nuke")
        _running[name] = removal
        removal.follow()

    _running[name] = None
    _on_thread(name, follow)


def attach_all() -> None:
    """`attach` for every node of the script."""
    for node in host.all_nodes():
        attach(node)


def cancel(node: Any) -> None:
    """Stop the node's job, whether this Nuke follows it or an earlier one sent it."""
    name, job, server = node.fullName(), node["job"].value(), node["job_server"].value()
    removal = _running.get(name)
    if removal is not None:
        removal.stop.set()
        host.write(node, {"status": "cancelling"})
    elif job and server:
        threading.Thread(target=_cancel_there, args=(name, job, server), daemon=True).start()
    else:
        host.write(node, {"status": "there is no job to cancel"})


def _on_thread(name: str, work: Callable[[], Any]) -> None:
    def run() -> None:
        try:
            work()
        except Exception as error:  # a bug: said where the artist looks, and in full in terminal and log
            log.exception("%s", name)
            _write(
                name, {"status": f"The plugin failed ({type(error).__name__}: {error}); see the terminal."}
            )
            raise
        finally:
            _running.pop(name, None)

    threading.Thread(target=run, name=f"void {name}", daemon=True).start()


def _cancel_there(name: str, job: str, server: str) -> None:
    try:
        with Client(server, patience_s=ASK_PATIENCE_S, name="nuke") as client:
            said = client.cancel(job).state.value
    except VoidError as error:
        said = str(error)
    _write(name, {"status": said})


def _write(name: str, values: Mapping[str, Any]) -> None:
    """Set knobs of the node if it is still there. Any thread."""

    def write() -> None:
        node = host.find(name)
        if node is not None:
            host.write(node, values)

    host.on_main(write)


class NodeScreen:
    """A removal as its node and Nuke's task bar show it (`void_host.removal.Screen`). Make it on the main thread.

    What is only told does not wait for the main thread; of several tidings the last one counts.

    Args:
        name: the node's full name.
        inserted: the node reads this job's frames already.
        other: the artist has chosen other frames, which stay.
    """

    def __init__(self, name: str, inserted: bool = False, other: bool = False) -> None:
        self._name = name
        self._inserted = inserted
        self._other = other
        self._bar = host.ProgressBar(f"VOID {name}")
        self._told: Dict[str, Any] = {}
        self._lock = threading.Lock()
        self._waiting: Dict[str, Any] = {}  # knobs to set at the main thread's next turn

    def say(self, text: str) -> None:
        """In the node."""
        self._tell({"status": text})

    def progress(self, text: str, share: float) -> None:
        """In the node and in the task bar."""
        self.say(text)
        self._bar.show(text, share)

    def accepted(self, shot: Shot) -> None:
        """In hidden knobs, which are saved with the script."""
        self._tell({"job": shot.spec.job, "job_server": shot.server, "job_output": shot.output})

    def show(self, shot: Shot, path: str) -> None:
        """The node's Read takes these frames. That is one step of undo, however often it happens."""
        frames = shot.spec.frames
        values: Dict[str, Any] = {"result": path, "use_result": True}
        for first, last in (("result_first", "result_last"), ("result_origfirst", "result_origlast")):
            values[first], values[last] = frames.first, frames.last

        def insert() -> None:
            node = host.find(self._name)
            if node is None or self._other:
                return
            if self._inserted:
                host.write(node, values)
            else:
                host.change(node, f"VOID result {shot.version}", values)
            self._inserted = True
            host.reload_result(node)

        host.on_main(insert)

    def look_again(self) -> None:
        """The Read looks at its files anew."""

        def reload() -> None:
            node = host.find(self._name)
            if node is not None and self._inserted:
                host.reload_result(node)

        host.on_main(reload)

    def ended(self, status: JobStatus) -> None:
        """What the server says of the memory it took, and the box where the model looked."""
        if "memory_mode" in status.record:
            self._tell({"memory": status.record["memory_mode"]})
        host.on_main(self._show_box, status.record.get("crop", ""))

    def warn(self, error: VoidError) -> None:
        """In a window."""
        host.announce(str(error))

    def cancelled(self) -> bool:
        """Whether the task bar's cancel was pressed."""
        return self._bar.cancelled()

    def close(self) -> None:
        """The task bar goes."""
        self._bar.close()

    def _show_box(self, crop: str) -> None:
        node = host.find(self._name)
        plate = node.input(0) if node is not None else None
        box = box_of(crop, plate.format().height()) if plate is not None else None
        if box is not None:
            host.write(node, {"box": box})

    def _tell(self, values: Mapping[str, Any]) -> None:
        """Set knobs of the node, those that changed, when Nuke comes to it: its main thread may be busy for long."""
        changed = {name: value for name, value in values.items() if self._told.get(name) != value}
        self._told.update(changed)
        with self._lock:
            first = bool(changed) and not self._waiting
            self._waiting.update(changed)
        if first:
            host.soon(self._set)

    def _set(self) -> None:
        with self._lock:
            values, self._waiting = self._waiting, {}
        node = host.find(self._name)
        if node is not None:
            host.write(node, values)
