"""The thread that writes one farm job of jobs that the server has, and has the studio's command send it."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Mapping, Sequence

from void_farm import hook, server_jobs
from void_panel.client_thread import Post
from void_panel.events import Event, Said
from void_wire import codec
from void_wire.client import Client
from void_wire.errors import VoidError

log = logging.getLogger(__name__)

PATIENCE_S = 15.0

TELL_S = 5.0
"""Between two sentences about how far it is."""


class _Stopped(Exception):
    """The panel was closed."""


class FarmThread(threading.Thread):
    """Writes ``jobs`` as a bundle into ``folder`` and gives it to the command of VOID_FARM_SUBMIT, if there is one.

    Nobody waits for it. Stopped, or when the server is lost, it ends between two frames; the same again goes on there.

    Args:
        address: of the server.
        post: called on this thread, must return at once.
        jobs: ids, in the order of their tasks.
        folder: of the bundle.
        environment: where VOID_FARM_SUBMIT may be.
    """

    def __init__(
        self, address: str, post: Post, jobs: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> None:
        super().__init__(name="void panel farm", daemon=True)
        self._address, self._post = address, post
        self._jobs, self._folder, self._environment = tuple(jobs), folder, dict(environment)
        self._stopping = threading.Event()
        self._next_tell_s = 0.0  # monotonic

    def stop(self) -> None:
        """End soon. Any thread; returns at once."""
        self._stopping.set()

    def run(self) -> None:
        """The thread."""
        try:
            with Client(self._address, patience_s=PATIENCE_S, name=self.name) as client:
                client.connect()
                plan = server_jobs.write(client, self._jobs, self._folder, self._brought)
            for shot in plan.shots:
                for note in shot.notes:
                    self._tell(Said(f"{shot.spec.shot}: {note}"))
            if not hook.is_named(self._environment):
                self._tell(Said(f"Farm job written: {self._folder}. {hook.NOBODY}"))
                return
            self._tell(Said(f"Farm job written: {self._folder}. Sending it."))
            self._tell(Said(hook.submit(self._folder, self._environment)))
        except _Stopped:
            pass
        except VoidError as error:
            self._tell(Said(f"Farm job: {error}", bad=True))
        except Exception as error:  # a bug: the panel stays, and says so
            log.exception("%s", self.name)
            self._tell(Said(f"The panel stumbled over the farm job ({error!r}); its log has more.", bad=True))

    def _brought(self, shot: str, here: int, of: int) -> None:
        if self._stopping.is_set():
            raise _Stopped
        if time.monotonic() >= self._next_tell_s:
            self._next_tell_s = time.monotonic() + TELL_S
            self._tell(Said(f"{shot}: {here} of {of} files are in the farm job."))

    def _tell(self, event: Event) -> None:
        if not self._stopping.is_set():
            self._post(event)


def farm_folder(folder: Path, jobs: Sequence[str]) -> Path:
    """Where in ``folder`` the farm job of these goes: the same place for the same jobs, so a second try goes on."""
    first, others = jobs[0], len(jobs) - 1
    these = codec.digest(" ".join(jobs).encode())[:8]
    return folder / (f"{first}_and_{others}_more_{these}" if others else first)
