"""Real servers in processes of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from real_shots import ShotOnDisk, StartServer, make_shot, servers


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts servers on the test's own data folder."""
    with servers(tmp_path / "data") as start:
        yield start


@pytest.fixture
def shot(tmp_path: Path) -> ShotOnDisk:
    return make_shot(tmp_path / "shot")
