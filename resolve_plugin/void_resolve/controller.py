"""One removal from the button to the frames: export, upload, watch, fetch; and a job of yesterday taken up again.

A `Removal` runs on the thread that owns its `Host`, from beginning to end: the script has a process of its own, so
Fusion's windows stay free meanwhile. It says what it does through ``told`` and looks at ``stopped`` at every turn.
Closing Resolve ends the script and not the job: the macro's data says which job it is, and `follow` goes on with it.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Set

from void_nuke.output import frame_path, pass1_path
from void_nuke.snapshot import ShotSnapshot
from void_resolve.host import Host, Macro, files
from void_resolve.shot import Shot, ask
from void_wire.client import ENDED, Client
from void_wire.errors import MissingFrames, SettingsError, TransportError, VoidError, from_code
from void_wire.messages import JobStatus, Role, State

Told = Callable[[str, float], None]
"""Hears in a sentence what is done, and how much of it: 0 to 1."""

Stopped = Callable[[], bool]
"""Whether the artist cancelled."""

SHOW_S = 2.0
"""The Loader is given a newer picture at most this often."""

_WATCH_S = 0.5
"""A cancel is seen after this at the latest."""

_ASK_PATIENCE_S = 2.0

_STILL_S = 3.0
"""All files of an export are there and did not change for so long: the render waits for something else."""

_EXR = b"\x76\x2f\x31\x01"


class Left(Exception):
    """The application was closed; the job goes on."""


class _Stopped(Exception):
    """The artist cancelled before the job was sent."""


@dataclass
class Removal:
    """One job of one macro."""

    host: Host
    macro: Macro
    shot: Shot
    told: Told
    stopped: Stopped
    shown: bool = False  # the macro's Loader shows this job's pictures already
    _home: Dict[Role, Set[int]] = field(default_factory=lambda: {Role.PASS1: set(), Role.RESULT: set()})
    _newest: Optional[Path] = None
    _showed: float = 0.0
    _said: str = ""

    def run(self) -> Optional[VoidError]:
        """All of it; returns what went wrong, having said so in the macro. Raises Left; bugs are raised."""
        return self._with_client(self._send, self._follow)

    def follow(self) -> Optional[VoidError]:
        """Only from the job on that the server has."""
        return self._with_client(self._take_up, self._follow)

    @property
    def _snapshot(self) -> ShotSnapshot:
        return self.shot.snapshot

    def _with_client(self, *steps: Callable[[Client], None]) -> Optional[VoidError]:
        try:
            self._say(f"asking {self._snapshot.server}", 0.0)
            with Client(self._snapshot.server, patience_s=_ASK_PATIENCE_S, name="resolve") as client:
                client.connect()  # nobody there is said soon; later a silent server is waited for
            with Client(self._snapshot.server, name="resolve") as client:
                for step in steps:
                    step(client)
            return None
        except _Stopped:
            self._say("cancelled before it was sent", 0.0)
            return None
        except VoidError as error:
            self._say(str(error), 0.0)
            return error

    # --- there -------------------------------------------------------------------------------------------------

    def _send(self, client: Client) -> None:
        spec = self._snapshot.spec
        client.submit(spec)  # what the server refuses is said before anything renders
        self.macro.keep_job(spec.job, self._snapshot.server, self._snapshot.output)
        folder = Path(tempfile.mkdtemp(prefix="void-export-"))
        try:
            self._say("Fusion renders plate and mattes; cancel in its own window", 0.0)
            with _dialog_watched(self._exported(folder), self.told):
                self.macro.export(folder, self.shot.first, self.shot.last, self.shot.depth)
            self._upload(client, folder)
        except TransportError:
            raise  # there is nobody to tell
        except BaseException:
            with suppress(VoidError):
                client.cancel(spec.job)
            raise
        finally:
            shutil.rmtree(str(folder), ignore_errors=True)

    def _exported(self, folder: Path) -> List[Path]:
        numbers = range(self.shot.first, self.shot.last + 1)
        return [path for frame in numbers for path in files(folder, frame).values()]

    def _upload(self, client: Client, folder: Path) -> None:
        """Send what was rendered, under the job's numbers. Raises MissingFrames naming what Fusion left out."""
        spec, timing = self._snapshot.spec, self.shot.timing
        made: Dict[Role, Dict[int, Path]] = {role: {} for role in spec.roles}
        for number in spec.frames.numbers():
            for name, path in files(folder, timing.to_comp(number)).items():
                if _is_exr(path):
                    made[Role(name)][number] = path
        lacking = [n for n in spec.frames.numbers() if any(n not in made[role] for role in spec.roles)]
        if lacking:
            named = ", ".join(str(timing.to_comp(number)) for number in lacking[:8])
            raise MissingFrames(
                f"Fusion rendered no picture of {len(lacking)} frames, the first {named} as the Fusion page counts: "
                "is there one at the macro's inputs for each of them?"
            )

        def sent(done: int, total: int) -> None:
            self._say(f"upload: {done} of {total} files", done / total)
            self._check_alive()
            if self.stopped():
                raise _Stopped

        client.upload(spec, made, sent)

    def _take_up(self, client: Client) -> None:
        status = client.watch(self._snapshot.spec.job)
        if status.state is State.RECEIVING:
            raise MissingFrames(
                f"Job {status.job} has {status.received} of {status.expected} files, because Resolve was closed while "
                "it was sent: press Remove again."
            )
        for number in self._snapshot.spec.frames.numbers():
            if frame_path(self._snapshot.output, number).is_file():  # appears whole or not at all
                self._home[Role.RESULT].add(number)

    # --- and back ----------------------------------------------------------------------------------------------

    def _follow(self, client: Client) -> None:
        status, cancelled = client.watch(self._snapshot.spec.job), False
        while True:
            self._check_alive()
            fetched = self._fetch(client, status, Role.RESULT)
            if not self._home[Role.RESULT]:
                fetched += self._fetch(client, status, Role.PASS1)
            if status.state in ENDED:
                break
            if not cancelled and self.stopped():
                status, cancelled = client.cancel(self._snapshot.spec.job), True
                continue
            self._show_progress(status)
            status = client.watch(self._snapshot.spec.job, status.revision, 0.0 if fetched else _WATCH_S)
        self._insert(status)
        if status.state is State.FAILED:
            raise from_code(status.error_code, status.error)
        self._finish(status)

    def _fetch(self, client: Client, status: JobStatus, role: Role) -> int:
        home = self._home[role]
        path = self._snapshot.output if role is Role.RESULT else pass1_path(self._snapshot.output)
        wanted = [number for number in status.ready.get(role, []) if number not in home]
        for number, file in client.fetch(status.job, role, wanted, lambda n: frame_path(path, n)):
            home.add(number)
            if time.monotonic() - self._showed > SHOW_S:
                self._show_newest(file)
            self._check_alive()
        return len(wanted)

    def _show_newest(self, file: Path) -> None:
        """A picture of its own name beside the frames: at the frame's own a Loader would take all of them."""
        still = Path(self._snapshot.output).parent / "newest" / f"{file.stem}_newest.exr"
        still.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(file), str(still))
        self.macro.show_still(still, self.shot.first, self.shot.last, self._step, fresh=not self.shown)
        if self._newest is not None and self._newest != still:
            self._newest.unlink(missing_ok=True)
        self.shown, self._newest, self._showed = True, still, time.monotonic()

    def _insert(self, status: JobStatus) -> None:
        """The finished frames in place of the still. One that broke off shows as many as came in a row."""
        came = sorted(self._home[Role.RESULT])
        path = self._snapshot.output
        if not came:
            came, path = sorted(self._home[Role.PASS1]), pass1_path(path)
        if not came:
            return
        row = [number for at, number in enumerate(came) if number == came[0] + at]
        first, last = self.shot.timing.to_comp(row[0]), self.shot.timing.to_comp(row[-1])
        self.macro.show_sequence(frame_path(path, row[0]), first, last, self._step, fresh=not self.shown)
        self.shown = True
        if self._newest is not None:
            shutil.rmtree(str(self._newest.parent), ignore_errors=True)

    @property
    def _step(self) -> str:
        return f"VOID result {self._snapshot.version}"

    def _show_progress(self, status: JobStatus) -> None:
        if status.state is State.QUEUED:
            self._say(f"place {status.queue_place} in the queue", 0.0)
        elif status.stage is not None:
            share = status.step / status.steps if status.steps else 0.0
            self._say(f"{status.stage.value} {status.step} of {status.steps}", share)

    def _finish(self, status: JobStatus) -> None:
        count = f"{len(self._home[Role.RESULT])} frames in version {self._snapshot.version}"
        values: Dict[str, Any] = {}
        if "memory_mode" in status.record:
            values["memory"] = status.record["memory_mode"]
        box = re.fullmatch(r"(\d+),(\d+),(\d+),(\d+)", status.record.get("crop", ""))
        if box and self.shot.height_px:
            x, y, width, height = (int(side) for side in box.groups())
            values.update(box_x=x, box_y=self.shot.height_px - y - height, box_width=width, box_height=height)
        if values:
            self.macro.write(values)
        self._say(" ".join([f"{status.state.value}: {count}.", *self.shot.warnings]), 1.0)

    def _check_alive(self) -> None:
        if not self.host.alive():
            raise Left

    def _say(self, text: str, share: float) -> None:
        """To whoever runs this, and in the macro."""
        self.told(text, share)
        if text != self._said:
            self._said = text
            self.macro.write({"status": text})


