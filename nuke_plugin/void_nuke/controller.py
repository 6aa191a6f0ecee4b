"""One removal from the button to the frames: export, upload, watch, fetch; and a job of yesterday taken up again.

::

    main thread      start(node, shot) --------------- shows progress, sets knobs ---------- Read of the result
                          |                                ^ host.on_main                        ^
    thread of the job     submit -> export, upload -> watch -> fetch as frames are made ---------+

The thread owns its Client and touches Nuke through `host.on_main` alone. The node is named, not held: it may be deleted
or renamed meanwhile, and then the job goes on without it. Closing Nuke ends the thread and not the job: the node's
knobs say which job it is, and `attach` goes on with it.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Set

from void_nuke import export, host
from void_nuke.output import frame_path, pass1_path
from void_nuke.snapshot import ShotSnapshot, box_of, take
from void_wire.client import ENDED, Client
from void_wire.errors import MissingFrames, SettingsError, TransportError, VoidError, from_code
from void_wire.messages import FrameRange, JobStatus, Role, State

RELOAD_S = 2.0
"""The Read of the result looks at its files at most this often: a reload is expensive."""

_WATCH_S = 0.5
"""A cancel is seen after this at the latest."""

_ASK_PATIENCE_S = 2.0

_running: Dict[str, "Removal"] = {}
"""Node's full name -> its removal, while this Nuke follows it. The node's knobs are what lasts."""


def start(node: Any, shot: ShotSnapshot) -> None:
    """Begin on a thread of its own. Raises SettingsError while the node's last job is still being made."""
    if shot.node in _running:
        raise SettingsError(f"{shot.node} is at work on a job: cancel that first, or wait for it.")
    removal = Removal(shot, host.ProgressBar(f"VOID {shot.node}"))
    _running[shot.node] = removal
    _on_thread(shot.node, removal.run)


def render(node: Any) -> Optional[VoidError]:
    """The same in the foreground, for ``nuke -t`` and ``-x``; returns what went wrong, None when all is home."""
    try:
        shot = take(host.read(node), os.environ)
    except VoidError as error:
        return error
    return Removal(shot, host.ProgressBar(f"VOID {shot.node}")).run()


def attach(node: Any) -> None:
    """Go on with the job a node belongs to, if that was not brought home: for a script that was opened again."""
    name, job, server = node.fullName(), node["job"].value(), node["job_server"].value()
    output = node["job_output"].value()
    if not (job and server and output) or name in _running:
        return
    bar = host.ProgressBar(f"VOID {name}")
    shown = node["result"].value() == output

    def follow() -> None:
        try:
            with Client(server, patience_s=_ASK_PATIENCE_S, name="nuke") as client:
                shot = ShotSnapshot(name, server, output, _version_of(output), client.spec(job))
        except VoidError as error:
            bar.close()
            host.on_main(_write_status, name, str(error))
            return
        removal = Removal(shot, bar, inserted=shown)
        _running[name] = removal
        removal.follow()

    _on_thread(name, follow)


def attach_all() -> None:
    """`attach` for every node of the script."""
    for node in host.all_nodes():
        attach(node)


def cancel(node: Any) -> None:
    """Stop the node's job, whether this Nuke follows it or an earlier one sent it."""
    name, job, server = node.fullName(), node["job"].value(), node["job_server"].value()
    if name in _running:
        _running[name].stop.set()
        host.write(node, {"status": "cancelling"})
    elif job and server:
        threading.Thread(target=_cancel_there, args=(name, job, server), daemon=True).start()
    else:
        host.write(node, {"status": "there is no job to cancel"})


def _on_thread(name: str, work: Callable[[], Any]) -> None:
    def run() -> None:
        try:
            work()
        except Exception as error:  # a bug: said where the artist looks, and in full in Nuke's terminal
            host.on_main(
                _write_status, name, f"The plugin failed ({type(error).__name__}: {error}); see the terminal."
            )
            raise
        finally:
            _running.pop(name, None)

    threading.Thread(target=run, name=f"void {name}", daemon=True).start()


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


def _version_of(output: str) -> int:
    found = re.findall(r"v(\d{3,})", output)
    return int(found[-1]) if found else 0


class _Stopped(Exception):
    """The artist cancelled."""


