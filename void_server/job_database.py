"""The database of a data folder: its tables, what older releases lack of them, and every query."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from void_server.retention import Kept
from void_server.room import no_room
from void_wire.client import ENDED
from void_wire.errors import SettingsError
from void_wire.messages import Role, State

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    job TEXT PRIMARY KEY, spec TEXT NOT NULL, state TEXT NOT NULL, created_s REAL NOT NULL,
    error_code TEXT NOT NULL DEFAULT '', error TEXT NOT NULL DEFAULT '', record TEXT NOT NULL DEFAULT '{}',
    owner TEXT NOT NULL DEFAULT '', changed_s REAL NOT NULL DEFAULT 0, lost TEXT NOT NULL DEFAULT '',
    alone INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS files (
    job TEXT NOT NULL, role TEXT NOT NULL, frame INTEGER NOT NULL, digest TEXT NOT NULL,
    size_bytes INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (job, role, frame)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS signs (
    job TEXT NOT NULL, frame INTEGER NOT NULL, signs TEXT NOT NULL, PRIMARY KEY (job, frame)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS paces (kind TEXT NOT NULL, seconds TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS turns (owner TEXT PRIMARY KEY, turn INTEGER NOT NULL) WITHOUT ROWID;
"""

_ADDED = {
    "jobs": {
        "owner": "TEXT NOT NULL DEFAULT ''",
        "changed_s": "REAL NOT NULL DEFAULT 0",
        "lost": "TEXT NOT NULL DEFAULT ''",
        "alone": "INTEGER NOT NULL DEFAULT 0",
    },
    "files": {"size_bytes": "INTEGER NOT NULL DEFAULT 0"},
}
"""Table -> column that a release before this one did not have -> its declaration.

Jobs from before keys are this machine's own; those from before retention count as changed now.
"""

_XXH3 = 1
"""The ``user_version`` of a database whose digests are `codec.digest`'s; before it they were BLAKE2b's."""

PACES = 5
"""Jobs of a kind that are remembered for how long they took."""


@dataclass(frozen=True)
class JobRow:
    """A job as it is kept; ``spec`` is JSON."""

    spec: str
    state: State
    owner: str
    created_s: float  # seconds since the epoch
    error_code: str
    error: str
    record: dict[str, str]
    lost: str  # how the worker ended under it, and no other job
    alone: bool  # no other job is to be done beside it


