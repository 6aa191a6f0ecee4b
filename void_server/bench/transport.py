"""The wire through a real server process, beside plain TCP that makes the same promises."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from void_server import local_server
from void_server.bench import memory_link, plain_tcp
from void_server.bench.row import Row, median_s
from void_wire import codec
from void_wire.client import Client, Files
from void_wire.files import write_whole
from void_wire.messages import FrameRange, JobSpec, Role

FRAME_BYTES = 1920 * 1080 * 3 * 2
"""A 1080p half RGB frame without compression."""

ROLES = (Role.PLATE, Role.REMOVE)
SENT = FrameRange(1, 8)
ASKED = FrameRange(1, 9)
"""The jobs ask for one frame more than they get, so that they stay RECEIVING and no engine runs beside."""

FRAMES = len(SENT) * len(ROLES)
MEMORY_FRAMES = 48

ROUNDS = 5
STARTS = 3
PINGS = 50
ROOM_BYTES = 80e6
"""What the server may hold beside the frames on the way."""

GIGABIT_MB_S = 117
"""1 Gbit/s less the headers of Ethernet, IP and TCP."""

CURVE_MB_S = 1000

_SPAWN = multiprocessing.get_context("spawn")


def rows() -> list[Row]:
    """Frames both ways, a control message meanwhile, the server's memory and start, and what cannot be run here."""
    with tempfile.TemporaryDirectory(prefix="void-bench-") as name:
        folder = Path(name)
        shot = _write_shot(folder / "shot")
        start_row, server = _start(folder)
        try:
            process = psutil.Process(server.process.pid)
            with Client(server.address) as client:
                credit = client.connect().credit
                idle_row = _at_most(
                    "server_idle_rss", process.memory_info().rss / 1e6, "MB", 80, "just started"
                )
                frame_rows = _frames_both_ways(client, shot, folder)
                crowded_rows = _while_uploading(client, server.address, process, shot, credit)
        finally:
            server.stop()
    memory_rows = _memory_to_memory(credit)
    return [*memory_rows, *frame_rows, *crowded_rows, start_row, idle_row, _ten_gigabit()]


# --- rows -------------------------------------------------------------------------------------------------


def _frames_both_ways(client: Client, shot: Files, folder: Path) -> list[Row]:
    """Each round runs all in turn, so that other load on the machine hits them alike; every file is a new one."""
    paths = [shot[role][frame] for role in ROLES for frame in SENT.numbers()]
    ours_up, ours_down, safe_up, safe_down, bare_up, copied = ([0.0] * ROUNDS for _ in range(6))
    for turn in range(ROUNDS):
        job = f"bench-up-{turn:04d}"
        ours_up[turn] = _upload_s(client, job, shot)
        safe_up[turn] = plain_tcp.upload_s(plain_tcp.read(paths), len(paths), folder / f"tcp-up-{turn}")
        copied[turn] = _copy_s(paths, folder / f"copied-{turn}")
        bare_up[turn] = plain_tcp.upload_s(plain_tcp.read(paths), len(paths))
        ours_down[turn] = _download_s(client, job, folder / f"ours-{turn}")
        safe_down[turn] = plain_tcp.download_s(paths, folder / f"tcp-down-{turn}")
    alike = "plain TCP with the same digest, write, fsync and rename at the receiver"
    return [
        _faster("upload", ours_up, safe_up, 0.7, f"12.4 MB frames; baseline: {alike}"),
        _faster(
            "upload_beside_copying", ours_up, copied, 0.7, "baseline: the files copied, synced and hashed"
        ),
        _faster("download", ours_down, safe_down, 0.7, f"12.4 MB frames; baseline: {alike}"),
        _fills_gigabit(ours_up, bare_up),
    ]


def _memory_to_memory(credit: int) -> list[Row]:
    """The wire alone, without keys and with."""
    payloads = [os.urandom(FRAME_BYTES) for _ in range(MEMORY_FRAMES)]
    plain, compared, encrypted, tcp = ([0.0] * ROUNDS for _ in range(4))
    for turn in range(ROUNDS):
        plain[turn] = memory_link.upload_s(payloads, credit)
        tcp[turn] = plain_tcp.upload_s(payloads, len(payloads))
        compared[turn] = memory_link.upload_s(payloads, credit, compared=True)
        encrypted[turn] = memory_link.upload_s(payloads, credit, encrypted=True)
    told = "each frame acknowledged; baseline: "
    bare, same = f"{told}plain TCP from memory to memory", f"{told}the same without"
    curve = _faster("memory_curve", encrypted, plain, 0, same, MEMORY_FRAMES)
    digests = _faster(
        "memory_digests", compared, plain, 0, f"{same}; both ends share the cores", MEMORY_FRAMES
    )
    return [
        _faster("memory", plain, tcp, 0.8, bare, MEMORY_FRAMES),
        dataclasses.replace(digests, goal="", holds=None),
        dataclasses.replace(
            curve, goal=f"> {CURVE_MB_S} MB/s", holds=bool(curve.value and curve.value > CURVE_MB_S)
        ),
    ]


