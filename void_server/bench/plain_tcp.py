"""Files over one plain TCP connection between two processes: what the wire is measured against."""

from __future__ import annotations

import multiprocessing
import socket
import time
from collections.abc import Iterable
from pathlib import Path

from void_wire import codec
from void_wire.files import write_whole

_LENGTH_BYTES = 8
_SPAWN = multiprocessing.get_context("spawn")


def upload_s(payloads: Iterable[bytes], count: int, keep_in: Path | None = None) -> float:
    """Seconds until a process that was started for it has all ``count`` of ``payloads``.

    With ``keep_in`` it makes of each what a VOID server does: digest, file, fsync, rename. Else it forgets them.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taker = _SPAWN.Process(target=_take_from, args=(listener.getsockname()[1], count, keep_in))
        taker.start()
        connection, _ = listener.accept()
        with connection:
            began = time.perf_counter()
            _give(connection, payloads)
            elapsed_s = time.perf_counter() - began
        taker.join()
    return elapsed_s


def download_s(paths: list[Path], keep_in: Path) -> float:
    """Seconds until this process has ``paths`` from another, each kept as a VOID client keeps a frame."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        giver = _SPAWN.Process(target=_give_to, args=(listener.getsockname()[1], paths))
        giver.start()
        connection, _ = listener.accept()
        with connection:
            began = time.perf_counter()
            _take(connection, len(paths), keep_in)
            elapsed_s = time.perf_counter() - began
        giver.join()
    return elapsed_s


def read(paths: Iterable[Path]) -> Iterable[bytes]:
    """What is in the files, one after the other as it is asked for."""
    return (path.read_bytes() for path in paths)


def _give_to(port: int, paths: list[Path]) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        _give(connection, read(paths))


def _take_from(port: int, count: int, keep_in: Path | None) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        _take(connection, count, keep_in)


def _give(connection: socket.socket, payloads: Iterable[bytes]) -> None:
    for payload in payloads:
        connection.sendall(len(payload).to_bytes(_LENGTH_BYTES, "big"))
        connection.sendall(payload)
    connection.recv(1)  # all are safe there


def _take(connection: socket.socket, count: int, keep_in: Path | None) -> None:
    if keep_in is not None:
        keep_in.mkdir(exist_ok=True)
    length, room = bytearray(_LENGTH_BYTES), bytearray()
    for index in range(count):
        _fill(connection, memoryview(length))
        size_bytes = int.from_bytes(length, "big")
        if size_bytes > len(room):
            room = bytearray(size_bytes)
        payload = memoryview(room)[:size_bytes]
        _fill(connection, payload)
        if keep_in is not None:
            codec.digest(payload)
            write_whole(keep_in / f"{index}.exr", payload)
    connection.sendall(b"!")


def _fill(connection: socket.socket, room: memoryview) -> None:
    filled = 0
    while filled < len(room):
        got = connection.recv_into(room[filled:])
        if not got:
            raise ConnectionError("the other side of the benchmark is gone")
        filled += got
