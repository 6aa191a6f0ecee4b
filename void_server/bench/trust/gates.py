"""Row 17: who is not let in, and that nothing such a one says is read."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import zmq

from void_server.bench.trust.floods import GREETING, HELLO, READY
from void_server.bench.trust.ground import Ground
from void_server.bench.trust.verdict import Finding
from void_wire import keys, sockets
from void_wire.client import Client
from void_wire.connection import Connection
from void_wire.errors import TransportError

LISTENING = """
import sys
if "serve" in sys.orig_argv:
    from void_wire import codec
    decode = codec.decode

    def told(data, kinds):
        with open({path!r}, "ab") as file:
            file.write(b"!")
        return decode(data, kinds)

    codec.decode = told
"""
"""A mark in a file for each message that reaches the parser."""

SILENCE_MS = 300


def wrong_peers(ground: Ground, count: int) -> list[Finding]:
    """Row 17: the first ``count`` of no key, another key, another server's key, plain ZMTP; then a bare 0.0.0.0."""
    marks = ground.place("marks") / "decoded"
    marks.touch()
    findings = []
    with ground.server(keys=True, hook=LISTENING.format(path=str(marks))) as server:
        right = server.key("anna")
        key = right.key
        if key is None:
            raise RuntimeError("a key was made and there is none")
        peers = {
            "no key": Connection(right.address),
            "other key": replace(right, key=replace(key, secret=keys.new_pair()[1])),
            "wrong server's key": replace(right, key=replace(key, server=keys.new_pair()[0])),
        }
        for name, wrong in list(peers.items())[:count]:
            silent = not any(_answered(wrong, data=data) for data in (False, True))
            said = _told(wrong)
            findings.append(Finding(f"{name}: {said}", silent and said != "let in"))
        if count > len(peers):
            _speak_plainly(right)
        read = marks.stat().st_size
        findings.append(Finding(f"{read} of their messages read", read == 0))
        let_in = _answered(right, data=False) and marks.stat().st_size > 0
        findings.append(Finding("the right key is let in" if let_in else "the right key is refused", let_in))
    findings.append(_bare(ground))
    return findings


@contextmanager
def _dealer(to: Connection, *, data: bool) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        sockets.prepare_for_frames(peer, to.address, 2**20)
        if to.key is not None:
            to.key.lock(peer)
        peer.connect(sockets.data_address(to.address) if data else to.address)
        yield peer


def _answered(to: Connection, *, data: bool) -> bool:
    with _dealer(to, data=data) as peer:
        peer.send(HELLO)
        return bool(peer.poll(SILENCE_MS if to.key is None or data else 10 * SILENCE_MS))


def _told(to: Connection) -> str:
    """What a client of ours says to its user."""
    try:
        with Client(to, patience_s=2) as client:
            client.connect()
    except TransportError as error:
        return error.code
    return "let in"


def _speak_plainly(to: Connection) -> None:
    """Shake hands by rules of one's own, on both ports."""
    for address in (to.address, sockets.data_address(to.address)):
        with socket.create_connection(sockets.host_and_port(address), timeout=7) as raw, suppress(OSError):
            raw.sendall(GREETING + READY + b"\0" + bytes([len(HELLO)]) + HELLO)
            while raw.recv(4096):
                pass


def _bare(ground: Ground) -> Finding:
    """A server for everybody without a key of its own."""
    command = [sys.executable, "-m", "void_server.cli", "serve", "--address", "tcp://0.0.0.0:0"]
    command += ["--data-dir", str(ground.place("bare"))]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    fine = ended.returncode != 0 and "void keys make" in ended.stderr
    return Finding(f"0.0.0.0 without keys: exit code {ended.returncode}", fine)