def _while_uploading(
    client: Client, address: str, process: psutil.Process, shot: Files, credit: int
) -> list[Row]:
    """What a control message waits, and what the server holds, while a client in another process sends frames."""
    job = _submit(client, "bench-idle-1")
    idle_ms = median_s(lambda: client.watch(job), PINGS) * 1e3
    jobs = [_submit(client, f"bench-full-{turn}") for turn in range(2)]
    sender = _SPAWN.Process(target=_send_jobs, args=(address, jobs, shot))
    sender.start()
    waits_ms, peak_bytes = [], 0
    while sender.is_alive():
        began = time.perf_counter()
        underway = client.watch(jobs[0]).received > 0
        if underway:
            waits_ms.append((time.perf_counter() - began) * 1e3)
            peak_bytes = max(peak_bytes, process.memory_info().rss)
        time.sleep(0.002)
    sender.join()
    limit_mb = (ROOM_BYTES + credit * FRAME_BYTES) / 1e6
    note = f"median of {len(waits_ms)} status questions, worst {max(waits_ms):.0f} ms; baseline: the same, no upload"
    waited = _at_most("control_while_uploading", statistics.median(waits_ms), "ms", 50, note)
    return [
        dataclasses.replace(waited, baseline=idle_ms, ratio=waited.value / idle_ms if waited.value else None),
        _at_most("server_peak_rss", peak_bytes / 1e6, "MB", limit_mb, f"80 MB and {credit} frames of credit"),
    ]


def _start(folder: Path) -> tuple[Row, local_server.LocalServer]:
    """Start the server some times; the last one stays."""
    times = []
    for turn in range(STARTS):
        began = time.perf_counter()
        server = local_server.start(
            "tcp://127.0.0.1:0", data_dir=folder / f"data-{turn}", weights=None, idle_exit_s=0
        )
        times.append(time.perf_counter() - began)
        if turn < STARTS - 1:
            server.stop()
    python_s = median_s(lambda: subprocess.run([sys.executable, "-c", "import zmq"], check=True), STARTS)
    value = statistics.median(times)
    note = "from the command to the first listening socket; baseline: python -c 'import zmq'"
    row = Row("transport.server_start", value, "s", python_s, value / python_s, "< 1 s", value < 1, note)
    return row, server


def _ten_gigabit() -> Row:
    note = "needs two machines and a 10 GbE link; here everything runs over the loopback"
    return Row("transport.upload_10gbe", None, "MB/s", None, None, ">= 0.8 of the link", None, note)


def _faster(
    name: str, ours_s: list[float], theirs_s: list[float], goal: float, note: str, count: int = FRAMES
) -> Row:
    sent_mb = count * FRAME_BYTES / 1e6
    ratio = statistics.median(theirs / ours for ours, theirs in zip(ours_s, theirs_s, strict=True))
    value, baseline = (sent_mb / statistics.median(times) for times in (ours_s, theirs_s))
    return Row(f"transport.{name}", value, "MB/s", baseline, ratio, f"ratio >= {goal}", ratio >= goal, note)


def _fills_gigabit(ours_s: list[float], bare_s: list[float]) -> Row:
    row = _faster("upload_beside_bare_tcp", ours_s, bare_s, 0, "baseline: plain TCP into memory, no promise")
    goal = f">= {GIGABIT_MB_S} MB/s, what 1 GbE carries"
    return dataclasses.replace(row, goal=goal, holds=bool(row.value and row.value >= GIGABIT_MB_S))


def _at_most(name: str, value: float, unit: str, limit: float, note: str) -> Row:
    return Row(f"transport.{name}", value, unit, None, None, f"<= {limit:.0f} {unit}", value <= limit, note)


# --- ours -------------------------------------------------------------------------------------------------


def _write_shot(folder: Path) -> Files:
    folder.mkdir()
    shot = {role: {frame: folder / f"{role.value}.{frame}.exr" for frame in SENT.numbers()} for role in ROLES}
    for paths in shot.values():
        for path in paths.values():
            path.write_bytes(os.urandom(FRAME_BYTES))
    return shot


def _spec(job: str, frames: FrameRange) -> JobSpec:
    return JobSpec(job=job, shot="bench", engine="draft", frames=frames, roles=ROLES)


def _submit(client: Client, job: str) -> str:
    client.submit(_spec(job, ASKED))
    return job


def _upload_s(client: Client, job: str, shot: Files) -> float:
    _submit(client, job)
    began = time.perf_counter()
    client.upload(_spec(job, SENT), shot)
    return time.perf_counter() - began


def _download_s(client: Client, job: str, folder: Path) -> float:
    began = time.perf_counter()
    for role in ROLES:
        paths = {frame: folder / f"{role.value}.{frame}.exr" for frame in SENT.numbers()}
        for _ in client.fetch(job, role, paths, paths.__getitem__):
            pass
    return time.perf_counter() - began


def _copy_s(paths: list[Path], folder: Path) -> float:
    """What somebody would do by hand on the server's own disk."""
    folder.mkdir()
    began = time.perf_counter()
    for index, path in enumerate(paths):
        payload = path.read_bytes()
        codec.digest(payload)
        write_whole(folder / f"{index}.exr", payload)
    return time.perf_counter() - began


def _send_jobs(address: str, jobs: list[str], shot: Files) -> None:
    """What a client in a process of its own does."""
    with Client(address) as client:
        for job in jobs:
            client.upload(_spec(job, SENT), shot)
