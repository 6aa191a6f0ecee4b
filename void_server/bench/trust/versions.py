"""Row 20: clients and servers of the protocol before and after this one."""

from __future__ import annotations

import threading
from typing import Any

import msgpack
import zmq

from void_server.bench.trust.ground import Ground
from void_server.bench.trust.verdict import Finding
from void_wire import codec, messages
from void_wire.client import Client
from void_wire.errors import ProtocolError, VoidError
from void_wire.messages import Refused, Welcome

ANSWER_MS = 10_000


def skew(ground: Ground, count: int) -> list[Finding]:
    """Row 20: ``count`` other versions; as a client, with fields and framing of theirs, and as a server."""
    now = messages.PROTOCOL_VERSION
    others = (now - 1, now + 1, 0, 2**40)[:count]
    findings = []
    with ground.server() as server, zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        peer.linger = 0
        peer.connect(server.address)
        for version in others:
            hello = {"kind": "hello", "id": 1, "protocol": version, "client": "another"}
            for form, data in (
                ("", codec.seal(hello)),
                (" without a sum", msgpack.packb(hello)),
                (" with a field more", codec.seal({**hello, "later": [1, 2]})),
            ):
                peer.send(data)
                findings.append(_clear(f"client of protocol {version}{form}", peer))
        peer.send(codec.seal({"kind": "teleport", "id": 1, "job": "good-job-1"}))
        findings.append(_clear("a kind of message from later", peer))
    return findings + [_server_of(version) for version in others]


def _clear(name: str, peer: zmq.Socket[bytes]) -> Finding:
    """Whether the answer says who is to be updated."""
    if not peer.poll(ANSWER_MS):
        return Finding(f"{name}: no answer", False)
    answer: Any = codec.decode(peer.recv(), codec.ANSWERS)[0]
    clear = (
        isinstance(answer, Refused)
        and answer.code == ProtocolError.code
        and "pdate the older" in answer.sentence
    )
    return Finding(f"{name}: {'refused clearly' if clear else answer}", clear)


def _server_of(version: int) -> Finding:
    """What our client says of a server that speaks another protocol."""
    welcome = Welcome(protocol=version, server="another", credit=4, max_frame_bytes=1, engines={})
    with zmq.Context() as context, context.socket(zmq.ROUTER) as server:
        server.linger = 0
        port = server.bind_to_random_port("tcp://127.0.0.1")
        thread = threading.Thread(target=_welcome_once, args=(server, welcome))
        thread.start()
        try:
            with Client(f"tcp://127.0.0.1:{port}", patience_s=5) as client:
                client.connect()
            said = "let in"
        except VoidError as error:
            said = "refused clearly" if "update the older" in str(error) else str(error)
        thread.join()
    return Finding(f"server of protocol {version}: {said}", said == "refused clearly")


def _welcome_once(server: zmq.Socket[bytes], welcome: Welcome) -> None:
    if server.poll(ANSWER_MS):
        peer, data = server.recv_multipart()
        server.send_multipart([peer, codec.encode(welcome, codec.number_of(data))])
