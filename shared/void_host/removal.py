"""One removal from the export to the frames, and a job of yesterday taken up again; the same for every host.

::

    submit -> export, upload (frames go up while later ones render) -> watch -> fetch as frames are made

`Removal` runs on a thread of its own, owns its Clients and knows no host: it hears frames from an `Export` and shows
itself on a `Screen`. Ending its thread ends no job: job id, server and output path are all that `follow` needs.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Protocol, Set, Tuple

from void_host.marks import unmarked
from void_host.output import frame_path, pass1_path
from void_host.shot import Shot
from void_panel.faults import faults, verdict
from void_panel.pace import Pace, about
from void_wire.client import ENDED, Client
from void_wire.errors import (
    EmptyMatte,
    MissingFrames,
    SettingsError,
    TransportError,
    VoidError,
    from_code,
)
from void_wire.messages import FrameRange, JobStatus, Role, State

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 2.0
"""A host looks at its files at most this often: that is expensive."""

ASK_PATIENCE_S = 2.0
"""How long a server may take to answer a first question before it is said that nobody is there."""

_WATCH_S = 0.5
"""A cancel is seen after this at the latest."""

_NAMED_FAULTS = 1

Exported = Tuple[int, Mapping[Role, Path]]
"""A frame's number, and its files, which are whole."""

Stopped = Callable[[], bool]
"""Whether the artist cancelled."""

Export = Callable[[Path, Stopped], Iterator[Exported]]
"""Renders a shot into a folder: the frames in order, fewer once it is stopped. May raise VoidError."""


class Screen(Protocol):
    """Where a removal shows itself in the host. Called on the removal's thread; may wait for the host's main one."""

    def say(self, text: str) -> None:
        """What is being done, or how it ended."""
        ...

    def progress(self, text: str, share: float) -> None:
        """The same with how much of it is done, 0 to 1."""
        ...

    def accepted(self, shot: Shot) -> None:
        """The server took the job: keep its id, server and path with the owner, for `Removal.follow`."""
        ...

    def show(self, shot: Shot, path: str) -> None:
        """Frames of the sequence at ``path`` are there: show these. Comes again after Pass 1, and when taken up."""
        ...

    def look_again(self) -> None:
        """More frames of what is shown are there."""
        ...

    def ended(self, status: JobStatus) -> None:
        """The job ended, not by failing; its ``record`` says what made it."""
        ...

    def warn(self, error: VoidError) -> None:
        """Say it in a window of its own, without waiting until that is closed."""
        ...

    def cancelled(self) -> bool:
        """Whether the artist pressed cancel in the host's own progress bar."""
        ...

    def close(self) -> None:
        """There will be no more progress."""
        ...


class _Cancelled(Exception):
    """The artist cancelled before everything was sent."""


