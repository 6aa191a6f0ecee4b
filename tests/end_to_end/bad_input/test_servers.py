"""Servers that are none, or of another version."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from real_shots import ShotOnDisk
from refusals import DRAFT, Refused, Say, sentence_of, sequences

from void_server import local_server
from void_wire import messages
from void_wire.client import Client
from void_wire.errors import (
    ProtocolError,
    TransportError,
)


@contextmanager
def something_else(answer: bytes) -> Iterator[int]:
    """A port where something listens that is no VOID server: it answers this to the first bytes, and leaves."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                if not answer:
                    silent.append(connection)
                    continue
                with connection:
                    connection.recv(64)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in silent:
                connection.close()


@pytest.mark.parametrize("address", ["tcp://192.0.2.1:7801", "nobody.invalid:7801"])
def test_nobody_at_a_remote_address(
    address: str, garbage: ShotOnDisk, refused: Refused, tmp_path: Path
) -> None:
    sentence = refused(*DRAFT, *sequences(garbage), "--out", tmp_path / "r.%04d.exr", address=address)
    full = address if "://" in address else f"tcp://{address}"
    assert sentence.startswith(f"No VOID server answers at {full}. Start one on that machine with void serve")


def test_an_address_that_is_none(garbage: ShotOnDisk, refused: Refused, tmp_path: Path) -> None:
    sentence = refused(
        *DRAFT, *sequences(garbage), "--out", tmp_path / "r.%04d.exr", address="http://render:80"
    )
    assert sentence == "Address 'http://render:80' is neither tcp://host:port nor ipc:///path."


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"", "Address already in use"),
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "it is no VOID server"),
    ],
    ids=["silent", "http"],
)
def test_something_else_listens_there(
    answer: bytes, says: str, garbage: ShotOnDisk, refused: Refused, tmp_path: Path
) -> None:
    with something_else(answer) as port:
        sentence = refused(
            *DRAFT, *sequences(garbage), "--out", tmp_path / "r.%04d.exr", address=f"127.0.0.1:{port}"
        )
        assert f"tcp://127.0.0.1:{port}" in sentence
        assert says in sentence
        with Client(f"127.0.0.1:{port}", patience_s=0.5) as client, pytest.raises(TransportError):
            client.connect()


def test_a_server_of_another_version(
    garbage: ShotOnDisk,
    say: Say,
    server: local_server.LocalServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours = messages.PROTOCOL_VERSION
    with monkeypatch.context() as patch:
        patch.setattr(messages, "PROTOCOL_VERSION", ours + 998)
        for command in (("jobs",), ("submit", *DRAFT, *sequences(garbage), "--out", tmp_path / "r.%04d.exr")):
            sentence = sentence_of(*say(*command))
            assert (
                f"speaks protocol {ours}, the client void speaks {ours + 998}: update the older" in sentence
            )
        with Client(server.address) as client, pytest.raises(ProtocolError):
            client.connect()
