"""A whole job without a model: the engine is one that knows the answer, everything around it is real."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from void_server.engine.void import Decoded
from void_server.frames.exr import read_header, read_plate, write_frame
from void_server.frames.geometry import Box
from void_server.job_folder import MADE_ROLES, JobFolder
from void_server.progress import Cancelled, Progress, unwatched
from void_server.removal import Machine, Removal
from void_wire.messages import FrameRange, JobSpec, PictureSettings, Role, Signs, Stage, VoidSettings

HEIGHT, WIDTH = 90, 320
FRAMES = 30
MACHINE = Machine(weights=Path(), raft_weights=None, device="cpu", memory="auto")


class Oracle:
    """Answers with the middle of all frames: of a camera that stands still the empty scene."""

    def __init__(self) -> None:
        self.record = {"engine": "oracle"}
        self.shown: list[tuple[int, ...]] = []
        self.noise_at: list[int] = []

    def remove(
        self,
        plate: NDArray[np.float32],
        quadmask: NDArray[np.uint8],
        prompt: str,
        settings: VoidSettings,
        progress: Progress = unwatched,
        milestones: Path | None = None,
        noise_at: int = 0,
    ) -> Iterator[Decoded]:
        assert plate.shape == (*quadmask.shape, 3)
        self.shown.append(plate.shape)
        self.noise_at.append(noise_at)
        seen = (quadmask == 255)[..., None]
        known = np.broadcast_to(seen.sum(axis=0), plate.shape[1:])
        rising = np.sort(np.where(seen, plate, np.inf), axis=0)  # what is hidden comes last
        lower, upper = (
            np.take_along_axis(rising, np.maximum(middle, 0)[None], axis=0)[0]
            for middle in ((known - 1) // 2, np.minimum(known // 2, len(plate) - 1))
        )
        clean = np.where(known, (lower + upper) / 2, 0.5).astype(np.float32)
        for number in range(1, settings.passes + 1):
            progress((Stage.PASS1, Stage.PASS2)[number - 1], 1, 1)
            for first in range(0, len(plate), 8):
                yield Decoded(number, first, np.stack([clean] * len(plate[first : first + 8])))


@pytest.fixture
def oracle() -> Oracle:
    return Oracle()


@pytest.fixture
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many of few frames as there are of many."""
    monkeypatch.setattr("void_server.frames.segments.SHORTEST", 13)
    monkeypatch.setattr("void_server.frames.segments.OVERLAP", 6)


