"""A clip that is part of a longer one starts from the very noise that the longer one has there."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_clips import MODEL, settings, shot

from void_server.engine import pipeline
from void_server.engine.flow import open_flow
from void_server.engine.pipeline import VoidPipeline
from void_server.engine.void import VoidEngine
from void_server.engine.warped_noise import warped_noise
from void_server.progress import unwatched

FRAMES, FIRST = 37, 16
RASTER = (32, 32)


class Starts:
    """What both passes of an engine start from, by pass: latents, and the noise on the plate."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.latents: list[torch.Tensor] = []
        self.plate: list[torch.Tensor] = []
        denoise, noisy = VoidPipeline.denoise, pipeline.noisy_plate

        def see(pipe, plan, latents, condition, text, windows, on_step, redone, done):  # type: ignore[no-untyped-def]
            self.latents.append(latents)
            return denoise(pipe, plan, latents, condition, text, windows, on_step, redone, done)

        def see_noise(plate: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
            self.plate.append(noise)
            return noisy(plate, noise)

        monkeypatch.setattr(VoidPipeline, "denoise", see)
        monkeypatch.setattr(pipeline, "noisy_plate", see_noise)

    def of(self, engine: VoidEngine, frames: slice, noise_at: int) -> Starts:
        self.latents, self.plate = [], []
        plate, quadmask = (clip[frames] for clip in shot(FRAMES, RASTER))
        wanted = settings(window_frames=21, pass1_steps=1, pass2_steps=1)
        for _ in engine.remove(plate, quadmask, "a table", wanted, noise_at=noise_at):
            pass
        return self


def test_a_part_starts_from_the_wholes_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, starts = VoidEngine.load(MODEL, device="cpu"), Starts(monkeypatch)
    whole = starts.of(engine, slice(None), 0)
    latents, plate = whole.latents[0], torch.cat(whole.plate)
    part = starts.of(engine, slice(FIRST, None), FIRST)
    assert part.latents[0][:, :6].equal(latents[:, FIRST // 4 :])
    now = torch.cat(part.plate)
    length, its = len(plate) // 2, len(now) // 2
    for number in (0, 1):
        mine, theirs = now[number * its :], plate[number * length : (number + 1) * length]
        assert mine[: FRAMES - FIRST].equal(theirs[FIRST:FRAMES])
    alone = starts.of(engine, slice(FIRST, None), 0)
    assert alone.latents[0][:, :6].equal(latents[:, :6])


def test_pass_2_starts_alike_where_nothing_moved() -> None:
    """A square goes through a still picture; the part has not seen its first half."""
    random = np.random.default_rng(1)
    clip = np.repeat(random.random((1, 64, 96, 3), dtype=np.float32), 33, axis=0)
    for index, frame in enumerate(clip):
        frame[10:22, 4 + 2 * index : 16 + 2 * index] = 0.9
    flow = open_flow("dis")

    def noise(frames: np.ndarray) -> np.ndarray:
        return warped_noise(
            frames,
            latent_frames=(len(frames) - 1) // 4 + 1,
            latent_channels=16,
            latent_size=(8, 12),
            seed=5,
            mode="corrected",
            flow=flow,
            progress=unwatched,
        )

    whole, part = noise(clip)[4:], noise(clip[16:])
    still, moved = (slice(5, 8), slice(None)), (slice(1, 3), slice(2, 10))
    alike = [
        float(np.corrcoef(whole[:, :, rows, columns].ravel(), part[:, :, rows, columns].ravel())[0, 1])
        for rows, columns in (still, moved)
    ]
    assert alike[0] > 0.95
    assert alike[1] < 0.8
