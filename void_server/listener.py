"""A server's socket where it listens, with a bound on how many are connected at once."""

from __future__ import annotations

import contextlib
import logging
import os
import socket

import zmq
from zmq.utils.monitor import recv_monitor_message

from void_server.gate import Gate

log = logging.getLogger(__name__)

_EVENTS = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED


class Listener:
    """Binds ``socket`` behind the gate, and keeps within the limit of connections.

    ZeroMQ knows no such limit: every connection is a file descriptor, and a server without one left can open neither
    its database nor a frame. (To unbind would drop those who are connected.) Who comes beyond it takes the place of
    whoever has been silent for longest since it came, so that connections which say nothing keep nobody out; where all
    have spoken it is hung up on. A client that was hung up on comes again by itself, as after a restart.

    Args:
        gate: who gets in.
        socket: ROUTER, with its options set.
        address: full, to bind; zmq.ZMQError when it cannot be.
        max_connections: at once.
    """

    def __init__(self, gate: Gate, socket: zmq.Socket[bytes], address: str, max_connections: int) -> None:
        self._socket = socket
        self._max_connections = max_connections
        # file descriptors, each in one of these
        self._silent: dict[int, None] = {}  # in the order in which they came
        self._spoken: set[int] = set()
        self._leaving: set[int] = set()  # hung up on; ZeroMQ has not said yet that it is closed
        self._full = False
        self.monitor = socket.get_monitor_socket(_EVENTS)
        gate.bind(socket, address)
        self.address = socket.getsockopt_string(zmq.LAST_ENDPOINT)

    @property
    def connections(self) -> int:
        """How many there are. Any thread."""
        return len(self._silent) + len(self._spoken) + len(self._leaving)

    def heard(self, part: zmq.Frame) -> int:
        """A message with this part came: returns the descriptor of its connection, -1 when ZeroMQ knows it no more."""
        try:
            descriptor = int(part.get(zmq.SRCFD))
        except zmq.ZMQError:
            return -1
        if descriptor not in self._spoken:
            self.count()  # that it came was said before
        if descriptor in self._silent:
            del self._silent[descriptor]
            self._spoken.add(descriptor)
        return descriptor

    def count(self) -> None:
        """Take note of who came and left. Call when ``monitor`` has news."""
        while self.monitor.poll(0):
            event = recv_monitor_message(self.monitor)
            descriptor = event["value"]
            self._silent.pop(descriptor, None)
            self._spoken.discard(descriptor)
            self._leaving.discard(descriptor)
            if event["event"] == zmq.EVENT_ACCEPTED:
                self._silent[descriptor] = None
                if len(self._silent) + len(self._spoken) > self._max_connections:
                    self._make_room()
            elif self.connections < self._max_connections:
                self._full = False

    def _make_room(self) -> None:
        silent = next(iter(self._silent))
        del self._silent[silent]
        self._leaving.add(silent)
        self.hang_up(silent)
        if not self._full:
            log.warning(
                "%s has %d connections, its limit (max_connections): one that is silent is hung up on for each that "
                "comes, and who comes when there is none; raise the limit if these are artists and farm nodes",
                self.address,
                self._max_connections,
            )
        self._full = True

    def hang_up(self, descriptor: int) -> None:
        """Shut a connection that ZeroMQ accepted; ZeroMQ closes it then, and says so.

        Should the descriptor have been closed and given anew meanwhile, it is that of another connection (hung up on,
        and coming again), or of no socket (left as it is).
        """
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as connection:
            connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket; what is queued has 0.2 s to leave."""
        self._socket.disable_monitor()
        self.monitor.close(linger=0)
        self._socket.close(linger=200)
