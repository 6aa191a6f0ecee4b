"""A run that was cut short is taken up where it was, to the bits of one that was not."""

import functools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import torch
from safetensors import safe_open
from tiny_clips import MODEL, joined, settings, shot

from void_server.engine import milestones
from void_server.engine.milestones import Milestone, Milestones
from void_server.engine.void import Decoded, VoidEngine
from void_server.progress import Halted
from void_wire.messages import Stage, VoidSettings, WindowSeed

REQUESTS = {
    "in the model's own type": (6, settings(latents="model")),
    "two of three windows done anew": (
        30,
        settings(window_frames=21, window_seeds=(WindowSeed(1, 77), WindowSeed(3, 9))),
    ),
}
ONE_WINDOW = (6, settings())
RASTER = (16, 32)
LONGER = (13, settings(passes=2))
"""Decoded in more than one piece."""

CUTS = [
    (Stage.PASS1, 1),
    (Stage.PASS1, 2),
    (Stage.NOISE, 1),
    (Stage.PASS2, 1),
    (Stage.PASS2, 2),
    (Stage.PASS2, 3),
]


class Killed(BaseException):
    """As a kill does: nothing is tidied up."""


@pytest.fixture(scope="module")
def engine() -> VoidEngine:
    return VoidEngine.load(MODEL, device="cpu")


@pytest.fixture(scope="module")
def whole_of(engine: VoidEngine) -> Callable[..., list[Decoded]]:
    """What a request makes that is not cut short."""
    return functools.cache(lambda request, prompt="a table": run(engine, request, None, prompt=prompt)[0])


@pytest.fixture(autouse=True)
def every_step_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(milestones, "SHARE", math.inf)


def run(
    engine: VoidEngine,
    request: tuple[int, VoidSettings],
    folder: Path | None,
    cut: tuple[Stage, int] | None = None,
    prompt: str = "a table",
    how: type[BaseException] = Killed,
) -> tuple[list[Decoded], list[tuple[Stage, int]]]:
    frames, wanted = request
    told = []

    def progress(stage: Stage, step: int, steps: int) -> None:
        told.append((stage, step))
        if (stage, step) == cut:
            raise how

    made = []
    try:
        for one in engine.remove(*shot(frames, RASTER), prompt, wanted, progress, folder):
            made.append(one)
    except how:
        assert cut is not None
    return made, told


@contextmanager
def decoder_of(engine: VoidEngine) -> Iterator[list[None]]:
    """A list with an entry for every chunk that is decoded."""
    calls: list[None] = []
    hook = engine._model.pipe.vae.decoder.conv_in.conv.register_forward_hook(lambda *_: calls.append(None))
    try:
        yield calls
    finally:
        hook.remove()


def steps_of(told: list[tuple[Stage, int]], stage: Stage) -> list[int]:
    return [step for one, step in told if one is stage and step]


@pytest.mark.parametrize("name", REQUESTS)
def test_a_run_goes_on_after_the_step_it_was_killed_in(
    engine: VoidEngine, whole_of: Callable[..., list[Decoded]], tmp_path: Path, name: str
) -> None:
    whole = whole_of(REQUESTS[name])
    for cut in CUTS[:: 1 if len(whole) < 10 else 2]:
        folder = tmp_path / f"{cut[0].name}-{cut[1]}"
        run(engine, REQUESTS[name], folder, cut)
        made, told = run(engine, REQUESTS[name], folder)
        first = cut[1] if cut[0] is Stage.PASS1 else 2
        assert steps_of(told, Stage.PASS1) == [step for step in (1, 2) if step > first]
        begun = cut[1] if cut[0] is Stage.PASS2 else 0
        assert steps_of(told, Stage.PASS2) == [step for step in (1, 2, 3) if step > begun]
        assert bool(steps_of(told, Stage.NOISE)) == (begun == 0)
        for number in (1, 2):
            assert joined(made, number).tobytes() == joined(whole, number).tobytes()


@pytest.mark.parametrize("passes", [1, 2])
def test_a_run_that_was_killed_while_it_decoded_only_decodes_again(
    engine: VoidEngine, tmp_path: Path, passes: int
) -> None:
    with decoder_of(engine) as calls:
        whole, _ = run(engine, LONGER, None)
    of_a_pass = len(calls) // 2
    folder = tmp_path / "kept"
    stream = engine.remove(*shot(13, RASTER), "a table", LONGER[1], milestones=folder)
    while next(stream).passes < passes:
        pass
    copytree(folder, tmp_path / "killed")  # as a kill leaves it
    stream.close()
    assert not list(folder.glob("*.part"))
    with decoder_of(engine) as calls:
        made, told = run(engine, LONGER, tmp_path / "killed")
    assert len(calls) == of_a_pass * (3 - passes)
    assert steps_of(told, Stage.PASS1) == []
    assert steps_of(told, Stage.PASS2) == ([] if passes == 2 else [1, 2, 3])
    for number in (1, 2):
        assert joined(made, number).tobytes() == joined(whole, number).tobytes()


