"""The thread that watches a server's jobs, and stops them or has them done again."""

from __future__ import annotations

import queue
import secrets
import time
from dataclasses import replace
from typing import Dict, Optional

from void_panel.client_thread import ClientThread, Post
from void_panel.events import CHUNK, Detailed, Found, Listed, Lost, Made, Said
from void_panel.faults import faults
from void_panel.requests import Again, CancelJob, Change, ControlRequest, Show
from void_panel.rows import OPEN
from void_wire.client import Client
from void_wire.errors import SettingsError, TransportError, VoidError, from_code
from void_wire.messages import JobSpec, JobStatus, Role, State, new_job_id
from void_wire.rerun import changed

PATIENCE_S = 3.0
"""A server that says nothing for so long is lost."""

BUSY_S, IDLE_S = 1.0, 3.0
"""Between two listings, while a job is unfinished and while none is."""

SHARE = 10
"""A listing takes no more of the server's time than one part in this many."""


class ControlThread(ClientThread[ControlRequest]):
    """Lists the jobs again and again and reports what changed."""

    def __init__(self, address: str, post: Post) -> None:
        super().__init__(address, post, "void panel", PATIENCE_S)
        self._shown: Optional[str] = None

    def serve(self, client: Client) -> None:
        """List, tell of the job that is shown, do what is asked."""
        welcome = client.connect()
        self._tell(Found(welcome.server, dict(welcome.engines)))
        seen: Dict[str, JobStatus] = {}
        told: Dict[str, object] = {}
        while not self._stopping.is_set():
            began = time.monotonic()
            seen = self._list(client, seen)
            self._detail(client, seen, told)
            took = time.monotonic() - began
            busy = any(status.state in OPEN for status in seen.values())
            try:
                request = self._asked.get(timeout=max(BUSY_S if busy else IDLE_S, SHARE * took))
                while request is not None:
                    self._do(client, request)
                    request = self._asked.get_nowait()
            except queue.Empty:
                pass

    def failed(self, error: VoidError) -> None:
        """Say that the server is lost."""
        self._tell(Lost(str(error), given_up=isinstance(error, SettingsError)))

    def _list(self, client: Client, seen: Dict[str, JobStatus]) -> Dict[str, JobStatus]:
        now = {status.job: status for status in client.jobs()}
        fresh = [status for job, status in now.items() if seen.get(job) != status]
        at_s = time.monotonic()
        while len(fresh) > CHUNK:
            self._tell(Listed(tuple(fresh[:CHUNK]), at_s))
            fresh = fresh[CHUNK:]
        self._tell(Listed(tuple(fresh), at_s, tuple(now)))
        return now

    def _detail(self, client: Client, seen: Dict[str, JobStatus], told: Dict[str, object]) -> None:
        """What is known of the shown job, whenever there is more of it."""
        status = seen.get(self._shown or "")
        if status is None:
            return
        known = (status.state, len(status.ready.get(Role.RESULT, [])))
        if told.get(status.job) != known:
            told[status.job] = known
            signs = client.signs(status.job) if known[1] else {}
            spec = client.spec(status.job)
            self._tell(Detailed(status.job, spec, len(signs), tuple(faults(signs))))

    def _do(self, client: Client, request: ControlRequest) -> None:
        """Do it; a refusal is told, a server that is lost ends the client."""
        if isinstance(request, Show):
            self._shown = request.job
            return
        try:
            if isinstance(request, CancelJob):
                client.cancel(request.job)
            else:
                self._tell(_again(client, request))
        except VoidError as error:
            self._tell(Said(str(error), bad=True))
            if isinstance(error, TransportError):
                raise


def _again(client: Client, request: Again) -> Made:
    """Have the job done again. Raises what the server refuses it for."""
    before, status = client.spec(request.job), client.watch(request.job)
    if (
        request.change is Change.NOTHING
        and status.state is State.FAILED
        and from_code(status.error_code, "").retryable
    ):
        client.submit(before)
        return Made(before.job, f"{before.shot} is tried again.")
    spec = _changed(before, request.change)
    client.rerun(before.job, spec)
    return Made(spec.job, f"{spec.shot} is done again as job {spec.job}: {request.change.value.lower()}.")


def _changed(spec: JobSpec, change: Change) -> JobSpec:
    job = new_job_id(spec.shot)
    if change is Change.FULL:
        return changed(spec, job, final=True)
    if change is Change.SEED:
        return changed(spec, job, seed=secrets.randbelow(2**31))
    return replace(spec, job=job)
