"""The data socket and its thread: frames in, frames out, never in the way of a control message."""

from __future__ import annotations

import logging
import threading
from collections import deque

import zmq

from void_server.gate import Gate
from void_server.jobs import JobStore
from void_server.listener import Listener
from void_server.own_jobs import OwnJobs
from void_server.uploads import Uploads
from void_wire import codec, sockets
from void_wire.client import FETCH_CREDIT
from void_wire.errors import MissingFrames, NotAuthorised, SettingsError, TransportError, VoidError
from void_wire.messages import FetchFrame, FrameHeader, FrameRefused

log = logging.getLogger(__name__)


class FrameChannel:
    """Binds the data socket and serves it on a thread of its own until close().

    Args:
        context: the server's ZeroMQ context.
        address: full address to bind; zmq.ZMQError when it cannot be.
        gate: who may send, and whose jobs those are.
        store: the jobs.
        max_frame_bytes: larger frames are refused, larger messages drop their sender.
        max_connections: at once.
        credit: frames a client may have sent and not acknowledged.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        address: str,
        gate: Gate,
        store: JobStore,
        max_frame_bytes: int,
        max_connections: int,
        credit: int,
    ) -> None:
        self._gate = gate
        self._store = store
        self._max_frame_bytes = max_frame_bytes
        self._socket = context.socket(zmq.ROUTER)
        sockets.prepare_for_frames(self._socket, address, max_frame_bytes + codec.MAX_REQUEST_BYTES)
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        # Twice, since ZeroMQ hears of what a peer has read at every half of it: who keeps to its credit is never full.
        for mark in (zmq.SNDHWM, zmq.RCVHWM):
            self._socket.setsockopt(mark, 2 * max(credit, FETCH_CREDIT))
        try:
            self._listener = Listener(gate, self._socket, address, max_connections)
        except zmq.ZMQError:
            self._socket.close()
            raise
        self._cut_off: deque[bytes] = deque(maxlen=64)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="frames", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the thread; what was acknowledged is on disk."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._listener.monitor, zmq.POLLIN)
        while not self._closing.is_set():
            events = dict(poller.poll(100))
            self._listener.count()
            if self._socket in events:
                try:
                    parts = self._socket.recv_multipart(copy=False)
                    descriptor = self._listener.heard(parts[0])
                    if parts[0].bytes not in self._cut_off:
                        self._send(descriptor, *self._serve(parts, descriptor))
                except Exception:
                    log.exception("a frame message failed")
        self._listener.close()

    def _serve(self, parts: list[zmq.Frame], descriptor: int) -> tuple[bytes, list[bytes]]:
        """Who is to be answered, and what. Who sends what is no message is hung up on, and may go on anew.

        The frame's bytes are let go here, before its acknowledgement makes the client send another.
        """
        peer = parts[0].bytes
        try:
            message, _ = codec.decode(parts[1].buffer, codec.DATA)
        except (TransportError, SettingsError, IndexError) as error:
            log.warning("data message dropped: %s", error)
            if isinstance(error, TransportError):
                self._listener.hang_up(descriptor)
            return peer, []
        if not isinstance(message, (FrameHeader, FetchFrame)):
            return peer, []
        try:
            jobs = OwnJobs(self._store, self._gate.owner(parts[1]))
        except NotAuthorised as error:
            return peer, [_refusal(message, error)]
        if isinstance(message, FetchFrame):
            return peer, self._give(jobs, message)
        payload = parts[2].buffer if len(parts) > 2 else memoryview(b"")
        return peer, [codec.encode(Uploads(jobs, self._max_frame_bytes).take(message, payload))]

    def _give(self, jobs: OwnJobs, asked: FetchFrame) -> list[bytes]:
        try:
            digest = jobs.digest(asked.job, asked.role, asked.frame)
            path = jobs.folder(asked.job).frame(asked.role, asked.frame)
            if digest is None:
                raise MissingFrames(
                    f"Job {asked.job} has no frame {asked.frame} of the {asked.role.label} (yet)."
                )
            payload = path.read_bytes()
        except VoidError as error:
            return [_refusal(asked, error)]
        except OSError as error:
            sentence = (
                f"Frame {asked.frame} of the {asked.role.label} is gone from the server ({error.strerror})."
            )
            return [_refusal(asked, MissingFrames(sentence))]
        header = FrameHeader(asked.job, asked.role, asked.frame, len(payload), digest)
        return [codec.encode(header), payload]

    def _send(self, descriptor: int, peer: bytes, parts: list[bytes]) -> None:
        """Answer without ever waiting. Who has no room for an answer has asked for more than its credit: cut off."""
        if not parts:
            return
        self._socket.getsockopt(zmq.EVENTS)  # makes libzmq notice what the peer has read since
        try:
            self._socket.send_multipart([peer, *parts], zmq.NOBLOCK, copy=False)
        except zmq.Again:
            self._cut_off.append(peer)  # what it has sent already is passed over
            log.warning("a client asks for more than its credit and does not read it: cut off")
            self._listener.hang_up(descriptor)
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise


def _refusal(message: FrameHeader | FetchFrame, error: VoidError) -> bytes:
    return codec.encode(FrameRefused(message.job, message.role, message.frame, error.code, str(error)))
