"""The server: binds its sockets, turns messages into calls on the jobs, feeds the workers. No torch here.

Threads: this one owns the control socket and decides everything; FrameChannel's moves frames; each worker has
a reader. The others reach this one through an inbox and never wait for it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import zmq

from void_server import __version__
from void_server.companion import Companion
from void_server.config import Config
from void_server.engines import missing_engine_parts, refuse_unready
from void_server.frame_channel import FrameChannel
from void_server.gate import Gate, ready_for
from void_server.jobs import JobStore
from void_server.key_folder import KeyFolder
from void_server.limits import GB
from void_server.listener import Listener
from void_server.own_jobs import OwnJobs
from void_server.worker import Ended, Worker
from void_server.worker_events import (
    Configure,
    Failed,
    Finished,
    FrameJudged,
    FrameMade,
    LeftOff,
    Progressed,
    Stopped,
)
from void_wire import codec, messages, sockets
from void_wire.errors import (
    JobError,
    ProtocolError,
    ServerBusy,
    SettingsError,
    UnknownJob,
    VoidError,
    WorkerDied,
    from_code,
)
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
    State,
    Submit,
    Watch,
    Welcome,
)

log = logging.getLogger(__name__)

TIDY_S = 60.0
"""Between looks at what is too old to keep."""

STOP_GRACE_S = 60.0
"""For the running job to come to its next step when the server is stopped; then its worker is killed."""

ORPHAN_GRACE_S = 3.0
"""The same when the companion is gone: a farm wants its machine back."""


@dataclass(frozen=True)
class _Watcher:
    owner: str
    number: int
    watch: Watch
    until: float  # monotonic seconds


class Server:
    """One server: ``with Server(config) as server: server.run()``.

    ``address`` is where it listens (a tcp port 0 became a real one).
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        companion = Companion(config.exit_with) if config.exit_with else None
        data_dir = Path(config.data_dir)
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._bell, self._bell_rope = socket.socketpair()
        self._bell.setblocking(False)
        self._bell_rope.setblocking(False)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._store = JobStore(data_dir, limits=config.limits, changed=self._post)
        self._store.recover()
        self._gate = Gate(self._context, KeyFolder(Path(config.keys)) if config.asks_for_keys else None)
        self._control, self._listener, self._frames = self._bind(config.address)
        self.address = self._listener.address
        self._worker = Worker(
            Configure(
                weights=config.weights,
                raft_weights=config.raft_weights,
                device=config.device,
                memory=config.memory,
                memory_bytes=config.worker_memory_gb * GB,
                private=config.private,
            ),
            data_dir,
            self._post,
        )
        self._disk_full = False
        self._reported: deque[Any] = deque()  # by the worker, and not yet in the store
        self._watchers: dict[bytes, _Watcher] = {}  # by peer: a new Watch replaces the one before
        self._stopping = threading.Event()
        self._at_once = threading.Event()
        self._leave_by: float | None = None  # monotonic seconds
        self._companion = companion
        self._tidy_at = 0.0
        self._active_at = time.monotonic()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self) -> None:
        """Serve until stop(), a signal, the idle limit or the companion's end."""
        poller = zmq.Poller()
        poller.register(self._control, zmq.POLLIN)
        poller.register(self._listener.monitor, zmq.POLLIN)
        poller.register(self._bell.fileno(), zmq.POLLIN)
        while not self._over():
            events = dict(poller.poll(200))
            self._listener.count()
            if self._control in events:
                self._serve_control()
            with contextlib.suppress(BlockingIOError):
                self._bell.recv(4096)
            changed = self._empty_inbox()
            with self._patience():
                self._start_next()
                self._tidy()
            self._answer_watchers(changed)
            self._worker.check_grace()

    def stop(self) -> None:
        """End run() once the running job can be left; called again, at once. Any thread, or a signal handler."""
        if self._stopping.is_set():
            self._at_once.set()
        self._stopping.set()
        with contextlib.suppress(BlockingIOError):
            self._bell_rope.send(b"!")

    def close(self) -> None:
        """Let go of sockets, worker and store. A running job is taken up at the next start."""
        self._frames.close()
        self._worker.close()
        self._listener.close()
        self._gate.close()
        self._context.destroy(linger=200)
        self._store.close()
        self._bell.close()
        self._bell_rope.close()

    # --- other threads -----------------------------------------------------------------------------------

    def _post(self, event: Any) -> None:
        """A worker's event, or the id of a job that changed."""
        self._inbox.put(event)
        with contextlib.suppress(BlockingIOError, OSError):  # a full bell rings already
            self._bell_rope.send(b"!")

    # --- control messages ----------------------------------------------------------------------------------

    def _bind(self, address: str) -> tuple[zmq.Socket[bytes], Listener, FrameChannel]:
        """The control socket at ``address`` and the frames' beside it. Raises SettingsError when one is taken."""
        attempts = 20 if address.endswith(":0") else 1  # the neighbour of a free port may be taken
        while True:
            attempts -= 1
            control = self._context.socket(zmq.ROUTER)
            sockets.prepare(control, address, codec.MAX_REQUEST_BYTES)
            control.setsockopt(zmq.ROUTER_MANDATORY, 1)
            try:
                listener = Listener(self._gate, control, address, self._config.max_connections)
                frames = FrameChannel(
                    self._context,
                    sockets.data_address(listener.address),
                    self._gate,
                    self._store,
                    self._config.max_frame_bytes,
                    self._config.max_connections,
                    self._config.credit,
                )
                return control, listener, frames
            except zmq.ZMQError as error:
                control.close()
                if not attempts:
                    raise SettingsError(
                        f"Address {address} or the one for frames beside it, {sockets.data_address(address)}, cannot "
                        f"be used ({error}): is a server running there already? Choose another with --address."
                    ) from None

    def _serve_control(self) -> None:
        for _ in range(64):  # then look at the workers again
            try:
                parts = self._control.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            self._active_at = time.monotonic()
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
            self._post(request.job)
            return None
        if isinstance(request, Cancel):
            return self._cancel(jobs, request.job)
        if isinstance(request, Purge):
            return Purged(request.job, self._purge(jobs, request.job))
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
        )

    def _refuse_unready(self, spec: JobSpec) -> None:
        refuse_unready(spec, Path(self._config.weights), self._config.raft_weights)

    def _cancel(self, jobs: OwnJobs, job: str) -> JobStatus:
        state = jobs.state(job)
        if state in (State.RECEIVING, State.QUEUED):
            jobs.move(job, State.CANCELLED)
        elif state is State.RUNNING:
            jobs.move(job, State.CANCELLING)
            self._worker.cancel()
        return jobs.status(job)

    def _purge(self, jobs: OwnJobs, job: str) -> int:
        try:
            return jobs.purge(job)
        except UnknownJob:  # asked for again, when the answer was lost
            return 0

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
        self._control.getsockopt(zmq.EVENTS)  # makes libzmq notice what the peer has read since
        with contextlib.suppress(zmq.ZMQError):
            self._control.send_multipart([peer, codec.encode(answer, number)], zmq.NOBLOCK)

    def _answer_watchers(self, changed: set[str]) -> None:
        now = time.monotonic()
        for peer, watcher in list(self._watchers.items()):
            job = watcher.watch.job
            if job not in changed and now < watcher.until:
                continue
            try:
                status: JobStatus | Refused = self._store.status(job)
            except UnknownJob as error:  # purged meanwhile
                status = Refused(error.code, str(error))
            if isinstance(status, Refused) or status.revision > watcher.watch.after or now >= watcher.until:
                if self._gate.admits(watcher.owner):
                    self._send(peer, status, watcher.number)
                del self._watchers[peer]

    # --- jobs and the worker -------------------------------------------------------------------------------

    def _empty_inbox(self) -> set[str]:
        """Handle what the worker reported; returns the jobs that changed."""
        changed = set()
        while not self._inbox.empty():
            event = self._inbox.get()
            if isinstance(event, str):
                changed.add(event)
            else:
                self._active_at = time.monotonic()
                self._reported.append(event)
        with self._patience():
            while self._reported:
                if self._worker.concerns(self._reported[0]):
                    self._worker_reported(self._reported[0])
                self._reported.popleft()
        return changed

    @contextlib.contextmanager
    def _patience(self) -> Iterator[None]:
        """What the store cannot take on a full disk waits for the next round."""
        try:
            yield
        except ServerBusy as error:
            if not self._disk_full:
                log.error("%s", error)
            self._disk_full = True
        else:
            self._disk_full = False

    def _worker_reported(self, event: Any) -> None:
        if isinstance(event, Ended):
            self._worker_lost(cast("str", self._worker.job), event.how)
            return
        job = event.job
        if isinstance(event, Progressed):
            self._store.progress(job, event.stage, event.step, event.steps)
        elif isinstance(event, FrameMade):
            self._store.add_frame(job, event.role, event.frame, event.digest)
        elif isinstance(event, FrameJudged):
            self._store.add_signs(job, event.frame, event.signs)
        elif isinstance(event, Finished):
            self._end(lambda: self._store.move(job, State.DONE, record=event.record))
            log.info("job %s done", job, extra={"job": job})
        elif isinstance(event, Stopped):
            self._end(lambda: self._store.move(job, State.CANCELLED))
            log.info("job %s cancelled", job, extra={"job": job})
        elif isinstance(event, LeftOff):
            self._end(lambda: self._store.move(job, State.QUEUED))
            log.info("job %s is left for the next start", job, extra={"job": job})
        elif isinstance(event, Failed):
            self._end(
                lambda: self._store.move(job, State.FAILED, error=from_code(event.code, event.sentence))
            )
            log.warning("job %s: %s", job, event.sentence, extra={"job": job})

    def _worker_lost(self, job: str, how: str) -> None:
        """The worker ended under the job: it is tried once more, and goes on from what it has on disk."""
        before = self._store.lost(job)
        log.warning("job %s: its worker ended with %s", job, how, extra={"job": job})
        if self._store.state(job) is State.CANCELLING:
            self._end(lambda: self._store.move(job, State.CANCELLED))
        elif self._stopping.is_set():
            self._end(lambda: self._store.move(job, State.QUEUED))
        elif not before:
            self._end(lambda: self._store.try_again(job, how))
        else:
            error = WorkerDied(
                f"The worker process ended twice in the middle of job {job}: first with {before}, and when the job was "
                f"tried again with {how}. Submit the shot again, and if it ends the same way send us worker.log."
            )
            self._end(lambda: self._store.move(job, State.FAILED, error=error))

    def _end(self, move: Callable[[], None]) -> None:
        move()
        self._worker.release()

    def _start_next(self) -> None:
        if self._worker.job is not None or self._stopping.is_set():
            return
        job = self._store.next_queued()
        if job is not None:
            self._store.move(job, State.RUNNING)
            log.info("job %s starts", job, extra={"job": job})
            self._worker.run(self._store.spec(job), self._store.folder(job).path)

    def _tidy(self) -> None:
        """Now and then: let go of jobs that nobody sends to the end, and delete what is old."""
        if time.monotonic() < self._tidy_at:
            return
        self._tidy_at = time.monotonic() + TIDY_S
        kept, policy, now = self._store.kept(), self._config.retention, time.time()
        for job in policy.abandoned(kept, now):
            error = JobError(
                f"Nothing more of job {job} came for {self._config.receive_hours} hours (receive_hours), so it was "
                "given up: send the shot again as a new job."
            )
            self._store.move(job, State.CANCELLED, error=error)
            log.info("job %s: %s", job, error, extra={"job": job})
        for job in policy.expired(kept, now):
            size_bytes = self._store.purge(job)
            log.info("job %s is deleted, with %.1f MB", job, size_bytes / 1e6, extra={"job": job})

    def _over(self) -> bool:
        """Whether run() ends. A job that runs is left at its next step first, within a bound."""
        orphaned = self._companion is not None and self._companion.gone()
        if orphaned or self._idle():
            self._stopping.set()
        if not self._stopping.is_set():
            return False
        if self._worker.job is None or self._at_once.is_set():
            return True
        if self._leave_by is None:
            grace_s = ORPHAN_GRACE_S if orphaned else STOP_GRACE_S
            log.info("job %s is to be left within %.0f s", self._worker.job, grace_s)
            self._leave_by = time.monotonic() + grace_s
            self._worker.halt()
        return time.monotonic() > self._leave_by

    def _idle(self) -> bool:
        limit = self._config.idle_exit_s
        return bool(limit and self._worker.job is None and time.monotonic() - self._active_at > limit)


def serve(config: Config, *, ready: Callable[[str], None]) -> None:
    """Run a server in this process until a signal; ``ready`` is called with its address once it listens."""
    os.umask(0o077)  # jobs, logs and an ipc socket are this user's alone
    ready_for(config.address, KeyFolder(Path(config.keys)))
    with Server(config) as server:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: server.stop())
        ready(server.address)
        server.run()


def _log_bug(message: str) -> str:
    """Log the current exception under an id that the client gets."""
    mark = os.urandom(4).hex()
    log.exception("%s [%s]", message, mark)
    return mark


__all__ = ["Server", "serve"]
