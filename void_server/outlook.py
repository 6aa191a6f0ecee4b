"""How long jobs are going to take: what those before took, remembered, and asked for the queue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from void_server.forecast import (
    Durations,
    Expected,
    Lane,
    Parts,
    RunClock,
    finite,
    kind_of,
    line_up,
    mean,
)
from void_server.job_database import JobDatabase
from void_wire.messages import JobSpec, Role, Stage

UNKNOWN: Expected = (None, None)


class Outlook:
    """Of the jobs of ``database``. For one thread at a time.

    Args:
        database: remembers what jobs took.
        spec: what a job was asked to be.
        workers: how many there are.
        jobs_per_worker: how many each may have.
    """

    def __init__(
        self, database: JobDatabase, spec: Callable[[str], JobSpec], workers: int, jobs_per_worker: int
    ) -> None:
        self._db = database
        self._spec = spec
        self._workers, self._jobs_per_worker = workers, jobs_per_worker
        self._kinds: dict[str, str] = {}
        self._paces: dict[str, Durations | None] = {}

    def remember(self, job: str, clock: RunClock, now_s: float) -> None:
        """The job is done, at ``now_s`` monotonic seconds. One that was taken up in the middle tells nothing."""
        if clock.whole:
            took = clock.per_frame(len(self._spec(job).frames), now_s)
            kind = self._kind(job)
            self._db.add_pace(kind, {stage.value: seconds for stage, seconds in took.items()})
            self._paces.pop(kind, None)

    def forget(self, job: str) -> None:
        """The job is deleted; what it took is remembered."""
        self._kinds.pop(job, None)

    def expected(
        self, queue: Sequence[str], running: Iterable[tuple[str, RunClock, int]], now_s: float
    ) -> dict[str, Expected]:
        """When each queued job begins and ends, and when each running one ends, which has a worker's number."""
        lanes = [Lane(self._jobs_per_worker) for _ in range(self._workers)]
        found: dict[str, Expected] = {}
        for job, clock, worker in sorted(running, key=lambda one: one[1].begun_s):
            takes = self._takes(job)
            left = None if takes is None else Parts.of(clock.left(takes, now_s), takes)
            found[job] = (None, finite(lanes[worker].add(0.0, left)))
        waiting = []
        for job in queue:
            takes = self._takes(job)
            waiting.append((job, None if takes is None else Parts.of(takes, takes)))
        return found | line_up(waiting, lanes)

    def _takes(self, job: str) -> Durations | None:
        """What the job as a whole is expected to take, once one of its kind was done."""
        kind = self._kind(job)
        if kind not in self._paces:
            runs = [{Stage(stage): s for stage, s in run.items()} for run in self._db.paces(kind)]
            self._paces[kind] = mean(runs)
        pace, frames = self._paces[kind], len(self._spec(job).frames)
        return None if pace is None else {stage: seconds * frames for stage, seconds in pace.items()}

    def _kind(self, job: str) -> str:
        if job not in self._kinds:
            spec = self._spec(job)
            plate_bytes = self._db.size_bytes(job, Role.PLATE) // len(spec.frames)
            self._kinds[job] = kind_of(spec, plate_bytes)
        return self._kinds[job]
