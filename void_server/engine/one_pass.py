"""One pass over a clip: from the last step of it that was kept, or from its noise, to frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from void_server.engine.ahead import ahead
from void_server.engine.blending import renewed
from void_server.engine.conditioning import Clip
from void_server.engine.denoising import Redone
from void_server.engine.milestones import Milestone, Milestones
from void_server.engine.shortage import RanOut, memory_for
from void_server.engine.windows import Window
from void_server.progress import Halted
from void_wire.messages import WindowSeed

if TYPE_CHECKING:
    from void_server.engine.pipeline import OnStep, PassPlan, VoidPipeline


@dataclass(frozen=True)
class Request:
    """What both passes are asked for."""

    plate: Clip  # [length,3,h,w] 0..1 at the raster, padded
    quadmask: torch.Tensor  # uint8 [length,h,w]
    windows: list[Window]
    seed: int
    window_seeds: Sequence[WindowSeed]
    noise_at: int  # the frame of a longer clip that this one begins at


class OnePass:
    """One pass over one clip. `read` the prompt, then take its `frames`, once.

    Args:
        pipe: whose parts do the work.
        plan: how it is sampled.
        request: of which clip.
        milestones: where it takes up from, and leaves its own; None: nowhere.
        on_step: called after every step, may raise to stop.
    """

    def __init__(
        self,
        pipe: VoidPipeline,
        plan: PassPlan,
        request: Request,
        milestones: Milestones | None,
        on_step: OnStep | None,
    ) -> None:
        self._pipe, self._plan, self._request = pipe, plan, request
        self._milestones, self._on_step = milestones, on_step
        self._decoded = milestones.frames(plan.number) if milestones else None
        self._text: torch.Tensor  # once it is read
        self._redone: list[Redone] = []
        self._reached: Milestone | None = None  # the last step that was done here and could be kept

    def read(self, prompt: str) -> None:
        """Have the text encoder read the prompt; not where the pass was decoded before."""
        if self._decoded is None:
            self._text = self._pipe.encode_text(prompt, self._plan)

    def frames(self, drawn: Callable[[], list[torch.Tensor]]) -> Iterator[list[torch.Tensor]]:
        """Chunks of frames as ``VoidPipeline.decode_stages`` gives them.

        ``drawn`` makes the initial latents [1,T,16,h,w] of the clip's seed and of each window's own.
        Halted from ``on_step``, and RanOut where there was no memory left, keep the step that was done last.
        """
        if self._decoded is not None:
            yield from self._decoded
            return
        number, windows = self._plan.number, self._request.windows
        before = self._milestones.last(number) if self._milestones else None
        # 3. condition
        condition = None if before is not None and before.step >= self._plan.steps else self._condition()
        before = self._begun(drawn) if before is None else self._taken_up(before)
        # 6. denoise, 7. decode
        latents = before.latents if condition is None else self._denoised(before, condition)
        made = self._pipe.decode_stages(latents, self._redone, windows)
        if self._milestones is not None:
            made = self._milestones.keep_frames(number, made, len(self._request.plate))
        with memory_for(f"while pass {number} was decoded"):
            yield from ahead(made)

    def _condition(self) -> torch.Tensor:
        request, number = self._request, self._plan.number
        with memory_for(f"while pass {number} was prepared"):
            noise = self._pipe.plate_noise(request.plate, number, request.seed, request.noise_at)
            condition = self._pipe.condition(request.plate, request.quadmask, number, noise)
            self._pipe.expect_transformer(number)  # while the noise is made
        return condition

    def _begun(self, drawn: Callable[[], list[torch.Tensor]]) -> Milestone:
        """Before the first step: the noise of the clip, and in the windows done anew that of their own seeds."""
        windows = self._request.windows
        with memory_for(f"while noise for pass {self._plan.number} was made"):
            starts = drawn()
        start = starts[0]
        for own, fresh in zip(self._request.window_seeds, starts[1:], strict=True):
            start = renewed(start, fresh, windows, own.window - 1)
            self._redone.append(Redone(own.window - 1, start[:, windows[own.window - 1].latents]))
        return Milestone(0, starts[0], ())

    def _taken_up(self, before: Milestone) -> Milestone:
        for own, latents in zip(self._request.window_seeds, before.redone, strict=True):
            self._redone.append(Redone(own.window - 1, latents))
        return before

    def _denoised(self, before: Milestone, condition: torch.Tensor) -> torch.Tensor:
        plan, windows = self._plan, self._request.windows
        try:
            with memory_for(f"while pass {plan.number} was prepared"):
                return self._pipe.denoise(
                    plan,
                    before.latents,
                    condition,
                    self._text,
                    windows,
                    self._step_done,
                    self._redone,
                    before.step,
                )
        except (Halted, RanOut):
            if self._milestones is not None and self._reached is not None:
                self._milestones.keep(plan.number, self._reached)
            raise

    def _step_done(self, plan: PassPlan, step: int, timestep: int, latents: torch.Tensor) -> None:
        # what is foreseen needs steps that are not kept
        if not plan.foreseen or step == plan.steps:
            self._reached = Milestone(step, latents, tuple(one.latents for one in self._redone))
            if self._milestones is not None:
                self._milestones.reached(plan.number, plan.steps, self._reached)
        if self._on_step is not None:
            self._on_step(plan, step, timestep, latents)
