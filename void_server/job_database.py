"""The database of a data folder: its tables, and what older releases lack of them."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from void_wire.errors import SettingsError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    job TEXT PRIMARY KEY, spec TEXT NOT NULL, state TEXT NOT NULL, created_s REAL NOT NULL,
    error_code TEXT NOT NULL DEFAULT '', error TEXT NOT NULL DEFAULT '', record TEXT NOT NULL DEFAULT '{}',
    owner TEXT NOT NULL DEFAULT '', changed_s REAL NOT NULL DEFAULT 0, lost TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS files (
    job TEXT NOT NULL, role TEXT NOT NULL, frame INTEGER NOT NULL, digest TEXT NOT NULL,
    size_bytes INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (job, role, frame)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS signs (
    job TEXT NOT NULL, frame INTEGER NOT NULL, signs TEXT NOT NULL, PRIMARY KEY (job, frame)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS turns (owner TEXT PRIMARY KEY, turn INTEGER NOT NULL) WITHOUT ROWID;
"""

_ADDED = {
    "jobs": {
        "owner": "TEXT NOT NULL DEFAULT ''",
        "changed_s": "REAL NOT NULL DEFAULT 0",
        "lost": "TEXT NOT NULL DEFAULT ''",
    },
    "files": {"size_bytes": "INTEGER NOT NULL DEFAULT 0"},
}
"""Table -> column that a release before this one did not have -> its declaration.

Jobs from before keys are this machine's own; those from before retention count as changed now.
"""


def open_database(folder: Path) -> sqlite3.Connection:
    """The database of ``folder``, locked for this process alone: two servers would run each other's jobs.

    Raises SettingsError when another has it, or it cannot be written.
    """
    database = sqlite3.connect(
        folder / "jobs.sqlite", timeout=0.5, check_same_thread=False, isolation_level=None
    )
    try:
        database.executescript(
            "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; BEGIN IMMEDIATE;"
            + _SCHEMA
            + "COMMIT;"
        )
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
