"""Addresses, and the socket options both sides use (reasons and figures: PROTOCOL.md)."""

from __future__ import annotations

import ipaddress
from typing import Tuple

import zmq

from void_wire.errors import SettingsError

DEFAULT_ADDRESS = "tcp://127.0.0.1:7801"


def full_address(text: str) -> str:
    """``text`` as tcp://host:port or ipc://path; bare "host", "host:port" and "port" are completed.

    Raises SettingsError for anything else.
    """
    if text.startswith("ipc://") and len(text) > len("ipc://"):
        return text
    rest = text[len("tcp://") :] if text.startswith("tcp://") else text
    if "://" in rest:
        raise SettingsError(f"Address {text!r} is neither tcp://host:port nor ipc:///path.")
    if _is_number(rest):
        rest = f"127.0.0.1:{rest}"
    if rest.startswith("["):
        host, _, port = rest[1:].partition("]")
        host, port = f"[{host}]", port.lstrip(":")
    else:
        host, _, port = rest.partition(":")
    if host == "localhost":  # which may mean ::1 to one side and 127.0.0.1 to the other
        host = "127.0.0.1"
    port = port or DEFAULT_ADDRESS.rpartition(":")[2]
    if not host or not _is_number(port) or not 0 <= int(port) <= 65535:
        raise SettingsError(f"Address {text!r} is neither tcp://host:port nor ipc:///path.")
    return f"tcp://{host}:{port}"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def host_and_port(address: str) -> Tuple[str, int]:
    """Host (with brackets if IPv6) and port of a full tcp address."""
    host, _, port = address[len("tcp://") :].rpartition(":")
    return host, int(port)


def data_address(address: str) -> str:
    """Where frames go when control messages go to the full ``address``: the next port, or path + ".data"."""
    if address.startswith("ipc://"):
        return address + ".data"
    host, port = host_and_port(address)
    return f"tcp://{host}:{port + 1}"


def is_loopback(address: str) -> bool:
    """Whether a full address can be reached from this machine only."""
    if address.startswith("ipc://"):
        return True
    host = host_and_port(address)[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def prepare(socket: "zmq.Socket[bytes]", address: str, max_message_bytes: int) -> None:
    """Set what a control socket has before it binds or connects: bounds, heartbeats, no lingering."""
    _prepare(socket, address, max_message_bytes)
    socket.setsockopt(zmq.HEARTBEAT_IVL, 2_000)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 4_000)
    socket.setsockopt(zmq.HEARTBEAT_TTL, 4_000)


def prepare_for_frames(socket: "zmq.Socket[bytes]", address: str, max_message_bytes: int) -> None:
    """Set what a data socket has before it binds or connects: bounds, and the kernel's signs of life.

    ZeroMQ's heartbeat waits behind a frame that is on its way: with it, a frame that takes longer than the
    heartbeat's timeout never arrives, its connection is cut every time.
    """
    _prepare(socket, address, max_message_bytes)
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, 10)
    socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, 5)
    socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, 3)
    socket.setsockopt(zmq.TCP_MAXRT, 20_000)


def _prepare(socket: "zmq.Socket[bytes]", address: str, max_message_bytes: int) -> None:
    socket.setsockopt(zmq.IPV6, "[" in address)
    socket.setsockopt(zmq.SNDHWM, 8)
    socket.setsockopt(zmq.RCVHWM, 8)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.MAXMSGSIZE, max_message_bytes)
    socket.setsockopt(zmq.HANDSHAKE_IVL, 5_000)
    socket.setsockopt(zmq.RECONNECT_IVL, 100)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 2_000)
