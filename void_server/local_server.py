"""A server for somebody who has none running: started beside the client, leaves by itself when idle."""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from void_server.config import default_data_dir
from void_server.following import console
from void_server.frames.color import ColorTransform
from void_wire import sockets
from void_wire.client import Client
from void_wire.connection import Connection
from void_wire.errors import EngineError, SettingsError, TransportError, Unreachable
from void_wire.messages import JobSpec

START_PATIENCE_S = 20.0
STEP_PATIENCE_S = 30.0


def answers(server: str | Connection, patience_s: float = 0.7) -> bool:
    """Whether a VOID server is there now.

    Raises ProtocolError when it is one of another version, NotAuthorised when it does not let us in.
    """
    with Client(server, patience_s=patience_s) as client:
        try:
            client.connect()
        except Unreachable:
            return False
    return True


@dataclass(frozen=True)
class LocalServer:
    """A server process that this one started, and where it listens."""

    process: subprocess.Popen[bytes]
    address: str

    def stop(self) -> None:
        """Ask it to leave and wait until it has; asked twice it leaves a step that takes long."""
        self.process.terminate()
        try:
            self.process.wait(timeout=STEP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait(timeout=30)


def start(
    address: str,
    *,
    data_dir: Path,
    weights: Path | None,
    idle_exit_s: int,
    exit_with: int = 0,
    patience_s: float = START_PATIENCE_S,
    environment: Mapping[str, str] | None = None,
) -> LocalServer:
    """Start ``void serve`` in a session of its own and wait until it listens; tcp port 0 takes a free one.

    It leaves with the process ``exit_with``, where that is not 0. Its environment is this process's unless one is
    given.

    Raises Unreachable with the last line of its log when it does not come up.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    log_path, ready = data_dir / "server.log", data_dir / f"ready-{secrets.token_hex(4)}"
    command = [sys.executable, "-m", "void_server.cli", "serve", "--address", address, "--ready", str(ready)]
    command += ["--data-dir", str(data_dir), "--idle-exit-s", str(idle_exit_s)]
    if exit_with:
        command += ["--exit-with", str(exit_with)]
    if weights is not None:
        command += ["--weights", str(weights)]
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=environment,
        )
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline and process.poll() is None:
        if ready.exists():
            bound = ready.read_text()
            ready.unlink()
            return LocalServer(process, bound)
        time.sleep(0.02)
    process.kill()
    lines = log_path.read_text(errors="replace").splitlines() or ["it said nothing"]
    raise Unreachable(
        f"A server could not be started at {address}. {lines[-1].strip().removeprefix('void: ')}"
    )


def ensure(server: Connection, *, data_dir: Path, weights: Path | None) -> LocalServer | None:
    """Start a local server unless one answers; returns the one it started.

    Raises TransportError when ``server`` is on another machine and nobody answers there, or it does not let us in.
    """
    address = server.address
    if answers(server):
        return None
    if not sockets.is_loopback(address):
        raise TransportError(
            f"No VOID server answers at {address}. Start one on that machine with void serve, or leave --server out."
        )
    if server.key is not None:  # which the one that would be started here does not have
        raise TransportError(
            f"No VOID server answers at {address}, and your connection string is for one with a key of its own. Start "
            "that one, or give an address that you have no key for: there one is started."
        )
    return start(address, data_dir=data_dir, weights=weights, idle_exit_s=900)


def announce(server: Connection, weights: Path | None = None) -> LocalServer | None:
    """What `ensure` does with this user's own jobs, and a line that tells of it."""
    started = ensure(server, data_dir=default_data_dir(), weights=weights)
    if started is not None:
        console.print(f"No server was running: started one at {server}; it leaves when idle.")
    return started


def prepare_server(server: Connection, weights: Path | None, spec: JobSpec) -> None:
    """A server that can do this job, started here when none runs. Raises what is known before a frame is read."""
    started = announce(server, weights)
    if started is None and weights is not None:
        raise SettingsError(
            f"--weights is for a server that is started here, and one runs at {server} already: leave --weights out, "
            "or stop that server."
        )
    with Client(server) as client:
        if missing := client.connect().engines.get(spec.engine):
            raise EngineError(missing)
    if sockets.is_loopback(server.address):  # the same $OCIO; another machine's is its own
        ColorTransform(spec.picture.colorspace).exposed(spec.picture.exposure_stops() or 0.0)
