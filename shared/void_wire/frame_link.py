"""The client's data connection: frames and their answers, and the knowledge of whether it stands."""

from __future__ import annotations

import time
from typing import Any, List, Optional, Tuple

import zmq
from zmq.utils.monitor import recv_monitor_message

from void_wire import codec, messages, sockets
from void_wire.connection import ClientKey
from void_wire.errors import ProtocolError, SettingsError

_EVENTS = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED


class FrameLink:
    """A DEALER socket that is thrown away when its connection breaks.

    TCP brings everything or breaks, so a frame is lost only with its connection. A fresh socket then means
    that nothing sent before turns up later, as ZeroMQ's own reconnecting would have it.
    """

    def __init__(
        self, context: "zmq.Context[zmq.Socket[bytes]]", address: str, key: Optional[ClientKey]
    ) -> None:
        self.address = address
        self._key = key
        self._context = context
        self.down_since: Optional[float] = None  # monotonic seconds; None while the connection stands
        self._torn = False  # renewed since broke() was asked
        self._open()

    def renew(self) -> None:
        """Drop the connection and whatever is on the way, and make a new one."""
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=0)
        self._open()

    def broke(self) -> bool:
        """Whether the connection was lost since the last call: then what was on the way is gone, and the link new."""
        if self._torn:
            self._torn = False
            return True
        while self._monitor.poll(0):
            if recv_monitor_message(self._monitor)["event"] == zmq.EVENT_DISCONNECTED:
                self.renew()
                return True
            self.down_since = None
        return False

    def has_room(self) -> bool:
        """Whether a message can be queued without waiting."""
        return bool(self._socket.poll(0, zmq.POLLOUT))

    def send(self, message: Any, payload: bytes = b"") -> None:
        """Queue a message; a frame goes without being copied."""
        parts = [codec.encode(message)] + ([payload] if payload else [])
        self._socket.send_multipart(parts, copy=False)

    def receive(self, within_s: float) -> Optional[Tuple[Any, memoryview]]:
        """The next message and its payload, or None. What is no message breaks the connection: it was damaged."""
        if not self._socket.poll(int(within_s * 1000)):
            return None
        parts: List[zmq.Frame] = self._socket.recv_multipart(copy=False)
        try:
            message, _ = codec.decode(parts[0].buffer, codec.DATA)
        except (ProtocolError, SettingsError):
            self._torn = True
            self.renew()
            return None
        return message, parts[1].buffer if len(parts) > 1 else memoryview(b"")

    def _open(self) -> None:
        self._socket = self._context.socket(zmq.DEALER)
        sockets.prepare_for_frames(
            self._socket, self.address, messages.MAX_FRAME_BYTES + codec.MAX_REQUEST_BYTES
        )
        if self._key is not None:
            self._key.lock(self._socket)
        self._monitor = self._socket.get_monitor_socket(_EVENTS)
        # A tunnel whose far end is closed accepts and breaks off, again and again: it is down all the while.
        if self.down_since is None:
            self.down_since = time.monotonic()
        try:
            self._socket.connect(self.address)
        except zmq.ZMQError as error:
            raise SettingsError(f"Address {self.address!r} cannot be used: {error}.") from None
