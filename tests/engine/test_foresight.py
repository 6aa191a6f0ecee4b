"""Steps that a preview leaves out: the sums of diffusers' own cache, told in the record, and never in a final job."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from diffusers import TaylorSeerCacheConfig
from tiny_clips import MODEL, joined, settings, shot

from void_server.engine.checkpoints import load_pipeline
from void_server.engine.conditioning import draw
from void_server.engine.denoising import Redone
from void_server.engine.foresight import Foresight, computed_of, is_computed
from void_server.engine.pipeline import PassPlan, VoidPipeline
from void_server.engine.together import Together
from void_server.engine.void import VoidEngine
from void_server.engine.windows import cut_windows
from void_server.progress import Halted
from void_wire.messages import Stage

STEPS = 10


@pytest.fixture(scope="module")
def pipe() -> VoidPipeline:
    pipe = load_pipeline(MODEL, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def denoised(
    pipe: VoidPipeline, guidance: float, foreseen: bool, frames: int = 13, redone: tuple[Redone, ...] = ()
) -> torch.Tensor:
    windows = cut_windows(frames, 29)
    noise, beside = (draw((1, windows[-1].stop, count, 6, 8), count) for count in (16, 32))
    text = draw((1 if guidance <= 1 else 2, 226, 32), 3)
    plan = PassPlan(1, STEPS, guidance, foreseen=foreseen)
    return pipe.denoise(plan, noise, beside, text, windows, redone=redone)


@contextmanager
def forwards(pipe: VoidPipeline) -> Iterator[list[int]]:
    """The rows of each."""
    seen: list[int] = []
    hook = pipe.transformer.register_forward_pre_hook(
        lambda _module, _args, given: seen.append(len(given["hidden_states"])), with_kwargs=True
    )
    try:
        yield seen
    finally:
        hook.remove()


@pytest.mark.parametrize("guidance", [1.0, 6.0])
def test_it_is_what_diffusers_own_cache_makes(pipe: VoidPipeline, guidance: float) -> None:
    exact = denoised(pipe, guidance, foreseen=False)
    with forwards(pipe) as seen:
        ours = denoised(pipe, guidance, foreseen=True)
    assert len(seen) == computed_of(STEPS) == 6
    transformer = pipe.transformer
    transformer.enable_cache(
        TaylorSeerCacheConfig(
            use_lite_mode=True, cache_interval=2, max_order=1, taylor_factors_dtype=torch.float32
        )
    )
    try:
        with transformer.cache_context("window"):
            theirs = denoised(pipe, guidance, foreseen=False)
    finally:
        transformer.disable_cache()
    assert float((ours - theirs).abs().max()) <= 1e-5 * guidance
    assert float((ours - exact).abs().max()) > 1e-3
    assert denoised(pipe, guidance, foreseen=False).equal(exact)


def test_windows_and_those_done_anew_are_foreseen_each_by_its_own(
    pipe: VoidPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which are taken together, and what is done beside them, changes nothing."""
    frames, anew = 53, [Redone(1, draw((1, 8, 16, 6, 8), 7)) for _ in range(3)]
    alone = denoised(pipe, 1.0, True, frames, (anew[0],))
    assert denoised(pipe, 1.0, True, frames, (anew[1], Redone(2, draw((1, 6, 16, 6, 8), 8)))).equal(alone)
    assert anew[1].latents.equal(anew[0].latents)
    monkeypatch.setattr(pipe, "together", Together(torch.device("cpu")))
    assert float((denoised(pipe, 1.0, True, frames, (anew[2],)) - alone).abs().max()) <= 1e-5


def test_a_line_is_followed() -> None:
    known, line = Foresight(), draw((2, 3), 1)
    known.saw("one", 1, line * 0)
    known.saw("other", 1, line)
    for step in (3, 5, 5):  # the last is done again
        known.saw("one", step, line * step)
    assert torch.allclose(known.predict("one", 6), line * 6)
    assert [step for step in range(1, 11) if is_computed(step)] == [1, 2, 3, 5, 7, 9]
    assert [computed_of(steps) for steps in (1, 3, 4, 30)] == [1, 3, 3, 16]


def test_a_preview_says_so_and_a_final_job_is_as_it_was(tmp_path: Path) -> None:
    engine = VoidEngine.load(MODEL, device="cpu")

    def made(preview: bool, progress=lambda *_: None):  # type: ignore[no-untyped-def]
        wanted = settings(passes=1, pass1_steps=5, preview=preview)
        return joined(
            list(engine.remove(*shot(6, (16, 32)), "a table", wanted, progress, milestones=tmp_path)), 1
        )

    final = made(preview=False)
    assert "computed_steps" not in engine.record

    def halt(stage: Stage, step: int, _steps: int) -> None:
        if (stage, step) == (Stage.PASS1, 4):
            raise Halted

    with pytest.raises(Halted):
        made(preview=True, progress=halt)
    steps: list[int] = []
    preview = made(preview=True, progress=lambda _stage, step, _steps: steps.append(step))
    assert steps == [0, 1, 2, 3, 4, 5]  # none is gone on from: those before it are not kept
    assert engine.record["computed_steps"] == "4 of 5, the others extrapolated from them"
    assert abs(preview - final).max() > 1e-4
    assert made(preview=False).tobytes() == final.tobytes()
    assert "computed_steps" not in engine.record
