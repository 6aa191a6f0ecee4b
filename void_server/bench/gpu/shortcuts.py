"""What the shortcuts of a preview gain, each alone and all together, and how far from the final job they lead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from void_server.bench.gpu.clock import now
from void_server.bench.gpu.passes import Shot, warm_up
from void_server.engine.pipeline import PASS1, PassPlan, VoidPipeline
from void_wire.messages.settings import PREVIEW_STEPS

REMOVED = 0
"""Of a quadmask: what is inside the matte."""
NAMES = ("fewer_steps", "extrapolated_steps", "half_raster", "all")
FINAL_JOBS = 3.5
"""About what measuring them all takes, in runs of pass 1 as a final job has it."""


@dataclass(frozen=True)
class Shortcut:
    """One of ``NAMES``, beside pass 1 as a final job has it."""

    name: str
    steps: int  # of a final job
    seconds: float  # conditions, steps and decoding
    final_s: float
    off: float  # root of the mean square inside the matte, in levels of 255
    other_seed: float  # what another seed changes there

    @property
    def note(self) -> str:
        """What it consists of."""
        return {
            "fewer_steps": f"{PREVIEW_STEPS} steps instead of {self.steps}",
            "extrapolated_steps": f"of {self.steps} steps every second one after the third is extrapolated",
            "half_raster": f"{self.steps} steps at half the raster, enlarged",
            "all": f"{PREVIEW_STEPS} steps, every second one after the third extrapolated, at half the raster",
        }[self.name]


def measure_shortcuts(pipe: VoidPipeline, shot: Shot) -> Iterator[Shortcut]:
    """Each of ``NAMES``, measured; the pipeline is left as it was."""
    half = shot.at(_halved(shot.sizes.raster))
    full = replace(PASS1, steps=shot.sizes.final_steps)
    few = replace(PASS1, steps=PREVIEW_STEPS)
    warm_up(pipe, shot)
    final, final_s = _made(pipe, shot, full)
    other_seed = _off(shot, _made(pipe, shot, full, seed=2)[0], final)
    for name, seen, plan in zip(
        NAMES,
        (shot, shot, half, half),
        (few, replace(full, foreseen=True), full, replace(few, foreseen=True)),
        strict=True,
    ):
        frames, seconds = _made(pipe, seen, plan)
        yield Shortcut(name, full.steps, seconds, final_s, _off(shot, frames, final), other_seed)


def _made(pipe: VoidPipeline, shot: Shot, plan: PassPlan, seed: int = 1) -> tuple[torch.Tensor, float]:
    """Frames [F,3,h,w] 0..1 and the seconds of them, all but the prompt's."""
    began = now(shot.device)
    frames = shot.frames(pipe, plan, shot.condition(pipe, plan.number), seed)
    return frames, now(shot.device) - began


def _off(shot: Shot, frames: torch.Tensor, final: torch.Tensor) -> float:
    enlarged = torch.nn.functional.interpolate(frames, size=final.shape[-2:], mode="bilinear", antialias=True)
    inside = (shot.quadmask == REMOVED)[:, None].expand_as(final)
    return float((255 * (enlarged - final))[inside].square().mean().sqrt())


def _halved(raster: tuple[int, int]) -> tuple[int, int]:
    height, width = (max(32, side // 32 * 16) for side in raster)
    return height, width
