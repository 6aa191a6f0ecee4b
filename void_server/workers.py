"""The workers, and what they do: which job is next, what is reported of it, how it ends."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from void_server.jobs import JobStore
from void_server.room import no_room
from void_server.waiting import Waiting
from void_server.worker import Ended, Worker
from void_server.worker_events import (
    Configure,
    Crowded,
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

UNPREPARED = (None, Stage.DECODE)
"""A job's stages while it is read and checked; none is the first."""

WITH_MODEL = (Stage.LOAD, Stage.PASS1, Stage.NOISE, Stage.PASS2)
"""Its stages while it has the model, or waits for it."""


@dataclass(frozen=True)
class Report:
    """What ``worker`` reported."""

    worker: Worker
    event: Any


@dataclass(frozen=True)
class Lost:
    """The worker's process ended under the job."""

    job: str
    how: str
    shared: bool  # it did another job too: who brought it down is not known


class Workers:
    """Has the jobs of ``store`` done by the workers. Called from the server's main thread only.

    A worker may have two jobs: while one has the model, the next of the queue is read and checked, or the one before is
    merged and written.

    Args:
        configures: what each worker's process is told first.
        jobs_per_worker: how many a worker may have, 1 or 2.
        data_dir: for their logs and their temporary files.
        store: the jobs.
        post: called with every Report on a reader thread; must return fast, and have the main thread call `take`.
    """

    def __init__(
        self,
        configures: Iterable[Configure],
        jobs_per_worker: int,
        data_dir: Path,
        store: JobStore,
        post: Callable[[Report], None],
    ) -> None:
        self._store = store
        self._jobs_per_worker = jobs_per_worker
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
        return sum(bool(worker.jobs) for worker in self._workers)

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
            worker, event = self._reported[0].worker, self._reported[0].event
            if isinstance(event, Ended):
                self._reported.popleft()
                self._reported.extendleft(self._losses(worker, event))
                continue
            if worker.concerns(event):
                with self._held(event.job):
                    self._settle(worker, event)
            self._reported.popleft()

    def start_next(self) -> None:
        """Give the workers the jobs whose turn it is. Raises ServerBusy."""
        self._waiting.look()
        while not self._halting and (places := self._places()):
            job = self._store.next_queued()
            if job is None:
                self._make_way()
                return
            worker = next((one for one in places if self._suits(one, job)), None)
            if worker is None:  # nobody passes it: its turn has come
                return
            if self._waiting.may_begin(job):
                self._begin(worker, job)

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
                if job in worker.jobs:
                    worker.cancel(job)

    def halt(self) -> None:
        """Begin no other job, and leave what runs at its next step, to be taken up again."""
        self._halting = True
        for worker in self._workers:
            for job in worker.jobs:
                worker.halt(job)

    def check_grace(self) -> None:
        """Kill a worker that does not heed its cancel."""
        for worker in self._workers:
            worker.check_grace()

    def close(self) -> None:
        """End the processes. What runs is taken up at the next start."""
        for worker in self._workers:
            worker.close()

    def _places(self) -> list[Worker]:
        """The workers that may have another job, those that have none first."""
        free = [worker for worker in self._workers if not worker.jobs]
        return free + [
            worker
            for worker in self._workers
            if 0 < len(worker.jobs) < self._jobs_per_worker
            and worker.alive
            and self._store.stage(worker.jobs[-1]) not in UNPREPARED
            and not any(self._store.alone(job) for job in worker.jobs)
        ]

    def _suits(self, worker: Worker, job: str) -> bool:
        """Whether the job may be done beside what the worker does.

        Not two of engine draft: neither needs the model, and they would only take cores off each other.
        """
        void = [self._store.spec(one).void is not None for one in (job, *worker.jobs)]
        return not worker.jobs or (any(void) and not self._store.alone(job))

    def _make_way(self) -> None:
        """A job that waits for another's model goes to a worker that has nothing to do."""
        if all(worker.jobs for worker in self._workers):
            return
        for worker in self._workers:
            stages = [self._store.stage(job) for job in worker.jobs]
            if len(stages) > 1 and stages[0] in WITH_MODEL and stages[1] is Stage.LOAD:
                worker.halt(worker.jobs[1])
                return

    def _begin(self, worker: Worker, job: str) -> None:
        self._store.begin(job, worker.device, self._workers.index(worker))
        log.info("job %s starts on %s", job, worker.device, extra={"job": job})
        try:
            worker.run(self._store.spec(job), self._store.folder(job).path)
        except OSError as error:  # no room for its log and its folder, or no process
            self.take(Report(worker, Failed(job, ServerBusy.code, str(no_room(error.strerror)))))

    def _losses(self, worker: Worker, event: Ended) -> list[Report]:
        """Of each job that the worker had, one."""
        if not worker.concerns(event):
            return []
        self._store.tally.worker_lost()
        shared = len(worker.jobs) > 1
        return [Report(worker, Lost(job, event.how, shared)) for job in reversed(worker.jobs)]

    @contextlib.contextmanager
    def _held(self, job: str) -> Iterator[None]:
        """While the store does not take what happens to a job, the job waits."""
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
        job = event.job
        if isinstance(event, Progressed):
            self._store.progress(job, event.stage, event.step, event.steps)
            if event.stage is Stage.LOAD and event.step == event.steps:
                log.info("model loaded for job %s", job, extra={"job": job})
        elif isinstance(event, FrameMade):
            self._store.add_frame(job, event.role, event.frame, event.digest)
            if job not in self._store.waiting() and self._waiting.over_quota(job):
                worker.halt(job)
        elif isinstance(event, FrameJudged):
            self._store.add_signs(job, event.frame, event.signs)
        elif isinstance(event, Finished):
            self._store.finish(job, event.record)
            worker.release(job)
            log.info("job %s done", job, extra={"job": job})
        elif isinstance(event, Stopped):
            self._end(worker, job, State.CANCELLED)
            log.info("job %s cancelled", job, extra={"job": job})
        elif isinstance(event, LeftOff):
            cancelled = self._store.state(job) is State.CANCELLING
            self._end(worker, job, State.CANCELLED if cancelled else State.QUEUED)
            log.info("job %s is left, to be taken up again", job, extra={"job": job})
        elif isinstance(event, Crowded):
            if self._store.state(job) is State.CANCELLING:
                self._end(worker, job, State.CANCELLED)
            else:
                self._apart(worker, job)
            log.warning("job %s failed beside another: it is to be done alone", job, extra={"job": job})
        elif isinstance(event, Lost):
            self._lost(worker, event)
        elif isinstance(event, Failed):
            self._failed(worker, job, from_code(event.code, event.sentence))

    def _failed(self, worker: Worker, job: str, error: VoidError) -> None:
        running, room = self._store.state(job) is State.RUNNING, not isinstance(error, ServerBusy)
        if running and not isinstance(error, ShotError) and self._ran_out(worker, job, room):
            self._end(worker, job, State.QUEUED)
        else:
            self._end(worker, job, State.FAILED, error)
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

    def _lost(self, worker: Worker, lost: Lost) -> None:
        """The worker ended under the job: it is tried once more, and goes on from what it has on disk.

        Where it was not alone neither job is to blame: each is done alone from then on, which counts as no try.
        """
        job, how = lost.job, lost.how
        before, state = self._store.lost(job), self._store.state(job)
        if state is State.CANCELLING:
            self._end(worker, job, State.CANCELLED)
        elif self._halting or self._ran_out(worker, job):
            self._end(worker, job, State.QUEUED)
        elif lost.shared:
            self._apart(worker, job)
        elif not before:
            self._store.try_again(job, how)
            worker.release(job)
        else:
            error = WorkerDied(
                f"The worker process ended twice in the middle of job {job}: first with {before}, and when the job was "
                f"tried again with {how}. Submit the shot again, and if it ends the same way send us "
                f"{worker.log_path.name}."
            )
            self._end(worker, job, State.FAILED, error)
        log.warning("job %s: its worker ended with %s", job, how, extra={"job": job})

    def _apart(self, worker: Worker, job: str) -> None:
        """Have the job done again, with no other beside it."""
        self._store.try_alone(job)
        worker.release(job)

    def _end(self, worker: Worker, job: str, state: State, error: VoidError | None = None) -> None:
        self._store.move(job, state, error=error)
        worker.release(job)
