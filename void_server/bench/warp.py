"""Warped noise at the reference's real size, beside the reference's method: seconds a frame, peak memory."""

from __future__ import annotations

import math
import multiprocessing
import statistics
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np
import psutil
import torch
from torch import Tensor

from void_server.bench.row import Row
from void_server.engine.noise_state import NoiseState
from void_server.engine.warped_noise import (
    REFERENCE_FRAMES,
    REFERENCE_SIZE,
    REFERENCE_UPSCALE,
    advance,
)

CHANNELS = 16
FLOW_SIZE = (REFERENCE_SIZE[0] // 2, REFERENCE_SIZE[1] // 2)
STATE_SIZE = (FLOW_SIZE[0] * REFERENCE_UPSCALE, FLOW_SIZE[1] * REFERENCE_UPSCALE)


def rows() -> list[Row]:
    """71 steps of ours and one of the reference's method, each in a process of its own."""
    ours_s, ours_gb, faults = _apart(_ours)
    theirs_s, theirs_gb, _ = _apart(_by_value)
    size = f"{STATE_SIZE[0]}x{STATE_SIZE[1]}x{CHANNELS}, {torch.get_num_threads()} threads"
    note = f"{size}; median of {REFERENCE_FRAMES - 1} steps, baseline one step, duplicates found by value"
    return [
        Row(
            "warp, seconds a frame",
            ours_s,
            "s",
            theirs_s,
            ours_s / theirs_s,
            "ratio <= 1/15",
            ours_s / theirs_s <= 1 / 15,
            note,
        ),
        Row(
            "warp, peak memory",
            ours_gb,
            "GB",
            theirs_gb,
            ours_gb / theirs_gb,
            "value <= 3",
            ours_gb <= 3,
            f"{size}; resident, of the whole process",
        ),
        Row(
            "warp, frames out of bounds",
            faults,
            "frames",
            None,
            None,
            "value == 0",
            faults == 0,
            f"of {REFERENCE_FRAMES}: |mean| < 0.003, std 0.997..1.002, lag-1 |r| < 0.007",
        ),
    ]


def _turning_zoom(step: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """A hand-held camera: slow turn and zoom that swing, and a drift; holes and merges in every step."""
    y, x = np.mgrid[: FLOW_SIZE[0], : FLOW_SIZE[1]].astype(np.float32)
    x, y = x - FLOW_SIZE[1] / 2, y - FLOW_SIZE[0] / 2
    swing = math.sin(step / 5)
    return np.stack([0.02 * swing * x - 0.01 * y + 1.65, 0.02 * swing * y + 0.01 * x - 0.9]).astype(
        np.float32
    )


def _ours() -> tuple[float, int]:
    generator = torch.Generator().manual_seed(0)
    state = NoiseState.first(STATE_SIZE, CHANNELS, generator)
    times, faults = [], int(not _white(state))
    for step in range(REFERENCE_FRAMES - 1):
        field = _turning_zoom(step)
        began = time.perf_counter()
        state = advance(state, field, generator, keep_rest=False)
        times.append(time.perf_counter() - began)
        faults += not _white(state)
    return statistics.median(times), faults


def _white(state: NoiseState) -> bool:
    picture = state.noise.view(*STATE_SIZE, CHANNELS)
    lags = []
    for beside, here in ((picture[1:], picture[:-1]), (picture[:, 1:], picture[:, :-1])):
        bands = zip(torch.split(beside, 64), torch.split(here, 64), strict=True)
        sums = [(b * h).sum().item() for b, h in bands]
        lags.append(abs(sum(sums) / beside.numel()))
    std = state.noise.std().item()
    return abs(state.noise.mean().item()) < 0.003 and 0.997 <= std <= 1.002 and max(lags) < 0.007


def _by_value() -> tuple[float, int]:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(CHANNELS, *STATE_SIZE, generator=generator)
    flow = torch.nn.functional.interpolate(torch.from_numpy(_turning_zoom(0))[None], size=STATE_SIZE)[0]
    flow *= REFERENCE_UPSCALE
    began = time.perf_counter()
    _step_by_value(torch.ones(STATE_SIZE), noise, flow, generator)
    return time.perf_counter() - began, 0


def _step_by_value(
    weight: Tensor, noise: Tensor, flow: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The same step as engine/noise_state.py makes, pixels of one source found by their equal values."""
    channels, height, width = noise.shape
    y, x = torch.arange(height)[:, None], torch.arange(width)[None, :]

    def index(to_y: Tensor, to_x: Tensor) -> tuple[Tensor, Tensor]:
        inside = (to_y >= 0) & (to_y < height) & (to_x >= 0) & (to_x < width)
        return inside, torch.where(inside, to_y * width + to_x, y * width + x).long().flatten()

    stays, target = index(y + flow[1].round(), x + flow[0].round())
    hit = torch.zeros(height * width, dtype=torch.bool)
    hit[target] = True
    hit = hit.view(height, width)
    known, source = index((y - flow[1]).round(), (x - flow[0]).round())
    known &= ~hit

    def fill(planes: Tensor) -> Tensor:
        return planes.flatten(-2)[..., source].view(planes.shape)

    both = torch.cat([noise * stays, fill(noise) * known], 2)
    shares = torch.cat([torch.where(stays, weight, 1.0), torch.where(known, fill(weight), 1.0)], 1)
    _, group, counts = torch.unique(both.flatten(1).T, dim=0, return_inverse=True, return_counts=True)
    draw = torch.randn(both.shape, generator=generator).flatten(1)
    mean = torch.zeros(channels, len(counts)).index_add_(1, group, draw) / counts
    both = (both.flatten(1) / counts.sqrt()[group] + draw - mean[:, group]).view(both.shape)
    shares = shares / counts[group].view(shares.shape)

    def merge(planes: Tensor) -> Tensor:
        landing = planes.flatten(-2)
        return torch.zeros_like(landing).index_add_(-1, target, landing).view(planes.shape)

    landed, filled = both.split(width, 2)
    heavy, light = shares.split(width, 1)
    out = torch.where(hit, merge(landed * heavy) / merge(heavy.square()).sqrt(), filled)
    total = torch.where(hit, merge(heavy), light)
    return (total / total.mean() + 1e-5) ** 0.9999, out


def _apart(work: Callable[[], tuple[float, int]]) -> tuple[float, float, int]:
    """Seconds, peak resident GB and the count of ``work``, run in a fresh process."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_watched, args=(work, there))
    process.start()
    there.close()
    result: tuple[float, float, int] = here.recv()
    process.join()
    return result


def _watched(work: Callable[[], tuple[float, int]], answer: Connection) -> None:
    process, peak, done = psutil.Process(), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.005):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    seconds, count = work()
    done.set()
    watcher.join()
    answer.send((seconds, peak / 1e9, count))
