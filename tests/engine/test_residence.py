"""A GPU that runs out of memory costs a slower memory mode, and no bit of the result."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from full_card import Card
from tiny_clips import MODEL, joined, settings, shot

from void_server.engine import residence
from void_server.engine.shortage import RanOut, memory_for
from void_server.engine.void import Decoded, VoidEngine
from void_wire.errors import GpuMemory
from void_wire.messages import Stage

RASTER, SMALLER = (16, 48), (16, 32)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Card:
    return Card(monkeypatch)


@pytest.fixture(scope="module")
def undisturbed() -> list[Decoded]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        Card(monkeypatch)
        return run(VoidEngine(MODEL, device="cpu"))


def run(engine: VoidEngine, folder: Path | None = None, raster: tuple[int, int] = RASTER) -> list[Decoded]:
    wanted = settings()
    engine.settle(raster)
    return list(engine.remove(*shot(13, raster), "a table", wanted, milestones=folder))


def assert_same(made: list[Decoded], wanted: list[Decoded]) -> None:
    assert [(one.passes, one.first, len(one.frames)) for one in made] == [
        (one.passes, one.first, len(one.frames)) for one in wanted
    ]
    for number in (1, 2):
        assert joined(made, number).tobytes() == joined(wanted, number).tobytes()


@pytest.mark.parametrize(
    ("full", "told"),
    [
        ({"resident": "load"}, "offload, after resident ran out of memory while it was loaded"),
        ({"resident": "step 2 of pass 1"}, "offload, after resident ran out of memory at step 2 of pass 1"),
        (
            {"resident": "decode of pass 1, chunk 2"},
            "offload, after resident ran out of memory while pass 1 was decoded",
        ),
        (
            {"resident": "step 1 of pass 2", "offload": "decode of pass 2, chunk 3"},
            "group, after resident ran out of memory at step 1 of pass 2 and offload ran out of memory while pass 2 "
            "was decoded",
        ),
    ],
)
def test_the_next_mode_goes_on_to_the_same_bits(
    card: Card, undisturbed: list[Decoded], tmp_path: Path, full: dict[str, str], told: str
) -> None:
    card.full = lambda mode, what: full.get(mode) == what
    engine = VoidEngine(MODEL, device="cpu")
    assert_same(run(engine, tmp_path), undisturbed)
    assert engine.record["memory_mode"] == told
    assert engine.memory_mode == told.split(",")[0]
    every = [f"step {n} of pass {m}" for m, n in ((1, 1), (1, 2), (2, 1), (2, 2), (2, 3))]
    again = [what for what in full.values() if what.startswith("step")]
    assert sorted(what for _, what in card.did if what.startswith("step")) == sorted(every + again)


def test_without_milestones_it_begins_anew_and_gives_no_frame_twice(
    card: Card, undisturbed: list[Decoded]
) -> None:
    card.full = lambda mode, what: mode == "resident" and what == "step 2 of pass 2"
    assert_same(run(VoidEngine(MODEL, device="cpu")), undisturbed)
    assert len(card.steps("offload")) == 5


def test_the_mode_is_remembered_for_that_raster_and_larger_ones(card: Card, tmp_path: Path) -> None:
    def full(mode: str, what: str) -> bool:
        return mode == "resident" and large and what.startswith("step")

    card.full, large = full, True
    engine = VoidEngine(MODEL, device="cpu")
    run(engine)
    card.did.clear()
    run(engine)
    assert engine.record["memory_mode"] == "offload, after resident ran out of memory in a job before"
    large = False
    run(engine, raster=SMALLER)
    assert engine.record["memory_mode"] == "resident"
    large = True
    run(engine)
    assert engine.memory_mode == "offload"
    assert not [what for mode, what in card.did if mode == "resident" and what == "step 2 of pass 1"][1:]


def test_when_every_mode_ran_out_it_is_said_and_the_next_job_begins_with_the_first(
    card: Card, undisturbed: list[Decoded]
) -> None:
    engine = VoidEngine(MODEL, device="cpu")
    card.full = lambda mode, what: what == "step 1 of pass 1"
    with pytest.raises(
        GpuMemory, match=r"^The GPU ran out of memory at raster 16 x 48 in memory mode group: about"
    ):
        run(engine)
    assert [mode for mode, what in card.did if what == "load"] == ["resident", "offload", "group"]
    card.full = lambda mode, what: False
    assert_same(run(engine), undisturbed)
    assert engine.record["memory_mode"] == "resident"


def test_weights_that_fit_nowhere_are_said(card: Card) -> None:
    card.full = lambda mode, what: what == "load"
    engine = VoidEngine(MODEL, device="cpu")
    with pytest.raises(GpuMemory, match="in memory mode group"):
        engine.settle()
    card.full = lambda mode, what: False
    engine.settle()
    assert engine.record["memory_mode"] == "resident"


def test_rounded_weights_are_for_somebody_to_ask_for(card: Card, tmp_path: Path) -> None:
    """And what they have reached is not gone on from with others, nor the other way round."""
    engine = VoidEngine(MODEL, device="cpu", memory="low")
    rounded = run(engine, tmp_path)
    card.did.clear()
    assert_same(run(engine, tmp_path), rounded)
    assert card.steps("low") == []
    del engine
    run(VoidEngine(MODEL, device="cpu", memory="offload"), tmp_path)
    assert len(card.steps("offload")) == 5
    card.full = lambda mode, what: what == "step 3 of pass 2"
    with pytest.raises(GpuMemory, match="in memory mode low"):
        run(VoidEngine(MODEL, device="cpu", memory="low"), tmp_path)


def test_a_model_that_lies_on_the_device_is_read_onto_it(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[set[str]] = []
    load = residence.load_pipeline

    def loaded(*given, onto, **named):  # type: ignore[no-untyped-def]
        read.append(set(onto))
        return load(*given, onto=onto, **named)

    monkeypatch.setattr(residence, "load_pipeline", loaded)
    for mode in ("resident", "offload"):
        VoidEngine.load(MODEL, device="cpu", memory=mode)
    assert read == [{"vae", "transformer", "transformer_2"}, set()]


def test_progress_is_told_of_the_loading(card: Card) -> None:
    told: list[Stage] = []
    card.full = lambda mode, what: (mode, what) == ("resident", "step 2 of pass 1")
    engine = VoidEngine.load(MODEL, device="cpu")
    for _ in engine.remove(
        *shot(6, RASTER), "a table", settings(passes=1), lambda stage, *_: told.append(stage)
    ):
        pass
    order = [stage for place, stage in enumerate(told) if not place or told[place - 1] is not stage]
    assert order == [Stage.PASS1, Stage.LOAD, Stage.PASS1]


def test_what_is_no_shortage_of_memory_passes() -> None:
    for error in (
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ):
        with pytest.raises(RanOut, match="here"), memory_for("here"):
            raise error
    for other in (RuntimeError("CUDA error: an illegal memory access"), ValueError("out of memory")):
        with pytest.raises(type(other), match=str(other)), memory_for("here"):
            raise other
