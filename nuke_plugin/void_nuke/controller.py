"""One removal from the button to the frames: export, upload, watch, fetch.

::

    main thread      start(node, shot) ------------- shows progress, sets knobs ---------- Read of the result
                          |                              ^ host.on_main                        ^
    thread of the job     submit -> export -> upload -> watch -> fetch as frames are made -----+

The thread owns its Client and touches Nuke through `host.on_main` alone. The node is named, not held: it may be deleted
or renamed meanwhile, and then the job goes on without it. Closing Nuke ends the thread and not the job.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Set

from void_nuke import host
from void_nuke.output import frame_path
from void_nuke.snapshot import ShotSnapshot, box_of, take
from void_wire.client import ENDED, Client
from void_wire.errors import SettingsError, VoidError, from_code
from void_wire.messages import JobStatus, Role, State

RELOAD_S = 2.0
"""The Read of the result looks at its files at most this often: a reload is expensive."""

_WATCH_S = 0.5
"""A cancel is seen after this at the latest."""

_ASK_PATIENCE_S = 2.0

_WRITERS = {Role.PLATE: "WritePlate", Role.MATTES: "WriteMattes"}
_FILES = {Role.PLATE: "plate", Role.MATTES: "mattes"}


_running: Dict[str, "Removal"] = {}
"""Node's full name -> its removal, while this Nuke makes it. The node's knobs are what lasts."""


def start(node: Any, shot: ShotSnapshot) -> threading.Thread:
    """Begin on a thread of its own. Raises SettingsError while the node's last job is still being made."""
    if shot.node in _running:
        raise SettingsError(f"{shot.node} is at work on a job: cancel that first, or wait for it.")
    removal = Removal(shot, host.ProgressBar(f"VOID {shot.node}"))
    _running[shot.node] = removal

    def work() -> None:
        try:
            removal.run()
        finally:
            _running.pop(shot.node, None)

    thread = threading.Thread(target=work, name=f"void {shot.spec.job}", daemon=True)
    thread.start()
    return thread


def render(node: Any) -> Optional[VoidError]:
    """The same in the foreground, for ``nuke -t`` and ``-x``; returns what went wrong, None when all is home."""
    try:
        shot = take(host.read(node), os.environ)
    except VoidError as error:
        return error
    return Removal(shot, host.ProgressBar(f"VOID {shot.node}")).run()


def cancel(node: Any) -> None:
    """Stop the node's job, whether this Nuke makes it or an earlier one sent it."""
    name, job, server = node.fullName(), node["job"].value(), node["job_server"].value()
    if name in _running:
        _running[name].stop.set()
        host.write(node, {"status": "cancelling"})
    elif job and server:
        threading.Thread(target=_cancel_there, args=(name, job, server), daemon=True).start()
    else:
        host.write(node, {"status": "there is no job to cancel"})


def _cancel_there(name: str, job: str, server: str) -> None:
    try:
        with Client(server, patience_s=_ASK_PATIENCE_S, name="nuke") as client:
            said = client.cancel(job).state.value
    except VoidError as error:
        said = str(error)
    host.on_main(_write_status, name, said)


def _write_status(name: str, text: str) -> None:
    node = host.find(name)
    if node is not None:
        host.write(node, {"status": text})


class _Stopped(Exception):
    """The artist cancelled."""


