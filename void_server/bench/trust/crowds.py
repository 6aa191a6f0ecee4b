"""Rows 5 to 8: one client's cancel, freeze and slowness, and eight clients at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import psutil

from void_server.bench.trust.ground import ENDLESS, Ground, bring, submit, until
from void_server.bench.trust.tried_server import PeakMemory, TriedServer
from void_server.bench.trust.verdict import Finding, NotMeasured, at_most
from void_wire import sockets
from void_wire.client import ENDED, Client, Files
from void_wire.errors import ServerBusy
from void_wire.messages import FrameRange, JobSpec, Role, Stage, State

BIG_BYTES = 8_000_000
ROLES = (Role.PLATE, Role.REMOVE)
CLIENTS = 8
NOTICED_S = 20.0
"""As long as a row waits for what is wanted within 7 s."""

_SPAWN = multiprocessing.get_context("spawn")


def cancelled(ground: Ground, count: int) -> list[Finding]:
    """Row 5: a running job is cancelled; how soon that is acknowledged, and how many more steps are made."""
    slow = replace(ENDLESS, raster_height_px=96, raster_width_px=160)
    shot, answers_s, more_steps, ends, kept = ground.shot_for("void"), [], [], 0, 0
    with ground.server(model=True) as server, Client(server.address) as client:
        for turn in range(count):
            spec = shot.spec(f"cancel-me-{turn:04d}", slow)
            submit(client, spec, shot)
            step = until(
                client, spec.job, lambda status: status.stage is Stage.PASS1 and status.step > 1
            ).step
            began = time.monotonic()
            status = client.cancel(spec.job)
            answers_s.append(time.monotonic() - began)
            last = step = max(step, status.step)
            while status.state not in ENDED:
                last = max(last, status.step)
                status = client.watch(spec.job, status.revision, 1.0)
            more_steps.append(last - step)
            ends += status.state is State.CANCELLED
        partial = ground.shot.spec("cancel-half-made")
        submit(client, partial, ground.shot)
        until(client, partial.job, lambda status: len(status.ready.get(Role.RESULT, ())) > 1)
        ready = client.cancel(partial.job).ready[Role.RESULT]
        until(client, partial.job, lambda status: False)
        kept = len(bring(client, partial, ground.place("home")))
    return [
        Finding(f"{ends} of {count} cancelled", ends == count),
        at_most("acknowledged after", max(answers_s) * 1e3, 200, "ms"),
        Finding(f"{max(more_steps)} steps more at most (<= 1)", max(more_steps) <= 1, timed=True),
        Finding(f"{kept} frames made before stay, {len(ready)} were told", kept >= len(ready) > 0),
    ]


def client_frozen(ground: Ground, count: int) -> list[Finding]:
    """Row 6: a client that fetches large frames is stopped (SIGSTOP) for ``count`` seconds, another goes on."""
    if not hasattr(signal, "SIGSTOP"):
        raise NotMeasured("this system cannot stop a process")
    with _held_frames(ground, 8) as (server, job):
        alone = _fetched_per_s(server, job, ground, min(count, 10))
        frozen, told = _spawn(_fetch_for_ever, server.address, job, ground.place("frozen"))
        try:
            told.recv()  # frames stream to it
            peers = _connections(server, frozen.pid)
            memory = PeakMemory(server)
            os.kill(frozen.pid or 0, signal.SIGSTOP)
            began = time.monotonic()
            noticed: list[float] = []
            watching = threading.Thread(target=_until_gone, args=(server, peers, began, noticed))
            watching.start()
            beside = _fetched_per_s(server, job, ground, count, memory.look)
            watching.join()
            growth_mb = memory.growth_mb
        finally:
            frozen.kill()
            frozen.join()
    room_mb = 4 * BIG_BYTES / 1e6 + 64
    return [
        Finding(f"frozen for {count} s: control connection dropped", bool(noticed)),
        at_most("noticed after", noticed[0] if noticed else NOTICED_S, 7, "s"),
        Finding(f"memory grew by {growth_mb:.0f} MB (<= {room_mb:.0f})", growth_mb <= room_mb),
        Finding(
            f"another client had {beside / alone:.0%} of its rate (>= 90 %)",
            beside >= 0.9 * alone,
            timed=True,
        ),
    ]


def slow_reader(ground: Ground, count: int) -> list[Finding]:
    """Row 7: ``count`` frames of 8 MB to a client that takes one a second (above 60; else ten)."""
    pause_s = 1.0 if count > 60 else 0.1
    held = 20
    with _held_frames(ground, held) as (server, job), Client(server.address) as client:
        folder, wanted, memory, arrived = ground.place("slow"), _payload(), PeakMemory(server), 0
        while arrived < count:
            numbers = range(1, 1 + min(held, count - arrived))
            for _, path in client.fetch(job, Role.PLATE, numbers, lambda n: folder / str(n)):
                arrived += path.read_bytes() == wanted
                path.unlink()
                memory.look()
                time.sleep(pause_s)
        growth_mb = memory.growth_mb
    return [
        Finding(f"{arrived} of {count} frames of 8 MB arrived, one each {pause_s:g} s", arrived == count),
        Finding(f"memory grew by {growth_mb:.0f} MB (<= 100)", growth_mb <= 100),
    ]


def eight_at_once(ground: Ground, count: int) -> list[Finding]:
    """Row 8: eight clients send equal jobs for ``count`` seconds; a ninth is refused."""
    with ground.server(settings={"queue_limit": CLIENTS}) as server:
        path = ground.place("big") / "frame"
        path.write_bytes(os.urandom(BIG_BYTES // 4))
        senders = [_spawn(_send_for, server.address, f"at-once-{n:04d}", path, count) for n in range(CLIENTS)]
        try:
            for _, pipe in senders:
                pipe.recv()  # its job is made
            ninth, began = "", time.monotonic()
            with Client(server.address, patience_s=10) as client:
                try:
                    client.submit(_spec("ninth-job", 4))
                except ServerBusy as error:
                    ninth = str(error)
            refused_s = time.monotonic() - began
            for _, pipe in senders:
                pipe.send("go")
            sent = [pipe.recv() for _, pipe in senders]
        finally:
            for process, _ in senders:
                process.kill()
                process.join()
    fair = min(sent) / max(sent)
    return [
        Finding(f"ninth: {ninth or 'was let in'}", "queue_limit" in ninth),
        at_most("refused after", refused_s, 5, "s"),
        Finding(f"{sum(sent)} frames of 2 MB in {count} s, none of eight left out", min(sent) > 0),
        Finding(f"fewest over most {fair:.2f} (>= 0.8)", fair >= 0.8, timed=True),
    ]


# --- a server that holds large frames ---------------------------------------------------------------------


@contextmanager
def _held_frames(ground: Ground, frames: int) -> Iterator[tuple[TriedServer, str]]:
    """A server and the id of its job, which has ``frames`` large plates and lacks one, so that no engine runs."""
    path = ground.place("big") / "frame"
    path.write_bytes(_payload())
    small = path.with_name("small")
    small.write_bytes(b"small")
    numbers = range(1, frames + 1)
    files: Files = {Role.PLATE: dict.fromkeys(numbers, path), Role.REMOVE: dict.fromkeys(numbers, small)}
    with ground.server() as server:
        with Client(server.address) as client:
            spec = _spec("large-frames-1", frames + 1)
            client.submit(spec)
            client.upload(replace(spec, frames=FrameRange(1, frames)), files)
        yield server, spec.job


def _payload() -> bytes:
    return bytes(range(250)) * (BIG_BYTES // 250)


def _spec(job: str, frames: int) -> JobSpec:
    return JobSpec(job, "crowd", "draft", FrameRange(1, frames), ROLES)


def _fetched_per_s(
    server: TriedServer, job: str, ground: Ground, seconds: float, look: Callable[[], None] = lambda: None
) -> float:
    folder, began, count = ground.place("home"), time.monotonic(), 0
    with Client(server.address) as client:
        while time.monotonic() - began < seconds:
            for _ in client.fetch(job, Role.PLATE, range(1, 9), lambda n: folder / str(n)):
                count += 1
                look()
    return count / (time.monotonic() - began)


def _connections(server: TriedServer, pid: int | None) -> set[int]:
    """The ports from which process ``pid`` is connected to the server's control port."""
    port = sockets.host_and_port(server.address)[1]
    return {
        one.laddr.port
        for one in psutil.Process(pid).net_connections("tcp")
        if one.raddr and one.raddr.port == port
    }


