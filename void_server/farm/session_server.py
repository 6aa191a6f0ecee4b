"""The server of one farm session: started when the session begins, gone when it ends, however it ends."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import psutil

from void_server import local_server
from void_wire.errors import SettingsError
from void_wire.files import write_whole

STATE = "void_server.json"
FOLDER = "void"
"""In the session's: the server's data, and its log."""

IDLE_EXIT_S = 600
"""Should even its runner's end go unnoticed."""

START_PATIENCE_S = 240.0
"""A farm's software lies on a network that a whole night starts from at once."""

STEP_PATIENCE_S, END_PATIENCE_S = 45.0, 20.0
SHOWN_LINES = 8

_SOCKET_LENGTH = 90
"""Of an ipc path; operating systems take 103 to 107 bytes, and frames go to one with ``.data`` behind it."""

_BETWEEN = {
    "bash",
    "sh",
    "dash",
    "zsh",
    "cmd.exe",
    "powershell.exe",
    "sudo",
    "su",
    "setsid",
    "env",
    "void",
    "void.exe",
}
"""Processes that stand between a runner and what it runs, and may end before the session does."""


def serve(session: Path, weights: Path | None, exit_with: int | None = None) -> str:
    """Start the session's server; returns its address.

    Args:
        session: the session's folder, for this user alone.
        weights: the model's folder; None: the node's own.
        exit_with: process that it leaves with; None: the runner, as far as it can be told.

    Raises Unreachable when it does not come up, SettingsError when one runs in this session already.
    """
    if _process(session) is not None:
        raise SettingsError(
            f"A server runs in session {session} already: leave that one first (void farm leave)."
        )
    started = local_server.start(
        _address(session),
        data_dir=session / FOLDER,
        weights=weights,
        idle_exit_s=IDLE_EXIT_S,
        exit_with=runner() if exit_with is None else exit_with,
        patience_s=START_PATIENCE_S,
    )
    state = {
        "address": started.address,
        "pid": started.process.pid,
        "began_s": psutil.Process(started.process.pid).create_time(),
    }
    write_whole(session / STATE, json.dumps(state).encode(), private=True)
    return started.address


def leave(session: Path) -> str:
    """Stop the session's server and wait until it is gone; returns how that went and what its log ends with."""
    process = _process(session)
    how = "The server had ended already." if process is None else _stopped(process)
    (session / STATE).unlink(missing_ok=True)
    return "\n".join([how, *_log_end(session)])


def runner() -> int:
    """The process that runs this session's actions: the nearest above this one that is no shell and no sudo."""
    for parent in psutil.Process().parents():
        with contextlib.suppress(psutil.Error):
            if parent.name().lower() not in _BETWEEN:
                return parent.pid
    raise SettingsError("Which process runs this session cannot be told: give it with --exit-with PID.")


def _address(session: Path) -> str:
    """A socket in the session's folder, which nobody else may enter; loopback where that cannot be."""
    path = session / "void.sock"
    return (
        f"ipc://{path}"
        if os.name == "posix" and len(os.fsencode(path)) <= _SOCKET_LENGTH
        else "tcp://127.0.0.1:0"
    )


def _process(session: Path) -> psutil.Process | None:
    try:
        state = json.loads((session / STATE).read_text(encoding="utf-8"))
        process = psutil.Process(int(state["pid"]))
        alive = process.create_time() == state["began_s"] and process.status() != psutil.STATUS_ZOMBIE
        return process if alive else None
    except (OSError, ValueError, KeyError, psutil.Error):
        return None


def _stopped(process: psutil.Process) -> str:
    """Ask it twice, as `LocalServer.stop` does; then end it."""
    for patience_s in (STEP_PATIENCE_S, END_PATIENCE_S):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(patience_s)
            return "The server has left."
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()
    return "The server did not leave and was killed."


def _log_end(session: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return (session / FOLDER / "server.log").read_text(errors="replace").splitlines()[-SHOWN_LINES:]
    return []
