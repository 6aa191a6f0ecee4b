"""A real server among peers that are broken, rude or hostile: it goes on, in bounds, and writes nowhere else."""

import os
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq
from real_shots import StartServer

from void_server.local_server import LocalServer
from void_wire import codec, sockets
from void_wire.client import Client
from void_wire.errors import VoidError
from void_wire.messages import (
    PROTOCOL_VERSION,
    FetchFrame,
    FrameAck,
    FrameRange,
    FrameRefused,
    Hello,
    JobSpec,
    Role,
    State,
    Welcome,
)

MB = 1_000_000
GROWTH_BYTES = 60 * MB
SPEC = JobSpec(
    job="good-job-1", shot="s", engine="draft", frames=FrameRange(1, 4), roles=(Role.PLATE, Role.REMOVE)
)
"""Frames 1 to 4; the tests send 1 to 3, so that no engine starts."""
HELLO = codec.encode(Hello(protocol=PROTOCOL_VERSION, client="test"), 1)


@pytest.fixture
def server(start_server: StartServer) -> LocalServer:
    return start_server(weights=None)


@pytest.fixture(autouse=True)
def bounded(server: LocalServer, tmp_path: Path) -> Iterator[None]:
    """Around every test: a good client is served after it, memory stayed in bounds, files in their folder."""
    before = rss_bytes(server)
    yield
    assert server.process.poll() is None
    with Client(server.address, patience_s=5) as client:
        good = replace(SPEC, job="served-after")
        client.submit(good)
        files = {role: {n: tmp_path / f"good.{role.value}.{n}" for n in (1, 2, 3)} for role in good.roles}
        for paths in files.values():
            for path in paths.values():
                path.write_bytes(os.urandom(50_000))
        client.upload(replace(good, frames=FrameRange(1, 3)), files)
        home = dict(client.fetch(good.job, Role.PLATE, (1, 2, 3), lambda n: tmp_path / f"home.{n}"))
        for frame, path in home.items():
            assert path.read_bytes() == files[Role.PLATE][frame].read_bytes()
        assert len(home) == 3
        assert client.watch(good.job).received == 6
    if before is not None:
        assert (rss_bytes(server) or 0) - before <= GROWTH_BYTES
    known = {"jobs.sqlite", "jobs.sqlite-wal", "jobs.sqlite-shm", "server.log", "worker.log"}
    for path in (tmp_path / "data").rglob("*"):
        if path.is_file():
            name = path.relative_to(tmp_path / "data")
            inside = len(name.parts) == 4 and name.parts[0] == "jobs" and name.suffix in (".exr", ".png")
            assert inside or str(name) in known, name
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} <= {"data", "shot"}


def rss_bytes(server: LocalServer) -> int | None:
    """Resident memory of the server, None where there is no /proc."""
    status = Path(f"/proc/{server.process.pid}/statm")
    if not status.exists():
        return None
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def dealer(server: LocalServer, data: bool = False) -> Iterator["zmq.Socket[bytes]"]:
    """A socket that sends whatever it is told to."""
    address = sockets.data_address(server.address) if data else server.address
    with zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        sockets.prepare_for_frames(peer, address, 2**30)
        peer.setsockopt(zmq.SNDTIMEO, 10_000)
        peer.connect(address)
        yield peer


@contextmanager
def raw(server: LocalServer, data: bool = False) -> Iterator[socket.socket]:
    """A TCP connection to the server's port."""
    host, port = sockets.host_and_port(sockets.data_address(server.address) if data else server.address)
    with socket.create_connection((host, port), timeout=10) as connection:
        yield connection


def ask(peer: "zmq.Socket[bytes]", data: bytes, kinds: codec.Kinds = codec.ANSWERS) -> Any:
    """The answer; asked for again after 2 s, as the protocol has it (a server drops what it cannot queue at once)."""
    for _ in range(3):
        peer.send(data)
        if peer.poll(2000):
            break
    else:
        pytest.fail("no answer")
    return codec.decode(peer.recv(), kinds)[0]


