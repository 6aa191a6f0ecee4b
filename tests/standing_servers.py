"""Servers that stand for a whole test run, for every test that neither ends its server nor sets it up.

Their workers stay warm. What a test leaves on one is gone before the next.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from real_shots import servers

from void_server.local_server import LocalServer
from void_wire.client import ENDED, Client


@pytest.fixture(scope="session")
def model_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of `model_server`."""
    return tmp_path_factory.mktemp("model-server")


@pytest.fixture(scope="session")
def model_server(model_data: Path) -> Iterator[LocalServer]:
    """One with the tiny model."""
    with servers(model_data) as start:
        yield start()


@pytest.fixture(scope="session")
def draft_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """One without a model."""
    with servers(tmp_path_factory.mktemp("draft-server")) as start:
        yield start(weights=None)


@pytest.fixture
def model_address(model_server: LocalServer) -> Iterator[str]:
    """Of `model_server`, with no jobs."""
    yield model_server.address
    _clear(model_server.address)


@pytest.fixture
def draft_address(draft_server: LocalServer) -> Iterator[str]:
    """Of `draft_server`, with no jobs."""
    yield draft_server.address
    _clear(draft_server.address)


def _clear(address: str) -> None:
    with Client(address) as client:
        client.connect()
        for status in client.jobs():
            if status.state not in ENDED:
                client.cancel(status.job)
            while status.state not in ENDED:
                status = client.watch(status.job, status.revision, 5.0)
            client.purge(status.job)