@dataclass
class Removal:
    """A job of this Nuke. ``stop`` may be set from any thread."""

    shot: ShotSnapshot
    bar: host.ProgressBar
    stop: threading.Event = field(default_factory=threading.Event)
    home: Set[int] = field(default_factory=set)
    _shown: Dict[str, Any] = field(default_factory=dict)
    _reloaded: float = 0.0

    def run(self) -> Optional[VoidError]:
        """All of it; returns what went wrong, having said so in the node. Bugs are raised."""
        folder = Path(tempfile.mkdtemp(prefix="void-export-"))
        try:
            with Client(self.shot.server, name="nuke") as client:
                self._send(client, folder)
                self._follow(client)
            return None
        except _Stopped:
            self._tell({"status": "cancelled before it was sent"})
            return None
        except VoidError as error:
            self._tell({"status": str(error)})
            return error
        finally:
            self.bar.close()
            shutil.rmtree(str(folder), ignore_errors=True)

    def _send(self, client: Client, folder: Path) -> None:
        spec = self.shot.spec
        client.submit(spec)  # what the server refuses is said before anything renders
        self._tell({"job": spec.job, "job_server": self.shot.server})
        try:
            files = self._export(folder)
            client.upload(spec, files, self._uploaded)
        except _Stopped:
            client.cancel(spec.job)
            raise

    def _export(self, folder: Path) -> Mapping[Role, Mapping[int, Path]]:
        """Render plate and mattes, a frame at a time on Nuke's main thread; between frames Nuke lives."""
        numbers = self.shot.spec.frames.numbers()
        files: Dict[Role, Dict[int, Path]] = {role: {} for role in self.shot.spec.roles}
        self._tell({"export_folder": folder.as_posix(), "exporting": True})
        try:
            for count, frame in enumerate(numbers):
                self._go_on()
                self._progress(f"export {frame}", count / len(numbers))
                for role in self.shot.spec.roles:
                    host.on_main(self._render, _WRITERS[role], frame)
                    files[role][frame] = folder / f"{_FILES[role]}.{frame:04d}.exr"
        finally:
            self._tell({"export_folder": "", "exporting": False})
        return files

    def _render(self, writer: str, frame: int) -> None:
        node = host.find(self.shot.node)
        if node is None:
            raise SettingsError(f"{self.shot.node} is no longer in the script, so its job was not sent.")
        try:
            host.render(node, writer, frame)
        except RuntimeError as error:
            if str(error).startswith("Cancelled"):
                raise _Stopped from None
            raise SettingsError(f"Frame {frame} could not be rendered for the export: {error}") from None

    def _uploaded(self, done: int, total: int) -> None:
        self._go_on()
        self._progress(f"upload {done} of {total} files", done / total)

    def _follow(self, client: Client) -> None:
        status, cancelled = client.watch(self.shot.spec.job), False
        while True:
            fetched = self._fetch(client, status)
            if status.state in ENDED:
                break
            if not cancelled and self._cancelled():
                status, cancelled = client.cancel(self.shot.spec.job), True
                continue
            self._show(status)
            status = client.watch(self.shot.spec.job, status.revision, 0.0 if fetched else _WATCH_S)
        if self.home:
            host.on_main(self._reload)
        if status.state is State.FAILED:
            raise from_code(status.error_code, status.error)
        self._finish(status)

    def _fetch(self, client: Client, status: JobStatus) -> int:
        wanted = [frame for frame in status.ready.get(Role.RESULT, []) if frame not in self.home]
        if wanted:
            self._make_folder(frame_path(self.shot.output, wanted[0]).parent)
        for frame, _ in client.fetch(
            self.shot.spec.job, Role.RESULT, wanted, lambda number: frame_path(self.shot.output, number)
        ):
            first = not self.home
            self.home.add(frame)
            if first:
                host.on_main(self._insert)
            elif time.monotonic() - self._reloaded > RELOAD_S:
                host.on_main(self._reload)
        return len(wanted)

    def _make_folder(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                f"{folder} cannot be made ({error.strerror}): the job goes on; fetch it with void "
                f"fetch {self.shot.spec.job}."
            ) from None

    def _insert(self) -> None:
        """The node shows the result from its first frame on: one step of undo."""
        node, frames = host.find(self.shot.node), self.shot.spec.frames
        if node is not None:
            values: Dict[str, Any] = {"result": self.shot.output, "use_result": True}
            for first, last in (("result_first", "result_last"), ("result_origfirst", "result_origlast")):
                values[first], values[last] = frames.first, frames.last
            host.change(node, f"VOID result {self.shot.version}", values)
            self._reload()

    def _reload(self) -> None:
        node = host.find(self.shot.node)
        if node is not None:
            host.reload_result(node)
        self._reloaded = time.monotonic()

    def _show(self, status: JobStatus) -> None:
        if status.state is State.QUEUED:
            self._progress(f"place {status.queue_place} in the queue", 0.0)
        elif status.stage is not None:
            share = status.step / status.steps if status.steps else 0.0
            self._progress(f"{status.stage.value} {status.step} of {status.steps}", share)

    def _progress(self, text: str, share: float) -> None:
        self._tell({"status": text})
        self.bar.show(text, share)

    def _cancelled(self) -> bool:
        return self.stop.is_set() or self.bar.cancelled()

    def _go_on(self) -> None:
        if self._cancelled():
            raise _Stopped

    def _finish(self, status: JobStatus) -> None:
        count = f"{len(self.home)} frames in version {self.shot.version}"
        values = {"status": f"{status.state.value}: {count}"}
        if "memory_mode" in status.record:
            values["memory"] = status.record["memory_mode"]
        self._tell(values)
        crop = status.record.get("crop", "")
        if re.fullmatch(r"\d+,\d+,\d+,\d+", crop):
            host.on_main(self._show_box, crop)

    def _show_box(self, crop: str) -> None:
        node = host.find(self.shot.node)
        if node is not None and node.input(0) is not None:
            host.write(node, {"box": box_of(crop, node.input(0).format().height())})

    def _tell(self, values: Mapping[str, Any]) -> None:
        """Set knobs of the node, those that changed."""
        changed = {name: value for name, value in values.items() if self._shown.get(name) != value}
        if changed:
            self._shown.update(changed)
            host.on_main(self._write, changed)

    def _write(self, values: Mapping[str, Any]) -> None:
        node = host.find(self.shot.node)
        if node is not None:
            host.write(node, values)