class Removal:
    """A job that this host follows.

    Args:
        shot: what was asked for.
        screen: where it is shown.
        host: the host's name, for the server's log.
    """

    def __init__(self, shot: Shot, screen: Screen, host: str) -> None:
        self.shot = shot
        self.stop = threading.Event()  # may be set from any thread: the job is cancelled
        self._screen = screen
        self._host = host
        self._home: Dict[Role, Set[int]] = {Role.PASS1: set(), Role.RESULT: set()}
        self._shown = ""  # the path of the sequence that is shown
        self._looked_s = 0.0  # monotonic
        self._pace = Pace()
        self._told_to_stop = False  # the server, of the job

    def run(self, export: Export) -> Optional[VoidError]:
        """All of it; returns what went wrong, having said so. Bugs are raised."""
        return self._with_client(lambda client: self._send(client, export), self._follow)

    def follow(self) -> Optional[VoidError]:
        """Only from the job on that the server has."""
        return self._with_client(self._take_up, self._follow)

    def _with_client(self, *steps: Callable[[Client], None]) -> Optional[VoidError]:
        try:
            self._say(f"asking {self.shot.server}")
            with Client(self.shot.server, patience_s=ASK_PATIENCE_S, name=self._host) as client:
                client.connect()  # nobody there is said soon; later a silent server is waited for
            with Client(self.shot.server, name=self._host) as client:
                for step in steps:
                    step(client)
            return None
        except _Cancelled:
            self._say("cancelled before it was sent")
            return None
        except VoidError as error:
            self._say(str(error))
            self._screen.warn(error)
            return error
        finally:
            self._screen.close()

    def _send(self, client: Client, export: Export) -> None:
        """Frames go up one by one, while later ones render; none before one of them marks anything."""
        spec = self.shot.spec
        client.submit(spec)  # what the server refuses is said before anything renders
        self._screen.accepted(self.shot)
        log.info("%s is job %s, to %s", self.shot.owner, spec.job, self.shot.output)
        folder = Path(tempfile.mkdtemp(prefix="void-export-"))
        waiting: List[Exported] = []
        made, marked = 0, False
        try:
            self._screen.progress("export", 0.0)
            for frame, files in export(folder, self._cancelled):
                waiting.append((frame, files))
                made, marked = made + 1, marked or not unmarked(files)
                if marked:
                    self._upload(client, waiting)
                doing = "export and upload" if marked else "export, nothing marked yet"
                self._step(f"{doing}: frame {frame}", "export", made, len(spec.frames))
            if made < len(spec.frames):
                raise _Cancelled
            if not marked:
                raise EmptyMatte(
                    f"The remove matte is black in all frames of {spec.frames}, so nothing was sent: draw what goes, "
                    "or choose the channel that holds it."
                )
        except TransportError:
            raise  # there is nobody to tell
        except BaseException:
            with suppress(VoidError):
                client.cancel(spec.job)
            raise
        finally:
            shutil.rmtree(str(folder), ignore_errors=True)

    def _upload(self, client: Client, waiting: List[Exported]) -> None:
        while waiting:
            frame, files = waiting.pop(0)
            one = replace(self.shot.spec, frames=FrameRange(frame, frame))
            client.upload(one, {role: {frame: path} for role, path in files.items()}, waits=self._wait)
            for path in files.values():
                path.unlink()

    def _wait(self, sentence: str) -> None:
        """The server has no room. Raises _Cancelled."""
        if self._cancelled():
            raise _Cancelled
        self._screen.progress(sentence, 0.0)

    def _take_up(self, client: Client) -> None:
        status = client.watch(self.shot.spec.job)
        if status.state is State.RECEIVING:
            raise MissingFrames(
                f"Job {status.job} has {status.received} of {status.expected} files, because {self._host} was closed "
                "while it was sent: press Remove again."
            )
        for frame in self.shot.spec.frames.numbers():
            if frame_path(self.shot.output, frame).is_file():  # appears whole or not at all
                self._home[Role.RESULT].add(frame)
        if self._home[Role.RESULT]:
            self._show(self.shot.output)  # whoever crashed after they came may not have kept that

    def _follow(self, client: Client) -> None:
        status = client.watch(self.shot.spec.job)
        while True:
            fetched = self._fetch(client, status, Role.RESULT)
            if not self._home[Role.RESULT]:
                fetched += self._fetch(client, status, Role.PASS1)
            if status.state in ENDED:
                break
            if self._must_stop():
                self._say("cancelling")
                status, self._told_to_stop = client.cancel(self.shot.spec.job), True
                continue
            self._progress(status)
            status = client.watch(self.shot.spec.job, status.revision, 0.0 if fetched else _WATCH_S)
        if self._shown:
            self._screen.look_again()
        if status.state is State.FAILED:
            raise from_code(status.error_code, status.error)
        self._screen.ended(status)
        self._say(self._outcome(client, status))

    def _fetch(self, client: Client, status: JobStatus, role: Role) -> int:
        home = self._home[role]
        path = self.shot.output if role is Role.RESULT else pass1_path(self.shot.output)
        wanted = [frame for frame in status.ready.get(role, []) if frame not in home]
        if wanted:
            self._make_folder(frame_path(path, wanted[0]).parent)
        for count, (frame, _) in enumerate(
            client.fetch(status.job, role, wanted, lambda number: frame_path(path, number)), 1
        ):
            home.add(frame)
            self._screen.progress(f"{role.label}: frame {frame} is here", count / len(wanted))
            if self._shown != path:
                self._show(path)
            elif time.monotonic() - self._looked_s > LOOK_AGAIN_S:
                self._screen.look_again()
                self._looked_s = time.monotonic()
            if self._must_stop():
                break  # the rest of them after the server knows
        return len(wanted)

    def _show(self, path: str) -> None:
        self._screen.show(self.shot, path)
        self._shown, self._looked_s = path, time.monotonic()

    def _make_folder(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                f"{folder} cannot be made ({error.strerror}). The job goes on; bring it home elsewhere with: "
                f"void fetch {self.shot.spec.job}"
            ) from None

    def _progress(self, status: JobStatus) -> None:
        if status.waits:
            self._screen.progress(status.waits, 0.0)
        elif status.state is State.QUEUED:
            begins = about(status.begins_in_s)
            place = f"place {status.queue_place} in the queue" + (f", begins in {begins}" if begins else "")
            self._screen.progress(place, 0.0)
        elif status.stage is not None:
            doing = f"{status.stage.value} {status.step} of {status.steps}"
            self._step(doing, status.stage.value, status.step, status.steps)

    def _step(self, doing: str, stage: str, step: int, steps: int) -> None:
        """With the time that the stage still takes, once that can be told."""
        now_s = time.monotonic()
        self._pace.seen(stage, step, steps, now_s)
        left = about(self._pace.left_s(now_s))
        self._screen.progress(f"{doing}, {left} left" if left else doing, step / steps if steps else 0.0)

    def _outcome(self, client: Client, status: JobStatus) -> str:
        """How it ended, with the frame that is most worth a look."""
        signs = client.signs(status.job)
        result, pass1 = (len(self._home[role]) for role in (Role.RESULT, Role.PASS1))
        count = f"{result} frames" if result or not pass1 else f"{pass1} frames of pass 1"
        judged = verdict(len(signs), faults(signs), most=_NAMED_FAULTS)
        return f"{status.state.value}: {count} in version {self.shot.version}" + (
            f". {judged}" if judged else ""
        )

    def _say(self, text: str) -> None:
        log.info("%s: %s", self.shot.owner, text)
        self._screen.say(text)

    def _must_stop(self) -> bool:
        return not self._told_to_stop and self._cancelled()

    def _cancelled(self) -> bool:
        return self.stop.is_set() or self._screen.cancelled()
