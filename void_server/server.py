"""The server: its sockets, its loop and its life. No torch here.

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
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import zmq

from void_server.companion import Companion
from void_server.config import Config
from void_server.control_channel import ControlChannel
from void_server.devices import devices
from void_server.frame_channel import FrameChannel
from void_server.gate import Gate, ready_for
from void_server.housekeeping import Housekeeping
from void_server.jobs import JobStore
from void_server.key_folder import KeyFolder
from void_server.limits import GB
from void_server.worker_events import Configure
from void_server.workers import Report, Workers
from void_wire import sockets
from void_wire.errors import ServerBusy, SettingsError

if TYPE_CHECKING:
    from void_server.metrics import MetricsPage

log = logging.getLogger(__name__)

STOP_GRACE_S = 60.0
"""For the running job to come to its next step when the server is stopped; then its worker is killed."""

ORPHAN_GRACE_S = 3.0
"""The same when the companion is gone: a farm wants its machine back."""


class Server:
    """One server: ``with Server(config) as server: server.run()``.

    ``address`` is where it listens (a tcp port 0 became a real one).
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        companion = Companion(config.exit_with) if config.exit_with else None
        data_dir = Path(config.data_dir)
        self._inbox: queue.SimpleQueue[Report | str] = queue.SimpleQueue()
        self._bell, self._bell_rope = socket.socketpair()
        self._bell.setblocking(False)
        self._bell_rope.setblocking(False)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._devices = devices(config.device)
        self._store = JobStore(
            data_dir,
            limits=config.limits,
            changed=self._post,
            priority=self._priority,
            workers=len(self._devices),
            jobs_per_worker=config.jobs_per_worker,
        )
        self._gate = Gate(self._context, KeyFolder(Path(config.keys)) if config.asks_for_keys else None)
        self._store.recover()
        configures = [
            Configure(
                weights=config.weights,
                raft_weights=config.raft_weights,
                device=device,
                memory=config.memory,
                speed=config.speed,
                prompts="" if config.private else str(data_dir / "prompts"),
                memory_bytes=config.worker_memory_gb * GB,
                private=config.private,
            )
            for device in self._devices
        ]
        self._workers = Workers(configures, config.jobs_per_worker, data_dir, self._store, self._post)
        self._housekeeping = Housekeeping(self._store, self._workers, self._gate, config.retention)
        self._control, self._frames = self._bind()
        self.address = self._control.listener.address
        self._metrics = self._metrics_page()
        self._stuck: set[str] = set()  # what the disk took no more of, by its function's name
        self._stopping = threading.Event()
        self._at_once = threading.Event()
        self._leave_by: float | None = None  # monotonic seconds
        self._companion = companion
        self._worked_at = time.monotonic()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self) -> None:
        """Serve until stop(), a signal, the idle limit or the companion's end."""
        poller = zmq.Poller()
        poller.register(self._control.socket, zmq.POLLIN)
        poller.register(self._control.listener.monitor, zmq.POLLIN)
        poller.register(self._bell.fileno(), zmq.POLLIN)
        while not self._over():
            events = dict(poller.poll(200))
            self._control.listener.count()
            if self._control.socket in events:
                self._control.serve()
            with contextlib.suppress(BlockingIOError):
                self._bell.recv(4096)
            changed = self._empty_inbox()
            self._patiently(self._workers.settle)
            if not self._stopping.is_set():
                self._patiently(self._workers.start_next)
            self._patiently(self._housekeeping.look)
            self._control.tell_watchers(changed)
            self._workers.check_grace()

    def stop(self) -> None:
        """End run() once the running job can be left; called again, at once. Any thread, or a signal handler."""
        if self._stopping.is_set():
            self._at_once.set()
        self._stopping.set()
        with contextlib.suppress(BlockingIOError):
            self._bell_rope.send(b"!")

    def close(self) -> None:
        """Let go of sockets, worker and store. A running job is taken up at the next start."""
        if self._metrics is not None:
            self._metrics.close()
        self._frames.close()
        self._workers.close()
        self._control.close()
        self._gate.close()
        self._context.destroy(linger=200)
        self._store.close()
        self._bell.close()
        self._bell_rope.close()

    def _post(self, news: Report | str) -> None:
        """A worker's Report, or the id of a job that changed. Any thread."""
        self._inbox.put(news)
        with contextlib.suppress(BlockingIOError, OSError):  # a full bell rings already
            self._bell_rope.send(b"!")

    def _priority(self, owner: str) -> int:
        priorities = self._config.priorities
        return priorities.of(self._gate.name(owner)) if priorities.of_names else 0

    def _bind(self) -> tuple[ControlChannel, FrameChannel]:
        """Both sockets, the frames' beside the other. Raises SettingsError when one is taken."""
        config = self._config
        attempts = 20 if config.address.endswith(":0") else 1  # the neighbour of a free port may be taken
        while True:
            attempts -= 1
            control = None
            try:
                control = ControlChannel(
                    self._context, config, self._devices, self._gate, self._store, self._workers.cancel
                )
                frames = FrameChannel(
                    self._context,
                    sockets.data_address(control.listener.address),
                    self._gate,
                    self._store,
                    config.max_frame_bytes,
                    config.max_connections,
                    config.credit,
                )
                return control, frames
            except zmq.ZMQError as error:
                if control is not None:
                    control.close()
                if not attempts:
                    raise SettingsError(
                        f"Address {config.address} or the one for frames beside it, "
                        f"{sockets.data_address(config.address)}, cannot be used ({error}): is a server running there "
                        "already? Choose another with --address."
                    ) from None

    def _metrics_page(self) -> MetricsPage | None:
        """Raises SettingsError when its port is taken."""
        config, workers, listener = self._config, self._workers, self._control.listener
        if not config.metrics_port:
            return None
        from void_server.metrics import Load, MetricsPage

        def load() -> Load:
            return Load(workers=workers.count, busy=workers.working, connections=listener.connections)

        return MetricsPage(config.metrics_port, self._store, Path(config.data_dir), load)

    def _empty_inbox(self) -> set[str]:
        """Hand the workers what they reported; returns the jobs that changed."""
        changed = set()
        while not self._inbox.empty():
            news = self._inbox.get()
            if isinstance(news, str):
                changed.add(news)
            else:
                self._worked_at = time.monotonic()
                self._workers.take(news)
        return changed

    def _patiently(self, do: Callable[[], None]) -> None:
        """``do`` it; what the store cannot take on a full disk waits for the next round."""
        try:
            do()
        except ServerBusy as error:
            if do.__qualname__ not in self._stuck:
                log.error("%s", error)
            self._stuck.add(do.__qualname__)
        else:
            self._stuck.discard(do.__qualname__)

    def _over(self) -> bool:
        """Whether run() ends. A job that runs is left at its next step first, within a bound."""
        orphaned = self._companion is not None and self._companion.gone()
        if orphaned or self._idle():
            self._stopping.set()
        if not self._stopping.is_set():
            return False
        if not self._workers.busy or self._at_once.is_set():
            return True
        if self._leave_by is None:
            grace_s = ORPHAN_GRACE_S if orphaned else STOP_GRACE_S
            log.info("what runs is to be left within %.0f s", grace_s)
            self._leave_by = time.monotonic() + grace_s
            self._workers.halt()
        return time.monotonic() > self._leave_by

    def _idle(self) -> bool:
        limit = self._config.idle_exit_s
        active_at = max(self._worked_at, self._control.active_at)
        return bool(limit and not self._workers.pending and time.monotonic() - active_at > limit)


def serve(config: Config, *, ready: Callable[[str], None]) -> None:
    """Run a server in this process until a signal; ``ready`` is called with its address once it listens."""
    os.umask(0o077)  # jobs, logs and an ipc socket are this user's alone
    ready_for(config.address, KeyFolder(Path(config.keys)))
    with Server(config) as server:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: server.stop())
        ready(server.address)
        server.run()


__all__ = ["Server", "serve"]
