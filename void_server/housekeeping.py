"""What a server does now and then: jobs that nobody sends to the end, old ones, and those of keys that were revoked."""

from __future__ import annotations

import logging
import time

from void_server.gate import Gate
from void_server.jobs import JobStore
from void_server.retention import Retention
from void_server.workers import Workers
from void_wire.errors import JobError
from void_wire.messages import State

log = logging.getLogger(__name__)

TIDY_S = 60.0
"""Between looks at what is too old to keep."""

KEYS_S = 1.0
"""Between looks at whose key is gone."""


class Housekeeping:
    """Of one server. Called from its main thread only.

    Args:
        store: the jobs.
        workers: what runs.
        gate: who is let in.
        retention: what is kept.
    """

    def __init__(self, store: JobStore, workers: Workers, gate: Gate, retention: Retention) -> None:
        self._store = store
        self._workers = workers
        self._gate = gate
        self._retention = retention
        self._tidy_at = self._keys_at = 0.0

    def look(self) -> None:
        """Do what it is time for. Raises ServerBusy when the disk takes no more: call it again then."""
        now = time.monotonic()
        if now >= self._keys_at:
            self._keys_at = now + KEYS_S
            self._stop_revoked()
        if now >= self._tidy_at:
            self._tidy_at = now + TIDY_S
            self._tidy()

    def _stop_revoked(self) -> None:
        jobs: dict[str, list[str]] = {}
        for job, owner in self._store.open_jobs():
            jobs.setdefault(owner, []).append(job)
        for owner in filter(self._gate.has_revoked, jobs):
            for job in jobs[owner]:
                if self._store.state(job) is not State.CANCELLING:
                    error = JobError(
                        f"The key that job {job} was sent with has been revoked, so it was stopped: send the shot "
                        "again with a new key."
                    )
                    self._workers.cancel(job, error)
                    log.info("job %s: %s", job, error, extra={"job": job})

    def _tidy(self) -> None:
        kept, now = self._store.kept(), time.time()
        for job in self._retention.abandoned(kept, now):
            error = JobError(
                f"Nothing more of job {job} came for {self._retention.receive_s / 3600:.0f} hours (receive_hours), so "
                "it was given up: send the shot again as a new job."
            )
            self._store.move(job, State.CANCELLED, error=error)
            log.info("job %s: %s", job, error, extra={"job": job})
        for job in self._retention.expired(kept, now):
            size_bytes = self._store.purge(job)
            log.info("job %s is deleted, with %.1f MB", job, size_bytes / 1e6, extra={"job": job})
