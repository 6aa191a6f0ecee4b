"""Detail: what becomes of an oracle's small answers, the truth reduced to a quarter and enlarged again."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from void_server.engine.detail import MODES, Detail
from void_server.engine.draft import DraftEngine
from void_server.frames.grain import measure, regrain
from void_server.progress import unwatched
from void_server.quality import decibels, seam_score, sharpness_ratio, squared_error
from void_wire.errors import SettingsError

Pixels = NDArray[np.float32]
REDUCED = 4


@dataclass
class Frames:
    """A shot in memory: plates (N, H, W, 3), holes (N, H, W)."""

    plates: Pixels
    holes: Pixels

    at_hand = True

    def __post_init__(self) -> None:
        self.count, self.height_px, self.width_px = self.holes.shape

    def plate(self, index: int) -> Pixels:
        return self.plates[index]

    def hole(self, index: int) -> Pixels:
        return self.holes[index]


def enlarged(picture: Pixels) -> Pixels:
    """Reduced as a model sees it and enlarged as its answer is."""
    height, width = picture.shape[:2]
    small = cv2.resize(
        np.sqrt(np.maximum(picture, 0)), (width // REDUCED, height // REDUCED), interpolation=cv2.INTER_AREA
    )
    return np.square(np.maximum(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), 0))


def detailed(mode: str, frames: Frames, answers: Pixels) -> tuple[Pixels, Pixels]:
    """The frames with their fills, (N, H, W, 3), and shares (N, H, W)."""
    with TemporaryDirectory() as folder:
        detail = Detail(mode, frames, Path(folder))
        for index in range(frames.count):
            detail.look(index)
        made = list(detail.fill(lambda index, box: answers[index][box.cut], unwatched))
    assert [index for index, _, _ in made] == list(range(frames.count))
    holes = frames.holes[..., None] > 0
    fills, shares = (np.stack(each) for each in list(zip(*made, strict=True))[1:])
    assert not shares[frames.holes == 0].any()
    return np.where(holes, fills, frames.plates), shares


def psnr(pictures: Pixels, truths: Pixels, removed: Pixels) -> float:
    sums = [squared_error(*three) for three in zip(pictures, truths, removed, strict=True)]
    return decibels(tuple(np.sum(sums, axis=0)))


def wall(
    size: tuple[int, int] = (120, 200),
    count: int = 8,
    step_px: int = 16,
    pan_px: float = 0.0,
    octaves_px: tuple[int, ...] = (1, 2, 4, 8),
    grain: float = 0.0,
) -> tuple[Frames, Pixels]:
    """A textured wall that a square passes, by ``step_px`` a frame, and the wall alone, (N, H, W, 3).

    The camera pans by ``pan_px`` a frame; ``grain`` is the deviation of Gaussian noise in every channel of both.
    """
    height, width = size
    random = np.random.default_rng(3)
    layers = (random.random((height // n, 2 * width // n, 3)) for n in octaves_px)
    whole = 0.05 + 0.2 * sum(
        cv2.resize(layer, (2 * width, height), interpolation=cv2.INTER_CUBIC) for layer in layers
    )
    truths = np.empty((count, height, width, 3), np.float32)
    for index in range(count):
        shifted = cv2.warpAffine(
            whole, np.float32([[1, 0, -pan_px * index], [0, 1, 0]]), (width, height), flags=cv2.INTER_CUBIC
        )
        noise = (
            cv2.GaussianBlur(random.normal(size=shifted.shape), (0, 0), 0.7) * 2.47
        )  # of unit strength again
        truths[index] = shifted + grain * noise
    plates, holes = truths.copy(), np.zeros((count, height, width), np.float32)
    for index in range(count):
        left = width // 10 + index * step_px
        holes[index, height // 3 : 2 * height // 3, left : left + height // 3] = 1
    plates[holes > 0] = (1.0, 0.2, 0.1)
    return Frames(plates, holes), truths


def answers_to(truths: Pixels) -> Pixels:
    return np.stack([enlarged(truth) for truth in truths])


@pytest.fixture(scope="module")
def pan() -> tuple[Frames, Pixels, Pixels, Pixels]:
    frames, truths = wall((216, 384), step_px=30, pan_px=3.5, octaves_px=(3, 6, 12, 24))
    answers = answers_to(truths)
    return frames, truths, answers, detailed("borrow", frames, answers)[0]


def test_a_textured_pan_comes_back_well_above_enlargement_and_no_worse_than_draft(
    pan: tuple[Any, ...],
) -> None:
    frames, truths, answers, fills = pan
    drafted = np.stack([frame for _, frame, _ in DraftEngine().fill(frames, unwatched)])
    ours = psnr(fills, truths, frames.holes)
    assert ours >= psnr(answers, truths, frames.holes) + 6.0
    assert ours >= psnr(drafted, truths, frames.holes)


def test_a_borrowed_fill_is_as_sharp_as_the_plate_and_has_no_seam(pan: tuple[Any, ...]) -> None:
    frames, truths, answers, fills = pan
    for fill, answer, truth, hole in zip(fills, answers, truths, frames.holes, strict=True):
        assert 0.9 <= sharpness_ratio(fill, hole, truth) <= 1.1
        assert sharpness_ratio(answer, hole, truth) < 0.8
        assert seam_score(fill, hole, truth) <= 1.1


@pytest.mark.parametrize("mode", MODES)
def test_outside_the_hole_the_fill_is_the_plate_and_lacks_no_grain(mode: str) -> None:
    frames, truths = wall(count=3)
    fills, shares = detailed(mode, frames, answers_to(truths))
    outside = frames.holes == 0
    assert np.array_equal(fills[outside], frames.plates[outside])
    assert not shares[outside].any()
    assert shares.min() >= 0
    assert shares.max() <= 1


def test_where_the_answer_agrees_the_pixels_are_another_frames() -> None:
    frames, truths = wall()
    fills, shares = detailed("borrow", frames, answers_to(truths))
    assert np.abs(fills - truths).max() < 1e-4
    assert shares.max() < 1e-3


def test_what_only_the_answer_shows_stays_the_answers() -> None:
    """A disc comes into the picture by the removal, where other frames have plain wall."""
    frames, truths = wall((216, 384), step_px=30)
    y, x = np.mgrid[:216, :384]
    discs = np.stack([np.hypot(y - 108, x - 74 - 30 * index) < 12 for index in range(frames.count)])
    clean, truths = truths, np.where(discs[..., None], np.float32([0.05, 0.05, 0.5]), truths)
    answers = answers_to(truths)
    fills, shares = detailed("borrow", frames, answers)
    inner = np.stack([cv2.erode(disc.astype(np.uint8), np.ones((7, 7))) > 0 for disc in discs])
    assert shares[inner].min() > 0.99
    assert np.abs(fills - answers)[inner].max() < 0.05
    far = (frames.holes > 0) & np.stack(
        [cv2.dilate(disc.astype(np.uint8), np.ones((45, 45))) == 0 for disc in discs]
    )
    assert np.quantile(np.abs(fills - clean)[far], 0.95) < 1e-4


@pytest.mark.parametrize("mode", ["upscale", "borrow"])
def test_an_answer_that_is_too_dark_is_brought_to_the_plates_level(mode: str) -> None:
    frames, truths = wall(count=2, step_px=2)
    answers = 0.85 * answers_to(truths)
    hole = frames.holes[0] > 0
    fills, _ = detailed(mode, frames, answers)
    assert abs(fills[0][hole].mean() / truths[0][hole].mean() - 1) < 0.02
    raw, _ = detailed("raw", frames, answers)
    assert np.array_equal(raw[0][hole], answers[0][hole])


def test_upscale_needs_no_other_frame_and_is_nearer_than_enlargement() -> None:
    frames, truths = wall(count=1, octaves_px=(3, 6, 12))
    answers = answers_to(truths)
    fills, shares = detailed("upscale", frames, answers)
    assert psnr(fills, truths, frames.holes) > psnr(answers, truths, frames.holes)
    sharp, soft = (sharpness_ratio(one[0], frames.holes[0], truths[0]) for one in (fills, answers))
    assert soft + 0.05 < sharp < 1.1
    assert (shares[frames.holes > 0] == 1).all()


def test_with_nothing_to_borrow_it_is_upscale() -> None:
    frames, truths = wall(count=3, step_px=0)
    answers = answers_to(truths)
    both = detailed("borrow", frames, answers), detailed("upscale", frames, answers)
    for borrowed, alone in zip(*both, strict=True):
        assert np.allclose(borrowed, alone, atol=1e-4)


def test_where_the_model_saw_nothing_other_frames_still_show() -> None:
    frames, truths = wall()
    fills, _ = detailed("borrow", frames, np.full(truths.shape, np.nan, np.float32))
    assert np.abs(fills - truths).max() < 1e-4


@pytest.mark.parametrize("mode", ["borrow", "upscale"])
def test_grain_in_the_fill_is_as_strong_as_the_plates_and_moves(mode: str) -> None:
    bare, clean = wall((180, 320), 10, step_px=12, octaves_px=(24, 48))
    frames, truths = wall((180, 320), 10, step_px=12, octaves_px=(24, 48), grain=0.02)
    middle = slice(3, 7)
    answers = answers_to(truths)
    plate, answered = (
        measure(list(zip(pictures[middle], frames.holes[middle], strict=True)))
        for pictures in (frames.plates, answers)
    )
    grain = plate.without(answered)
    fills, shares = detailed(mode, frames, answers)
    plain, _ = detailed(mode, bare, answers_to(clean))
    added = [regrain(fills[i], shares[i], grain, 1, i) - plain[i] for i in range(10)][middle]
    holes = frames.holes[middle] > 0
    made = np.concatenate([one[hole] for one, hole in zip(added, holes, strict=True)]).std()
    wanted = (truths - clean)[middle][holes].std()
    assert made == pytest.approx(wanted, rel=0.1)
    for (one, other), (before, after) in zip(pairwise(added), pairwise(holes), strict=True):
        both = before & after
        assert abs(np.corrcoef(one[both].ravel(), other[both].ravel())[0, 1]) < 0.05


def test_another_mode_is_refused(tmp_path: Path) -> None:
    frames, _ = wall(count=1)
    with pytest.raises(SettingsError, match="choose one of borrow, upscale, raw"):
        Detail("magic", frames, tmp_path)