@dataclass
class Removal:
    """A job that this Nuke follows. ``stop`` may be set from any thread."""

    shot: ShotSnapshot
    bar: host.ProgressBar
    inserted: bool = False  # the node reads this job's frames
    stop: threading.Event = field(default_factory=threading.Event)
    _home: Dict[Role, Set[int]] = field(default_factory=lambda: {Role.PASS1: set(), Role.RESULT: set()})
    _told: Dict[str, Any] = field(default_factory=dict)
    _reloaded: float = 0.0

    def run(self) -> Optional[VoidError]:
        """All of it; returns what went wrong, having said so in the node and in a window. Bugs are raised."""
        return self._with_client(self._send, self._follow)

    def follow(self) -> Optional[VoidError]:
        """Only from the job on that the server has."""
        return self._with_client(self._take_up, self._follow)

    def _with_client(self, *steps: Callable[[Client], None]) -> Optional[VoidError]:
        try:
            self._say(f"asking {self.shot.server}")
            with Client(self.shot.server, patience_s=_ASK_PATIENCE_S, name="nuke") as client:
                client.connect()  # nobody there is said soon; later a silent server is waited for
            with Client(self.shot.server, name="nuke") as client:
                for step in steps:
                    step(client)
            return None
        except _Stopped:
            self._say("cancelled before it was sent")
            return None
        except VoidError as error:
            self._say(str(error))
            host.announce(str(error))
            return error
        finally:
            self.bar.close()

    def _send(self, client: Client) -> None:
        """Frames go up one by one, while later ones render."""
        spec = self.shot.spec
        client.submit(spec)  # what the server refuses is said before anything renders
        self._tell({"job": spec.job, "job_server": self.shot.server, "job_output": self.shot.output})
        folder = Path(tempfile.mkdtemp(prefix="void-export-"))
        sent = 0
        try:
            self._progress("export", 0.0)
            for frame in export.frames(self.shot, folder, self._cancelled, self._say):
                files = export.files(self.shot, folder, frame)
                one = replace(spec, frames=FrameRange(frame, frame))
                client.upload(one, {role: {frame: path} for role, path in files.items()})
                for path in files.values():
                    path.unlink()
                sent += 1
                self._progress(f"export and upload: frame {frame}", sent / len(spec.frames))
            if sent < len(spec.frames):
                raise _Stopped
        except TransportError:
            raise  # there is nobody to tell
        except BaseException:
            with suppress(VoidError):
                client.cancel(spec.job)
            raise
        finally:
            shutil.rmtree(str(folder), ignore_errors=True)

    def _take_up(self, client: Client) -> None:
        status = client.watch(self.shot.spec.job)
        if status.state is State.RECEIVING:
            raise MissingFrames(
                f"Job {status.job} has {status.received} of {status.expected} files, because Nuke was closed while it "
                "was sent: press Remove again."
            )
        for frame in self.shot.spec.frames.numbers():
            if frame_path(self.shot.output, frame).is_file():  # appears whole or not at all
                self._home[Role.RESULT].add(frame)

    def _follow(self, client: Client) -> None:
        status, cancelled = client.watch(self.shot.spec.job), False
        while True:
            fetched = self._fetch(client, status, Role.RESULT)
            if not self._home[Role.RESULT]:
                fetched += self._fetch(client, status, Role.PASS1)
            if status.state in ENDED:
                break
            if not cancelled and self._cancelled():
                status, cancelled = client.cancel(self.shot.spec.job), True
                continue
            self._show(status)
            status = client.watch(self.shot.spec.job, status.revision, 0.0 if fetched else _WATCH_S)
        if self.inserted:
            host.on_main(self._reload)
        if status.state is State.FAILED:
            raise from_code(status.error_code, status.error)
        self._finish(status)

    def _fetch(self, client: Client, status: JobStatus, role: Role) -> int:
        home = self._home[role]
        path = self.shot.output if role is Role.RESULT else pass1_path(self.shot.output)
        wanted = [frame for frame in status.ready.get(role, []) if frame not in home]
        if wanted:
            self._make_folder(frame_path(path, wanted[0]).parent)
        for frame, _ in client.fetch(status.job, role, wanted, lambda number: frame_path(path, number)):
            home.add(frame)
            if len(home) == 1:
                host.on_main(self._insert, path)
            elif time.monotonic() - self._reloaded > RELOAD_S:
                host.on_main(self._reload)
        return len(wanted)

    def _make_folder(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                f"{folder} cannot be made ({error.strerror}). The job goes on; bring it home elsewhere with: "
                f"void fetch {self.shot.spec.job}"
            ) from None

    def _insert(self, path: str) -> None:
        """The node shows these frames from the first one on. That is one step of undo, however often it happens."""
        node, frames = host.find(self.shot.node), self.shot.spec.frames
        if node is None:
            return
        values: Dict[str, Any] = {"result": path, "use_result": True}
        for first, last in (("result_first", "result_last"), ("result_origfirst", "result_origlast")):
            values[first], values[last] = frames.first, frames.last
        if self.inserted:
            host.write(node, values)
        else:
            host.change(node, f"VOID result {self.shot.version}", values)
        self.inserted = True
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

    def _finish(self, status: JobStatus) -> None:
        count = f"{len(self._home[Role.RESULT])} frames in version {self.shot.version}"
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

    def _cancelled(self) -> bool:
        return self.stop.is_set() or self.bar.cancelled()

    def _progress(self, text: str, share: float) -> None:
        self._say(text)
        self.bar.show(text, share)

    def _say(self, text: str) -> None:
        self._tell({"status": text})

    def _tell(self, values: Mapping[str, Any]) -> None:
        """Set knobs of the node, those that changed."""
        changed = {name: value for name, value in values.items() if self._told.get(name) != value}
        if changed:
            self._told.update(changed)
            host.on_main(self._write, changed)

    def _write(self, values: Mapping[str, Any]) -> None:
        node = host.find(self.shot.node)
        if node is not None:
            host.write(node, values)
