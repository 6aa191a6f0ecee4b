"""Jobs: the store of them that outlives the server.

The store is one database plus one folder a job; it is the only owner of both. Every method may be called from any
thread.
"""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from void_server.forecast import RunClock
from void_server.job_database import JobDatabase, JobRow
from void_server.job_folder import LISTED_ROLES, MADE_ROLES, JobFolder
from void_server.job_status import status_of
from void_server.limits import Limits
from void_server.live_job import LiveJob, Wait
from void_server.outlook import UNKNOWN, Outlook
from void_server.retention import Kept
from void_server.room import Room, no_room
from void_server.tally import Tally
from void_server.transitions import check_transition
from void_server.turns import in_turn
from void_wire import codec
from void_wire.client import ENDED
from void_wire.errors import (
    IllegalTransition,
    ServerBusy,
    UnknownJob,
    VoidError,
    from_code,
)
from void_wire.files import PART_SUFFIX
from void_wire.messages import (
    JobSpec,
    JobStatus,
    Role,
    Signs,
    Stage,
    State,
    check_job_id,
)

log = logging.getLogger(__name__)

NOBODY = ""
"""The owner of what came without a key: this machine's own user."""


@dataclass(frozen=True)
class Stock:
    """What a store holds, of everybody together."""

    jobs: dict[str, int]  # by state
    oldest_queued_s: float  # how long the job that waits longest has waited; 0 if none does
    held_bytes: int  # of the jobs' frames


