"""What a real client says to a real server, recorded, and what it becomes when bytes of it are changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgpack
import numpy as np

from void_server.bench.trust.chaos_proxy import ChaosProxy
from void_server.bench.trust.ground import Ground, bring, finished, submit
from void_server.bench.trust.tried_server import TriedServer
from void_wire import codec
from void_wire.client import Client
from void_wire.errors import VoidError
from void_wire.messages import Watch

GREETING_BYTES = 64
_LONG, _COMMAND = 2, 4  # flags of a ZMTP 3.1 frame (ZeroMQ RFC 37)
_BLOCK = 4096  # numbers drawn at once


def record(ground: Ground, server: TriedServer) -> list[bytes]:
    """Every control message of a client's whole session, as it went over the line."""
    said = bytearray()
    with ChaosProxy(server.address) as proxy:
        proxy.control.taps["up"] = said.extend
        with Client(proxy.address) as client:
            spec = ground.tiny_shot.spec("recorded-1")
            submit(client, spec, ground.tiny_shot)
            finished(client, spec.job)
            bring(client, spec, ground.place("home"))
            client.signs(spec.job)
            client.spec(spec.job)
            again = ground.tiny_shot.spec("recorded-2")
            client.rerun(spec.job, again)
            client.cancel(again.job)
            client.jobs()
            finished_or_not = client.watch(again.job)
            client.watch(spec.job, finished_or_not.revision, 0.1)
            client.purge(spec.job)
    return list(_messages(bytes(said)))


def _messages(said: bytes) -> Iterator[bytes]:
    """The messages of one ZMTP connection, without greeting and commands."""
    at = GREETING_BYTES
    while at + 2 <= len(said):
        flags, wide = said[at], 8 if said[at] & _LONG else 1
        size = int.from_bytes(said[at + 1 : at + 1 + wide], "big")
        at += 1 + wide
        if not flags & _COMMAND:
            yield said[at : at + size]
        at += size


def mutants(good: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Messages of ``good`` with flipped bits, cuts, repeats and insertions, or with one value changed.

    Most have a right sum again, so that what is behind it is tried too. Every tenth is noise; none is a Watch that
    is answered later.
    """
    draw = _Draw(seed)
    made = 0
    while made < count:
        which = draw(10)
        one = good[draw(len(good))]
        if which == 0:
            mutant = draw.bytes(1 + draw(300))
        elif which < 5:
            mutant = _with_another_value(one, draw)
        else:
            mutant = _damaged(one, draw)
        if not _waits(mutant):
            made += 1
            yield mutant


def _with_another_value(message: bytes, draw: _Draw) -> bytes:
    """The same map with one value, at any depth, changed."""
    body = msgpack.unpackb(message)
    del body["sum"]
    place: Any = body
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = keys[draw(len(keys))]
        if not isinstance(place[key], (dict, list)) or not place[key] or draw(8) == 0:
            break
        place = place[key]
    value, how = place[key], draw(4)
    if how == 0 or (how == 1 and not isinstance(value, (str, int, float))):
        place[key] = (None, True, "", [], {}, 0, -1, 2**63, 1e300, "x" * 5000)[draw(10)]
    elif how == 1 and isinstance(value, str):
        at = draw(len(value) + 1)
        place[key] = value[:at] + ("/", "..", "\0", "\n", "é", "9")[draw(6)] + value[at + draw(2) :]
    elif how == 1:
        place[key] = value + draw(5) - 2
    elif how == 2 and isinstance(place, dict):
        place[str(key)[: draw(4)] or "?"] = place.pop(key)
    elif isinstance(place, dict):
        del place[key]
    return codec.seal(body)


def _damaged(message: bytes, draw: _Draw) -> bytes:
    """The same bytes with one to three changes."""
    data = bytearray(message[:-4])
    for _ in range(1 if draw(3) else 1 + draw(3)):
        at, how = draw(max(1, len(data))), draw(8)
        if how < 4 and data:
            data[at] ^= 1 << draw(8)
        elif how == 4:
            data[at : at + 1] = draw.bytes(1)
        elif how == 5:
            data[at : at + draw(8)] = draw.bytes(draw(8))
        elif how == 6:
            del data[at + 1 :]
        else:
            data[at:at] = data[: draw(40)]
    return bytes(data) + (codec.checksum(bytes(data)) if draw(4) else draw.bytes(4))


def _waits(data: bytes) -> bool:
    """Whether it is answered later, as was asked for."""
    try:
        message, _ = codec.decode(data, codec.REQUESTS)
    except VoidError:
        return False
    return isinstance(message, Watch) and message.within_s > 0


class _Draw:
    """Random whole numbers, some thousand at once: one at a time they take longer than what is made of them."""

    def __init__(self, seed: int) -> None:
        self._source = np.random.default_rng(seed)
        self._left: list[int] = []

    def __call__(self, below: int) -> int:
        if not self._left:
            self._left = self._source.integers(0, 2**31, _BLOCK).tolist()
        return self._left.pop() % below

    def bytes(self, count: int) -> bytes:
        """So many."""
        return self._source.bytes(count)
