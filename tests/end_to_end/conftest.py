"""Real servers in processes of their own."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_shots import TINY_MODEL, ShotOnDisk, StartServer, make_shot

from void_server import local_server


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts servers on the test's own data folder; whatever still runs at the end is killed."""
    started: list[local_server.LocalServer] = []

    def start(
        address: str = "tcp://127.0.0.1:0", weights: Path | None = TINY_MODEL
    ) -> local_server.LocalServer:
        server = local_server.start(address, data_dir=tmp_path / "data", weights=weights, idle_exit_s=0)
        started.append(server)
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.process.send_signal(signal.SIGTERM)
            try:
                server.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                server.process.kill()
                server.process.wait()


@pytest.fixture
def shot(tmp_path: Path) -> ShotOnDisk:
    return make_shot(tmp_path / "shot")
