"""Jobs: their states, the transitions that are legal, and the store that outlives the server.

The store is one SQLite database (WAL) plus one folder a job; it is the only owner of both. Every method may
be called from any thread.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from void_server.job_database import open_database
from void_server.job_folder import LISTED_ROLES, MADE_ROLES, JobFolder
from void_server.limits import Limits
from void_server.retention import Kept
from void_server.turns import in_turn
from void_wire import codec
from void_wire.client import ENDED
from void_wire.errors import (
    IllegalTransition,
    MissingFrames,
    ServerBusy,
    UnknownJob,
    VoidError,
    from_code,
)
from void_wire.files import PART_SUFFIX
from void_wire.messages import JobSpec, JobStatus, Role, Signs, Stage, State, check_job_id

NOBODY = ""
"""The owner of what came without a key: this machine's own user."""

TRANSITIONS: dict[State, frozenset[State]] = {
    State.RECEIVING: frozenset({State.QUEUED, State.CANCELLED}),
    State.QUEUED: frozenset({State.RUNNING, State.CANCELLED}),
    # back to QUEUED: server or worker ended under it, and it is taken up again
    State.RUNNING: frozenset({State.DONE, State.FAILED, State.CANCELLING, State.QUEUED}),
    # a job can finish or fail in the moment it is cancelled
    State.CANCELLING: frozenset({State.CANCELLED, State.DONE, State.FAILED}),
    State.DONE: frozenset(),
    State.FAILED: frozenset({State.QUEUED}),  # asked for again after a failure that may pass
    State.CANCELLED: frozenset(),
}


@dataclass
class _Live:
    """What changes too often for the database and need not outlive the server."""

    revision: int = 0
    stage: Stage | None = None
    step: int = 0
    steps: int = 0
    ready: dict[Role, list[int]] = field(default_factory=dict)

    def rest(self) -> None:
        """No stage runs."""
        self.stage, self.step, self.steps = None, 0, 0