def scenery(seed: int, contrast: float = 1.0) -> NDArray[np.float32]:
    """(H, W, 3): smooth enough that a raster of half the size holds it."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    picture = np.full((HEIGHT, WIDTH, 3), 0.3, np.float32)
    for _ in range(6):
        wave = np.sin(x / random.uniform(9, 30) + y / random.uniform(9, 30) + random.uniform(0, 6))
        picture += wave[..., None] * (contrast * random.uniform(0.0, 0.05, 3)).astype(np.float32)
    return np.maximum(picture, 0.02)


def make_job(
    path: Path, places: list[int | None], sceneries: list[NDArray[np.float32]], **settings: object
) -> tuple[JobSpec, JobFolder]:
    """Frames with a bright square at x, or none; each over its scenery."""
    void = {
        name: settings.pop(name)
        for name in ("passes", "time_base", "rate_fps", "show_pass1", "noise_range")
        if name in settings
    }
    spec = JobSpec(
        "0123456789abcdef",
        "shot",
        "void",
        FrameRange(1001, 1000 + len(places)),
        (Role.PLATE, Role.REMOVE),
        prompt="an empty wall",
        picture=PictureSettings(colorspace="lin_rec709", regrain=False, **settings),  # type: ignore[arg-type]
        void=VoidSettings(raster_height_px=48, raster_width_px=80, **{"passes": 1, **void}),  # type: ignore[arg-type]
    )
    folder = JobFolder(path)
    folder.make((*spec.roles, *MADE_ROLES))
    for frame, place, picture in zip(spec.frames.numbers(), places, sceneries, strict=True):
        plate, matte = picture.copy(), np.zeros((HEIGHT, WIDTH, 1), np.float32)
        if place is not None:
            square = np.s_[35:55, place : place + 20]
            plate[square], matte[square] = (3.0, 0.1, 0.1), 1.0
        write_frame(folder.frame(Role.PLATE, frame), frame, plate, ("R", "G", "B"))
        write_frame(folder.frame(Role.REMOVE, frame), frame, matte, "A")
    return spec, folder


def run(
    oracle: Oracle, spec: JobSpec, folder: JobFolder, progress: Progress = unwatched
) -> tuple[dict[str, str], list[int]]:
    """The record, and the result frames in the order in which they were made."""
    order = []

    def made(role: Role, frame: int, path: Path) -> None:
        assert path.is_file()
        if role is Role.RESULT:
            order.append(frame)

    return Removal(MACHINE, oracle).remove(spec, folder, progress, made), order


def result(folder: JobFolder, frame: int) -> NDArray[np.float32]:
    return read_plate(folder.frame(Role.RESULT, frame), frame).rgb


def attribute(folder: JobFolder, frame: int, name: str, role: Role = Role.RESULT) -> str:
    return str(read_plate(folder.frame(role, frame), frame).spec.getattribute(name))


@pytest.mark.parametrize("detail", ["raw", "borrow"])
def test_a_far_traveller_is_removed_through_several_boxes_without_a_jump(
    tmp_path: Path, oracle: Oracle, short_segments: None, detail: str
) -> None:
    wall, places = scenery(1), [int(x) for x in np.linspace(10, 290, FRAMES)]
    spec, folder = make_job(tmp_path / "job", places, [wall] * FRAMES, detail=detail)
    record, order = run(oracle, spec, folder)
    assert len(oracle.shown) == 3
    assert order == spec.frames.numbers()
    assert record["crop"].startswith("1001-")
    assert "; " in record["crop"]
    errors = [
        float(np.abs(result(folder, frame) - wall)[35:55, x : x + 20].mean())
        for frame, x in zip(order, places, strict=True)
    ]
    assert max(errors) < 0.02
    crops = {attribute(folder, frame, "void/crop") for frame in order}
    assert len(crops) == 3


@pytest.mark.parametrize(
    ("settings", "first"),
    [
        ({}, [0, 0]),
        ({"noise_range": "981-1200"}, [20, 30]),
        ({"noise_range": "961-1200", "time_base": "model", "rate_fps": 24.0}, [20, 25]),
    ],
)
def test_each_take_has_the_noise_of_its_place_in_the_shot(
    tmp_path: Path, oracle: Oracle, settings: dict[str, object], first: list[int]
) -> None:
    walls = [scenery(4, 3.0)] * 10 + [scenery(5, 3.0)] * 8
    spec, folder = make_job(tmp_path / "job", [60] * 18, walls, detail="raw", **settings)
    run(oracle, spec, folder)
    assert oracle.noise_at == first


def test_one_box_when_one_is_asked_for(tmp_path: Path, oracle: Oracle, short_segments: None) -> None:
    wall, places = scenery(1), [int(x) for x in np.linspace(10, 290, FRAMES)]
    spec, folder = make_job(tmp_path / "job", places, [wall] * FRAMES, segments="one", detail="raw")
    record, _ = run(oracle, spec, folder)
    assert len(oracle.shown) == 1
    assert ";" not in record["crop"]


def test_the_models_time_base_shows_every_second_frame_and_brings_all_back(
    tmp_path: Path, oracle: Oracle
) -> None:
    wall, places = scenery(1), [int(x) for x in np.linspace(100, 160, 13)]
    model = {"time_base": "model", "rate_fps": 24.0, "passes": 2, "show_pass1": True}
    spec, folder = make_job(tmp_path / "job", places, [wall] * 13, **model)
    record, order = run(oracle, spec, folder)
    assert [shape[0] for shape in oracle.shown] == [7]
    assert order == spec.frames.numbers()
    assert record["time base"].startswith("one frame in 2")
    for frame, x in zip(order, places, strict=True):
        assert float(np.abs(result(folder, frame) - wall)[35:55, x : x + 20].mean()) < 0.02
        assert folder.frame(Role.PASS1, frame).is_file()


def test_a_cancel_leaves_no_working_files(
    tmp_path: Path, oracle: Oracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    spec, folder = make_job(tmp_path / "job", [100] * 6, [scenery(1)] * 6)

    def stop(stage: Stage, step: int, steps: int) -> None:
        if stage is Stage.PASS1:
            assert list(scratch.iterdir())
            raise Cancelled

    with pytest.raises(Cancelled):
        run(oracle, spec, folder, stop)
    assert not list(scratch.iterdir())


def test_frames_leave_while_the_model_makes_others_and_it_waits_for_none_to_be_written(
    tmp_path: Path, oracle: Oracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, left, answered = Oracle.remove, threading.Event(), threading.Event()

    def remove(*given: Any) -> Iterator[Decoded]:
        for decoded in answers(*given):
            yield decoded
            assert left.wait(60)  # the first frames are gone before the last are decoded
        answered.set()

    def made(role: Role, frame: int, path: Path) -> None:
        left.set()
        assert answered.wait(60)  # though nobody has taken the others yet

    monkeypatch.setattr(Oracle, "remove", remove)
    spec, folder = make_job(tmp_path / "job", [100] * 20, [scenery(1)] * 20, detail="raw")
    Removal(MACHINE, oracle).remove(spec, folder, unwatched, made)
    assert read_header(folder.frame(Role.RESULT, 1020), 1020).display == Box(0, 0, WIDTH, HEIGHT)


def test_windows_stay_whatever_the_segments(tmp_path: Path, oracle: Oracle) -> None:
    wall = scenery(1)
    spec, folder = make_job(tmp_path / "job", [20] * 4, [wall] * 4)
    run(oracle, spec, folder)
    assert read_header(folder.frame(Role.RESULT, 1001), 1001).display == Box(0, 0, WIDTH, HEIGHT)


def test_each_part_between_cuts_is_done_on_its_own_and_an_unmarked_one_stays(
    tmp_path: Path, oracle: Oracle
) -> None:
    walls = [scenery(4, 3.0)] * 8 + [scenery(5, 3.0)] * 8 + [scenery(6, 3.0)] * 8
    places: list[int | None] = [20 + 6 * n for n in range(8)] + [None] * 8 + [240 - 6 * n for n in range(8)]
    spec, folder = make_job(tmp_path / "job", places, walls, passes=2, show_pass1=True)
    record, order = run(oracle, spec, folder)
    assert [shape[0] for shape in oracle.shown] == [8, 8]
    assert order == spec.frames.numbers()
    assert record["untouched"] == "1009-1016: nothing is marked here"
    assert "1017-1024: " in record["crop"]
    for frame, place, wall in zip(order, places, walls, strict=True):
        for role in (Role.RESULT, Role.PASS1):
            made = read_plate(folder.frame(role, frame), frame).rgb
            if place is None:
                assert np.array_equal(made, wall)
            else:
                assert float(np.abs(made - wall)[35:55, place : place + 20].mean()) < 0.04


def test_one_goes_on_across_a_cut(tmp_path: Path, oracle: Oracle) -> None:
    places: list[int | None] = [20 + 6 * n for n in range(16)]
    spec, folder = make_job(
        tmp_path / "job",
        places,
        [scenery(4, 3.0)] * 8 + [scenery(5, 3.0)] * 8,
        segments="one",
        detail="raw",
    )
    run(oracle, spec, folder)
    assert [shape[0] for shape in oracle.shown] == [16]


@pytest.mark.parametrize("detail", ["raw", "borrow"])
def test_every_frame_of_the_result_is_judged_after_it_is_made(
    tmp_path: Path, oracle: Oracle, detail: str
) -> None:
    places: list[int | None] = [20 + 6 * n for n in range(9)]
    walls = [scenery(4, 3.0)] * 9 + [scenery(5, 3.0)] * 10
    spec, folder = make_job(tmp_path / "job", [*places, *places, None], walls, detail=detail, passes=2)
    made: list[int] = []
    judged: dict[int, Signs] = {}

    def tell(frame: int, signs: Signs) -> None:
        assert frame in made
        judged[frame] = signs

    record = Removal(MACHINE, oracle).remove(
        spec,
        folder,
        unwatched,
        lambda role, frame, path: made.append(frame) if role is Role.RESULT else None,
        tell,
    )
    assert list(judged) == spec.frames.numbers()[:-1]  # in the last nothing is merged
    assert {"worth a look", "residual", "seam", "flicker", "drift", "borrowed"} <= set(record)
    alone = [frame for frame, signs in judged.items() if signs.flicker is None]
    assert alone == [1001, 1009, 1010, 1018]  # the ends, on either side of the cut
    for signs in judged.values():
        assert signs.residual is not None
        assert signs.residual < 0.3
        assert signs.drift is not None
        assert signs.drift < 0.01
        assert signs.generated is not None
        assert signs.borrowed == pytest.approx(1 - signs.generated)
        assert (signs.generated == 1.0) if detail == "raw" else (signs.generated < 0.7)
        assert signs.enlarged == signs.generated


def test_a_shot_that_the_model_leaves_as_it_is_says_so(
    tmp_path: Path, oracle: Oracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Oracle,
        "remove",
        lambda self, plate, *given: iter([Decoded(1, 0, plate * np.float32(1))]),
    )
    spec, folder = make_job(tmp_path / "job", [60, 70, 80, 90], [scenery(1)] * 4, detail="raw")
    record, _ = run(oracle, spec, folder)
    assert record["worth a look"].startswith("frames 1001-1004: residual")
    assert record["residual"].startswith(("1.", "0.9"))
    assert record["generated"] == "100 %"
