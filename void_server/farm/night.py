"""How long a night's shots take on a farm, before anything is bought or sent: a small simulation.

Each GPU takes the next segment that waits, reads its frames, works, writes; the first time it reads the model too.
Reads and writes share what the storage gives, and no node gets more than its own link. What is worked on is not read
ahead, so the figures are on the careful side.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

from void_farm.plan import split
from void_server.engine.windows import cut_windows, latent_frames
from void_wire.messages import FrameRange
from void_wire.messages.noise_range import FRAMES_PER_PAIR


@dataclass(frozen=True)
class Site:
    """The farm, in figures that a wrangler can measure."""

    gpus: int = 60
    storage_mb_s: float = 5000.0  # of all nodes together
    link_mb_s: float = 1100.0  # of one node: 10 GbE
    model_mb: float = 37_000.0  # read once a node, then it is in the node's memory
    load_s: float = 10.0  # of a session, beside reading
    session_tasks: int = 0  # tasks before a session ends and another loads again; 0: it lasts the night


@dataclass(frozen=True)
class Cost:
    """What frames cost."""

    window_s: float = 75.0  # both passes over one full window, with decoding
    window_frames: int = 85
    frame_s: float = 1.0  # of a frame, beside the model: colour, detail, grain, files
    task_s: float = 3.0  # of a task, beside its frames: its process begins, asks, waits, notes
    in_mb: float = 30.0  # of a frame's plate and mattes
    out_mb: float = 35.0  # of its result, with what else is kept


@dataclass(frozen=True)
class Night:
    """What came out. Shares are of all GPUs' time until the last segment is done."""

    segment_frames: int
    tasks: int
    hours: float
    working: float
    loading: float
    moving: float  # waiting for bytes
    idle: float
    extra: float  # frames worked on more than once, in shares of the shots'
    storage: float  # share of the time that the storage gave all it has


def segments(frames: int, segment_frames: int, overlap: int) -> list[int]:
    """Frames of each segment of a shot, as `void_farm.plan.split` cuts it. Raises SettingsError as that does."""
    return [len(one) for one in split(FrameRange(1, frames), segment_frames, overlap, FRAMES_PER_PAIR)]


def work_s(frames: int, cost: Cost) -> float:
    """Seconds that a task of ``frames`` takes beside moving its files."""
    full = latent_frames(cost.window_frames)
    cut = sum(window.stop - window.start for window in cut_windows(frames, cost.window_frames))
    return cut / full * cost.window_s + frames * cost.frame_s + cost.task_s


def simulate(shots: Sequence[int], segment_frames: int, overlap: int, site: Site, cost: Cost) -> Night:
    """One night: ``shots`` are lengths in frames, the longest segments first, as an engine is handed them."""
    tasks = deque(
        sorted((n for shot in shots for n in segments(shot, segment_frames, overlap)), reverse=True)
    )
    total = len(tasks)
    shown = sum(tasks)
    nodes = [_Node(site, cost) for _ in range(min(site.gpus, total))]
    now = worked = loaded = moved = full = 0.0
    while True:
        for node in nodes:
            node.take(tasks)
        busy = [node for node in nodes if node.stages]
        if not busy:
            break
        moving = [node for node in busy if node.stages[0].megabytes]
        rate = min(site.link_mb_s, site.storage_mb_s / max(1, len(moving)))
        step = min(
            node.stages[0].megabytes / rate if node in moving else node.stages[0].seconds for node in busy
        )
        now += step
        moved += step * len(moving)
        loaded += step * sum(node.stages[0].load for node in busy)
        worked += step * sum(node.stages[0].work for node in busy)
        full += step * (len(moving) * site.link_mb_s >= site.storage_mb_s)
        for node in busy:
            node.spend(step, rate)
    whole = now * site.gpus
    return Night(
        segment_frames, total, now / 3600, worked / whole, loaded / whole, moved / whole,
        1 - (worked + loaded + moved) / whole, shown / sum(shots) - 1, full / now,
    )  # fmt: skip


SEGMENTS = (48, 85, 154, 240, 361)
"""Lengths of segment that are tried beside whole shots; two and four windows are 154 and 292 frames."""


def lengths(shots: int, middle: int) -> list[int]:
    """Frames of so many shots, log-normal around ``middle`` as shots of films are: nineteen in twenty lie within 4x."""
    spread = NormalDist(0, 0.7)
    return [max(1, round(middle * math.exp(spread.inv_cdf((n + 0.5) / shots)))) for n in range(shots)]


def nights(shots: Sequence[int], overlap: int, site: Site, cost: Cost) -> list[Night]:
    """The night at each length of `SEGMENTS` that cuts a shot, and with whole shots last."""
    longest = max(shots)
    tried = [one for one in SEGMENTS if 3 * overlap <= one < longest]
    return [simulate(shots, one, overlap, site, cost) for one in (*tried, max(longest, 3 * overlap))]


def best(found: Sequence[Night]) -> Night:
    """The shortest; of those within one per cent the one of the fewest tasks, which has the fewest joints."""
    least = min(night.hours for night in found)
    return min((one for one in found if one.hours <= 1.01 * least), key=lambda one: one.tasks)


@dataclass(frozen=True)
class _Stage:
    """What a node does next: it moves ``megabytes``, or spends ``seconds``."""

    megabytes: float = 0.0
    seconds: float = 0.0
    load: bool = False
    work: bool = False


class _Node:
    def __init__(self, site: Site, cost: Cost) -> None:
        self._site, self._cost = site, cost
        self._numbers = itertools.count()
        self.stages: deque[_Stage] = deque()

    def take(self, tasks: deque[int]) -> None:
        """The next task, if this node has nothing to do and there is one."""
        if not self.stages and tasks:
            self.stages.extend(one for one in self._task(tasks.popleft()) if one.megabytes or one.seconds)

    def spend(self, seconds: float, rate: float) -> None:
        """Time passes; bytes move at ``rate`` megabytes a second."""
        stage = self.stages[0]
        if stage.megabytes:
            stage = replace(stage, megabytes=_left(stage.megabytes - seconds * rate))
        else:
            stage = replace(stage, seconds=_left(stage.seconds - seconds))
        self.stages.popleft()
        if stage.megabytes or stage.seconds:
            self.stages.appendleft(stage)

    def _task(self, frames: int) -> Iterator[_Stage]:
        number = next(self._numbers)
        if number == 0:
            yield _Stage(megabytes=self._site.model_mb)
        if number == 0 or (self._site.session_tasks and number % self._site.session_tasks == 0):
            yield _Stage(seconds=self._site.load_s, load=True)
        yield _Stage(megabytes=frames * self._cost.in_mb)
        yield _Stage(seconds=work_s(frames, self._cost), work=True)
        yield _Stage(megabytes=frames * self._cost.out_mb)


def _left(amount: float) -> float:
    return amount if amount > 1e-6 else 0.0
