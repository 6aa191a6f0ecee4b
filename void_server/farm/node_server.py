"""The server of a node whose engine has no sessions: one for each model and GPU, shared by task after task.

Whoever comes first starts it; it leaves by itself once nobody has come for a while. A lock that the operating system
lets go of with its holder keeps two tasks from starting two.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from void_server import local_server, weights_record
from void_server.config import default_data_dir, load
from void_server.engine.weights import model_files
from void_server.farm.session_server import IDLE_EXIT_S, START_PATIENCE_S
from void_wire.errors import CheckpointError, SettingsError
from void_wire.files import write_whole

GPU_VARIABLES = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
"""Engines that give a task one of a node's GPUs say so here."""

ANSWER_PATIENCE_S = 5.0
"""For a server that works on a segment."""


def attach(weights: Path | None, folder: Path | None = None) -> str:
    """The address of the node's server for this model, started when there is none.

    Args:
        weights: the model's folder; None: the node's own.
        folder: where the node's servers keep their data; None: in the user's data folder.

    Raises Unreachable when it does not come up, SettingsError when the folder cannot be used.
    """
    model = Path(load(None, os.environ, {"weights": weights}).weights)
    name = _name(model)
    home = (folder or default_data_dir() / "farm") / name
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(home.with_name(f"{name}.lock")):
            address = _known(home / "address.json")
            if address is None or not local_server.answers(address, ANSWER_PATIENCE_S):
                started = local_server.start(
                    "tcp://127.0.0.1:0",
                    data_dir=home,
                    weights=model,
                    idle_exit_s=IDLE_EXIT_S,
                    patience_s=START_PATIENCE_S,
                )
                address = started.address
                write_whole(home / "address.json", json.dumps({"address": address}).encode())
    except OSError as error:
        raise SettingsError(
            f"The node's server cannot keep its data in {home} ({error.strerror}): make room there, or give --server."
        ) from None
    return address


def _name(model: Path) -> str:
    """Of the model's files and of the GPU this task was given."""
    told = hashlib.blake2b(digest_size=8)
    told.update(json.dumps([os.environ.get(variable) for variable in GPU_VARIABLES]).encode())
    told.update(str(model).encode())
    with contextlib.suppress(CheckpointError, OSError):  # what is wrong with it the server says
        recorded = weights_record.read(model)
        if recorded is not None:
            told.update("".join(sorted(one.sha256 for one in recorded.values())).encode())
        else:
            for file in sorted(file for part in model_files(model).values() for file in part):
                found = file.stat()
                told.update(f"{file.name} {found.st_size} {found.st_mtime_ns}".encode())
    return told.hexdigest()


def _known(path: Path) -> str | None:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """SQLite's own lock on a file: the same on every system, and gone with the process that holds it."""
    database = sqlite3.connect(path, timeout=START_PATIENCE_S + 30.0, isolation_level=None)
    try:
        database.execute("BEGIN EXCLUSIVE")
        yield
    except sqlite3.OperationalError as error:
        raise SettingsError(
            f"{path} cannot be locked ({error}): another task starts a server for too long."
        ) from None
    finally:
        database.close()