class JobDatabase:
    """The tables of the data folder ``folder``, locked for this process alone: two servers would run each other's jobs.

    Not for several threads at once: the owner locks. Raises SettingsError when another server has the folder, or it
    cannot be written. Every method raises ServerBusy when the disk takes no more; what was stored stays.
    """

    def __init__(self, folder: Path) -> None:
        self._db = _open(folder)

    def close(self) -> None:
        """Let go of it."""
        self._db.close()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Changes that are made all or not at all."""
        self._sql("BEGIN")
        try:
            yield
            self._sql("COMMIT")
        except BaseException:
            self._db.rollback()
            raise

    # --- jobs ----------------------------------------------------------------------------------------------

    def add(self, job: str, spec: str, owner: str) -> None:
        """A new job, whose spec is JSON: it is to be received."""
        self._sql(
            "INSERT INTO jobs (job, spec, state, created_s, owner, changed_s) VALUES (?,?,?,?,?,?)",
            (job, spec, State.RECEIVING.value, time.time(), owner, time.time()),
        )

    def row(self, job: str) -> JobRow | None:
        """The job, if there is one of this id."""
        query = "SELECT spec, state, owner, created_s, error_code, error, record, lost, alone FROM jobs WHERE job=?"
        row = self._sql(query, (job,)).fetchone()
        if row is None:
            return None
        spec, state, owner, created_s, code, error, record, lost, alone = row
        state, record, alone = State(state), json.loads(record), bool(alone)
        return JobRow(spec, state, owner, created_s, code, error, record, lost, alone)

    def set_state(self, job: str, state: State) -> None:
        """What the job is from now on."""
        self._sql("UPDATE jobs SET state=?, changed_s=? WHERE job=?", (state.value, time.time(), job))

    def set_error(self, job: str, code: str, sentence: str) -> None:
        """Why the job ended."""
        self._sql("UPDATE jobs SET error_code=?, error=? WHERE job=?", (code, sentence, job))

    def set_record(self, job: str, record: dict[str, str]) -> None:
        """What made the job's result."""
        self._sql("UPDATE jobs SET record=? WHERE job=?", (json.dumps(record), job))

    def set_lost(self, job: str, how: str) -> None:
        """How the worker ended under the job."""
        self._sql("UPDATE jobs SET lost=? WHERE job=?", (how, job))

    def set_alone(self, job: str, alone: bool) -> None:
        """Whether no other job is to be done beside it."""
        self._sql("UPDATE jobs SET alone=? WHERE job=?", (alone, job))

    def touch(self, job: str) -> None:
        """Something came for the job."""
        self._sql("UPDATE jobs SET changed_s=? WHERE job=?", (time.time(), job))

    def delete(self, job: str) -> None:
        """Forget the job and all that belongs to it."""
        with self.together():
            self._sql("DELETE FROM files WHERE job=?", (job,))
            self._sql("DELETE FROM signs WHERE job=?", (job,))
            self._sql("DELETE FROM jobs WHERE job=?", (job,))

    def recover(self) -> None:
        """No job runs: what did is queued again, and its owner's turn is still to come."""
        with self.together():
            turns = "DELETE FROM turns WHERE owner IN (SELECT owner FROM jobs WHERE state=?)"
            self._sql(turns, (State.RUNNING.value,))
            for before, then in ((State.RUNNING, State.QUEUED), (State.CANCELLING, State.CANCELLED)):
                self._sql("UPDATE jobs SET state=? WHERE state=?", (then.value, before.value))

    def of(self, owner: str) -> list[str]:
        """The jobs of ``owner``, newest first, 1000 at most."""
        query = "SELECT job FROM jobs WHERE owner=? ORDER BY rowid DESC LIMIT 1000"
        return [job for (job,) in self._sql(query, (owner,))]

    def of_others(self, owner: str) -> list[str]:
        """The jobs of anybody else, newest first, 1000 at most."""
        query = "SELECT job FROM jobs WHERE owner!=? ORDER BY rowid DESC LIMIT 1000"
        return [job for (job,) in self._sql(query, (owner,))]

    def unfinished(self, owner: str | None = None) -> int:
        """How many jobs have not ended, of ``owner`` or of everybody."""
        query = """
            SELECT COUNT(*) FROM jobs
            WHERE state NOT IN (SELECT value FROM json_each(?)) AND owner = IFNULL(?, owner)
        """
        return int(self._sql(query, (json.dumps(ENDED), owner)).fetchone()[0])

    def open_jobs(self) -> list[tuple[str, str]]:
        """Job and owner of all that have not ended."""
        query = "SELECT job, owner FROM jobs WHERE state NOT IN (SELECT value FROM json_each(?))"
        return self._sql(query, (json.dumps(ENDED),)).fetchall()

    def kept(self) -> list[Kept]:
        """Every job with its size on disk."""
        query = """
            SELECT jobs.job, state, changed_s, IFNULL(SUM(size_bytes), 0) FROM jobs LEFT JOIN files USING (job)
            GROUP BY jobs.job
        """
        return [Kept(job, State(state), changed_s, size) for job, state, changed_s, size in self._sql(query)]

    def states(self) -> dict[str, int]:
        """How many jobs are in each state."""
        return dict(self._sql("SELECT state, COUNT(*) FROM jobs GROUP BY state").fetchall())

    def held_bytes_of_all(self) -> int:
        """What the frames of every job have on disk."""
        return int(self._sql("SELECT IFNULL(SUM(size_bytes), 0) FROM files").fetchone()[0])

    # --- the queue -----------------------------------------------------------------------------------------

    def queued(self) -> list[tuple[str, str]]:
        """Job and owner of all that wait to be done, oldest first."""
        query = "SELECT job, owner FROM jobs WHERE state=? ORDER BY rowid"  # a clock may be set back
        return self._sql(query, (State.QUEUED.value,)).fetchall()

    def queued_since(self) -> float | None:
        """When the job that has waited longest began to, in seconds of the clock; None if none waits."""
        query = "SELECT MIN(changed_s) FROM jobs WHERE state=?"
        since: float | None = self._sql(query, (State.QUEUED.value,)).fetchone()[0]
        return since

    def turns(self) -> dict[str, int]:
        """Owner -> when it had its last turn, larger is later."""
        return dict(self._sql("SELECT owner, turn FROM turns").fetchall())

    def take_turn(self, owner: str) -> None:
        """The owner has its turn now."""
        turn = "INSERT OR REPLACE INTO turns VALUES (?, (SELECT IFNULL(MAX(turn), 0) + 1 FROM turns))"
        self._sql(turn, (owner,))

    def give_turn_back(self, owner: str) -> None:
        """The owner's turn is still to come."""
        self._sql("DELETE FROM turns WHERE owner=?", (owner,))

    def add_pace(self, kind: str, seconds: Mapping[str, float]) -> None:
        """A job of ``kind`` took so many seconds a frame in each stage; the last `PACES` of a kind are kept."""
        self._sql("INSERT INTO paces VALUES (?,?)", (kind, json.dumps(seconds)))
        old = """
            DELETE FROM paces WHERE rowid IN
            (SELECT rowid FROM paces WHERE kind=? ORDER BY rowid DESC LIMIT -1 OFFSET ?)
        """
        self._sql(old, (kind, PACES))

    def paces(self, kind: str) -> list[dict[str, float]]:
        """What the last jobs of ``kind`` took a frame: stage -> seconds."""
        return [json.loads(run) for (run,) in self._sql("SELECT seconds FROM paces WHERE kind=?", (kind,))]

    # --- frames --------------------------------------------------------------------------------------------

    def note(self, job: str, role: Role, frame: int, digest: str, size_bytes: int) -> None:
        """A frame of the job is on disk."""
        self._sql(
            "INSERT OR REPLACE INTO files (job, role, frame, digest, size_bytes) VALUES (?,?,?,?,?)",
            (job, role.value, frame, digest, size_bytes),
        )

    def digest(self, job: str, role: Role, frame: int) -> str | None:
        """The digest of a frame that is there, else None."""
        query = "SELECT digest FROM files WHERE job=? AND role=? AND frame=?"
        row = self._sql(query, (job, role.value, frame)).fetchone()
        return row[0] if row else None

    def digests(self, job: str) -> dict[Role, dict[int, str]]:
        """Every frame of the job that is there, in order."""
        found: dict[Role, dict[int, str]] = {}
        for role, frame, digest in self._sql("SELECT role, frame, digest FROM files WHERE job=?", (job,)):
            found.setdefault(Role(role), {})[frame] = digest
        return found

    def count(self, job: str, roles: Iterable[Role]) -> int:
        """How many frames of ``roles`` are there."""
        query = "SELECT COUNT(*) FROM files WHERE job=? AND role IN (SELECT value FROM json_each(?))"
        return int(self._sql(query, (job, json.dumps(list(roles)))).fetchone()[0])

    def size_bytes(self, job: str, role: Role | None = None) -> int:
        """What the job's frames have on disk, all of them or those of ``role``."""
        query = "SELECT IFNULL(SUM(size_bytes), 0) FROM files WHERE job=? AND role = IFNULL(?, role)"
        return int(self._sql(query, (job, role.value if role else None)).fetchone()[0])

    def largest_bytes(self, job: str) -> int:
        """The size of the largest of them."""
        query = "SELECT IFNULL(MAX(size_bytes), 0) FROM files WHERE job=?"
        return int(self._sql(query, (job,)).fetchone()[0])

    def held_bytes(self, owner: str) -> int:
        """What the frames of an owner's jobs have on disk."""
        query = "SELECT IFNULL(SUM(size_bytes), 0) FROM files JOIN jobs USING (job) WHERE owner=?"
        return int(self._sql(query, (owner,)).fetchone()[0])

    def add_signs(self, job: str, frame: int, signs: str) -> None:
        """How a frame was judged, as JSON; in place of what was said of it before."""
        self._sql("INSERT OR REPLACE INTO signs VALUES (?,?,?)", (job, frame, signs))

    def signs(self, job: str) -> dict[int, str]:
        """Every frame that was judged, in order, as JSON."""
        return dict(self._sql("SELECT frame, signs FROM signs WHERE job=? ORDER BY frame", (job,)).fetchall())

    def renew_digests(self, digest_of: Callable[[str, Role, int], str | None]) -> int:
        """Where an older release left digests of another kind: all anew; returns how many.

        ``digest_of`` job, role and frame is None for a file that is gone: it is not noted any more then. Job by job, so
        that a start that was cut short has not read its files for nothing.
        """
        if self._sql("PRAGMA user_version").fetchone()[0] < _XXH3:
            with self.together():
                self._sql("UPDATE files SET digest=''")
                self._sql(f"PRAGMA user_version={_XXH3}")
        count = 0
        for (job,) in self._sql("SELECT DISTINCT job FROM files WHERE digest=''").fetchall():
            rows = self._sql("SELECT role, frame FROM files WHERE job=? AND digest=''", (job,)).fetchall()
            count += len(rows)
            with self.together():
                for role, frame in rows:
                    digest = digest_of(job, Role(role), frame)
                    if digest is None:
                        self._sql("DELETE FROM files WHERE job=? AND role=? AND frame=?", (job, role, frame))
                    else:
                        change = "UPDATE files SET digest=? WHERE job=? AND role=? AND frame=?"
                        self._sql(change, (digest, job, role, frame))
        return count

    def _sql(self, query: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        try:
            return self._db.execute(query, values)
        except sqlite3.OperationalError as error:
            raise no_room(str(error)) from None


def _open(folder: Path) -> sqlite3.Connection:
    database = sqlite3.connect(
        folder / "jobs.sqlite", timeout=0.5, check_same_thread=False, isolation_level=None
    )
    try:
        database.executescript(
            "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        )
        new = database.execute("SELECT COUNT(*) FROM sqlite_master").fetchone() == (0,)
        version = f"PRAGMA user_version={_XXH3};" if new else ""
        database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} {version} COMMIT;")
        for table, columns in _ADDED.items():
            there = {name for (name,) in database.execute("SELECT name FROM pragma_table_info(?)", (table,))}
            for column, declaration in columns.items():
                if column not in there:
                    database.execute(" ".join(("ALTER TABLE", table, "ADD COLUMN", column, declaration)))
        database.execute("UPDATE jobs SET changed_s=? WHERE changed_s=0", (time.time(),))
    except sqlite3.OperationalError as error:
        database.close()
        raise SettingsError(
            f"The data folder {folder} cannot be used ({error}): another server runs on it, or its disk is full. "
            "Choose another with --data-dir, or stop that server."
        ) from None
    return database
