"""A server that asks for keys, and the people who have them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from held_workers import HeldWorkers
from real_shots import ShotOnDisk, StartServer, make_shot, servers

from void_server.key_folder import KeyFolder
from void_server.local_server import LocalServer
from void_wire.connection import Connection

Give = Callable[[str, LocalServer], Connection]
"""Makes a key for a name and gives the connection for it."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without keys, and an environment that names no server."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(folder))
    for name in ("VOID_KEY", "VOID_SERVER"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def key_folder(tmp_path: Path) -> KeyFolder:
    """Of the server, with its own key."""
    folder = KeyFolder(tmp_path / "data" / "keys")
    folder.make_server()
    return folder


@pytest.fixture
def start_server(
    tmp_path: Path, key_folder: KeyFolder, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StartServer]:
    """Starts servers that ask for keys on loopback too."""
    monkeypatch.setenv("VOID_REQUIRE_KEYS", "yes")
    with servers(tmp_path / "data") as start:
        yield start


@pytest.fixture
def server(start_server: StartServer) -> LocalServer:
    return start_server(weights=None)


@pytest.fixture
def give(key_folder: KeyFolder) -> Give:
    return lambda name, server: key_folder.add(name, server.address)


@pytest.fixture
def shot(tmp_path: Path) -> ShotOnDisk:
    return make_shot(tmp_path / "shot", frames=2, size=(32, 48))


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HeldWorkers:
    """Workers of the servers to come keep each job until it is let go."""
    return HeldWorkers(tmp_path, monkeypatch)
