"""The worker, and what it does: which job is next, what is reported of it, how it ends."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from void_server.jobs import JobStore
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
from void_wire.errors import WorkerDied, from_code
from void_wire.messages import Stage, State

log = logging.getLogger(__name__)


class Workers:
    """Has the jobs of ``store`` done. Methods are called from the server's main thread only.

    Args:
        configure: what the worker's process is told first.
        data_dir: for its log and its temporary files.
        store: the jobs.
        post: called with every event on the worker's reader thread; must return fast, and have the main thread call
            `take` with it.
    """

    def __init__(
        self, configure: Configure, data_dir: Path, store: JobStore, post: Callable[[Any], None]
    ) -> None:
        self._store = store
        self._worker = Worker(configure, data_dir, post)
        self._reported: deque[Any] = deque()  # by the worker, and not yet in the store
        self._halting = False

    @property
    def busy(self) -> bool:
        """Whether a job runs."""
        return self._worker.job is not None

    def take(self, event: Any) -> None:
        """A worker reported this: `settle` deals with it."""
        self._reported.append(event)

    def settle(self) -> None:
        """Put what was reported into the store. Raises ServerBusy when the disk takes no more: call it again then."""
        while self._reported:
            if self._worker.concerns(self._reported[0]):
                self._settle(self._reported[0])
            self._reported.popleft()

    def start_next(self) -> None:
        """Give a free worker the job whose turn it is. Raises ServerBusy."""
        if self.busy or self._halting:
            return
        job = self._store.next_queued()
        if job is not None:
            self._store.move(job, State.RUNNING)
            log.info("job %s starts", job, extra={"job": job})
            self._worker.run(self._store.spec(job), self._store.folder(job).path)

    def cancel(self, job: str) -> None:
        """Stop the job at its next step, or before it begins; one that has ended stays. Raises UnknownJob."""
        state = self._store.state(job)
        if state in (State.RECEIVING, State.QUEUED):
            self._store.move(job, State.CANCELLED)
        elif state is State.RUNNING:
            self._store.move(job, State.CANCELLING)
            self._worker.cancel()

    def halt(self) -> None:
        """Begin no other job, and leave the running one at its next step, to be taken up again."""
        self._halting = True
        self._worker.halt()

    def check_grace(self) -> None:
        """Kill a worker that does not heed its cancel."""
        self._worker.check_grace()

    def close(self) -> None:
        """End the process. What runs is taken up at the next start."""
        self._worker.close()

    def _settle(self, event: Any) -> None:
        if isinstance(event, Ended):
            self._lost(cast("str", self._worker.job), event.how)
            return
        job = event.job
        if isinstance(event, Progressed):
            self._store.progress(job, event.stage, event.step, event.steps)
            if event.stage is Stage.LOAD and event.step == event.steps:
                log.info("model loaded for job %s", job, extra={"job": job})
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

    def _lost(self, job: str, how: str) -> None:
        """The worker ended under the job: it is tried once more, and goes on from what it has on disk."""
        self._store.tally.worker_lost()
        before = self._store.lost(job)
        log.warning("job %s: its worker ended with %s", job, how, extra={"job": job})
        if self._store.state(job) is State.CANCELLING:
            self._end(lambda: self._store.move(job, State.CANCELLED))
        elif self._halting:
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
