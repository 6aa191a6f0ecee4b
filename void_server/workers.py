"""The workers, and what they do: which job is next, what is reported of it, how it ends."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from void_server.jobs import JobStore
from void_server.room import no_room
from void_server.waiting import Waiting
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
from void_wire.errors import JobError, ServerBusy, ShotError, VoidError, WorkerDied, from_code
from void_wire.messages import Stage, State

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Report:
    """What ``worker`` reported."""

    worker: Worker
    event: Any


class Workers:
    """Has the jobs of ``store`` done, one at a time by each worker. Called from the server's main thread only.

    Args:
        configures: what each worker's process is told first.
        data_dir: for their logs and their temporary files.
        store: the jobs.
        post: called with every Report on a reader thread; must return fast, and have the main thread call `take`.
    """

    def __init__(
        self,
        configures: Iterable[Configure],
        data_dir: Path,
        store: JobStore,
        post: Callable[[Report], None],
    ) -> None:
        self._store = store
        self._waiting = Waiting(store)
        self._workers = [
            Worker(configure, data_dir, number, lambda worker, event: post(Report(worker, event)))
            for number, configure in enumerate(configures, 1)
        ]
        self._reported: deque[Report] = deque()  # and not yet in the store
        self._unsettled: set[str] = set()
        self._halting = False

    @property
    def busy(self) -> bool:
        """Whether a job runs."""
        return bool(self.working)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._workers)

    @property
    def working(self) -> int:
        """How many of them have a job."""
        return sum(worker.job is not None for worker in self._workers)

    @property
    def pending(self) -> bool:
        """Whether a job runs, or is going to as soon as there is room for it."""
        return self.busy or any(self._store.state(job) is State.QUEUED for job in self._store.waiting())

    def take(self, report: Report) -> None:
        """A worker reported this: `settle` deals with it."""
        self._reported.append(report)

    def settle(self) -> None:
        """Put what was reported into the store. Raises ServerBusy when the disk takes no more: call it again then."""
        while self._reported:
            first = self._reported[0]
            if first.worker.concerns(first.event):
                with self._held(first.worker):
                    self._settle(first.worker, first.event)
            self._reported.popleft()

    def start_next(self) -> None:
        """Give every free worker the job whose turn it is. Raises ServerBusy."""
        self._waiting.look()
        for worker in self._workers:
            while worker.job is None and not self._halting:
                job = self._store.next_queued()
                if job is None:
                    return
                if self._waiting.may_begin(job):
                    self._store.begin(job, worker.device)
                    log.info("job %s starts on %s", job, worker.device, extra={"job": job})
                    try:
                        worker.run(self._store.spec(job), self._store.folder(job).path)
                    except OSError as error:  # no room for its log and its folder, or no process
                        sentence = str(no_room(error.strerror))
                        self.take(Report(worker, Failed(job, ServerBusy.code, sentence)))

    def cancel(self, job: str, why: JobError | None = None) -> None:
        """Stop the job at its next step, or before it begins; one that has ended stays.

        ``why`` is kept with it where it was not its owner who stops it. Raises UnknownJob.
        """
        state = self._store.state(job)
        if state in (State.RECEIVING, State.QUEUED):
            self._store.move(job, State.CANCELLED, error=why)
        elif state is State.RUNNING:
            self._store.move(job, State.CANCELLING, error=why)
            for worker in self._workers:
                if worker.job == job:
                    worker.cancel()

    def halt(self) -> None:
        """Begin no other job, and leave what runs at its next step, to be taken up again."""
        self._halting = True
        for worker in self._workers:
            worker.halt()

    def check_grace(self) -> None:
        """Kill a worker that does not heed its cancel."""
        for worker in self._workers:
            worker.check_grace()

    def close(self) -> None:
        """End the processes. What runs is taken up at the next start."""
        for worker in self._workers:
            worker.close()

    @contextlib.contextmanager
    def _held(self, worker: Worker) -> Iterator[None]:
        """While the store does not take what happens to a job, the job waits."""
        job = cast("str", worker.job)
        try:
            yield
        except ServerBusy:
            if job not in self._store.waiting():
                self._waiting.ran_out(job)
                self._unsettled.add(job)
            raise
        if job in self._unsettled:
            self._unsettled.discard(job)
            if self._store.state(job) is State.RUNNING:
                self._store.hold(job, None)

    def _settle(self, worker: Worker, event: Any) -> None:
        if isinstance(event, Ended):
            self._lost(worker, cast("str", worker.job), event.how)
            return
        job = event.job
        if isinstance(event, Progressed):
            self._store.progress(job, event.stage, event.step, event.steps)
            if event.stage is Stage.LOAD and event.step == event.steps:
                log.info("model loaded for job %s", job, extra={"job": job})
        elif isinstance(event, FrameMade):
            self._store.add_frame(job, event.role, event.frame, event.digest)
            if job not in self._store.waiting() and self._waiting.over_quota(job):
                worker.halt()
        elif isinstance(event, FrameJudged):
            self._store.add_signs(job, event.frame, event.signs)
        elif isinstance(event, Finished):
            self._store.finish(job, event.record)
            worker.release()
            log.info("job %s done", job, extra={"job": job})
        elif isinstance(event, Stopped):
            self._end(worker, State.CANCELLED)
            log.info("job %s cancelled", job, extra={"job": job})
        elif isinstance(event, LeftOff):
            self._end(worker, State.QUEUED)
            log.info("job %s is left, to be taken up again", job, extra={"job": job})
        elif isinstance(event, Failed):
            self._failed(worker, job, from_code(event.code, event.sentence))

    def _failed(self, worker: Worker, job: str, error: VoidError) -> None:
        running, room = self._store.state(job) is State.RUNNING, not isinstance(error, ServerBusy)
        if running and not isinstance(error, ShotError) and self._ran_out(worker, job, room):
            self._end(worker, State.QUEUED)
        else:
            self._end(worker, State.FAILED, error)
        log.warning("job %s: %s", job, error, extra={"job": job})

    def _ran_out(self, worker: Worker, job: str, room: bool = True) -> bool:
        """Whether a disk that takes no more ended the run: then the job waits."""
        if job in self._store.waiting():
            return True
        if room and not self._waiting.disk_full(job):
            return False
        worker.clear()
        self._waiting.ran_out(job)
        return True

    def _lost(self, worker: Worker, job: str, how: str) -> None:
        """The worker ended under the job: it is tried once more, and goes on from what it has on disk."""
        before, state = self._store.lost(job), self._store.state(job)
        if state is State.CANCELLING:
            self._end(worker, State.CANCELLED)
        elif self._halting or self._ran_out(worker, job):
            self._end(worker, State.QUEUED)
        elif not before:
            self._store.try_again(job, how)
            worker.release()
        else:
            error = WorkerDied(
                f"The worker process ended twice in the middle of job {job}: first with {before}, and when the job was "
                f"tried again with {how}. Submit the shot again, and if it ends the same way send us "
                f"{worker.log_path.name}."
            )
            self._end(worker, State.FAILED, error)
        self._store.tally.worker_lost()
        log.warning("job %s: its worker ended with %s", job, how, extra={"job": job})

    def _end(self, worker: Worker, state: State, error: VoidError | None = None) -> None:
        self._store.move(cast("str", worker.job), state, error=error)
        worker.release()
