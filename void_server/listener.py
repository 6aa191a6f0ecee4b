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
    """Binds ``socket`` behind the gate, and hangs up on whoever comes beyond the limit.

    ZeroMQ knows no such limit: every connection is a file descriptor, and a server without one left can open neither
    its database nor a frame. (To unbind would drop those who are connected.) A client that was hung up on comes again
    by itself, as after a restart.

    Args:
        gate: who gets in.
        socket: ROUTER, with its options set.
        address: full, to bind; zmq.ZMQError when it cannot be.
        max_connections: at once.
    """

    def __init__(self, gate: Gate, socket: zmq.Socket[bytes], address: str, max_connections: int) -> None:
        self._socket = socket
        self._max_connections = max_connections
        self._connected: set[int] = set()  # file descriptors
        self._full = False
        self.monitor = socket.get_monitor_socket(_EVENTS)
        gate.bind(socket, address)
        self.address = socket.getsockopt_string(zmq.LAST_ENDPOINT)

    @property
    def connections(self) -> int:
        """How many there are. Any thread."""
        return len(self._connected)

    def count(self) -> None:
        """Take note of who came and left. Call when ``monitor`` has news."""
        while self.monitor.poll(0):
            event = recv_monitor_message(self.monitor)
            if event["event"] == zmq.EVENT_DISCONNECTED:
                self._connected.discard(event["value"])
                self._full = self._full and len(self._connected) >= self._max_connections
                continue
            self._connected.add(event["value"])
            if len(self._connected) > self._max_connections:
                self.hang_up(event["value"])
                if not self._full:
                    log.warning(
                        "%s has %d connections, its limit (max_connections): nobody new gets in until one leaves; "
                        "raise the limit if these are artists and farm nodes",
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
