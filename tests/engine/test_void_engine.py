"""VoidEngine as the worker uses it: what it yields, how it reports, and that a job leaves nothing for the next."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_clips import MODEL, joined, settings, shot

from void_server.engine.pipeline import VoidPipeline
from void_server.engine.void import Decoded, VoidEngine
from void_server.progress import Cancelled
from void_wire.errors import CheckpointError, GpuMemory, SettingsError, SizeMismatch
from void_wire.messages import Stage, WindowSeed

RASTER = (16, 32)


@pytest.fixture(scope="module")
def engine() -> VoidEngine:
    return VoidEngine.load(MODEL, device="cpu")


@pytest.fixture(scope="module")
def usual(engine: VoidEngine) -> list[Decoded]:
    """Before anything went wrong."""
    return run(engine)


def run(
    engine: VoidEngine, frames: int = 6, progress: Callable | None = None, **changes: object
) -> list[Decoded]:
    watched = {} if progress is None else {"progress": progress}
    return list(engine.remove(*shot(frames, RASTER), "a table", settings(**changes), **watched))


@pytest.mark.parametrize("frames", [1, 6, 13, 14])
@pytest.mark.parametrize("passes", [1, 2])
def test_every_index_comes_once_per_pass_and_in_order(engine: VoidEngine, frames: int, passes: int) -> None:
    decoded = run(engine, frames, passes=passes, window_frames=21)
    assert [one.passes for one in decoded] == sorted(one.passes for one in decoded)
    for number in range(1, passes + 1):
        mine = [one for one in decoded if one.passes == number]
        indices = [one.first + offset for one in mine for offset in range(len(one.frames))]
        assert indices == list(range(frames))
    assert {one.passes for one in decoded} == set(range(1, passes + 1))
    for one in decoded:
        assert one.frames.dtype == np.float32
        assert one.frames.shape[1:] == (*RASTER, 3)
        assert one.frames.flags.c_contiguous
        assert one.frames.min() >= 0
        assert one.frames.max() <= 1


def test_pass_2_follows_pass_1_over_several_windows(engine: VoidEngine) -> None:
    decoded = run(engine, 30, window_frames=21)
    assert joined(decoded, 1).shape == joined(decoded, 2).shape == (30, *RASTER, 3)
    assert not np.array_equal(joined(decoded, 1), joined(decoded, 2))


def test_same_request_same_bytes_in_any_order_and_in_another_engine(engine: VoidEngine) -> None:
    first = run(engine, seed=3)
    other = run(engine, seed=4)
    again = run(engine, seed=3)
    elsewhere = run(VoidEngine.load(MODEL, device="cpu"), seed=3)
    for number in (1, 2):
        assert joined(first, number).tobytes() == joined(again, number).tobytes()
        assert joined(first, number).tobytes() == joined(elsewhere, number).tobytes()
        assert joined(first, number).tobytes() != joined(other, number).tobytes()


def test_progress_is_told_after_every_step(engine: VoidEngine) -> None:
    told = []
    run(engine, progress=lambda *seen: told.append(seen))
    assert [seen for seen in told if seen[0] is Stage.PASS1] == [(Stage.PASS1, step, 2) for step in range(3)]
    assert [seen for seen in told if seen[0] is Stage.PASS2] == [(Stage.PASS2, step, 3) for step in range(4)]
    noise = [step for stage, step, _ in told if stage is Stage.NOISE]
    assert noise == list(range(len(noise)))
    assert len(noise) > 1
    order = [stage for place, (stage, *_) in enumerate(told) if not place or told[place - 1][0] is not stage]
    assert order == [Stage.PASS1, Stage.NOISE, Stage.PASS2]


def test_frames_are_given_out_while_the_job_still_runs(engine: VoidEngine) -> None:
    told = []
    stream = engine.remove(*shot(6, RASTER), "a table", settings(), lambda *seen: told.append(seen))
    assert next(stream).passes == 1
    assert told[-1] == (Stage.PASS1, 2, 2)
    stream.close()


@pytest.mark.parametrize(
    ("stage", "step"), [(Stage.PASS1, 0), (Stage.PASS1, 1), (Stage.NOISE, 2), (Stage.PASS2, 2)]
)
def test_a_cancelled_job_stops_within_the_step_and_leaves_nothing(
    engine: VoidEngine, usual: list[Decoded], stage: Stage, step: int
) -> None:
    told = []

    def cancel(*seen: object) -> None:
        told.append(seen[:2])
        if seen[:2] == (stage, step):
            raise Cancelled

    with pytest.raises(Cancelled):
        run(engine, progress=cancel)
    assert told[-1] == (stage, step)
    after = run(engine)
    for number in (1, 2):
        assert joined(after, number).tobytes() == joined(usual, number).tobytes()


THREE_WINDOWS = 30
"""Frames: at a window of 21 those of latents 0-5, 2-7 and 4-9, which decode to frames 0-20, 5-28 and 13-36."""


def in_three(engine: VoidEngine, *seeds: WindowSeed) -> list[Decoded]:
    wanted = settings(window_frames=21, pass2_steps=2, window_seeds=seeds)
    return list(engine.remove(*shot(THREE_WINDOWS, RASTER), "a table", wanted))


@pytest.fixture(scope="module")
def of_three(engine: VoidEngine) -> list[Decoded]:
    return in_three(engine)


@pytest.fixture(scope="module")
def first_anew(engine: VoidEngine) -> list[Decoded]:
    return in_three(engine, WindowSeed(1, 77))


@pytest.mark.parametrize(("window", "inside"), [(1, range(21)), (3, range(13, 30))])
def test_a_window_done_anew_changes_its_own_frames_alone(
    engine: VoidEngine, of_three: list[Decoded], first_anew: list[Decoded], window: int, inside: range
) -> None:
    anew = first_anew if window == 1 else in_three(engine, WindowSeed(window, 77))
    assert [(one.passes, one.first) for one in anew] == [(one.passes, one.first) for one in of_three]
    for number in (1, 2):
        before, after = joined(of_three, number), joined(anew, number)
        same = [index for index in range(THREE_WINDOWS) if before[index].tobytes() == after[index].tobytes()]
        assert same == [index for index in range(THREE_WINDOWS) if index not in inside]
        middle = inside[2 if window == 1 else -3]
        assert np.abs(before[middle] - after[middle]).max() > 0.01


def test_a_second_window_leaves_the_first_as_it_was_done(
    engine: VoidEngine, first_anew: list[Decoded]
) -> None:
    once, twice = first_anew, in_three(engine, WindowSeed(1, 77), WindowSeed(3, 9))
    for number in (1, 2):
        assert joined(once, number)[:13].tobytes() == joined(twice, number)[:13].tobytes()
        assert not np.array_equal(joined(once, number)[25], joined(twice, number)[25])


def test_a_window_done_anew_from_the_jobs_own_seed_is_the_same(
    engine: VoidEngine, of_three: list[Decoded]
) -> None:
    anew = in_three(engine, WindowSeed(2, settings().seed))
    for number in (1, 2):
        assert joined(of_three, number).tobytes() == joined(anew, number).tobytes()


def test_a_stream_that_is_dropped_leaves_nothing(engine: VoidEngine, usual: list[Decoded]) -> None:
    stream = engine.remove(*shot(13, RASTER), "another table", settings(seed=9))
    next(stream)
    next(stream)
    stream.close()
    assert joined(run(engine, passes=1), 1).tobytes() == joined(usual, 1).tobytes()


def test_out_of_memory_is_a_sentence_and_the_engine_lives_on(
    engine: VoidEngine, usual: list[Decoded], monkeypatch: pytest.MonkeyPatch
) -> None:

    def full(*_args: object, **_kwargs: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(VoidPipeline, "condition", full)
        with pytest.raises(
            GpuMemory, match=r"raster 16 x 32 in memory mode resident: about .* GiB are needed and"
        ):
            run(engine)
    assert joined(run(engine, passes=1), 1).tobytes() == joined(usual, 1).tobytes()


def test_the_record_says_what_made_the_result(engine: VoidEngine) -> None:
    assert engine.memory_mode == "resident"
    assert engine.device == "cpu"
    assert engine.record["memory_mode"] == "resident"
    assert engine.record["dtype"] == "float32"
    assert engine.record["torch"] == torch.__version__
    assert len(engine.record["void_pass1"]) == 32
    assert engine.record["void_pass1"] != engine.record["void_pass2"]
    assert all(isinstance(value, str) and value for value in engine.record.values())


def test_loading_reports_part_by_part_and_can_be_stopped() -> None:
    told = []
    VoidEngine.load(MODEL, device="cpu", progress=lambda *seen: told.append(seen))
    assert told == [(Stage.LOAD, step, 4) for step in range(5)]

    def stop(stage: Stage, step: int, steps: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        VoidEngine.load(MODEL, device="cpu", progress=stop)


def test_what_cannot_run_is_refused_before_the_first_step(engine: VoidEngine, tmp_path: Path) -> None:
    plate, quadmask = shot(4)
    with pytest.raises(SizeMismatch):
        next(engine.remove(plate, quadmask[:2], "a table", settings()))
    with pytest.raises(SettingsError, match=r"Window 2 .* has 1 "):
        next(engine.remove(plate, quadmask, "a table", settings(window_seeds=(WindowSeed(2, 1),))))
    with pytest.raises(SettingsError, match="flow"):
        next(engine.remove(plate, quadmask, "a table", settings(flow="raft")))
    with pytest.raises(CheckpointError, match="void weights pull"):
        VoidEngine.load(tmp_path)
    with pytest.raises(SettingsError, match="moves weights to a GPU"):
        VoidEngine.load(MODEL, device="cpu", memory="group")
    for name in ("tpu9", "cuda:99", "mps"):
        with pytest.raises(SettingsError, match=f"Device is '{name}'"):
            VoidEngine.load(MODEL, device=name)