@pytest.mark.parametrize("name", ["longer", "two of three windows done anew"])
def test_a_run_that_was_decoded_reads_its_frames(engine: VoidEngine, tmp_path: Path, name: str) -> None:
    request = {**REQUESTS, "longer": LONGER}[name]
    whole, _ = run(engine, request, tmp_path)
    with decoder_of(engine) as calls:
        made, told = run(engine, request, tmp_path)
    assert not calls
    assert {stage for stage, step in told if step} == set()
    for number in (1, 2):
        assert joined(made, number).tobytes() == joined(whole, number).tobytes()


def test_what_is_halted_keeps_its_last_step_though_saving_rests(
    engine: VoidEngine,
    whole_of: Callable[..., list[Decoded]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(milestones, "SHARE", 1e-9)
    request, file = REQUESTS["two of three windows done anew"], tmp_path / "pass2.safetensors"
    run(engine, request, tmp_path, (Stage.PASS2, 2), how=Killed)
    assert not file.exists()
    run(engine, request, tmp_path, (Stage.PASS2, 2), how=Halted)
    with safe_open(file, framework="pt") as held:
        assert held.metadata()["step"] == "2"
    made, told = run(engine, request, tmp_path)
    assert steps_of(told, Stage.PASS2) == [3]
    assert joined(made, 2).tobytes() == joined(whole_of(request), 2).tobytes()


def test_another_request_begins_anew(
    engine: VoidEngine, whole_of: Callable[..., list[Decoded]], tmp_path: Path
) -> None:
    request = ONE_WINDOW
    run(engine, request, tmp_path)
    for other, prompt in (
        (request, "a chair"),
        ((6, settings(seed=8)), "a table"),
        ((5, settings()), "a table"),
    ):
        made, told = run(engine, other, tmp_path, prompt=prompt)
        assert steps_of(told, Stage.PASS1) == [1, 2]
        assert joined(made, 2).tobytes() == joined(whole_of(other, prompt), 2).tobytes()


@pytest.mark.parametrize("damage", ["cut short", "no tensors", "another file"])
def test_a_damaged_file_is_as_none(
    engine: VoidEngine, whole_of: Callable[..., list[Decoded]], tmp_path: Path, damage: str
) -> None:
    request = ONE_WINDOW
    run(engine, request, tmp_path, (Stage.PASS1, 1))
    (path,) = tmp_path.iterdir()
    data = path.read_bytes()
    path.write_bytes(
        {"cut short": data[: len(data) // 2], "no tensors": b"", "another file": b"\xff" * 99}[damage]
    )
    made, told = run(engine, request, tmp_path)
    assert steps_of(told, Stage.PASS1) == [1, 2]
    assert joined(made, 2).tobytes() == joined(whole_of(request), 2).tobytes()


def test_a_folder_that_takes_nothing_costs_the_milestone_alone(engine: VoidEngine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    made, _ = run(engine, ONE_WINDOW, tmp_path / "file" / "below")
    assert joined(made, 2).shape[0] == 6


@pytest.mark.parametrize("damage", ["cut short", "no array", "of another request"])
def test_damaged_frames_are_decoded_again(engine: VoidEngine, tmp_path: Path, damage: str) -> None:
    whole, _ = run(engine, LONGER, tmp_path)
    (path,) = tmp_path.glob("pass2-*.npy")
    if damage == "of another request":
        other = path.rename(path.with_name("pass2-ffff.npy"))
    else:
        path.write_bytes(path.read_bytes()[:-100] if damage == "cut short" else b"no array")
    with decoder_of(engine) as calls:
        made, _ = run(engine, LONGER, tmp_path)
    assert calls
    assert joined(made, 2).tobytes() == joined(whole, 2).tobytes()
    assert path.exists()
    if damage == "of another request":
        assert not other.exists()


def test_saving_rests_so_that_it_takes_a_small_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(milestones, "SHARE", 0.25)
    clock = iter(
        np.cumsum([0, 1, 3.9, 0.1, 1, 100, 0, 100]).tolist()
    )  # began, saved, soon, later, saved, ...
    monkeypatch.setattr(milestones.time, "monotonic", lambda: next(clock))
    kept = Milestones(tmp_path, "key")
    reached = []
    for step in range(1, 5):
        kept.reached(1, 5, Milestone(step, torch.full((1, 1, 16, 2, 2), float(step)), ()))
        before = Milestones(tmp_path, "key").last(1)
        reached.append(before.step if before else 0)
    assert reached == [1, 1, 3, 4]