def frame(
    job: str = SPEC.job, role: str = "plate", number: Any = 1, payload: bytes = b"some bytes", **wrong: Any
) -> list[bytes]:
    """A frame message, field by field, so that each can be wrong."""
    body = {
        "kind": "frame",
        "id": 0,
        "job": job,
        "role": role,
        "frame": number,
        "size_bytes": len(payload),
        "digest": codec.digest(payload),
    }
    return [msgpack.packb({**body, **wrong}), payload]


def mutants(good: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Flipped bits, cuts, repeats and insertions; every tenth is plain noise."""
    rng = random.Random(seed)
    for index in range(count):
        data = bytearray(rng.choice(good))
        if index % 10 == 0:
            data = bytearray(rng.randbytes(rng.randrange(1, 300)))
        for _ in range(rng.randrange(1, 4)):
            at, choice = rng.randrange(len(data)), rng.randrange(4)
            if choice == 0:
                data[at] ^= 1 << rng.randrange(8)
            elif choice == 1:
                data[at : at + rng.randrange(8)] = rng.randbytes(rng.randrange(8))
            elif choice == 2:
                data = data[: at + 1]
            else:
                data[at:at] = data[: rng.randrange(40)]
            data = data or bytearray(b"\0")
        yield bytes(data)


def test_mutated_frame_messages(server: LocalServer) -> None:
    good = [frame()[0], codec.encode(FetchFrame(SPEC.job, Role.PLATE, 1)), frame(number=2)[0]]
    with Client(server.address) as client:
        client.submit(SPEC)
    with dealer(server, data=True) as peer:
        for data in mutants(good, 2000, seed=1):
            peer.send_multipart([data, b"some bytes"])
            while peer.poll(0):
                codec.decode(peer.recv_multipart()[0], codec.DATA)
    with Client(server.address) as client:
        assert client.watch(SPEC.job).received <= 3


def test_messages_of_other_shapes(server: LocalServer) -> None:
    shapes = [[b""], [b"", b""], [HELLO, HELLO], [b"x"] * 50, [b"\xc1"], [b"\x91" * 60_000 + b"\xc0"]]
    for data in (False, True):
        with dealer(server, data) as peer:
            for parts in shapes * 5:
                peer.send_multipart(parts)
    with dealer(server) as peer:
        assert isinstance(ask(peer, HELLO), Welcome)


@pytest.mark.parametrize("data", [False, True])
def test_garbage_that_is_no_zmtp(server: LocalServer, data: bool) -> None:
    rng = random.Random(7)
    greeting = zmtp_greeting()
    for index in range(300):
        noise = rng.randbytes(rng.randrange(1, 2000))
        beginning = (b"GET / HTTP/1.1\r\n\r\n", noise, greeting + noise, greeting[: index % 64])[index % 4]
        with raw(server, data) as connection, suppress(ConnectionError):  # thrown out before the end
            connection.sendall(beginning)


def zmtp_greeting() -> bytes:
    """ZMTP 3.0's first 64 bytes: signature, version, mechanism NULL."""
    return b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + b"\0" + bytes(31)


def zmtp_connect(connection: socket.socket) -> None:
    """Shake hands as a DEALER."""
    connection.sendall(zmtp_greeting())
    properties = b"\x0bSocket-Type" + struct.pack(">I", 6) + b"DEALER"
    command = b"\x05READY" + properties
    connection.sendall(b"\x04" + bytes([len(command)]) + command)
    received = b""
    while b"READY" not in received:
        more = connection.recv(4096)
        assert more, "the server did not shake hands"
        received += more


def dropped(connection: socket.socket, within_s: float = 5.0) -> bool:
    """Whether the server closes the connection."""
    connection.settimeout(within_s)
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


@pytest.mark.parametrize("data", [False, True])
def test_an_announced_giant(server: LocalServer, data: bool) -> None:
    with raw(server, data) as connection:
        zmtp_connect(connection)
        connection.sendall(b"\x02" + struct.pack(">Q", 2**40) + b"the first of many")
        assert dropped(connection)


def test_a_good_handshake_by_hand_is_served(server: LocalServer) -> None:
    """The giant's test would prove nothing if the server dropped every hand-made peer."""
    with raw(server) as connection:
        zmtp_connect(connection)
        connection.sendall(b"\x00" + bytes([len(HELLO)]) + HELLO)
        connection.settimeout(5)
        received = b""
        while b"welcome" not in received:
            more = connection.recv(4096)
            assert more
            received += more


def test_a_control_message_over_its_limit(server: LocalServer) -> None:
    with raw(server) as connection:
        zmtp_connect(connection)
        size = codec.MAX_REQUEST_BYTES + 1
        with suppress(ConnectionError):
            connection.sendall(b"\x02" + struct.pack(">Q", size) + bytes(size))
        assert dropped(connection)


WRONG_FRAMES: list[tuple[list[bytes], str]] = [
    (frame(size_bytes=11), "its header says 11"),
    (frame(size_bytes=2**40), "its header says"),
    (frame(digest="0" * 32), "damaged"),
    (frame(role="result"), "no part of job"),
    (frame(role="affected"), "no part of job"),
    (frame(number=99), "no part of job"),
    (frame(number=-1), "no part of job"),
    (frame(job="no-such-job"), "no job"),
    (frame()[:1], "came with 0 bytes"),
]


def test_wrong_frames_are_refused_by_sentence(server: LocalServer) -> None:
    with Client(server.address) as client, dealer(server, data=True) as peer:
        client.submit(SPEC)
        for parts, sentence in WRONG_FRAMES:
            peer.send_multipart(parts)
            assert peer.poll(5000), sentence
            answer = codec.decode(peer.recv(), codec.DATA)[0]
            assert isinstance(answer, FrameRefused)
            assert sentence in answer.sentence
        assert client.watch(SPEC.job).received == 0
        peer.send_multipart(frame())
        assert peer.poll(5000)
        assert isinstance(codec.decode(peer.recv(), codec.DATA)[0], FrameAck)


def test_fetching_what_is_not_there(server: LocalServer) -> None:
    with Client(server.address) as client, dealer(server, data=True) as peer:
        client.submit(SPEC)
        for job in (SPEC.job, "no-such-job"):
            for role in Role:
                for number in (1, -(2**31), 2**62):
                    answer = ask(peer, codec.encode(FetchFrame(job, role, number)), codec.DATA)
                    assert isinstance(answer, FrameRefused)
                    assert answer.code == ("shot.missing_frames" if job == SPEC.job else "job.unknown")


def test_two_hundred_idle_connections(server: LocalServer) -> None:
    with ExitStack() as stack:
        for index in range(200):  # half of them say hello first, and then nothing
            connection = stack.enter_context(raw(server, data=index % 2 == 1))
            if index % 4 > 1:
                zmtp_connect(connection)
        with Client(server.address, patience_s=3) as client:
            assert client.connect().protocol == PROTOCOL_VERSION


def test_a_client_that_asks_and_never_reads(server: LocalServer, tmp_path: Path) -> None:
    payload = os.urandom(4 * MB)
    path = tmp_path / "large"
    path.write_bytes(payload)
    one = replace(SPEC, frames=FrameRange(1, 1), roles=(Role.PLATE, Role.REMOVE))
    with Client(server.address) as client:
        client.submit(SPEC)
        client.upload(one, {role: {1: path} for role in one.roles})
        before = rss_bytes(server)
        with dealer(server, data=True) as rude:
            for _ in range(300):  # 1.2 GB asked for, nothing read
                rude.send(codec.encode(FetchFrame(SPEC.job, Role.PLATE, 1)))
            for index in range(20):  # others are served meanwhile
                ((_, home),) = client.fetch(SPEC.job, Role.PLATE, [1], lambda n, i=index: tmp_path / f"h{i}")
                assert home.read_bytes() == payload
            if before is not None:
                assert (rss_bytes(server) or 0) - before <= GROWTH_BYTES


def neighbours() -> tuple[socket.socket, socket.socket]:
    """Two listening sockets on neighbouring ports, as a tunnel has them."""
    for _ in range(50):
        first = socket.create_server(("127.0.0.1", 0))
        try:
            return first, socket.create_server(("127.0.0.1", first.getsockname()[1] + 1))
        except OSError:
            first.close()
    raise OSError("no two neighbouring ports are free")


def forward(listener: socket.socket, address: str, bytes_per_s: float) -> None:
    """Pass one connection on, what the client sends no faster than ``bytes_per_s``."""

    def pump(source: socket.socket, target: socket.socket, pause_s_per_byte: float) -> None:
        with suppress(OSError), source, target:
            while data := source.recv(16_384):
                target.sendall(data)
                time.sleep(len(data) * pause_s_per_byte)

    def accept() -> None:
        with suppress(OSError), listener:
            client = listener.accept()[0]
            server = socket.create_connection(sockets.host_and_port(address))
            threading.Thread(target=pump, args=(server, client, 0.0), daemon=True).start()
            pump(client, server, 1 / bytes_per_s)

    threading.Thread(target=accept, daemon=True).start()


def test_a_frame_that_takes_longer_than_a_heartbeat(server: LocalServer, tmp_path: Path) -> None:
    """An ssh tunnel over a slow line: one connection, 3 MB in 10 s, where a silent peer of the control socket has 6."""
    control, data = neighbours()
    forward(control, server.address, 1e9)
    forward(data, sockets.data_address(server.address), 300_000)
    files = {Role.PLATE: {1: tmp_path / "slow"}, Role.REMOVE: {1: tmp_path / "small"}}
    files[Role.PLATE][1].write_bytes(os.urandom(3 * MB))
    files[Role.REMOVE][1].write_bytes(b"small")
    with Client(f"127.0.0.1:{control.getsockname()[1]}") as client:
        client.submit(SPEC)
        client.upload(replace(SPEC, frames=FrameRange(1, 1)), files)
        assert client.watch(SPEC.job).received == 2


def test_two_clients_send_the_same_job_at_once(server: LocalServer, tmp_path: Path) -> None:
    spec = replace(SPEC, frames=FrameRange(1, 41))
    sent = replace(SPEC, frames=FrameRange(1, 40))
    files = {role: {n: tmp_path / f"{role.value}.{n}" for n in range(1, 41)} for role in spec.roles}
    for paths in files.values():
        for path in paths.values():
            path.write_bytes(os.urandom(20_000))
    errors: list[VoidError] = []

    def send() -> None:
        try:
            with Client(server.address) as client:
                client.submit(spec)
                client.upload(sent, files)
        except VoidError as error:
            errors.append(error)

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert errors == []
    with Client(server.address) as client:
        client.connect()
        assert [status.job for status in client.jobs()] == [spec.job]
        assert client.watch(spec.job).received == 80
        for role in spec.roles:
            home = client.fetch(
                spec.job, role, range(1, 41), lambda n, r=role: tmp_path / f"home.{r.value}.{n}"
            )
            for number, path in home:
                assert path.read_bytes() == files[role][number].read_bytes()


def test_submitting_twice_is_one_job_and_another_spec_is_refused(server: LocalServer) -> None:
    with Client(server.address) as client:
        first, second = client.submit(SPEC), client.submit(SPEC)
        assert (first.job, first.state, first.created_s) == (second.job, State.RECEIVING, second.created_s)
        assert len(client.jobs()) == 1
        with pytest.raises(VoidError, match="other settings"):
            client.submit(replace(SPEC, prompt="another"))
