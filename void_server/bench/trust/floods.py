"""Rows 9 and 10: more messages, larger ones and worse ones than anybody means to send."""

from __future__ import annotations

import socket
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import numpy as np
import zmq

from void_server.bench.trust.ground import Ground, bits, bring, finished, submit
from void_server.bench.trust.traffic import GREETING_BYTES, record
from void_server.bench.trust.traffic import mutants as mutants_of
from void_server.bench.trust.tried_server import PeakMemory, TriedServer
from void_server.bench.trust.verdict import Finding, NotMeasured, at_most
from void_wire import codec, sockets
from void_wire.client import Client
from void_wire.errors import VoidError
from void_wire.messages import Hello, ListJobs

PEERS = 4
"""Who ask at once; each waits for its answer, as the protocol has it."""

ANSWER_S = 10.0
SEED = 9
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL".ljust(GREETING_BYTES - 9, b"\0")
READY = b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER"
HELLO = codec.encode(Hello(protocol=1, client="trust"), 1)


def mutants(ground: Ground, count: int) -> list[Finding]:
    """Row 9: ``count`` mutants of a real session, a two-hundredth of hypothesis' messages, a hundredth of garbage."""
    wanted = ground.undisturbed("draft")
    with ground.server() as server:
        traffic = record(ground, server)
        memory = PeakMemory(server)
        answered = _ask_all(server, mutants_of(traffic, count, SEED))
        wild = _ask_wild(server, max(20, count // 200))
        garbage = _garbage(server, max(20, count // 100))
        growth_mb, lives = memory.growth_mb, server.lives
        same = _next_job(ground, server) == wanted
        bugs = server.log().count("Traceback")
    told = ", ".join(f"{name} {times}" for name, times in answered.most_common())
    silent = answered["no answer"] + wild["no answer"]
    return [
        Finding(f"{count} mutants of {len(traffic)} recorded messages: {told}", True),
        Finding(
            f"{sum(wild.values())} made up: " + ", ".join(f"{n} {t}" for n, t in wild.most_common()), True
        ),
        Finding(f"{garbage} connections with garbage", True),
        Finding(f"{silent} without an answer, {bugs} bugs in the log", silent == bugs == 0),
        Finding("the server lives" if lives else "the server died", lives),
        Finding(f"memory grew by {growth_mb:.0f} MB (<= 50)", growth_mb <= 50),
        Finding("next job has the same bits" if same else "next job has other bits", same),
    ]


def oversize(ground: Ground, count: int) -> list[Finding]:
    """Row 10: ``count`` tiny messages, a five-hundredth of idle connections, and headers that announce too much."""
    idle = max(20, count // 500)
    with ground.server() as server:
        memory = PeakMemory(server)
        dropped_s = max(
            _dropped_after_s(server, announced, data=data)
            for announced in (2**40, 10 * 512 * 2**20)
            for data in (False, True)
        )
        before = server.descriptors()
        _tiny(server, count, memory)
        with ExitStack() as stack:
            for turn in range(idle):
                with suppress(OSError):
                    stack.enter_context(_connection(server, data=turn % 2 == 1))
            began = time.monotonic()
            with Client(server.address, patience_s=20) as client:
                client.connect()
                client.jobs()
            served_s = time.monotonic() - began
            more = server.descriptors() - before
        growth_mb = memory.growth_mb
    return [
        at_most("1 TiB and 10 x the largest frame dropped after", dropped_s, 1, "s"),
        Finding(
            f"{count} tiny messages, {idle} idle connections: memory grew by {growth_mb:.0f} MB",
            growth_mb <= 100,
        ),
        Finding(f"{more} more files open (<= 1000, twice max_connections)", more <= 1000),
        at_most("another client was served after", served_s, 2, "s"),
    ]


def _next_job(ground: Ground, server: TriedServer) -> dict[int, bytes]:
    spec = ground.spec("draft", "next-good-job")
    with Client(server.address) as client:
        submit(client, spec, ground.shot_for("draft"))
        finished(client, spec.job)
        return bits(bring(client, spec, ground.place("home")))


@contextmanager
def _dealer(server: TriedServer) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        sockets.prepare(peer, server.address, codec.MAX_MESSAGE_BYTES)
        peer.connect(server.address)
        yield peer


def _ask_all(server: TriedServer, messages: Iterator[bytes]) -> Counter[str]:
    """Send each, by some peers in turn that each wait for an answer; count what they are answered with."""
    answered: Counter[str] = Counter()
    with ExitStack() as stack:
        peers = deque(stack.enter_context(_dealer(server)) for _ in range(PEERS))
        for turn, data in enumerate(messages):
            if turn >= PEERS:
                _take(peers[0], answered)
            peers[0].send(data)
            peers.rotate(-1)
        for peer in peers:
            _take(peer, answered)
    return answered


def _take(peer: zmq.Socket[bytes], answered: Counter[str]) -> None:
    if peer.poll(int(ANSWER_S * 1000)):
        answered[_said(codec.decode(peer.recv(), codec.ANSWERS)[0])] += 1
    else:
        answered["no answer"] += 1


def _said(answer: Any) -> str:
    return f"{answer.kind} {answer.code}" if hasattr(answer, "code") else str(answer.kind)


def _ask_wild(server: TriedServer, count: int) -> Counter[str]:
    """Ask what hypothesis makes up. Raises NotMeasured without it."""
    try:
        from hypothesis import HealthCheck, Phase, given, seed, settings

        from void_server.bench.trust.wild_messages import bodies
    except ModuleNotFoundError:
        raise NotMeasured("needs hypothesis (the extra test)") from None
    answered: Counter[str] = Counter()
    with _dealer(server) as peer:

        @seed(SEED)
        @settings(
            max_examples=count,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(bodies({kind: cls for kind, cls in codec.REQUESTS.items() if kind != "watch"}))
        def ask(body: dict[str, Any]) -> None:
            try:
                data = codec.seal(body)
            except (ValueError, OverflowError, UnicodeEncodeError):  # MessagePack has no such thing
                return
            if len(data) < codec.MAX_REQUEST_BYTES:
                peer.send(data)
                _take(peer, answered)

        ask()
    return answered


def _garbage(server: TriedServer, count: int) -> int:
    """Connections that say something else than ZMTP, or begin well and go wrong."""
    source = np.random.default_rng(SEED)
    for turn in range(count):
        noise = source.bytes(int(source.integers(1, 2000)))
        beginning = (
            b"GET / HTTP/1.1\r\n\r\n",
            noise,
            GREETING + noise,
            GREETING[: turn % 64],
            GREETING + READY + noise,
            GREETING + READY + b"\0" + bytes([len(noise) % 256]) + noise,
        )[turn % 6]
        with suppress(OSError), _connection(server, data=turn % 2 == 1) as connection:
            connection.sendall(beginning)
    return count


def _connection(server: TriedServer, *, data: bool) -> socket.socket:
    address = sockets.data_address(server.address) if data else server.address
    return socket.create_connection(sockets.host_and_port(address), timeout=10)


def _dropped_after_s(server: TriedServer, announced: int, *, data: bool) -> float:
    """Seconds until the server hangs up on a peer that announces so many bytes; ANSWER_S when it does not."""
    with _connection(server, data=data) as connection:
        connection.sendall(GREETING + READY)
        time.sleep(0.3)  # its greeting and its READY
        connection.setblocking(False)
        with suppress(BlockingIOError):
            connection.recv(4096)
        connection.settimeout(ANSWER_S)
        began = time.monotonic()
        connection.sendall(b"\x02" + announced.to_bytes(8, "big") + b"x" * 100)
        try:
            while connection.recv(4096):
                pass
        except TimeoutError:
            return ANSWER_S
        except OSError:
            pass
        return time.monotonic() - began


def _tiny(server: TriedServer, count: int, memory: PeakMemory) -> None:
    """Send empty and one-byte messages and never wait for an answer; now and then take those that came."""
    with _dealer(server) as peer:
        for turn in range(count):
            peer.send(b"" if turn % 2 else b"\xc1")
            if turn % 64 == 0:
                while peer.poll(0):
                    peer.recv()
            if turn % 10_000 == 0:
                memory.look()
        with suppress(VoidError):
            while peer.poll(200):
                peer.recv()
        peer.send(codec.encode(ListJobs(), 2))
        peer.poll(int(ANSWER_S * 1000))
