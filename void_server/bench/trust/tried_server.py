"""A real server in a process of its own that is killed, frozen, watched and started again."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from void_server import local_server
from void_server.key_folder import KeyFolder
from void_wire.connection import Connection
from void_wire.files import PART_SUFFIX

START_S = 60.0
"""On a busy machine."""

HOOK = "sitecustomize.py"
"""Python's own hook at its start: what is in it runs in the server and its workers."""


class TriedServer:
    """``void serve`` on one data folder. A context: whatever still runs at its end is killed.

    Args:
        data_dir: of its jobs; a server that is started again finds them there.
        weights: of the model, or None where none is needed.
        settings: of void_server.config.Config, for the server's environment.
        keys: it lets in keys alone; `key` makes them.
        hook: Python that its processes run when they start; empty: none.
    """

    def __init__(
        self,
        data_dir: Path,
        weights: Path | None = None,
        settings: Mapping[str, object] | None = None,
        *,
        keys: bool = False,
        hook: str = "",
    ) -> None:
        self.data_dir = data_dir
        self._weights = weights or data_dir / "no-weights"
        self._keys = KeyFolder(data_dir / "keys")
        if keys:
            self._keys.make_server()
            settings = {**(settings or {}), "require_keys": True}
        given = {f"VOID_{name.upper()}": str(value) for name, value in (settings or {}).items()}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("VOID_")}
        self._environment = {**kept, **given}
        if hook:
            folder = data_dir.with_name(f"{data_dir.name}-hook")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / HOOK).write_text(hook)
            path = os.pathsep.join(filter(None, (str(folder), kept.get("PYTHONPATH"))))
            self._environment["PYTHONPATH"] = path
        self.address = ""
        self.start()

    def __enter__(self) -> TriedServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill(everything=True)

    def start(self, address: str = "tcp://127.0.0.1:0") -> None:
        """Start it, where it was before if it was there before."""
        started = local_server.start(
            self.address or address,
            data_dir=self.data_dir,
            weights=self._weights,
            idle_exit_s=0,
            patience_s=START_S,
            environment=self._environment,
        )
        self.process, self.address = started.process, started.address
        self.seen = psutil.Process(self.process.pid)

    def kill(self, *, everything: bool = False) -> None:
        """Kill -9, and with ``everything`` its workers in the same moment."""
        with contextlib.suppress(ProcessLookupError):
            if everything and hasattr(os, "killpg"):
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()
        self.process.wait()

    def restart(self) -> float:
        """Start it again after a kill; seconds until it listened."""
        began = time.monotonic()
        self.start()
        return time.monotonic() - began

    def stop(self) -> int:
        """Ask it to leave, and wait; its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(timeout=90)
        except subprocess.TimeoutExpired:
            self.kill(everything=True)
            return -9

    def key(self, name: str) -> Connection:
        """Let somebody in, by a new key."""
        return self._keys.add(name, self.address)

    @property
    def lives(self) -> bool:
        """Whether the process is there."""
        return self.process.poll() is None

    def workers(self) -> list[psutil.Process]:
        """Its child processes."""
        try:
            return list(self.seen.children())
        except psutil.NoSuchProcess:
            return []

    def rss_mb(self) -> float:
        """Its own resident memory, in 1e6 bytes."""
        return float(self.seen.memory_info().rss) / 1e6

    def descriptors(self) -> int:
        """Open files and sockets."""
        return int(self.seen.num_fds()) if hasattr(self.seen, "num_fds") else 0

    def log(self) -> str:
        """What it said so far."""
        return (self.data_dir / "server.log").read_text(errors="replace")

    def worker_log(self) -> str:
        """What its workers said so far."""
        path = self.data_dir / "worker.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def parts(self) -> list[Path]:
        """Files of the jobs that are being written, or were when somebody was killed."""
        return list((self.data_dir / "jobs").rglob(f"*{PART_SUFFIX}"))

    def files(self) -> set[Path]:
        """Everything in the data folder but the database's own files."""
        found = (path for path in self.data_dir.rglob("*") if not path.name.startswith("jobs.sqlite"))
        return {path.relative_to(self.data_dir) for path in found}

    def states(self) -> dict[str, str]:
        """State by job, as they stand on disk."""
        with contextlib.closing(sqlite3.connect(self.data_dir / "jobs.sqlite", timeout=10)) as database:
            return dict(database.execute("SELECT job, state FROM jobs").fetchall())


class PeakMemory:
    """How far a server's memory went above where it was. ``look`` often, or give it a thread."""

    def __init__(self, server: TriedServer) -> None:
        self._server = server
        self.before_mb = self.peak_mb = server.rss_mb()

    def look(self) -> None:
        """Take note of what it is now."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self.peak_mb = max(self.peak_mb, self._server.rss_mb())

    @property
    def growth_mb(self) -> float:
        """In 1e6 bytes, with a last look."""
        self.look()
        return self.peak_mb - self.before_mb
