"""The client's side of the handshake on the control socket: whether the server lets it in, and if not why."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Optional

import zmq
from zmq.utils.monitor import recv_monitor_message

from void_wire import sockets
from void_wire.connection import Connection
from void_wire.errors import NotAuthorised, TransportError

_EVENTS = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)

_OURS = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x01"
"""The greeting's signature and version."""

_MECHANISM = slice(12, 32)
_LOOK_S = 1.0


class Handshake:
    """Watches ``socket``, which must not be connected yet. ``monitor`` becomes readable when there is news."""

    def __init__(self, socket: "zmq.Socket[bytes]", connection: Connection) -> None:
        self._connection = connection
        self._broken_off = self._looked = False
        self.monitor = socket.get_monitor_socket(_EVENTS)

    def check(self) -> None:
        """Raise NotAuthorised once it is known that this client does not get in."""
        while self.monitor.poll(0):
            news = recv_monitor_message(self.monitor)
            event = news["event"]
            if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                raise NotAuthorised(
                    f"The server at {self._connection} does not know your key, or no longer does: ask who runs it for "
                    "a new connection string (void keys add NAME)."
                )
            self._broken_off = event != zmq.EVENT_HANDSHAKE_SUCCEEDED
            if self._broken_off and self._mismatched(news["value"]):
                raise NotAuthorised(self._mismatch())

    def give_up(self) -> None:
        """After a long silence: raise TransportError when somebody was there and broke off every time."""
        if self._broken_off:
            or_else = (
                "it is not the one that your key is for: ask who runs it for a new connection string."
                if self._connection.key
                else "it asks for a key: put the connection string you were given into VOID_KEY."
            )
            raise TransportError(
                f"What listens at {self._connection} breaks off every greeting. Either it is no VOID server (another "
                f"program, or a tunnel without its far end), or {or_else}"
            )

    def _mismatched(self, cause: int) -> bool:
        """Whether one side asks for a key and the other does not.

        A server that sees it first hangs up, and then ZeroMQ often knows no cause: its greeting is looked at, once.
        """
        if cause == zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
            return True
        if self._looked:
            return False
        self._looked = True
        return mechanism(self._connection.address) == ("NULL" if self._connection.key else "CURVE")

    def _mismatch(self) -> str:
        if self._connection.key:
            return (
                f"The server at {self._connection} takes no keys, so it is not the one that your connection string is "
                "for: check the address, or give the address alone."
            )
        return (
            f"The server at {self._connection} asks for a key: put the connection string you were given into VOID_KEY, "
            "or paste it once into the panel or into void keys use. Whoever runs the server makes one with void keys "
            "add NAME."
        )


def mechanism(address: str) -> Optional[str]:
    """How whatever listens at a TCP ``address`` wants to be spoken to, "NULL" or "CURVE".

    It is in the greeting that a ZeroMQ peer sends once it has seen ours as far as the version (ZMTP 3.1, RFC 37). None
    for another scheme, for no such greeting, and for none within a second.
    """
    if not address.startswith("tcp://"):
        return None
    greeting = b""
    host, port = sockets.host_and_port(address)
    with suppress(OSError), socket.create_connection((host.strip("[]"), port), _LOOK_S) as raw:
        raw.sendall(_OURS)
        while len(greeting) < _MECHANISM.stop:
            part = raw.recv(_MECHANISM.stop - len(greeting))
            if not part:
                break
            greeting += part
    if len(greeting) < _MECHANISM.stop or greeting[:1] != _OURS[:1]:
        return None
    return greeting[_MECHANISM].rstrip(b"\0").decode("ascii", "replace")
