"""Rows 13 and 14: bits turned over, connections cut, slow and late lines."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from void_server.bench.trust.chaos_proxy import ChaosProxy, Port, Way, spread_flips
from void_server.bench.trust.ground import Bits, Ground, bits, bring, finished
from void_server.bench.trust.tried_server import TriedServer
from void_server.bench.trust.verdict import Finding
from void_wire.client import Client, Files
from void_wire.connection import Connection
from void_wire.errors import TransportError, VoidError
from void_wire.messages import FrameRange, JobSpec, Role

FRAME_BYTES = 20_000
SMALL_BYTES = 500
"""Of the frames whose bits are flipped: as many flips hit what stands before a frame as its bytes."""

FRAMES = 40
ROLES = (Role.PLATE, Role.REMOVE)
EVERY_BYTES = 12 * SMALL_BYTES
"""Between two flips: most frames pass, and hardly one is damaged three times in turn."""

MEGABIT = 125_000  # bytes a second
LATE_S = 0.2


def bits_flipped(ground: Ground, count: int) -> list[Finding]:
    """Row 13: ``count`` bits are turned over on plain TCP, both ways and on both ports, and some under keys."""
    plain = _flipped(ground, count, keys=False)
    under_keys = _flipped(ground, max(2, count // 10), keys=True)
    return [*plain, *under_keys]


def _flipped(ground: Ground, count: int, *, keys: bool) -> list[Finding]:
    told: Counter[str] = Counter()
    wrong = rounds = 0
    files = _random_files(ground.place("random"), FRAMES, SMALL_BYTES)
    with ground.server(keys=keys) as server:
        there = server.key("anna") if keys else Connection(server.address)
        with ChaosProxy(server.address) as proxy:
            to = replace(there, address=proxy.address)
            while (flipped := _flipped_so_far(proxy)) < count:
                rounds += 1
                _plan_flips(proxy, count - flipped, seed=rounds)
                wrong += _there_and_back(ground, server, to, f"flipped-{rounds:05d}", files, told)
        errors = server.log().count("Traceback")
    name = f"{_flipped_so_far(proxy)} bits flipped{' under keys' if keys else ''}"
    how = ", ".join(f"{code} {times}" for code, times in sorted(told.items())) or "none"
    return [
        Finding(f"{name}, {wrong} wrong frames or jobs; told to the user: {how}", wrong == 0),
        Finding(f"{errors} bugs in the server's log", errors == 0),
    ]


def _plan_flips(proxy: ChaosProxy, left: int, seed: int) -> None:
    """Most among the frames, a few among the control messages, where fewer bytes pass."""
    plans: tuple[tuple[Port, Way, int], ...] = (
        (proxy.data, "up", EVERY_BYTES),
        (proxy.data, "down", EVERY_BYTES),
        (proxy.control, "up", 4_000),
        (proxy.control, "down", 20_000),
    )
    for place, (port, way, every_bytes) in enumerate(plans):
        begun = 8 * port.passed[way].bytes
        flips = spread_flips(min(left, 100), every_bytes, 4 * seed + place)
        port.faults[way].flips = [begun + bit for bit in flips]


def _flipped_so_far(proxy: ChaosProxy) -> int:
    return sum(port.passed[way].flipped for port in proxy.ports for way in port.passed)


def _there_and_back(
    ground: Ground, server: TriedServer, to: Connection, job: str, files: Files, told: Counter[str]
) -> int:
    """Frames, or settings of the job, that are not what was sent; refusals are counted and the request made again."""
    asked = JobSpec(
        job=job,
        shot="flips",
        engine="draft",
        frames=FrameRange(1, FRAMES + 1),  # one more than is sent, so that no engine runs
        roles=ROLES,
        prompt="a room that is empty but for the light of the morning",
    )
    sent = replace(asked, frames=FrameRange(1, FRAMES))
    home, arrived = ground.place("home"), set[int]()
    for _ in range(200):
        try:
            with Client(to, patience_s=3.0) as client:
                client.submit(asked)
                client.upload(sent, files)
                missing = sorted(set(sent.frames.numbers()) - arrived)
                for frame, _path in client.fetch(job, Role.PLATE, missing, lambda n: home / str(n)):
                    arrived.add(frame)
            break
        except VoidError as error:
            told[error.code] += 1
    else:
        return FRAMES
    wrong = sum((home / str(n)).read_bytes() != files[Role.PLATE][n].read_bytes() for n in arrived)
    there = server.data_dir / "jobs" / job
    for role in ROLES:
        for frame, path in files[role].items():
            wrong += (there / role.value / f"{frame}.exr").read_bytes() != path.read_bytes()
    with Client(replace(to, address=server.address)) as straight:
        return wrong + (straight.spec(job) != asked)


def lines_cut_slow_and_late(ground: Ground, count: int) -> list[Finding]:
    """Row 14: a job over a line that is cut ``count`` times, then over one of 1 Mbit/s, then over one 200 ms away."""
    with ground.server() as server, ChaosProxy(server.address) as proxy:
        wanted = ground.undisturbed("draft")
        chance = np.random.default_rng(14)
        cut = same = turn = 0
        while cut < count:
            turn += 1
            for port in proxy.ports:
                for way, passed in port.passed.items():
                    port.faults[way].cut_after = passed.bytes + int(chance.integers(1, 60_000))
            same += _whole_job(ground, proxy.address, f"cut-line-{turn:04d}") == wanted
            cut = sum(passed.cuts for port in proxy.ports for passed in port.passed.values())
        for port in proxy.ports:
            for faults in port.faults.values():
                faults.cut_after = None
                faults.delay_s = LATE_S / 2
        late = _whole_job(ground, proxy.address, "late-line-1") == wanted
        for port in proxy.ports:
            for faults in port.faults.values():
                faults.delay_s = 0.0
        share = _throttled_share(ground, proxy, max(1, count // 5))
    return [
        Finding(f"{cut} cuts, {same} of {turn} jobs whole and bit for bit", same == turn),
        Finding(
            f"{LATE_S * 1e3:.0f} ms there and back: bit for bit" if late else "wrong over a late line", late
        ),
        Finding(f"{share:.0%} of 1 Mbit/s used (>= 80 %)", share >= 0.8, timed=True),
    ]


def _whole_job(ground: Ground, address: str, job: str) -> Bits:
    """The result of the job, all of it over the line; submitted again where the user would."""
    spec, shot = ground.spec("draft", job), ground.shot_for("draft")
    for _ in range(20):
        try:
            with Client(address) as client:
                client.submit(spec)
                client.upload(spec, shot.files)
                finished(client, job)
                return bits(bring(client, spec, ground.place("home")))
        except TransportError:
            continue
    return {}


def _throttled_share(ground: Ground, proxy: ChaosProxy, seconds: int) -> float:
    """How much of a line of 1 Mbit/s the frames get, over some seconds."""
    frames = max(4, seconds * MEGABIT // (len(ROLES) * FRAME_BYTES))
    files = _random_files(ground.place("random"), frames, FRAME_BYTES)
    asked = JobSpec("slow-line-1", "slow", "draft", FrameRange(1, frames + 1), ROLES)
    faults = proxy.data.faults["up"]
    with Client(proxy.address) as client:
        client.submit(asked)
        faults.bytes_per_s = MEGABIT
        began = time.monotonic()
        client.upload(replace(asked, frames=FrameRange(1, frames)), files)
        took_s = time.monotonic() - began
        faults.bytes_per_s = 0.0
    return len(ROLES) * frames * FRAME_BYTES / MEGABIT / took_s


def _random_files(folder: Path, frames: int, size_bytes: int) -> Files:
    files = {role: {n: folder / f"{role.value}.{n}" for n in range(1, frames + 1)} for role in ROLES}
    for paths in files.values():
        for path in paths.values():
            path.write_bytes(os.urandom(size_bytes))
    return files
