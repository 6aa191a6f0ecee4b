"""One real server for all of them, and the command line inside this process."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_shots import ShotOnDisk, make_shot
from refusals import FRAMES, SIZE, Refused, Say, sentence_of

from void_server import cli, local_server
from void_wire.client import Client
from void_wire.messages import Role


@pytest.fixture(scope="session")
def server_without_weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[local_server.LocalServer]:
    bare = tmp_path_factory.mktemp("bare")
    started = local_server.start("tcp://127.0.0.1:0", data_dir=bare, weights=bare / "weights", idle_exit_s=0)
    yield started
    started.stop()


@pytest.fixture
def shot(tmp_path: Path) -> ShotOnDisk:
    return make_shot(tmp_path / "shot", FRAMES, SIZE)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server that a command starts by itself keeps its things here; the command's signal handler leaves again."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def say(
    server: local_server.LocalServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Say:
    """Runs a command line of submit, fetch or jobs; gives exit code and what was told, as one line of words."""

    def run(command: str, *arguments: object, address: str = server.address) -> tuple[int, str]:
        line = ["void", command, "--server", address, *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", line)
        with pytest.raises(SystemExit) as left:
            cli.main()
        told = capsys.readouterr()
        return int(left.value.code or 0), " ".join((told.out + told.err).split())

    return run


@pytest.fixture
def refused(say: Say, server: local_server.LocalServer) -> Refused:
    """Runs a submit that must be refused with exit code 1 before there is a job of it; gives the sentence."""

    def run(*arguments: object, address: str = server.address) -> str:
        with Client(server.address) as client:
            client.connect()
            before = [status.job for status in client.jobs()]
            code, told = say("submit", *arguments, address=address)
            assert [status.job for status in client.jobs()] == before
        return sentence_of(code, told)

    return run


@pytest.fixture
def garbage(shot: ShotOnDisk) -> ShotOnDisk:
    """A shot that would be refused, were it read beyond the header of its first plate."""
    for path in [path for files in shot.files.values() for path in files.values()]:
        if path != shot.path(Role.PLATE, 1001):
            path.write_text("no picture")
    return shot
