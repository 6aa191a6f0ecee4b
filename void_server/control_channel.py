"""The control socket: what clients ask, each answered at once, and who watches which job."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq

from void_server import __version__
from void_server.config import Config
from void_server.engines import missing_engine_parts, refuse_unready
from void_server.gate import Gate
from void_server.jobs import JobStore
from void_server.listener import Listener
from void_server.own_jobs import OwnJobs
from void_wire import codec, messages, sockets
from void_wire.errors import ProtocolError, UnknownJob, VoidError
from void_wire.messages import (
    AskInventory,
    AskSigns,
    AskSpec,
    Cancel,
    Hello,
    Inventory,
    JobList,
    JobSpec,
    JobStatus,
    ListJobs,
    OthersJob,
    Purge,
    Purged,
    Refused,
    Rerun,
    SignTable,
    Spec,
    Submit,
    Watch,
    Welcome,
)

log = logging.getLogger(__name__)

AT_ONCE = 64
"""Messages that are answered before anything else is looked at."""


@dataclass(frozen=True)
class _Watcher:
    owner: str
    number: int
    watch: Watch
    until: float  # monotonic seconds


class ControlChannel:
    """Binds the control socket. Methods are called from the server's main thread only.

    Args:
        context: the server's ZeroMQ context.
        config: of the server; zmq.ZMQError when its address cannot be bound.
        devices: of the workers.
        gate: who may ask, and whose jobs those are.
        store: the jobs.
        cancel: stops a job, running or not.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        config: Config,
        devices: Sequence[str],
        gate: Gate,
        store: JobStore,
        cancel: Callable[[str], None],
    ) -> None:
        self._config = config
        self._devices = devices
        self._gate = gate
        self._store = store
        self._cancel_job = cancel
        self._watchers: dict[bytes, _Watcher] = {}  # by peer: a new Watch replaces the one before
        self._asked: set[str] = set()  # jobs of watchers that are new
        self.active_at = time.monotonic()  # of the last message
        self.socket = context.socket(zmq.ROUTER)
        sockets.prepare(self.socket, config.address, codec.MAX_REQUEST_BYTES)
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        try:
            self.listener = Listener(gate, self.socket, config.address, config.max_connections)
        except zmq.ZMQError:
            self.socket.close()
            raise

    def close(self) -> None:
        """Let go of the socket."""
        self.listener.close()
        self.socket.close()

    def serve(self) -> None:
        """Answer what has come."""
        for _ in range(AT_ONCE):
            try:
                parts = self.socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            self.active_at = time.monotonic()
            self.listener.heard(parts[0])
            if len(parts) != 2:
                continue
            peer, data = parts[0].bytes, parts[1].buffer
            try:
                owner = self._gate.owner(parts[1])
                request, number = codec.decode(data, codec.REQUESTS)
                answer = self._answer(peer, owner, request, number)
            except VoidError as error:
                number = codec.number_of(data)
                answer = Refused(error.code, str(error))
            except Exception:
                mark = _log_bug("a request failed")
                number = codec.number_of(data)
                answer = Refused("error", f"The server hit a bug; its log has it as {mark}.")
            if answer is not None:
                self._send(peer, answer, number)

    def tell_watchers(self, changed: Set[str]) -> None:
        """Answer who waits for one of the jobs that ``changed``, or has waited long enough."""
        now, news = time.monotonic(), changed | self._asked
        self._asked.clear()
        for peer, watcher in list(self._watchers.items()):
            job = watcher.watch.job
            if job not in news and now < watcher.until:
                continue
            try:
                status: JobStatus | Refused = self._store.status(job)
            except UnknownJob as error:  # purged meanwhile
                status = Refused(error.code, str(error))
            if isinstance(status, Refused) or status.revision > watcher.watch.after or now >= watcher.until:
                if self._gate.admits(watcher.owner):
                    self._send(peer, status, watcher.number)
                del self._watchers[peer]

    def _answer(self, peer: bytes, owner: str, request: Any, number: int) -> Any | None:
        jobs = OwnJobs(self._store, owner)
        if isinstance(request, (Submit, Rerun, Cancel, Purge)):
            job = request.job if isinstance(request, (Cancel, Purge)) else request.spec.job
            name = self._gate.name(owner)
            log.info("%s of job %s by %s", request.kind, job, name, extra={"job": job, "key": name})
        if isinstance(request, Hello):
            return self._welcome(request)
        if isinstance(request, Submit):
            self._refuse_unready(request.spec)
            return jobs.submit(request.spec)
        if isinstance(request, Rerun):
            self._refuse_unready(request.spec)
            return jobs.rerun(request.job, request.spec)
        if isinstance(request, AskSpec):
            return Spec(jobs.spec(request.job))
        if isinstance(request, AskInventory):
            return Inventory(request.job, jobs.digests(request.job))
        if isinstance(request, AskSigns):
            return SignTable(request.job, jobs.signs(request.job))
        if isinstance(request, Watch):
            jobs.spec(request.job)
            self._watchers[peer] = _Watcher(owner, number, request, time.monotonic() + request.within_s)
            self._asked.add(request.job)
            return None
        if isinstance(request, Cancel):
            self._cancel_job(jobs.own(request.job))
            return jobs.status(request.job)
        if isinstance(request, Purge):
            return Purged(request.job, _purge(jobs, request.job))
        if isinstance(request, ListJobs):
            return JobList(jobs.statuses(), self._of_others(owner))
        raise ProtocolError(f"{type(request).__name__} is no request.")

    def _welcome(self, hello: Hello) -> Welcome:
        if hello.protocol != messages.PROTOCOL_VERSION:
            raise ProtocolError(
                f"This server ({__version__}) speaks protocol {messages.PROTOCOL_VERSION}, the client {hello.client} "
                f"speaks {hello.protocol}: update the older of the two."
            )
        return Welcome(
            protocol=messages.PROTOCOL_VERSION,
            server=__version__,
            credit=self._config.credit,
            max_frame_bytes=self._config.max_frame_bytes,
            engines=missing_engine_parts(Path(self._config.weights)),
            devices=list(self._devices),
        )

    def _refuse_unready(self, spec: JobSpec) -> None:
        refuse_unready(spec, Path(self._config.weights), self._config.raft_weights)

    def _of_others(self, owner: str) -> list[OthersJob]:
        if not self._config.list_others:
            return []
        return [
            OthersJob(
                owner=self._gate.name(self._store.owner(status.job)),
                job=status.job,
                shot=status.shot,
                engine=status.engine,
                state=status.state,
                frames=status.frames,
                queue_place=status.queue_place,
                created_s=status.created_s,
            )
            for status in self._store.statuses_but(owner)
        ]

    def _send(self, peer: bytes, answer: Any, number: int) -> None:
        """Answer without ever waiting: a client that is gone or full asks again."""
        self.socket.getsockopt(zmq.EVENTS)  # makes libzmq notice what the peer has read since
        with contextlib.suppress(zmq.ZMQError):
            self.socket.send_multipart([peer, codec.encode(answer, number)], zmq.NOBLOCK)


def _purge(jobs: OwnJobs, job: str) -> int:
    try:
        return jobs.purge(job)
    except UnknownJob:  # asked for again, when the answer was lost
        return 0


def _log_bug(message: str) -> str:
    """Log the current exception under an id that the client gets."""
    mark = os.urandom(4).hex()
    log.exception("%s [%s]", message, mark)
    return mark
