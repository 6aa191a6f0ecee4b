"""The child process that owns the GPU: ``python -m void_server.worker_process``, started by worker.Worker only.

Its main thread takes requests and cancels; each job has a thread of its own, up to two at once. When stdin ends the
server is gone, and so is this process, at once.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

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
    Crowded,
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


@dataclass
class _Going:
    """A job that is being done."""

    shared: bool  # another was being done beside it, at some time
    stop: type[Cancelled] | None = None  # what its next report raises


class WorkerProcess:
    """Reads requests from ``requests``, writes events to ``events``."""

    def __init__(self, requests: BinaryIO, events: BinaryIO) -> None:
        self._requests = requests
        self._events = events
        self._writing = threading.Lock()  # of an event
        self._going: dict[str, _Going] = {}  # by job
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
            ),
            failed=_end_if_faulty,
        )
        with _or_end():
            while (event := read_event(self._requests, TO_WORKER)) is not None:
                self._heed(removal, event)
        os._exit(0)  # jobs may be deep inside a step

    def _heed(self, removal: Removal, event: Run | CancelRun | HaltRun) -> None:
        if isinstance(event, Run):
            for other in list(self._going.values()):
                other.shared = True
            self._going[event.spec.job] = _Going(shared=bool(self._going))
            job = threading.Thread(target=self._run, args=(removal, event), name=event.spec.job, daemon=True)
            job.start()
        elif going := self._going.get(event.job):
            if isinstance(event, CancelRun):
                going.stop = Cancelled
            else:
                going.stop = going.stop or Halted

    def _run(self, removal: Removal, run: Run) -> None:
        with _or_end():
            end = self._do(removal, run)
            del self._going[run.spec.job]
            if isinstance(end, (Finished, Stopped)):  # one that failed may be asked for again
                JobFolder(Path(run.folder)).forget_milestones()
            self._write(end)

    def _do(self, removal: Removal, run: Run) -> Finished | Stopped | LeftOff | Crowded | Failed:
        """The job, and how it ended."""
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
            return Finished(spec.job, record)
        except Halted:
            return LeftOff(spec.job)
        except Cancelled:
            return Stopped(spec.job)
        except VoidError as error:
            return Failed(spec.job, error.code, str(error))
        except MemoryError:
            log.exception("job %s", spec.job)
            if self._going[spec.job].shared:
                return Crowded(spec.job)
            sentence = (
                f"Job {spec.job} needs more memory than the server's worker may take, {self._memory_bytes / GB:.0f} GB "
                "(worker_memory_gb): send smaller frames or fewer channels, or ask who runs the server."
            )
            return Failed(spec.job, EngineError.code, sentence)
        except Exception as error:
            _end_if_faulty(error)
            mark = os.urandom(4).hex()
            log.exception("job %s failed [%s]", spec.job, mark)
            if self._going[spec.job].shared:
                return Crowded(spec.job)
            sentence = f"The server hit a bug in job {spec.job}; its worker.log has it as {mark}. Please send it to us."
            return Failed(spec.job, JobFailed.code, sentence)

    def _tell(self, event: Progressed | FrameMade | FrameJudged) -> None:
        """Send an event of a running job. Raises Cancelled once the job is to stop, Halted once it is to rest."""
        if stop := self._going[event.job].stop:
            raise stop
        self._write(event)

    def _write(self, event: Any) -> None:
        with self._writing:
            write_event(self._events, event)


def _end_if_faulty(error: BaseException) -> None:
    """End this process if ``error`` says that the GPU's driver failed: nothing more can be done here, for any job."""
    if isinstance(error, RuntimeError) and str(error).startswith(FAULTS):
        log.error("the GPU's driver failed, so this process ends", exc_info=error)
        os._exit(DRIVER_FAULT)  # tidying up would wait for the driver


@contextlib.contextmanager
def _or_end() -> Iterator[None]:
    """A thread that fails takes the process with it: the server would wait for it for ever."""
    try:
        yield
    except BaseException:
        log.exception("the worker ends")
        os._exit(1)


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
