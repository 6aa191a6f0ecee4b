"""Real servers in processes of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from real_shots import ShotOnDisk, StartServer, make_shot, servers

from void_server.local_server import LocalServer
from void_wire.client import Client


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts servers on the test's own data folder."""
    with servers(tmp_path / "data") as start:
        yield start


@pytest.fixture
def data_dir(model_data: Path) -> Path:
    """Of the server that stands."""
    return model_data


@pytest.fixture
def server(model_server: LocalServer, model_address: str) -> LocalServer:
    """The server with the tiny model that stands."""
    assert model_server.address == model_address
    return model_server


@pytest.fixture
def address(model_address: str) -> str:
    """Of the server that stands."""
    return model_address


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(address) as client:
        yield client


@pytest.fixture
def shot(tmp_path: Path) -> ShotOnDisk:
    return make_shot(tmp_path / "shot")
