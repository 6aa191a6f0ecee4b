"""The child process that owns the GPU: ``python -m void_server.worker_process``, started by worker.Worker only.

Its main thread does the jobs one after the other; a reader thread takes requests and cancels meanwhile. When
stdin ends the server is gone, and so is this process, at once.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from void_server import logs
from void_server.job_folder import JobFolder
from void_server.limits import GB
from void_server.progress import Cancelled, Halted
from void_server.removal import Machine, Removal
from void_server.room import told_when_full
from void_server.worker_events import (
    DRIVER_FAULT,
    TO_WORKER,
    CancelRun,
    Configure,
    Failed,
    Finished,
    FrameJudged,
    FrameMade,
    HaltRun,
    LeftOff,
    Progressed,
    Run,
    Stopped,
    read_event,
    write_event,
)
from void_server.worker_memory import limit_memory
from void_wire import codec
from void_wire.errors import EngineError, JobFailed, VoidError
from void_wire.messages import Role, Signs, Stage

log = logging.getLogger(__name__)


FAULTS = ("CUDA error", "cuDNN error")
"""How torch's RuntimeErrors begin that leave the process's CUDA context unusable."""


class WorkerProcess:
    """Reads requests from ``requests``, writes events to ``events``."""

    def __init__(self, requests: BinaryIO, events: BinaryIO) -> None:
        self._requests = requests
        self._events = events
        self._runs: queue.SimpleQueue[Run] = queue.SimpleQueue()
        self._cancelled: set[str] = set()
        self._halted: set[str] = set()
        self._memory_bytes = 0

    def main(self) -> None:
        """Do jobs until the server is gone."""
        configure = read_event(self._requests, TO_WORKER)
        if not isinstance(configure, Configure):
            return
        self._memory_bytes = limit_memory(configure.memory_bytes)
        removal = Removal(
            Machine(
                weights=Path(configure.weights),
                raft_weights=Path(configure.raft_weights) if configure.raft_weights else None,
                device=configure.device,
                memory=configure.memory,
                speed=configure.speed,
                prompts=Path(configure.prompts) if configure.prompts else None,
                private=configure.private,
            )
        )
        threading.Thread(target=self._read, name="requests", daemon=True).start()
        while True:
            self._do(removal, self._runs.get())

    def _read(self) -> None:
        while (event := read_event(self._requests, TO_WORKER)) is not None:
            if isinstance(event, Run):
                self._runs.put(event)
            elif isinstance(event, CancelRun):
                self._cancelled.add(event.job)
            elif isinstance(event, HaltRun):
                self._halted.add(event.job)
        os._exit(0)  # the main thread may be deep inside a step

    def _do(self, removal: Removal, run: Run) -> None:
        spec = run.spec

        def progress(stage: Stage, step: int, steps: int) -> None:
            self._tell(Progressed(spec.job, stage, step, steps))

        def made(role: Role, frame: int, path: Path) -> None:
            self._tell(FrameMade(spec.job, role, frame, codec.digest(path.read_bytes())))

        def judged(frame: int, signs: Signs) -> None:
            self._tell(FrameJudged(spec.job, frame, signs))

        try:
            with told_when_full():
                record = removal.remove(spec, JobFolder(Path(run.folder)), progress, made, judged)
            end: Finished | Stopped | LeftOff | Failed = Finished(spec.job, record)
        except Halted:
            end = LeftOff(spec.job)
        except Cancelled:
            end = Stopped(spec.job)
        except VoidError as error:
            end = Failed(spec.job, error.code, str(error))
        except MemoryError:
            log.exception("job %s", spec.job)
            sentence = (
                f"Job {spec.job} needs more memory than the server's worker may take, {self._memory_bytes / GB:.0f} GB "
                "(worker_memory_gb): send smaller frames or fewer channels, or ask who runs the server."
            )
            end = Failed(spec.job, EngineError.code, sentence)
        except Exception as error:
            if isinstance(error, RuntimeError) and str(error).startswith(FAULTS):
                log.exception("job %s: the GPU's driver failed, so this process ends", spec.job)
                os._exit(DRIVER_FAULT)  # tidying up would wait for the driver
            mark = os.urandom(4).hex()
            log.exception("job %s failed [%s]", spec.job, mark)
            sentence = f"The server hit a bug in job {spec.job}; its worker.log has it as {mark}. Please send it to us."
            end = Failed(spec.job, JobFailed.code, sentence)
        self._cancelled.discard(spec.job)
        self._halted.discard(spec.job)
        if isinstance(end, (Finished, Stopped)):  # one that failed may be asked for again
            JobFolder(Path(run.folder)).forget_milestones()
        write_event(self._events, end)

    def _tell(self, event: Progressed | FrameMade | FrameJudged) -> None:
        """Send an event of a running job. Raises Cancelled once the job is to stop, Halted once it is to rest."""
        if event.job in self._cancelled:
            raise Cancelled
        if event.job in self._halted:
            raise Halted
        write_event(self._events, event)


def _own_pipes() -> Iterator[BinaryIO]:
    """Stdin and stdout for events alone: what libraries print goes to stderr."""
    events = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    yield sys.stdin.buffer
    yield events


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # of a terminal or a service manager, meant for the server
        signal.signal(number, signal.SIG_IGN)
    logs.start("text")
    requests, events = _own_pipes()
    WorkerProcess(requests, events).main()