class JobStore:
    """Every job of one data folder.

    Args:
        folder: holds ``jobs.sqlite`` and ``jobs/<id>/<role>/<frame>.exr``.
        limits: of what is taken.
        changed: called with a job's id after every change, on the thread that made it; must return fast.

    Raises SettingsError when another server has the folder. Every method raises ServerBusy when the disk takes no
    more; what was stored stays.
    """

    def __init__(self, folder: Path, *, limits: Limits, changed: Callable[[str], None]) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder / "jobs"
        self._folder.mkdir(exist_ok=True, mode=0o700)
        self.limits = limits
        self._changed = changed
        self._lock = threading.RLock()
        self._db = open_database(folder)
        # Revisions start at the clock so that they also grow over a restart of the server.
        self._first_revision = time.time_ns() // 1000
        self._live: dict[str, _Live] = {}
        self._specs: dict[str, JobSpec] = {}

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            self._db.close()

    def recover(self) -> None:
        """After a start: jobs that were running take their place in the queue again."""
        with self._lock, self._together():
            turns = "DELETE FROM turns WHERE owner IN (SELECT owner FROM jobs WHERE state=?)"
            self._sql(turns, (State.RUNNING.value,))
            for state in (State.RUNNING, State.CANCELLING):
                then = State.QUEUED if state is State.RUNNING else State.CANCELLED
                self._sql("UPDATE jobs SET state=? WHERE state=?", (then.value, state.value))
        for part in self._folder.glob(f"*/*/*{PART_SUFFIX}"):
            part.unlink()

    def submit(self, spec: JobSpec, owner: str) -> JobStatus:
        """Make the job, or find it; one that failed for a reason that may have passed is queued again.

        Raises IllegalTransition for an id in use by another spec or owner, SettingsError and ServerBusy for what is
        over a limit.
        """
        text = json.dumps(codec.to_map(spec))
        with self._lock:
            row = self._sql("SELECT spec, error_code, owner FROM jobs WHERE job=?", (spec.job,)).fetchone()
            if row is not None and (row[0], row[2]) != (text, owner):
                raise IllegalTransition(
                    f"Job {spec.job} exists with other settings: leave --job out to make a new one."
                )
            if row is None:
                self.limits.check_job(
                    spec,
                    unfinished=self._unfinished(),
                    own_unfinished=self._unfinished(owner),
                    own_bytes=self.held_bytes(owner),
                )
                try:
                    self.folder(spec.job).make((*spec.roles, *MADE_ROLES))
                except OSError as error:
                    raise _no_room(error.strerror) from None
                self._sql(
                    "INSERT INTO jobs (job, spec, state, created_s, owner, changed_s) VALUES (?,?,?,?,?,?)",
                    (spec.job, text, State.RECEIVING.value, time.time(), owner, time.time()),
                )
            elif self.state(spec.job) is State.FAILED and from_code(row[1], "").retryable:
                self._set_state(spec.job, State.QUEUED)
                self._sql("UPDATE jobs SET error_code='', error='', lost='' WHERE job=?", (spec.job,))
        self._touch(spec.job)
        return self.status(spec.job)

    def rerun(self, source: str, spec: JobSpec, owner: str) -> JobStatus:
        """Make the job of the frames that ``source`` holds, or find it; nothing is uploaded.

        Where the disk knows no second names of a file the frames are copied, and the call takes as long.

        Raises what `submit` raises, UnknownJob, MissingFrames.
        """
        with self._lock:
            row = self._sql("SELECT state FROM jobs WHERE job=?", (spec.job,)).fetchone()
            if row is not None and row[0] != State.RECEIVING.value:
                return self.submit(spec, owner)
            wanted = [(role, frame) for role in spec.roles for frame in spec.frames.numbers()]
            held = self._held(source, wanted)
            self.submit(spec, owner)
            for role, frame in wanted:
                try:
                    self.folder(spec.job).take_over(self.folder(source), role, frame)
                except FileNotFoundError:
                    self.move(spec.job, State.CANCELLED)
                    raise _gone(source, role, frame) from None
                except OSError as error:
                    raise _no_room(error.strerror) from None
            with self._together():
                for role, frame in wanted:
                    self._note(spec.job, role, frame, held[role, frame])
                self._set_state(spec.job, State.QUEUED)
        self._touch(spec.job)
        return self.status(spec.job)

    def spec(self, job: str) -> JobSpec:
        """What the job was asked to be. Raises UnknownJob."""
        check_job_id(job)
        with self._lock:
            if job not in self._specs:
                row = self._sql("SELECT spec FROM jobs WHERE job=?", (job,)).fetchone()
                if row is None:
                    raise unknown(job)
                self._specs[job] = codec.from_map(json.loads(row[0]), JobSpec)
            return self._specs[job]

    def owner(self, job: str) -> str:
        """Whose job it is. Raises UnknownJob."""
        self.spec(job)
        with self._lock:
            return str(self._sql("SELECT owner FROM jobs WHERE job=?", (job,)).fetchone()[0])

    def state(self, job: str) -> State:
        """The job's state. Raises UnknownJob."""
        self.spec(job)
        with self._lock:
            return State(self._sql("SELECT state FROM jobs WHERE job=?", (job,)).fetchone()[0])

    def folder(self, job: str) -> JobFolder:
        """Where the job's frames lie."""
        check_job_id(job)
        return JobFolder(self._folder / job)

    def add_frame(self, job: str, role: Role, frame: int, digest: str) -> None:
        """A frame is whole on disk: received, or made. The last one received queues the job."""
        spec = self.spec(job)
        with self._lock:
            with self._together():
                self._note(job, role, frame, digest)
                self._sql("UPDATE jobs SET changed_s=? WHERE job=?", (time.time(), job))
                receiving = role in spec.roles and self.state(job) is State.RECEIVING
                if receiving and self._received(spec) == spec.sent_frames():
                    self._set_state(job, State.QUEUED)
            if role in LISTED_ROLES:
                ready = self._live_of(job).ready.setdefault(role, [])
                if frame not in ready:
                    ready.append(frame)
        self._touch(job)

    def digest(self, job: str, role: Role, frame: int) -> str | None:
        """The digest of a frame that is there, else None."""
        with self._lock:
            row = self._sql(
                "SELECT digest FROM files WHERE job=? AND role=? AND frame=?", (job, role.value, frame)
            ).fetchone()
        return row[0] if row else None

    def digests(self, job: str) -> dict[Role, dict[int, str]]:
        """Every frame the server holds of the job. Raises UnknownJob."""
        self.spec(job)
        found: dict[Role, dict[int, str]] = {}
        with self._lock:
            rows = self._sql("SELECT role, frame, digest FROM files WHERE job=?", (job,)).fetchall()
        for role, frame, digest in rows:
            found.setdefault(Role(role), {})[frame] = digest
        return found

    def add_signs(self, job: str, frame: int, signs: Signs) -> None:
        """A frame of the result was judged; a frame made again is judged again. Raises UnknownJob."""
        self.spec(job)
        with self._lock:
            text = json.dumps(codec.to_map(signs))
            self._sql("INSERT OR REPLACE INTO signs VALUES (?,?,?)", (job, frame, text))

    def signs(self, job: str) -> dict[int, Signs]:
        """Every frame that was judged, in order. Raises UnknownJob."""
        self.spec(job)
        with self._lock:
            rows = self._sql("SELECT frame, signs FROM signs WHERE job=? ORDER BY frame", (job,)).fetchall()
        return {frame: codec.from_map(json.loads(text), Signs) for frame, text in rows}

    def move(
        self, job: str, state: State, *, error: VoidError | None = None, record: dict[str, str] | None = None
    ) -> None:
        """Take the job to ``state``. Raises UnknownJob, IllegalTransition."""
        with self._lock:
            self._set_state(job, state)
            if error is not None:
                self._sql("UPDATE jobs SET error_code=?, error=? WHERE job=?", (error.code, str(error), job))
            if record is not None:
                self._sql("UPDATE jobs SET record=? WHERE job=?", (json.dumps(record), job))
            self._live_of(job).rest()
        self._touch(job)

    def try_again(self, job: str, lost: str) -> None:
        """Queue a running job once more, whose worker ended; ``lost`` says how, and outlives the server.

        Raises UnknownJob, IllegalTransition.
        """
        with self._lock:
            with self._together():
                self._set_state(job, State.QUEUED)
                self._sql("UPDATE jobs SET lost=? WHERE job=?", (lost, job))
            self._live_of(job).rest()
        self._touch(job)

    def lost(self, job: str) -> str:
        """How the worker ended under the job before; empty if it never did. Raises UnknownJob."""
        self.spec(job)
        with self._lock:
            return str(self._sql("SELECT lost FROM jobs WHERE job=?", (job,)).fetchone()[0])

    def progress(self, job: str, stage: Stage, step: int, steps: int) -> None:
        """The running job has done ``step`` of ``steps`` of ``stage``."""
        with self._lock:
            live = self._live_of(job)
            live.stage, live.step, live.steps = stage, step, steps
        self._touch(job)

    def next_queued(self) -> str | None:
        """The job whose turn it is."""
        queue = self._queue()
        return queue[0] if queue else None

    def status(self, job: str) -> JobStatus:
        """The job as it is now. Raises UnknownJob."""
        spec = self.spec(job)
        with self._lock:
            state, created_s, code, error, record = self._sql(
                "SELECT state, created_s, error_code, error, record FROM jobs WHERE job=?", (job,)
            ).fetchone()
            live, queue = self._live_of(job), self._queue() if state == State.QUEUED.value else []
            return JobStatus(
                job=job,
                shot=spec.shot,
                engine=spec.engine,
                revision=live.revision,
                state=State(state),
                frames=spec.frames,
                received=self._received(spec),
                expected=spec.sent_frames(),
                queue_place=queue.index(job) + 1 if job in queue else 0,
                stage=live.stage,
                step=live.step,
                steps=live.steps,
                ready={role: list(frames) for role, frames in live.ready.items()},
                error_code=code,
                error=error,
                record=json.loads(record),
                created_s=created_s,
            )

    def held_bytes(self, owner: str) -> int:
        """What an owner's jobs have on disk, received and made. A frame that a rerun shares counts for both."""
        query = "SELECT IFNULL(SUM(size_bytes), 0) FROM files JOIN jobs USING (job) WHERE owner=?"
        with self._lock:
            return int(self._sql(query, (owner,)).fetchone()[0])

    def kept(self) -> list[Kept]:
        """Every job with its size on disk."""
        query = """
            SELECT jobs.job, state, changed_s, IFNULL(SUM(size_bytes), 0) FROM jobs LEFT JOIN files USING (job)
            GROUP BY jobs.job
        """
        with self._lock:
            rows = self._sql(query).fetchall()
        return [Kept(job, State(state), changed_s, size) for job, state, changed_s, size in rows]

    def purge(self, job: str) -> int:
        """Delete a job that has ended, with everything of it; returns the bytes that its files had.

        Raises UnknownJob, IllegalTransition while it has not ended.
        """
        with self._lock:
            state = self.state(job)
            if state not in ENDED:
                raise IllegalTransition(f"Job {job} is {state.value}: cancel it first (void cancel {job}).")
            query = "SELECT IFNULL(SUM(size_bytes), 0) FROM files WHERE job=?"
            size = int(self._sql(query, (job,)).fetchone()[0])
            try:  # a server killed in between finds the job, and deletes the rest another time
                shutil.rmtree(self.folder(job).path, ignore_errors=False)
            except FileNotFoundError:
                pass
            except OSError as error:
                raise _no_room(error.strerror) from None
            with self._together():
                self._sql("DELETE FROM files WHERE job=?", (job,))
                self._sql("DELETE FROM signs WHERE job=?", (job,))
                self._sql("DELETE FROM jobs WHERE job=?", (job,))
            self._live.pop(job, None)
            self._specs.pop(job, None)
        self._changed(job)
        return size

    def statuses(self, owner: str) -> list[JobStatus]:
        """Every job of ``owner``, newest first."""
        query = "SELECT job FROM jobs WHERE owner=? ORDER BY created_s DESC LIMIT 1000"
        with self._lock:
            rows = self._sql(query, (owner,)).fetchall()
        return [self.status(job) for (job,) in rows]

    def statuses_but(self, owner: str) -> list[JobStatus]:
        """Every job of anybody else, newest first."""
        query = "SELECT job FROM jobs WHERE owner!=? ORDER BY created_s DESC LIMIT 1000"
        with self._lock:
            rows = self._sql(query, (owner,)).fetchall()
        return [self.status(job) for (job,) in rows]

    # --- inside, called with the lock held -------------------------------------------------------------

    def _held(self, job: str, wanted: Sequence[tuple[Role, int]]) -> dict[tuple[Role, int], str]:
        """The digests of ``wanted``. Raises UnknownJob, MissingFrames when one of them is not there."""
        digests = self.digests(job)
        held = {key: digests.get(key[0], {}).get(key[1], "") for key in wanted}
        lacking = [key for key in wanted if not held[key]]
        if lacking:
            (role, frame), others = lacking[0], len(lacking) - 1
            raise MissingFrames(
                f"Job {job} never received frame {frame} of the {role.label}"
                f"{f' and {others} more' if others else ''}: send the shot with "
                f"void submit --job {job}, or as a new job."
            )
        for role, frame in wanted:
            if not self.folder(job).frame(role, frame).is_file():
                raise _gone(job, role, frame)
        return held

    def _sql(self, query: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        try:
            return self._db.execute(query, values)
        except sqlite3.OperationalError as error:
            raise _no_room(str(error)) from None

    @contextlib.contextmanager
    def _together(self) -> Iterator[None]:
        """Changes of the database that are made all or not at all."""
        self._sql("BEGIN")
        try:
            yield
            self._sql("COMMIT")
        except BaseException:
            self._db.rollback()
            raise

    def _set_state(self, job: str, state: State) -> None:
        before = self.state(job)
        if state not in TRANSITIONS[before]:
            raise IllegalTransition(f"Job {job} is {before.value}; it cannot become {state.value}.")
        if state is State.QUEUED and self._received(self.spec(job)) < self.spec(job).sent_frames():
            raise IllegalTransition(f"Job {job} lacks frames; it cannot become {state.value}.")
        if state is State.RUNNING:
            turn = "INSERT OR REPLACE INTO turns VALUES (?, (SELECT IFNULL(MAX(turn), 0) + 1 FROM turns))"
            self._sql(turn, (self.owner(job),))
        elif before is State.RUNNING and state is State.QUEUED:  # its turn is still to come
            self._sql("DELETE FROM turns WHERE owner=?", (self.owner(job),))
        self._sql("UPDATE jobs SET state=?, changed_s=? WHERE job=?", (state.value, time.time(), job))

    def _unfinished(self, owner: str | None = None) -> int:
        query = """
            SELECT COUNT(*) FROM jobs
            WHERE state NOT IN (SELECT value FROM json_each(?)) AND owner = IFNULL(?, owner)
        """
        return int(self._sql(query, (json.dumps(ENDED), owner)).fetchone()[0])

    def _note(self, job: str, role: Role, frame: int, digest: str) -> None:
        path = self.folder(job).frame(role, frame)
        size = path.stat().st_size if path.exists() else 0
        self._sql(
            "INSERT OR REPLACE INTO files (job, role, frame, digest, size_bytes) VALUES (?,?,?,?,?)",
            (job, role.value, frame, digest, size),
        )

    def _queue(self) -> list[str]:
        query = "SELECT job, owner FROM jobs WHERE state=? ORDER BY created_s, rowid"
        waiting = self._sql(query, (State.QUEUED.value,)).fetchall()
        return in_turn(waiting, dict(self._sql("SELECT owner, turn FROM turns").fetchall()))

    def _received(self, spec: JobSpec) -> int:
        query = "SELECT COUNT(*) FROM files WHERE job=? AND role IN (SELECT value FROM json_each(?))"
        return int(self._sql(query, (spec.job, json.dumps(spec.roles))).fetchone()[0])

    def _live_of(self, job: str) -> _Live:
        if job not in self._live:
            made: dict[Role, list[int]] = {}
            rows = self._sql(
                "SELECT role, frame FROM files WHERE job=? AND role IN (?,?,?) ORDER BY frame",
                (job, *(role.value for role in LISTED_ROLES)),
            ).fetchall()
            for role, frame in rows:
                made.setdefault(Role(role), []).append(frame)
            self._live[job] = _Live(revision=self._first_revision, ready=made)
        return self._live[job]

    def _touch(self, job: str) -> None:
        with self._lock:
            self._live_of(job).revision += 1
        self._changed(job)


def unknown(job: str) -> UnknownJob:
    """What is said of a job that is not there, and of one that is somebody else's."""
    return UnknownJob(f"The server has no job {job}: see its jobs with: void jobs")


def _gone(job: str, role: Role, frame: int) -> MissingFrames:
    return MissingFrames(
        f"Frame {frame} of the {role.label} of job {job} is gone from the server: send the shot again with void submit."
    )


def _no_room(reason: str | None) -> ServerBusy:
    return ServerBusy(
        f"The server cannot write to its data folder ({reason}): make room on its disk; it goes on by itself, and what "
        "it holds is kept."
    )
