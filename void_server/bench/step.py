"""One step of VoidPipeline beside the plainest loop over the same diffusers parts."""

from __future__ import annotations

import torch

from void_server.bench.row import Row, seconds
from void_server.bench.small_model import small_pipeline
from void_server.engine.conditioning import draw
from void_server.engine.pipeline import PassPlan, VoidPipeline
from void_server.engine.speed import make_exact
from void_server.engine.windows import cut_windows

STEPS = 2
PAIRS = 15
LIMIT = 1.02
GOAL = f"ratio <= {LIMIT}"


def rows() -> list[Row]:
    """Seconds a step: ours over diffusers' own calls in a bare loop, on a small random model (`gpu`: at full size)."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # threads that wait for a busy machine would be what is measured
    try:
        plain, exact = small_pipeline(), small_pipeline()
        make_exact(exact, torch.device("cpu"), compiles=False)
        return [
            _row("step, pass 1", plain, plain, guidance=1.0),
            _row("step, pass 2, guided", plain, plain, guidance=6.0),
            _row("step, pass 2, guided, exact", exact, plain, guidance=6.0),
        ]
    finally:
        torch.set_num_threads(threads)


def _row(name: str, pipe: VoidPipeline, beside: VoidPipeline, guidance: float) -> Row:
    """A step of ``pipe`` over one of diffusers' own loop with the parts of ``beside``, which have the same weights."""
    latents = draw((1, 4, 16, 24, 42), 1)
    condition = draw((1, 4, 32, 24, 42), 2)
    text = draw((1 if guidance <= 1 else 2, 226, 32), 3)
    plan = PassPlan(1, STEPS, guidance)
    windows = cut_windows(13, 13)

    def ours() -> torch.Tensor:
        return pipe.denoise(plan, latents, condition, text, windows)

    @torch.no_grad()
    def bare() -> torch.Tensor:
        transformer, scheduler = beside.part(plan.number)
        rotary = beside.rotary(4, (24, 42))
        scheduler.set_timesteps(STEPS)
        now = latents
        for timestep in scheduler.timesteps:
            rows = torch.cat([now, condition], dim=2).repeat(len(text), 1, 1, 1, 1)
            times = timestep.repeat(len(text))
            made = transformer(rows, text, times, image_rotary_emb=rotary, return_dict=False)[0]
            if len(text) == 2:
                made = made[:1] + guidance * (made[1:] - made[:1])
            now = scheduler.step(made, timestep, now, return_dict=False)[0]
        return now

    off = float((ours() - bare()).abs().max())
    if off > 1e-4:
        raise AssertionError(f"the two loops differ by {off}")
    # in turn; what else a machine does only ever adds, by more than what is looked for here
    taken = [(seconds(ours), seconds(bare)) for _ in range(PAIRS)]
    value, baseline = (min(times) / STEPS for times in zip(*taken, strict=True))
    ratio = value / baseline
    return Row(
        name=name,
        value=value,
        unit="s",
        baseline=baseline,
        ratio=ratio,
        goal=GOAL,
        holds=ratio <= LIMIT,
        note=f"CPU float32, one thread, 4 layers of 4 heads, 4 latents of 24 x 42, the least of "
        f"{PAIRS} each; the other is diffusers' transformer and scheduler called in a bare loop",
    )
