"""A TCP proxy between a client and a server that does to the bytes what networks do."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from void_wire import sockets

BLOCK_BYTES = 16_384
Way = Literal["up", "down"]
"""From client to server, or back."""


@dataclass
class Faults:
    """What happens to one way of the connections of one port. May be changed while bytes pass."""

    delay_s: float = 0.0  # each byte comes so much later
    bytes_per_s: float = 0.0  # 0: as fast as it goes; all connections of the way share it
    cut_after: int | None = (
        None  # bytes of the way, all connections together: then both ends of one are reset
    )
    half_close_after: int | None = None  # bytes: then the way ends, and the other one stays open
    flips: list[int] = field(
        default_factory=list
    )  # bits to turn over, counted from the way's first bit, ascending


@dataclass
class Passed:
    """What went through one way of a port so far."""

    bytes: int = 0
    flipped: int = 0
    cuts: int = 0
    half_closed: int = 0


Tap = Callable[[bytes], None]
"""Shown every block of a way as it arrived."""


class Port:
    """One port of the server, and the one that stands for it."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.faults: dict[Way, Faults] = {"up": Faults(), "down": Faults()}
        self.passed: dict[Way, Passed] = {"up": Passed(), "down": Passed()}
        self.taps: dict[Way, Tap] = {}
        self.connections = 0
        self._ends: set[asyncio.StreamWriter] = set()
        self._free_at: dict[Way, float] = {"up": 0.0, "down": 0.0}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on until an end of it is closed."""
        host, port = sockets.host_and_port(self.target)
        try:
            far_reader, far_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.transport.abort()
            return
        self.connections += 1
        ends = (writer, far_writer)
        self._ends.update(ends)
        try:
            await asyncio.gather(
                self._pass("up", reader, far_writer, ends), self._pass("down", far_reader, writer, ends)
            )
        finally:
            self._ends.difference_update(ends)
            for end in ends:
                end.transport.abort()

    def cut_all(self) -> None:
        """Reset every connection. On the proxy's thread."""
        for end in self._ends:
            end.transport.abort()

    async def _pass(
        self,
        way: Way,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        ends: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
    ) -> None:
        faults, passed = self.faults[way], self.passed[way]
        loop = asyncio.get_running_loop()
        late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=4096)
        sender = asyncio.ensure_future(self._send_late(late, writer))
        try:
            with contextlib.suppress(OSError):
                while block := await reader.read(BLOCK_BYTES):
                    if tap := self.taps.get(way):
                        tap(block)
                    block = self._flipped(way, block)
                    if faults.bytes_per_s:
                        begins = max(self._free_at[way], loop.time())
                        self._free_at[way] = begins + len(block) / faults.bytes_per_s
                        await asyncio.sleep(self._free_at[way] - loop.time())
                    if faults.cut_after is not None and passed.bytes + len(block) >= faults.cut_after:
                        kept = max(0, faults.cut_after - passed.bytes)
                        faults.cut_after = None
                        passed.bytes += kept
                        passed.cuts += 1
                        writer.write(block[:kept])
                        for end in ends:
                            end.transport.abort()
                        return
                    passed.bytes += len(block)
                    await late.put((loop.time() + faults.delay_s, block))
                    if faults.half_close_after is not None and passed.bytes >= faults.half_close_after:
                        faults.half_close_after = None
                        passed.half_closed += 1
                        break
            await late.put((0.0, b""))
            await sender
        finally:
            sender.cancel()

    async def _send_late(
        self, late: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError, RuntimeError):
            while True:
                at, block = await late.get()
                if not block:
                    writer.write_eof()
                    return
                if at > loop.time():
                    await asyncio.sleep(at - loop.time())
                writer.write(block)
                await writer.drain()

    def _flipped(self, way: Way, block: bytes) -> bytes:
        faults, passed = self.faults[way], self.passed[way]
        first = 8 * passed.bytes
        if not faults.flips or faults.flips[0] >= first + 8 * len(block):
            return block
        changed = bytearray(block)
        while faults.flips and faults.flips[0] < first + 8 * len(block):
            at = faults.flips.pop(0) - first
            if at >= 0:
                changed[at // 8] ^= 1 << at % 8
                passed.flipped += 1
        return bytes(changed)


class ChaosProxy:
    """Stands before both ports of a server: ``with ChaosProxy(server.address) as proxy: Client(proxy.address)``.

    Runs on a thread of its own. ``control`` and ``data`` are its two ports, whose faults may be changed at any time.

    Args:
        address: of the server, tcp. It may go away and come back.
    """

    def __init__(self, address: str) -> None:
        self.control, self.data = Port(address), Port(sockets.data_address(address))
        self.address = ""
        self._loop = asyncio.new_event_loop()
        self._listens = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chaos", daemon=True)

    def __enter__(self) -> ChaosProxy:
        self._thread.start()
        self._listens.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    @property
    def ports(self) -> tuple[Port, Port]:
        """Control and data."""
        return self.control, self.data

    def cut_all(self) -> None:
        """Reset every connection of both ports."""
        for port in self.ports:
            self._loop.call_soon_threadsafe(port.cut_all)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        listening = self._loop.run_until_complete(self._listen())
        self._listens.set()
        self._loop.run_forever()
        for server in listening:
            server.close()
        self._loop.run_until_complete(self._hang_up())
        self._loop.close()

    async def _hang_up(self) -> None:
        for port in self.ports:
            port.cut_all()
        if left := asyncio.all_tasks(self._loop) - {asyncio.current_task(self._loop)}:
            await asyncio.wait(left, timeout=5)

    async def _listen(self) -> list[asyncio.Server]:
        while True:
            first = await asyncio.start_server(self.control.serve, "127.0.0.1", 0)
            port = int(first.sockets[0].getsockname()[1])
            try:
                second = await asyncio.start_server(self.data.serve, "127.0.0.1", port + 1)
            except OSError:  # the neighbour is taken
                first.close()
                continue
            self.address = f"tcp://127.0.0.1:{port}"
            return [first, second]


def spread_flips(count: int, every_bytes: int, seed: int) -> list[int]:
    """Bit positions, ascending: one at random in each stretch of ``every_bytes``."""
    within = np.random.default_rng(seed).integers(0, 8 * every_bytes, count)
    return [8 * every_bytes * turn + int(bit) for turn, bit in enumerate(within)]
