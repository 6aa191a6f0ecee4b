"""Row 12: files that are no pictures, or worse ones, before the worker's own reader and through real jobs."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from void_server.bench.trust.ground import Ground, finished, submit, until
from void_server.bench.trust.hostile_exr import BOMBS, COMPRESSIONS, write_small
from void_server.bench.trust.verdict import Finding, at_most
from void_server.frames.exr import limit_decoder, read_header, read_plate
from void_server.frames.matte_files import read_mattes
from void_server.worker_memory import limit_memory
from void_wire.client import Client
from void_wire.errors import VoidError
from void_wire.messages import Role, State

GIB = 1 << 30
CHILD_S = 600.0
SLOW_S = 1.0


def mutated(ground: Ground, count: int) -> list[Finding]:
    """Row 12: ``count`` mutants in a child that reads as the worker does; then each bomb as a job of its own."""
    seen, crashes, folder = Counter[str](), 0, ground.place("mutants")
    slowest_s = rss_mb = 0.0
    done = 0
    while done < count:
        said = _child(folder, done, count)
        last = [json.loads(line) for line in said.splitlines() if line.startswith("{")][-1:]
        if not last or not last[0]["whole"]:
            crashes += 1
        if not last:
            done += 1
            continue
        seen.update(last[0]["seen"])
        slowest_s, rss_mb = max(slowest_s, last[0]["slowest_s"]), max(rss_mb, last[0]["rss_mb"])
        done = last[0]["next"] + (not last[0]["whole"])
    wrong = sum(times for name, times in seen.items() if name.startswith("wrong"))
    how = ", ".join(f"{name} {times}" for name, times in seen.most_common())
    return [
        Finding(f"{count} mutants: {how}", wrong == 0),
        Finding(f"{crashes} crashes", crashes == 0),
        Finding(f"decoder's memory {rss_mb:.0f} MB (<= 1074)", rss_mb * 1e6 <= GIB),
        at_most("slowest", slowest_s, SLOW_S, "s"),
        *_bombs_as_jobs(ground),
    ]


def _child(folder: Path, first: int, stop: int) -> str:
    """What a reader in a process of its own says of mutants ``first`` to ``stop``."""
    command = [sys.executable, "-m", "void_server.bench.trust.pictures", str(folder), str(first), str(stop)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=CHILD_S, check=False)
    return done.stdout


def _read_mutants(folder: Path, first: int, stop: int) -> None:
    """In the child: read, and say from time to time what came of it, so that a crash costs little."""
    limit_decoder()
    limit_memory(GIB)
    good = [write_small(folder / "good.exr", compression) for compression in COMPRESSIONS]
    path, seen, slowest_s = folder / "mutant.exr", Counter[str](), 0.0
    for number in range(first, stop):
        path.write_bytes(_mutant(good, number))
        began = time.monotonic()
        seen[_read(path)] += 1
        slowest_s = max(slowest_s, time.monotonic() - began)
        if number % 500 == 0 or number == stop - 1:
            rss_mb = _peak_mb()
            said = {"seen": seen, "slowest_s": slowest_s, "rss_mb": rss_mb, "next": number + 1}
            print(json.dumps({**said, "whole": number == stop - 1}), flush=True)


def _peak_mb() -> float:
    """Of this process. On Linux getrusage's figure is no less than what the parent had when it started this one."""
    with contextlib.suppress(OSError):
        said = Path("/proc/self/status").read_text(encoding="ascii")
        return int(re.findall(r"VmHWM:\s+(\d+) kB", said)[0]) * 1024 / 1e6
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def _mutant(good: list[bytes], number: int) -> bytes:
    """One to eight changed bytes, a repeat or a cut of one of ``good``; half of them in the header."""
    source = np.random.default_rng([12, number])
    data = bytearray(good[number % len(good)])
    reach = 400 if source.integers(2) else len(data)
    for _ in range(int(source.integers(1, 9))):
        at, how = int(source.integers(min(reach, len(data)))), int(source.integers(20))
        if how == 0 and len(data) > 100:
            del data[at + 1 :]
        elif how == 1:
            data[at:at] = data[at : at + int(source.integers(64))]
        elif how < 8:
            data[at] = (0, 1, 0x7F, 0x80, 0xFF)[int(source.integers(5))]
        else:
            data[at] ^= 1 << int(source.integers(8))
    return bytes(data)


def _read(path: Path) -> str:
    """What the worker's readers make of a file: read, refused by its class, or a bug."""
    try:
        plate = read_plate(path, 1)
        read_header(path, 1)
        read_mattes({Role.REMOVE: path}, 1, plate.layout.display)
    except VoidError as error:
        return f"refused {error.code}"
    except MemoryError:
        return "refused for memory"
    except Exception as error:
        return f"wrong {type(error).__name__}"
    return "read"


def _bombs_as_jobs(ground: Ground) -> list[Finding]:
    """Each bomb as a plate that a client sends without looking at it."""
    shot, folder = ground.tiny_shot, ground.place("bombs")
    told, slowest_s = [], 0.0
    with ground.server(settings={"worker_memory_gb": 2}) as server, Client(server.address) as client:
        good = shot.spec("before-bombs-1")
        submit(client, good, shot)
        finished(client, good.job)
        worker = server.workers()
        for number, (name, write) in enumerate(BOMBS.items()):
            path = folder / f"{number}.exr"
            write(path)
            spec, files = shot.spec(f"bomb-job-{number}"), shot.files
            client.submit(spec)
            client.upload(spec, {**files, Role.PLATE: dict.fromkeys(shot.frames.numbers(), path)})
            began = time.monotonic()
            status = until(client, spec.job, lambda status: False)
            slowest_s = max(slowest_s, time.monotonic() - began)
            failed = status.state is State.FAILED and status.error_code.startswith("shot.")
            told.append(Finding(f"{name}: {status.error_code or status.state.value}", failed))
        good = shot.spec("after-bombs-1")
        submit(client, good, shot)
        alive = finished(client, good.job).state is State.DONE
        same = [one.pid for one in server.workers()] == [one.pid for one in worker]
    return [
        *told,
        at_most("a bomb's refusal took", slowest_s, SLOW_S, "s"),
        Finding(f"server and {'the same' if same else 'ANOTHER'} worker go on", alive and same),
    ]


if __name__ == "__main__":
    _read_mutants(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
