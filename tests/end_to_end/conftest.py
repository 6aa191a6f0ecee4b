"""Real servers in processes of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from real_shots import TINY_MODEL, ShotOnDisk, StartServer, make_shot, servers

from void_server import local_server
from void_wire.client import ENDED, Client


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts servers on the test's own data folder."""
    with servers(tmp_path / "data") as start:
        yield start


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the server that stands."""
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="session")
def server(data_dir: Path) -> Iterator[local_server.LocalServer]:
    """One with the tiny model, for every test that neither ends its server nor sets it up: its worker stays warm."""
    started = local_server.start("tcp://127.0.0.1:0", data_dir=data_dir, weights=TINY_MODEL, idle_exit_s=0)
    yield started
    started.stop()


@pytest.fixture
def address(server: local_server.LocalServer) -> Iterator[str]:
    """Of the server that stands, whose jobs are gone again after the test."""
    yield server.address
    with Client(server.address) as client:
        client.connect()
        for status in client.jobs():
            if status.state not in ENDED:
                client.cancel(status.job)
            while status.state not in ENDED:
                status = client.watch(status.job, status.revision, 5.0)
            client.purge(status.job)


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(address) as client:
        yield client


@pytest.fixture
def shot(tmp_path: Path) -> ShotOnDisk:
    return make_shot(tmp_path / "shot")
