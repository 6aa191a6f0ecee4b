"""The server's half of a worker: a child process that owns the GPU.

Out of memory, a driver fault or an image file that brings a decoder down costs a job one of its two tries, never the
server.
The process is started for the first job, keeps its model warm, and is started again after it died.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from void_server.worker_events import (
    DRIVER_FAULT,
    FROM_WORKER,
    CancelRun,
    Configure,
    HaltRun,
    Run,
    read_event,
    write_event,
)
from void_wire.messages import JobSpec

log = logging.getLogger(__name__)

CANCEL_GRACE_S = 60.0
"""A worker that has not stopped a cancelled job after this is killed (a step of the model takes seconds)."""

ALLOCATION = {
    "MALLOC_MMAP_THRESHOLD_": str(256 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    "MALLOC_ARENA_MAX": "1",
}
"""The worker's environment: glibc else gives a picture's memory back when it is freed, and getting it again takes a
tenth of the time. One arena for all threads, since none but the main thread's holds a picture of more than 64 MB."""


@dataclass(frozen=True)
class Ended:
    """A worker process is gone, in the middle of a job or between two."""

    process: subprocess.Popen[bytes]

    @property
    def how(self) -> str:
        """Its exit code or signal."""
        code = self.process.returncode
        if code == DRIVER_FAULT:
            return f"exit code {code} (a fault of the GPU's driver)"
        return f"signal {-code}" if code < 0 else f"exit code {code}"


@dataclass
class _Given:
    """A job that the process was given."""

    cancelled_at: float | None = None  # monotonic seconds
    halted: bool = False


class Worker:
    """One worker process and the jobs it does. Methods are called from the server's main thread only.

    Args:
        configure: what the process is told first.
        data_dir: its stderr goes to ``worker.log`` there, its temporary files to ``scratch``: next to the jobs,
            where there is room, and not to a /tmp that may be memory. What torch compiles for speed exact is kept in
            ``compiled``, of all workers and for the next start.
        number: of several workers, from 1; the second has ``worker-2.log`` and ``scratch-2``.
        report: called with this worker and every event, Ended too, on the reader thread; must return fast.
    """

    def __init__(
        self, configure: Configure, data_dir: Path, number: int, report: Callable[[Worker, Any], None]
    ) -> None:
        self._configure = configure
        of_number = f"-{number}" if number > 1 else ""
        self.log_path = data_dir / f"worker{of_number}.log"
        self._scratch = data_dir / f"scratch{of_number}"
        self._compiled = data_dir / "compiled"
        self._report = report
        self._process: subprocess.Popen[bytes] | None = None
        self._given: dict[str, _Given] = {}

    @property
    def jobs(self) -> list[str]:
        """What it does, in the order in which it began."""
        return list(self._given)

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def device(self) -> str:
        """What its process works on."""
        return self._configure.device

    def run(self, spec: JobSpec, folder: Path) -> None:
        """Start ``spec``, beside what it does already; a process that is gone by then takes both along."""
        first = not self._given
        self._given[spec.job] = _Given()
        if first and not self.alive:
            self._start()
        self._tell(Run(spec=spec, folder=str(folder)))

    def concerns(self, event: Any) -> bool:
        """Whether a reported event is about jobs that it does, and not about one or a process that was before."""
        if isinstance(event, Ended):
            return bool(self._given) and event.process is self._process
        return event.job in self._given

    def cancel(self, job: str) -> None:
        """Ask for the end of one of its jobs at the next step."""
        if self._given[job].cancelled_at is None:
            self._given[job].cancelled_at = time.monotonic()
            self._tell(CancelRun(job))

    def halt(self, job: str) -> None:
        """Ask for one of its jobs to be left at the next step, to be taken up again."""
        if not self._given[job].halted:
            self._given[job].halted = True
            self._tell(HaltRun(job))

    def release(self, job: str) -> None:
        """The job has ended."""
        del self._given[job]

    def clear(self) -> None:
        """Remove what a process that is gone left of its temporary files."""
        if not self.alive:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def check_grace(self) -> None:
        """Kill a worker that does not heed a cancel; the reader thread reports its end."""
        now = time.monotonic()
        for job, given in self._given.items():
            if given.cancelled_at and now - given.cancelled_at > CANCEL_GRACE_S:
                log.warning("worker did not stop %s within %.0f s: killed", job, CANCEL_GRACE_S)
                given.cancelled_at = now
                self._kill()

    def close(self) -> None:
        """End the process."""
        self._given.clear()
        self._kill()

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _start(self) -> None:
        self.clear()
        self._scratch.mkdir(mode=0o700)
        with self.log_path.open("ab") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "void_server.worker_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={
                    "TORCHINDUCTOR_CACHE_DIR": str(self._compiled),
                    **os.environ,
                    **ALLOCATION,
                    **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self._scratch)),
                },
            )
        self._process = process
        threading.Thread(target=self._read, args=(process,), name="worker", daemon=True).start()
        self._tell(self._configure)

    def _tell(self, event: Any) -> None:
        process = cast("subprocess.Popen[bytes]", self._process)
        try:
            write_event(cast("Any", process.stdin), event)
        except OSError:
            log.warning("worker is gone; its reader reports it")

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        pipe = cast("IO[bytes]", process.stdout)
        while (event := read_event(cast("Any", pipe), FROM_WORKER)) is not None:
            self._report(self, event)
        process.wait()
        self._report(self, Ended(process))
