"""A client of the strict server, with the files of its job and the results that the server has."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from strict_server import KEYS, SPEC, StrictServer

from void_wire.client import Client
from void_wire.messages import Role


@pytest.fixture
def server() -> Iterator[StrictServer]:
    made = StrictServer()
    yield made
    made.close()
    assert made.wrongs == []


@pytest.fixture
def client(server: StrictServer) -> Iterator[Client]:
    with Client(server.address, patience_s=1.0) as made:
        yield made


@pytest.fixture
def files(tmp_path: Path) -> dict[Role, dict[int, Path]]:
    made = {role: {n: tmp_path / f"{role.value}.{n}" for n in SPEC.frames.numbers()} for role in SPEC.roles}
    for role, frame in KEYS:
        made[role][frame].write_bytes(f"{role.value} {frame} ".encode() * 20)
    return made


@pytest.fixture
def results(server: StrictServer) -> dict[int, bytes]:
    made = {frame: f"result {frame}".encode() * 30 for frame in range(1, 7)}
    server.held = {(Role.PLATE, frame): payload for frame, payload in made.items()}
    return made
