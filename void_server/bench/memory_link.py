"""Frames over the wire from one process's memory to another's: messages and credit, and no disk."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection

import zmq
from zmq.utils import z85

from void_wire import codec, keys, messages, sockets
from void_wire.connection import ClientKey
from void_wire.frame_link import FrameLink
from void_wire.messages import FrameAck, FrameHeader, Role

JOB = "bench-memory"
PATIENCE_S = 30.0

_SPAWN = multiprocessing.get_context("spawn")


def upload_s(
    payloads: Sequence[bytes], credit: int, *, encrypted: bool = False, compared: bool = False
) -> float:
    """Seconds until another process has acknowledged all of ``payloads``.

    The client's side is the one that every client has; the other has a server's socket and gives a server's answers.
    At most ``credit`` are on the way. ``encrypted``: by CURVE. ``compared``: digests are made on the way and compared
    there; else they are made before. Raises TimeoutError when nothing comes any more.
    """
    public, secret = keys.new_pair()
    key = ClientKey(public, keys.new_pair()[1]) if encrypted else None
    ours, theirs = _SPAWN.Pipe()
    count = 1 + len(payloads)
    taker = _SPAWN.Process(
        target=_take, args=(theirs, count, credit, secret if encrypted else None, compared)
    )
    digests = None if compared else [codec.digest(payload) for payload in payloads]
    taker.start()
    try:
        with zmq.Context() as context:
            link = FrameLink(context, str(ours.recv()), key)
            _give(link, payloads[:1], digests, credit)  # both sides have shaken hands then
            began = time.perf_counter()
            _give(link, payloads, digests, credit)
            elapsed_s = time.perf_counter() - began
            context.destroy(linger=0)
    finally:
        taker.join(PATIENCE_S)
        taker.kill()
    return elapsed_s


def _give(link: FrameLink, payloads: Sequence[bytes], digests: Sequence[str] | None, credit: int) -> None:
    sent = 0
    for done in range(len(payloads)):
        while sent < len(payloads) and sent - done < credit:
            payload = payloads[sent]
            digest = digests[sent] if digests else codec.digest(payload)
            link.send(FrameHeader(JOB, Role.PLATE, sent, len(payload), digest), payload)
            sent += 1
        answer = link.receive(PATIENCE_S)
        if answer is None or not isinstance(answer[0], FrameAck):
            raise TimeoutError(f"frame {done} of the benchmark was not acknowledged: {answer}")


def _take(parent: Connection, count: int, credit: int, secret: bytes | None, compared: bool) -> None:
    """A server's data socket, whose frames are forgotten."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        sockets.prepare_for_frames(
            socket, "tcp://127.0.0.1:0", messages.MAX_FRAME_BYTES + codec.MAX_REQUEST_BYTES
        )
        for mark in (zmq.SNDHWM, zmq.RCVHWM):
            socket.setsockopt(mark, 2 * credit)
        if secret is not None:
            socket.curve_secretkey = z85.encode(secret)
            socket.curve_publickey = z85.encode(keys.public_of(secret))
            socket.curve_server = True
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        parent.send(f"tcp://127.0.0.1:{port}")
        for _ in range(count):
            peer, head, body = socket.recv_multipart(copy=False)
            header, _ = codec.decode(head.buffer, codec.DATA)
            if len(body) != header.size_bytes or (compared and codec.digest(body.buffer) != header.digest):
                raise ValueError(f"frame {header.frame} of the benchmark was damaged")
            del body
            socket.send_multipart([peer, codec.encode(FrameAck(header.job, header.role, header.frame))])
        socket.setsockopt(zmq.LINGER, -1)  # the last acknowledgement