class JobStore:
    """Every job of one data folder.

    Args:
        folder: holds ``jobs.sqlite`` and ``jobs/<id>/<role>/<frame>.exr``.
        limits: of what is taken.
        changed: called with a job's id after every change, on the thread that made it; must return fast.
        priority: of an owner's jobs; higher comes first.
        workers: how many there are.
        jobs_per_worker: how many each may have.

    Raises SettingsError when another server has the folder. Every method raises ServerBusy when the disk takes no
    more; what was stored stays.
    """

    def __init__(
        self,
        folder: Path,
        *,
        limits: Limits,
        changed: Callable[[str], None],
        priority: Callable[[str], int] = lambda owner: 0,
        workers: int = 1,
        jobs_per_worker: int = 1,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder / "jobs"
        self._folder.mkdir(exist_ok=True, mode=0o700)
        self.limits = limits
        self.tally = Tally()
        self.room = Room(self._folder)
        self._changed = changed
        self._priority = priority
        self._lock = threading.RLock()
        self._db = JobDatabase(folder)
        # Revisions start at the clock so that they also grow over a restart of the server.
        self._first_revision = time.time_ns() // 1000
        self._live: dict[str, LiveJob] = {}
        self._specs: dict[str, JobSpec] = {}
        self._places: dict[str, int] = {}  # in the queue, as they were told last
        self._outlook = Outlook(self._db, self.spec, workers, jobs_per_worker)

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            self._db.close()

    def recover(self) -> None:
        """After a start: jobs that were running take their place in the queue again."""
        with self._lock:
            renewed = self._db.renew_digests(self._digest_of)
            self._db.recover()
            self._places = {job: place for place, job in enumerate(self._queue(), 1)}
        for part in self._folder.rglob(f"*{PART_SUFFIX}"):
            part.unlink()
        if renewed:
            log.info("an older release's digests of %d frames were made anew", renewed)

    # --- what a client asks for --------------------------------------------------------------------------

    def submit(self, spec: JobSpec, owner: str) -> JobStatus:
        """Make the job, or find it; one that failed for a reason that may have passed is queued again.

        Raises IllegalTransition for an id in use by another spec or owner, SettingsError and ServerBusy for what is
        over a limit.
        """
        text = json.dumps(codec.to_map(spec))
        with self._lock:
            row = self._db.row(spec.job)
            if row is not None and (row.spec, row.owner) != (text, owner):
                raise IllegalTransition(
                    f"Job {spec.job} exists with other settings: leave --job out to make a new one."
                )
            if row is None:
                self.limits.check_job(
                    spec,
                    unfinished=self._db.unfinished(),
                    own_unfinished=self._db.unfinished(owner),
                    own_bytes=self._db.held_bytes(owner),
                )
                try:
                    self.folder(spec.job).make((*spec.roles, *MADE_ROLES))
                except OSError as error:
                    raise no_room(error.strerror) from None
                self._db.add(spec.job, text, owner)
            elif row.state is State.FAILED and from_code(row.error_code, "").retryable:
                with self._db.together():
                    self._set_state(spec.job, State.QUEUED)
                    self._db.set_error(spec.job, "", "")
                    self._db.set_lost(spec.job, "")
                    self._db.set_alone(spec.job, alone=False)
        self._requeued(spec.job)
        return self.status(spec.job)

    def purge(self, job: str) -> int:
        """Delete a job that has ended, with everything of it; returns the bytes that its files had.

        Raises UnknownJob, IllegalTransition while it has not ended.
        """
        with self._lock:
            state = self.state(job)
            if state not in ENDED:
                raise IllegalTransition(f"Job {job} is {state.value}: cancel it first (void cancel {job}).")
            size = self._db.size_bytes(job)
            try:  # a server killed in between finds the job, and deletes the rest another time
                shutil.rmtree(self.folder(job).path, ignore_errors=False)
            except FileNotFoundError:
                pass
            except OSError as error:
                raise no_room(error.strerror) from None
            self._db.delete(job)
            self._live.pop(job, None)
            self._specs.pop(job, None)
            self._outlook.forget(job)
        self._changed(job)
        return size

    # --- what happens to a job ---------------------------------------------------------------------------

    def add_frame(self, job: str, role: Role, frame: int, digest: str) -> None:
        """A frame is whole on disk: received, or made. The last one received queues the job. Raises UnknownJob."""
        size_bytes = self.add_frames(job, {(role, frame): digest})
        self.tally.frame(role, size_bytes, received=role in self.spec(job).roles)

    def add_frames(self, job: str, frames: Mapping[tuple[Role, int], str]) -> int:
        """The same of many, role and frame to digest, all or none of them; returns their bytes."""
        spec, added_bytes = self.spec(job), 0
        with self._lock:
            receiving = self.state(job) is State.RECEIVING
            with self._db.together():
                for (role, frame), digest in frames.items():
                    path = self.folder(job).frame(role, frame)
                    size_bytes = path.stat().st_size if path.exists() else 0
                    added_bytes += size_bytes
                    self._db.note(job, role, frame, digest, size_bytes)
                self._db.touch(job)
                whole = receiving and self._db.count(job, spec.roles) == spec.sent_frames()
                if whole:
                    self._set_state(job, State.QUEUED)
            live = self._live_of(job)
            if whole:
                live.wait = None
            for role, frame in frames:
                if role in LISTED_ROLES and frame not in live.ready.setdefault(role, []):
                    live.ready[role].append(frame)
        (self._requeued if whole else self._touch)(job)
        return added_bytes

    def add_signs(self, job: str, frame: int, signs: Signs) -> None:
        """A frame of the result was judged; a frame made again is judged again. Raises UnknownJob."""
        with self._lock:
            self._row(job)
            self._db.add_signs(job, frame, json.dumps(codec.to_map(signs)))

    def move(
        self, job: str, state: State, *, error: VoidError | None = None, record: dict[str, str] | None = None
    ) -> None:
        """Take the job to ``state``. Raises UnknownJob, IllegalTransition."""
        with self._lock:
            with self._db.together():
                self._set_state(job, state)
                if error is not None:
                    self._db.set_error(job, error.code, str(error))
                if record is not None:
                    self._db.set_record(job, record)
            live = self._live_of(job)
            live.rest()
            if state in ENDED:
                live.wait = None
                self.tally.job_ended(state)
        self._requeued(job)

    def begin(self, job: str, device: str, worker: int = 0) -> None:
        """The queued job runs, on ``device``, which is that of a worker. Raises UnknownJob, IllegalTransition."""
        with self._lock:
            self.move(job, State.RUNNING)
            live = self._live_of(job)
            live.device, live.worker = device, worker
            whole = not live.ready and not self.folder(job).begun()
            live.clock = RunClock(whole, begun_s=time.monotonic())

    def finish(self, job: str, record: dict[str, str]) -> None:
        """The running job is done; how long it took is remembered. Raises UnknownJob, IllegalTransition."""
        with self._lock:
            clock = self._live_of(job).clock
            self.move(job, State.DONE, record=record)
            if clock is not None:
                with contextlib.suppress(ServerBusy):  # on a full disk it is not remembered
                    self._outlook.remember(job, clock, time.monotonic())

    def try_again(self, job: str, lost: str) -> None:
        """Queue a running job once more, whose worker ended; ``lost`` says how, and outlives the server.

        It is done alone then. Raises UnknownJob, IllegalTransition.
        """
        self._queue_alone(job, lost)

    def try_alone(self, job: str) -> None:
        """Queue a running job once more, to be done alone; that outlives the server.

        Raises UnknownJob, IllegalTransition.
        """
        self._queue_alone(job, None)

    def hold(self, job: str, wait: Wait | None) -> None:
        """The job waits, and keeps its state; None: it goes on. Of several needs the largest stays.

        Raises UnknownJob.
        """
        with self._lock:
            self._row(job)
            live = self._live_of(job)
            larger = wait and live.wait and live.wait.need_bytes > wait.need_bytes
            live.wait = live.wait if larger else wait
        self._requeued(job)

    def stock(self) -> Stock:
        """What there is now, of everybody."""
        with self._lock:
            since = self._db.queued_since()
            waited_s = max(0.0, time.time() - since) if since is not None else 0.0
            return Stock(self._db.states(), waited_s, self._db.held_bytes_of_all())

    def progress(self, job: str, stage: Stage, step: int, steps: int) -> None:
        """The running job has done ``step`` of ``steps`` of ``stage``."""
        with self._lock:
            live = self._live_of(job)
            live.stage, live.step, live.steps = stage, step, steps
            if live.clock is not None:
                live.clock.seen(stage, step, steps, time.monotonic())
        self._touch(job)

    # --- what is known -----------------------------------------------------------------------------------

    def spec(self, job: str) -> JobSpec:
        """What the job was asked to be. Raises UnknownJob."""
        with self._lock:
            if job not in self._specs:
                self._specs[job] = codec.from_map(json.loads(self._row(job).spec), JobSpec)
            return self._specs[job]

    def owner(self, job: str) -> str:
        """Whose job it is. Raises UnknownJob."""
        with self._lock:
            return self._row(job).owner

    def state(self, job: str) -> State:
        """The job's state. Raises UnknownJob."""
        with self._lock:
            return self._row(job).state

    def stage(self, job: str) -> Stage | None:
        """What the job does; None for nothing. Raises UnknownJob."""
        with self._lock:
            return self._live_of(job).stage

    def alone(self, job: str) -> bool:
        """Whether no other is to be done beside it. Raises UnknownJob."""
        with self._lock:
            return self._row(job).alone

    def lost(self, job: str) -> str:
        """How the worker ended under the job before; empty if it never did. Raises UnknownJob."""
        with self._lock:
            return self._row(job).lost

    def folder(self, job: str) -> JobFolder:
        """Where the job's frames lie."""
        check_job_id(job)
        return JobFolder(self._folder / job)

    def digest(self, job: str, role: Role, frame: int) -> str | None:
        """The digest of a frame that is there, else None."""
        with self._lock:
            return self._db.digest(job, role, frame)

    def digests(self, job: str) -> dict[Role, dict[int, str]]:
        """Every frame the server holds of the job. Raises UnknownJob."""
        with self._lock:
            self._row(job)
            return self._db.digests(job)

    def signs(self, job: str) -> dict[int, Signs]:
        """Every frame that was judged, in order. Raises UnknownJob."""
        with self._lock:
            self._row(job)
            texts = self._db.signs(job)
        return {frame: codec.from_map(json.loads(text), Signs) for frame, text in texts.items()}

    def held_bytes(self, owner: str) -> int:
        """What an owner's jobs have on disk, received and made. A frame that a rerun shares counts for both."""
        with self._lock:
            return self._db.held_bytes(owner)

    def check_quota(self, owner: str, more_bytes: int) -> None:
        """Refuse ``more_bytes`` of an owner's jobs over what these may have on disk. Raises ServerBusy."""
        if self.limits.quota_bytes:
            with self._lock:
                self.limits.check_room(self._db.held_bytes(owner), more_bytes)

    def frame_bytes(self, job: str) -> int:
        """The size of the job's largest file."""
        with self._lock:
            return self._db.largest_bytes(job)

    def rest_bytes(self, job: str) -> int:
        """About what the frames have that are still to be made, if they are as large; one at least."""
        with self._lock:
            missing = len(self.spec(job).frames) - len(self._live_of(job).ready.get(Role.RESULT, []))
            return max(1, missing) * self._db.largest_bytes(job)

    def kept(self) -> list[Kept]:
        """Every job with its size on disk."""
        with self._lock:
            return self._db.kept()

    def open_jobs(self) -> list[tuple[str, str]]:
        """Job and owner of all that have not ended."""
        with self._lock:
            return self._db.open_jobs()

    def waiting(self) -> dict[str, Wait]:
        """The jobs that wait, and why."""
        with self._lock:
            return {job: live.wait for job, live in self._live.items() if live.wait is not None}

    def next_queued(self) -> str | None:
        """The job whose turn it is, of those that do not wait."""
        with self._lock:
            queue = self._queue()
        return queue[0] if queue else None

    def status(self, job: str) -> JobStatus:
        """The job as it is now. Raises UnknownJob."""
        with self._lock:
            return self._statuses([job])[0]

    def statuses(self, owner: str) -> list[JobStatus]:
        """Every job of ``owner``, newest first."""
        with self._lock:
            return self._statuses(self._db.of(owner))

    def statuses_but(self, owner: str) -> list[JobStatus]:
        """Every job of anybody else, newest first."""
        with self._lock:
            return self._statuses(self._db.of_others(owner))

    # --- inside, called with the lock held ---------------------------------------------------------------

    def _row(self, job: str) -> JobRow:
        check_job_id(job)
        row = self._db.row(job)
        if row is None:
            raise unknown(job)
        return row

    def _statuses(self, jobs: Sequence[str]) -> list[JobStatus]:
        queue = self._queue()
        running = [
            (job, live.clock, live.worker) for job, live in self._live.items() if live.clock is not None
        ]
        expected = self._outlook.expected(queue, running, time.monotonic())
        places = {job: place for place, job in enumerate(queue, 1)}
        found = []
        for job in jobs:
            spec, place, told = self.spec(job), places.get(job, 0), expected.get(job, UNKNOWN)
            received = self._db.count(job, spec.roles)
            found.append(status_of(spec, self._row(job), self._live_of(job), received, place, told))
        return found

    def _set_state(self, job: str, state: State) -> None:
        row, spec = self._row(job), self.spec(job)
        check_transition(job, row.state, state)
        if state is State.QUEUED and self._db.count(job, spec.roles) < spec.sent_frames():
            raise IllegalTransition(f"Job {job} lacks frames; it cannot become {state.value}.")
        if state is State.RUNNING:
            self._db.take_turn(row.owner)
        elif row.state is State.RUNNING and state is State.QUEUED:
            self._db.give_turn_back(row.owner)
        elif state is State.DONE:  # whoever wanted it stopped came too late
            self._db.set_error(job, "", "")
        self._db.set_state(job, state)

    def _digest_of(self, job: str, role: Role, frame: int) -> str | None:
        try:
            return codec.digest(JobFolder(self._folder / job).frame(role, frame).read_bytes())
        except OSError:
            return None

    def _queue_alone(self, job: str, lost: str | None) -> None:
        with self._lock:
            with self._db.together():
                self._set_state(job, State.QUEUED)
                self._db.set_alone(job, alone=True)
                if lost is not None:
                    self._db.set_lost(job, lost)
            self._live_of(job).rest()
        self._requeued(job)

    def _queue(self) -> list[str]:
        ready = [(job, owner) for job, owner in self._db.queued() if self._live_of(job).wait is None]
        return in_turn(ready, self._db.turns(), self._priority)

    def _live_of(self, job: str) -> LiveJob:
        if job not in self._live:
            made = {
                role: list(frames) for role, frames in self._db.digests(job).items() if role in LISTED_ROLES
            }
            self._live[job] = LiveJob(revision=self._first_revision, ready=made)
        return self._live[job]

    def _touch(self, job: str) -> None:
        with self._lock:
            self._live_of(job).revision += 1
        self._changed(job)

    def _requeued(self, job: str) -> None:
        """The job changed, and maybe the queue: those whose place is another now changed too."""
        with self._lock:
            before, queue = self._places, self._queue()
            self._places = {one: place for place, one in enumerate(queue, 1)}
            moved = [one for one in queue if before.get(one, 0) not in (0, self._places[one])]
            for one in {job, *moved}:
                self._touch(one)


def unknown(job: str) -> UnknownJob:
    """What is said of a job that is not there, and of one that is somebody else's."""
    return UnknownJob(f"The server has no job {job}: see its jobs with: void jobs")
