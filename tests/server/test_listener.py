"""Who is hung up on when there are too many."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import zmq

from void_server.gate import Gate
from void_server.listener import Listener
from void_wire import sockets

PATIENCE_MS = 10_000


class Door:
    """A listener, and its peers."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], limit: int) -> None:
        self._context = context
        self.socket = context.socket(zmq.ROUTER)
        self.listener = Listener(Gate(context, None), self.socket, "tcp://127.0.0.1:*", limit)
        self.silent: list[socket.socket] = []

    def come_silent(self) -> None:
        """A connection that says nothing; returns once it is counted."""
        self.silent.append(socket.create_connection(sockets.host_and_port(self.listener.address)))
        assert self.listener.monitor.poll(PATIENCE_MS)
        self.listener.count()

    @contextmanager
    def speaker(self) -> Iterator[zmq.Socket[bytes]]:
        with self._context.socket(zmq.DEALER) as peer:
            peer.setsockopt(zmq.LINGER, 0)
            peer.connect(self.listener.address)
            self.speak(peer)
            yield peer

    def speak(self, peer: zmq.Socket[bytes]) -> None:
        """A message from ``peer``, heard and answered."""
        peer.send(b"a word")
        assert self.socket.poll(PATIENCE_MS)
        parts = self.socket.recv_multipart(copy=False)
        assert self.listener.heard(parts[0]) > 0
        self.socket.send_multipart([parts[0].bytes, b"an answer"])
        assert peer.poll(PATIENCE_MS)
        assert peer.recv() == b"an answer"

    def is_open(self, connection: socket.socket) -> bool:
        """Whether the server holds it: ZeroMQ greets whoever comes, then waits."""
        connection.settimeout(0.2)
        try:
            while connection.recv(64):
                pass
        except TimeoutError:
            return True
        except OSError:
            pass
        return False


@pytest.fixture
def door() -> Iterator[Door]:
    with zmq.Context() as context, ExitStack() as stack:
        door = Door(context, limit=3)
        yield door
        for one in door.silent:
            stack.enter_context(one)
        door.listener.close()


def test_the_one_that_was_silent_longest_makes_room(door: Door) -> None:
    with door.speaker() as spoke_first:
        for _ in range(3):
            door.come_silent()
        assert [door.is_open(one) for one in door.silent] == [False, True, True]
        with door.speaker():
            assert [door.is_open(one) for one in door.silent] == [False, False, True]
            door.speak(spoke_first)


def test_where_all_have_spoken_who_comes_is_hung_up_on(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    with door.speaker() as one, door.speaker() as two, door.speaker() as three:
        door.come_silent()
        assert not door.is_open(door.silent[0])
        for peer in (one, two, three):
            door.speak(peer)
    assert caplog.text.count("max_connections") == 1