def start(host: Host, macro: Macro, told: Told, stopped: Stopped, environment: Mapping[str, str]) -> Removal:
    """The removal that a macro asks for, still to be run. Raises one VoidError that names all there is to mend."""
    shot = ask(host.see(macro), environment)
    for warning in shot.warnings:
        told(warning, 0.0)
    return Removal(host, macro, shot, told, stopped)


def attach(host: Host, macro: Macro, told: Told, stopped: Stopped) -> Optional[Removal]:
    """The removal of the job that a macro remembers, still to be followed; None when it has none.

    Raises what the server says when asked for it.
    """
    job, server, output = macro.job()
    if not (job and server and output):
        return None
    with Client(server, patience_s=_ASK_PATIENCE_S, name="resolve") as client:
        spec = client.spec(job)
    found = re.findall(r"v(\d{3,})", output)
    snapshot = ShotSnapshot(macro.name, server, output, int(found[-1]) if found else 0, spec)
    seen = host.see(macro)
    height = seen.state.formats.get("plate", (0, 0))[1]
    return Removal(host, macro, Shot(snapshot, seen.timing, seen.depth, [], height), told, stopped)


def cancel(macro: Macro) -> str:
    """Stop the macro's job, whichever script sent it; returns what the server says. Raises VoidError."""
    job, server, _ = macro.job()
    if not (job and server):
        raise SettingsError(f"{macro.name} has no job to cancel.")
    with Client(server, patience_s=_ASK_PATIENCE_S, name="resolve") as client:
        return client.cancel(job).state.value


def _is_exr(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_EXR)) == _EXR
    except OSError:
        return False


@contextmanager
def _dialog_watched(expected: List[Path], told: Told) -> Iterator[None]:
    """While a render blocks this thread, look at its files: where all are there, a window of Resolve waits for OK."""
    over = threading.Event()

    def watch() -> None:
        last = expected[-1]
        seen = -1
        while not over.wait(_STILL_S):
            size = last.stat().st_size if last.is_file() else -1
            if size > 0 and size == seen:
                told(
                    "Every frame is rendered; Resolve waits for its window Render completed: press OK there.",
                    1.0,
                )
                return
            seen = size

    thread = threading.Thread(target=watch, name="void export", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