def _until_gone(server: TriedServer, peers: set[int], began: float, noticed: list[float]) -> None:
    """Note when the server has none of its connections to ``peers`` any more."""
    port = sockets.host_and_port(server.address)[1]
    while time.monotonic() - began < NOTICED_S:
        there = {
            one.raddr.port
            for one in server.seen.net_connections("tcp")
            if one.raddr and one.laddr.port == port and one.status == psutil.CONN_ESTABLISHED
        }
        if not there & peers:
            noticed.append(time.monotonic() - began)
            return
        time.sleep(0.1)


# --- clients in processes of their own ----------------------------------------------------------------------


def _spawn(work: Callable[..., None], *given: object) -> tuple[multiprocessing.process.BaseProcess, Pipe]:
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=work, args=(theirs, *given), daemon=True)
    process.start()
    return process, ours


def _fetch_for_ever(pipe: Pipe, address: str, job: str, folder: Path) -> None:
    with Client(address) as client:
        while True:
            for _ in client.fetch(job, Role.PLATE, range(1, 9), lambda n: folder / str(n)):
                pipe.send("a frame")


def _send_for(pipe: Pipe, address: str, job: str, path: Path, seconds: float) -> None:
    """Send frames of an endless job until the time is over; tell how many are safe there."""
    with Client(address) as client:
        spec = _spec(job, 20_000 // len(ROLES))
        client.submit(spec)
        pipe.send("made")
        pipe.recv()
        began, safe, first = time.monotonic(), 0, 1
        while time.monotonic() - began < seconds:
            frames = FrameRange(first, first + 3)
            files = {role: dict.fromkeys(frames.numbers(), path) for role in ROLES}
            client.upload(replace(spec, frames=frames), files)
            safe += len(ROLES) * len(frames)
            first += 4
        pipe.send(safe)
