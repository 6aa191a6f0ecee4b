"""Windows in one batch: the same result as one by one, beside rounding, and a way back where memory runs out."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from tiny_clips import MODEL, joined, settings, shot

from void_server.engine import together
from void_server.engine.checkpoints import load_pipeline
from void_server.engine.conditioning import draw
from void_server.engine.denoising import Redone
from void_server.engine.memory import denoise_bytes, vae_bytes
from void_server.engine.pipeline import PassPlan, VoidPipeline
from void_server.engine.shortage import RanOut
from void_server.engine.together import Together, batches
from void_server.engine.void import VoidEngine
from void_server.engine.windows import cut_windows
from void_wire.messages import WindowSeed

CPU = torch.device("cpu")
FRAMES, WINDOW = 53, 29  # two windows of 8 latents and one of 6
PIXELS = 384 * 672


@pytest.fixture(scope="module")
def pipe() -> VoidPipeline:
    """With windows of its own choice."""
    pipe = load_pipeline(MODEL, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def denoised(pipe: VoidPipeline, guidance: float, redone: tuple[Redone, ...] = ()) -> torch.Tensor:
    windows = cut_windows(FRAMES, WINDOW)
    noise, beside = (draw((1, windows[-1].stop, count, 6, 8), count) for count in (16, 32))
    text = draw((1 if guidance <= 1 else 2, 226, 32), 3)
    return pipe.denoise(PassPlan(2, 3, guidance), noise, beside, text, windows, redone=redone)


@contextmanager
def rows_of(pipe: VoidPipeline, room: int = 1000) -> Iterator[list[int]]:
    """Of each forward; one of more than ``room`` finds no memory."""
    seen: list[int] = []

    def look(_module: object, _args: object, given: dict[str, torch.Tensor]) -> None:
        seen.append(len(given["hidden_states"]))
        if seen[-1] > room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")

    hook = pipe.transformer_2.register_forward_pre_hook(look, with_kwargs=True)
    try:
        yield seen
    finally:
        hook.remove()


@pytest.mark.parametrize("guidance", [1.0, 6.0])
def test_windows_in_one_batch_are_those_that_were_taken_one_by_one(
    pipe: VoidPipeline, guidance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [window.stop - window.start for window in cut_windows(FRAMES, WINDOW)] == [8, 8, 6]
    monkeypatch.setattr(pipe, "together", None)
    alone = denoised(pipe, guidance)
    monkeypatch.setattr(pipe, "together", Together(CPU))
    with rows_of(pipe) as seen:
        both = denoised(pipe, guidance)
    per_window = 1 if guidance <= 1 else 2
    assert seen == [2 * per_window, per_window] * 3
    assert pipe.together.told == "pass 2: 2"
    assert float((both - alone).abs().max()) <= 1e-5 * guidance  # which enlarges the forwards' rounding


def test_a_window_done_anew_is_no_part_of_a_batch(
    pipe: VoidPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipe, "together", Together(CPU))
    before = denoised(pipe, 1.0)
    first, second = Redone(1, draw((1, 8, 16, 6, 8), 7)), Redone(2, draw((1, 6, 16, 6, 8), 8))
    alone = Redone(1, first.latents)
    denoised(pipe, 1.0, (alone,))
    assert denoised(pipe, 1.0, (first, second)).equal(before)
    assert first.latents.equal(alone.latents)


def test_windows_go_one_by_one_from_the_step_on_where_memory_runs_out(
    pipe: VoidPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipe, "together", None)
    alone = denoised(pipe, 1.0)
    monkeypatch.setattr(pipe, "together", Together(CPU))
    with rows_of(pipe, room=1) as seen:
        assert denoised(pipe, 1.0).equal(alone)
        assert pipe.together.told == "pass 2: 2, then 1 as they ran out of memory at step 1 of pass 2"
        assert seen == [2, *[1] * 9]
        pipe.together.forget()
        assert denoised(pipe, 1.0).equal(alone)
        assert seen[10:] == [1] * 9
        assert pipe.together.told == "pass 2: 1"
    with rows_of(pipe, room=0), pytest.raises(RanOut, match="at step 1 of pass 2"):
        denoised(pipe, 1.0)


def test_there_are_as_many_as_fit_and_no_more_than_decoding_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    one = denoise_bytes(PIXELS, 22, 2)
    free = 0.0
    monkeypatch.setattr(together, "free_bytes", lambda device: free)
    windows = [22] * 40 + [14]

    def begun(coming: int = 0, rows: int = 2) -> int:
        return Together(CPU).begin(1, windows, rows, PIXELS, coming)

    assert begun() == 1
    free = 1.9 * one + 1
    assert [begun(), begun(rows=1), begun(rows=1, coming=int(one))] == [1, 3, 1]
    free = 1e15
    assert begun() == int(vae_bytes(PIXELS) / one) > 1
    assert Together(CPU).begin(1, [22, 22, 14], 2, PIXELS, 0) == 2


def test_after_windows_ran_out_smaller_ones_are_still_taken_together() -> None:
    held = Together(CPU)
    assert held.begin(1, [22, 22], 2, PIXELS, 0) == 2
    held.ran_out(1, "at step 1 of pass 1", 22, 2, PIXELS)
    assert held.begin(1, [22, 22], 2, PIXELS, 0) == 1
    assert held.begin(1, [22, 22], 1, PIXELS, 0) == 2
    assert held.begin(1, [22, 22], 2, 2 * PIXELS, 0) == 1


def test_batches_hold_one_length_and_every_window() -> None:
    assert batches([8, 8, 6, 8], 2) == [[0, 1], [3], [2]]
    assert batches([8, 8, 6], 1) == [[0], [1], [2]]


def test_an_exact_engine_says_how_many_and_a_plain_one_takes_one() -> None:
    made, said = {}, {}
    wanted = settings(window_frames=WINDOW, passes=1, window_seeds=(WindowSeed(3, 5),))
    for speed in ("plain", "exact"):
        engine = VoidEngine.load(MODEL, device="cpu", speed=speed)
        made[speed] = joined(list(engine.remove(*shot(FRAMES, (16, 32)), "a table", wanted)), 1)
        said[speed] = engine.record["windows_at_once"]
    assert said == {"plain": "1", "exact": "pass 1: 2"}
    assert abs(made["plain"] - made["exact"]).max() <= 1e-4
