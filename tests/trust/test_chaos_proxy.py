"""The proxy does what it is told to the bytes, and counts it."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from void_server.bench.trust.chaos_proxy import ChaosProxy, spread_flips
from void_wire import sockets


@pytest.fixture
def echo() -> Iterator[str]:
    """The address of a server that says everything again, and ends where it is ended."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(OSError):
                        while data := connection.recv(65_536):
                            connection.sendall(data)

        threading.Thread(target=serve, daemon=True).start()
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"


def said(proxy: ChaosProxy, data: bytes) -> bytes:
    """What comes back of ``data``."""
    with socket.create_connection(sockets.host_and_port(proxy.address), timeout=10) as connection:
        connection.sendall(data)
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        back = b""
        with suppress(ConnectionError):
            while block := connection.recv(65_536):
                back += block
        return back


DATA = bytes(range(256)) * 400


def test_without_faults_everything_passes(echo: str) -> None:
    with ChaosProxy(echo) as proxy:
        shown = bytearray()
        proxy.control.taps["up"] = shown.extend
        assert said(proxy, DATA) == DATA
        assert bytes(shown) == DATA
        assert [proxy.control.passed[way].bytes for way in ("up", "down")] == [len(DATA)] * 2
        assert (proxy.control.connections, proxy.data.connections) == (1, 0)


def test_bits_are_flipped_where_it_was_asked(echo: str) -> None:
    flips = spread_flips(10, 10_000, seed=1)
    assert flips == sorted(flips)
    assert all(80_000 * turn <= bit < 80_000 * (turn + 1) for turn, bit in enumerate(flips))
    with ChaosProxy(echo) as proxy:
        proxy.control.faults["up"].flips = list(flips)
        wanted = bytearray(DATA)
        for bit in flips:
            wanted[bit // 8] ^= 1 << bit % 8
        assert said(proxy, DATA) == bytes(wanted) != DATA
        assert proxy.control.passed["up"].flipped == 10


def test_a_cut_ends_both_ways_after_the_bytes_it_was_told(echo: str) -> None:
    with ChaosProxy(echo) as proxy:
        proxy.control.faults["up"].cut_after = 30_000
        assert len(said(proxy, DATA)) <= 30_000
        passed = proxy.control.passed["up"]
        assert (passed.bytes, passed.cuts) == (30_000, 1)
        assert said(proxy, DATA) == DATA  # once


def test_a_half_closed_way_leaves_the_other_open(echo: str) -> None:
    with ChaosProxy(echo) as proxy:
        proxy.control.faults["up"].half_close_after = 20_000
        back = said(proxy, DATA)
        assert 20_000 <= len(back) < len(DATA)
        assert DATA.startswith(back)
        assert proxy.control.passed["up"].half_closed == 1


def test_a_slow_and_late_way_takes_no_less_than_it_was_told(echo: str) -> None:
    with ChaosProxy(echo) as proxy:
        faults = proxy.control.faults["up"]
        faults.bytes_per_s, faults.delay_s = 400_000, 0.2
        began = time.monotonic()
        assert said(proxy, DATA) == DATA
        assert time.monotonic() - began >= 0.2 + len(DATA) / 400_000 - 0.05
