"""Both passes over a clip, part by part: each is timed once, and the steps that are alike only a few times."""

from __future__ import annotations

import copy
import statistics
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise

import torch

from void_server.bench.gpu.clock import now, seconds
from void_server.bench.gpu.random_model import PROMPT
from void_server.bench.gpu.sizes import Sizes
from void_server.engine.conditioning import draw, resize_plate, resize_quadmask
from void_server.engine.flow import open_flow
from void_server.engine.pipeline import PASS1, PASS2, PassPlan, VoidPipeline
from void_server.engine.warped_noise import warped_noise
from void_server.engine.windows import cut_windows, latent_frames, padded_length
from void_wire.messages import Stage

PAN_PX = 3  # a frame
WARPED = 3
"""Frames of noise that are timed; what one takes depends on its motion alone, which is the same all along."""


class _Enough(Exception):
    """As many steps as were wanted."""


@dataclass(frozen=True)
class Parts:
    """Seconds of what a job of both passes consists of, beside its files."""

    prompt: float  # both passes' texts, through T5
    encode: float  # mask and plate of one pass
    step1: float
    step2: float  # guided
    noise: float
    decode: float
    begin: float  # of the first step beyond an ordinary one: compilation where there is any

    @property
    def pass1(self) -> float:
        """Pass 1 alone, at the steps it has."""
        return self.prompt + self.encode + PASS1.steps * self.step1 + self.decode

    @property
    def both(self) -> float:
        """Pass 1, the noise made from it, and Pass 2."""
        return self.pass1 + self.noise + self.encode + PASS2.steps * self.step2 + self.decode

    def timing(self, steps: int) -> float:
        """What it takes to time them once more, with so many steps of each pass."""
        return self.prompt + self.encode + self.decode + (1 + steps) * (self.step1 + self.step2) + self.begin

    def __str__(self) -> str:
        """The parts, for a note."""
        return (
            f"prompt {self.prompt:.2f}, encode {self.encode:.2f}, step {self.step1:.3f}, guided {self.step2:.3f}, "
            f"noise {self.noise:.1f}, decode {self.decode:.2f} s"
        )


class Shot:
    """A texture that pans under a hole, at the raster, and what is made of it on the way."""

    def __init__(self, sizes: Sizes, frames: int, device: torch.device) -> None:
        self.sizes, self.device = sizes, device
        height, width = sizes.raster
        length = padded_length(frames, sizes.window_frames)
        self.windows = cut_windows(frames, sizes.window_frames)
        coarse = draw((1, 3, height // 8, width // 8), 1)
        texture = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic")[0]
        texture = texture.mul(0.15).add(0.5).clamp(0, 1)
        self.plate = torch.stack([texture.roll(PAN_PX * index, dims=-1) for index in range(length)])
        self.quadmask = torch.full((length, height, width), 255, dtype=torch.uint8)
        self.quadmask[:, height // 4 : height // 2, width // 4 : width // 2] = 0
        self.quadmask[:, height // 2 : height * 3 // 4, width // 4 : width // 2] = 127

    def condition(self, pipe: VoidPipeline, pass_number: int) -> torch.Tensor:
        """The 32 channels beside the noise."""
        noise = pipe.plate_noise(self.plate, pass_number, seed=1)
        return pipe.condition(self.plate, self.quadmask, pass_number, noise)

    def at(self, raster: tuple[int, int]) -> Shot:
        """The same shot at another raster."""
        other = copy.copy(self)
        other.sizes = replace(self.sizes, raster=raster)
        other.plate = resize_plate(self.plate, raster)
        other.quadmask = resize_quadmask(self.quadmask, raster)
        return other

    def start(self, pipe: VoidPipeline, seed: int = 1) -> torch.Tensor:
        """Pass 1's latents before its first step."""
        return pipe.initial_latents(len(self.plate), self.sizes.raster, seed)

    def frames(
        self, pipe: VoidPipeline, plan: PassPlan, condition: torch.Tensor, seed: int = 1
    ) -> torch.Tensor:
        """A whole pass, decoded: float32 [F,3,h,w] 0..1 on the CPU."""
        text = pipe.encode_text(PROMPT, plan)
        latents = pipe.denoise(plan, self.start(pipe, seed), condition, text, self.windows)
        made = torch.cat(list(pipe.decode(latents)))
        pipe.maybe_free_model_hooks()
        return made


def parts_of(pipe: VoidPipeline, shot: Shot, noise_on: torch.device) -> Parts:
    """Time every part of both passes over a shot, once each on a pipeline that has run before (see `warm_up`)."""
    device = shot.device
    prompt = seconds(lambda: [pipe.encode_text(PROMPT, plan) for plan in (PASS1, PASS2)], device)
    began = now(device)
    condition = shot.condition(pipe, 1)
    encode = now(device) - began
    first, second = (step_seconds(pipe, shot, plan, condition) for plan in (PASS1, PASS2))
    decode = seconds(lambda: drained(pipe.decode(shot.start(pipe))), device)
    pipe.maybe_free_model_hooks()
    return Parts(
        prompt,
        encode,
        statistics.median(first[1:]),
        statistics.median(second[1:]),
        noise_seconds(shot, noise_on),
        decode,
        first[0] + second[0] - first[1] - second[1],
    )


def warm_up(pipe: VoidPipeline, shot: Shot) -> torch.Tensor:
    """Have everything but the transformers run once: kernels are chosen and memory is got. Returns the condition."""
    pipe.encode_text(PROMPT, PASS2)
    drained(pipe.decode(shot.start(pipe)))
    return shot.condition(pipe, 1)


def step_seconds(pipe: VoidPipeline, shot: Shot, plan: PassPlan, condition: torch.Tensor) -> list[float]:
    """Seconds of the first steps of a pass; the first of all is slower."""
    text = pipe.encode_text(PROMPT, plan)
    times = [now(shot.device)]

    def on_step(_plan: PassPlan, _step: int, _timestep: int, _latents: torch.Tensor) -> None:
        times.append(now(shot.device))
        if len(times) == 2 + shot.sizes.timed_steps:
            raise _Enough

    with suppress(_Enough):
        pipe.denoise(plan, shot.start(pipe), condition, text, shot.windows, on_step)
    return [after - before for before, after in pairwise(times)]


def noise_seconds(shot: Shot, device: torch.device) -> float:
    """Seconds of the noise that Pass 2 starts from: told from its first warped frames."""
    height, width = shot.sizes.raster
    times: list[float] = []
    count = 0

    def progress(stage: Stage, step: int, steps: int) -> None:
        nonlocal count
        times.append(now(device))
        count = steps
        if len(times) == 1 + WARPED:
            raise _Enough

    began = now(device)
    with suppress(_Enough):
        warped_noise(
            shot.plate.movedim(1, -1).numpy(),
            latent_frames=latent_frames(len(shot.plate)),
            latent_channels=shot.sizes.vae["latent_channels"],
            latent_size=(height // 8, width // 8),
            seed=1,
            mode=shot.sizes.warped_noise,
            flow=open_flow("dis"),
            progress=progress,
            device=str(device),
        )
    steps = [after - before for before, after in pairwise(times)]
    return times[0] - began + count * statistics.median(steps)


def decibels_between(one: torch.Tensor, other: torch.Tensor) -> float:
    """PSNR of frames 0..1; 150 dB for equal ones."""
    return float(-10 * torch.log10((one - other).square().double().mean() + 1e-15))


def drained(made: Iterator[torch.Tensor]) -> None:
    """Have all of it made."""
    for _ in made:
        pass
