"""Row 19: thousands of jobs, and a clock that is set while they run."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from void_server.bench.small_shot import make_shot
from void_server.bench.trust.ground import Ground, bits, bring, finished, submit
from void_server.bench.trust.tried_server import TriedServer
from void_server.bench.trust.verdict import Finding
from void_wire.client import Client
from void_wire.messages import State

HOUR_S = 3600.0
SAMPLES = 200
WARM_SHARE = 0.2
"""Of the samples: caches fill."""

LEAST_JOBS = 500
"""A slope of fewer says nothing."""

CLOCK = """
import time
real = time.time

def set_clock():
    try:
        with open({path!r}) as file:
            return real() + float(file.read() or 0)
    except (OSError, ValueError):
        return real()

time.time = set_clock
"""
"""Python's clock, of server and worker, as it would be if somebody set the machine's."""


@dataclass
class _Samples:
    """Of a server, by jobs done."""

    jobs: list[int] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def take(self, server: TriedServer, jobs: int) -> None:
        """After so many jobs."""
        self.jobs.append(jobs)
        self.rss_mb.append(server.rss_mb())
        self.descriptors.append(server.descriptors())

    def findings(self) -> list[Finding]:
        """Growth once it is warm."""
        first = int(len(self.jobs) * WARM_SHARE)
        jobs, rss_mb, descriptors = self.jobs[first:], self.rss_mb[first:], self.descriptors[first:]
        if self.jobs[-1] < LEAST_JOBS:
            slope = Finding(f"memory: not measured, {LEAST_JOBS} jobs at least", None)
        else:
            mb = 1000 * float(np.polyfit(jobs, rss_mb, 1)[0])
            slope = Finding(f"memory grew by {mb:.2f} MB in 1000 jobs (<= 1)", mb <= 1)
        more = max(descriptors) - min(descriptors)
        return [slope, Finding(f"files open: {min(descriptors)} to {max(descriptors)}", more <= 4)]


def soak(ground: Ground, count: int) -> list[Finding]:
    """Row 19: ``count`` tiny jobs one after the other, the clock set between them; old jobs are purged."""
    clock = ground.place("clock") / "offset_s"
    shot = make_shot(ground.place("soak-shot"), frames=1, size=(16, 24))
    jumps = {count // 4: HOUR_S, count // 2: -HOUR_S, 3 * count // 4: 0.0}
    samples, slowest_s, wrong, home = _Samples(), 0.0, 0, ground.place("home")
    with ground.server(hook=CLOCK.format(path=str(clock))) as server, Client(server.address) as client:
        wanted = None
        for turn in range(count):
            if turn in jumps:
                clock.write_text(str(jumps[turn]))
            spec, began = shot.spec(f"soak-job-{turn:06d}"), time.monotonic()
            submit(client, spec, shot)
            finished(client, spec.job)
            slowest_s = max(slowest_s, time.monotonic() - began) if turn else 0.0
            made = bits(bring(client, spec, home))
            wanted = wanted or made
            wrong += made != wanted
            if turn >= 20:
                client.purge(f"soak-job-{turn - 20:06d}")
            if turn % max(1, count // SAMPLES) == 0:
                samples.take(server, turn)
        order = _queue_over_a_jump(client, ground, clock)
    return [
        Finding(
            f"{count} jobs, the clock set by +1 h, -2 h, +1 h between them: {wrong} with other bits",
            wrong == 0,
        ),
        Finding(f"slowest job {slowest_s:.2f} s", slowest_s < HOUR_S / 60),
        order,
        *samples.findings(),
        Finding("24 h idle: not measured", None),
    ]


def _queue_over_a_jump(client: Client, ground: Ground, clock: Path) -> Finding:
    """Who came first is first, though the clock was set back in between."""
    shot, jobs = ground.shot, ["first-in-line", "then-the-clock", "last-in-line"]
    for job, offset_s in zip(jobs, (0.0, 0.0, -HOUR_S), strict=True):
        clock.write_text(str(offset_s))
        submit(client, shot.spec(job), shot)
    clock.write_text("0")
    waiting = {status.job: status.queue_place for status in client.jobs() if status.state is State.QUEUED}
    order = sorted((job for job in jobs if job in waiting), key=waiting.__getitem__)
    for job in jobs:
        finished(client, job)
    kept = order == [job for job in jobs if job in waiting]
    return Finding(f"queue over a clock set back: {', '.join(order) or 'empty before it was seen'}", kept)
