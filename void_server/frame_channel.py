"""The data socket and its thread: frames in, frames out, never in the way of a control message."""

from __future__ import annotations

import logging
import threading

import zmq

from void_server.jobs import JobStore
from void_server.uploads import Uploads
from void_wire import codec, sockets
from void_wire.errors import MissingFrames, SettingsError, TransportError, VoidError
from void_wire.messages import FetchFrame, FrameHeader, FrameRefused

log = logging.getLogger(__name__)


class FrameChannel:
    """Binds the data socket and serves it on a thread of its own until close().

    Args:
        context: the server's ZeroMQ context.
        address: full address to bind; zmq.ZMQError when it cannot be.
        store: the jobs.
        max_frame_bytes: larger frames are refused, larger messages drop their sender.
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], address: str, store: JobStore, max_frame_bytes: int
    ) -> None:
        self._store = store
        self._uploads = Uploads(store, max_frame_bytes)
        self._socket = context.socket(zmq.ROUTER)
        sockets.prepare_for_frames(self._socket, address, max_frame_bytes + codec.MAX_REQUEST_BYTES)
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        try:
            self._socket.bind(address)
        except zmq.ZMQError:
            self._socket.close()
            raise
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="frames", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the thread; what was acknowledged is on disk."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        with self._socket:
            while not self._closing.is_set():
                if self._socket.poll(100):
                    try:
                        self._send(*self._serve(self._socket.recv_multipart(copy=False)))
                    except Exception:
                        log.exception("a frame message failed")

    def _serve(self, parts: list[zmq.Frame]) -> tuple[bytes, list[bytes]]:
        """Who is to be answered, and what: nothing for what is no message.

        The frame's bytes are let go here, before its acknowledgement makes the client send another.
        """
        peer = parts[0].bytes
        try:
            message, _ = codec.decode(parts[1].buffer, codec.DATA)
        except (TransportError, SettingsError, IndexError) as error:
            log.warning("data message dropped: %s", error)
            return peer, []
        if isinstance(message, FrameHeader):
            payload = parts[2].buffer if len(parts) > 2 else memoryview(b"")
            return peer, [codec.encode(self._uploads.take(message, payload))]
        if isinstance(message, FetchFrame):
            return peer, self._give(message)
        return peer, []

    def _give(self, asked: FetchFrame) -> list[bytes]:
        try:
            digest = self._store.digest(asked.job, asked.role, asked.frame)
            path = self._store.folder(asked.job).frame(asked.role, asked.frame)
            if digest is None:
                self._store.spec(asked.job)
                raise MissingFrames(
                    f"Job {asked.job} has no frame {asked.frame} of the {asked.role.label} (yet)."
                )
            payload = path.read_bytes()
        except VoidError as error:
            return [codec.encode(FrameRefused(asked.job, asked.role, asked.frame, error.code, str(error)))]
        except OSError as error:
            sentence = (
                f"Frame {asked.frame} of the {asked.role.label} is gone from the server ({error.strerror})."
            )
            return [
                codec.encode(FrameRefused(asked.job, asked.role, asked.frame, MissingFrames.code, sentence))
            ]
        header = FrameHeader(asked.job, asked.role, asked.frame, len(payload), digest)
        return [codec.encode(header), payload]

    def _send(self, peer: bytes, parts: list[bytes]) -> None:
        """Answer without ever waiting: a peer that is gone or full asks again."""
        if not parts:
            return
        try:
            self._socket.send_multipart([peer, *parts], zmq.NOBLOCK, copy=False)
        except zmq.Again:
            log.info("a slow client's frame was not queued; it will ask again")
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
