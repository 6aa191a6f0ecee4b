import functools
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from void_server.engine import shelf
from void_server.engine.draft import DraftEngine
from void_server.progress import Cancelled, unwatched
from void_server.quality import decibels, inpaint_baseline, squared_error
from void_server.scene import Scene
from void_wire.messages import Stage


class ArraySource:
    """Frames that are held as arrays: plates (N, H, W, 3), holes (N, H, W)."""

    at_hand = True

    def __init__(self, plates, holes):
        self.plates, self.holes = plates, holes
        self.count, self.height_px, self.width_px = plates.shape[:3]

    def plate(self, index):
        return self.plates[index]

    def hole(self, index):
        return self.holes[index]


@functools.cache
def source_of(scene):
    """A Scene as the server would offer it: the hole is both mattes, grown by two pixels."""
    plates, holes = [], []
    for index in range(scene.frames):
        plates.append(scene.plate(index))
        union = np.maximum(scene.remove(index), scene.affected(index))
        holes.append(cv2.dilate(union, np.ones((5, 5), np.uint8)).astype(np.float32))
    pictures = np.stack(plates), np.stack(holes)
    for picture in pictures:
        picture.setflags(write=False)  # several tests share them
    return ArraySource(*pictures)


def filled(source):
    frames = list(DraftEngine().fill(source, unwatched))
    assert [index for index, _, _ in frames] == list(range(source.count))
    return [frame for _, frame, _ in frames]


def quality(scene, frames):
    """PSNR inside the remove matte over the shot: ours, and per-frame inpainting."""
    source = source_of(scene)
    sums = np.zeros((2, 2))
    for index, frame in enumerate(frames):
        truth, matte = scene.truth(index), scene.remove(index)
        sums[0] += squared_error(frame, truth, matte)
        sums[1] += squared_error(inpaint_baseline(source.plate(index), source.hole(index)), truth, matte)
    return decibels(tuple(sums[0])), decibels(tuple(sums[1]))


@pytest.fixture(scope="module", params=["static", "pan"])
def shot(request):
    scene = Scene(height_px=180, width_px=320, frames=10, camera=request.param)
    return scene, filled(source_of(scene))


def test_borrowed_pixels_beat_inpainting_against_the_truth(shot):
    scene, frames = shot
    ours, inpainting = quality(scene, frames)
    assert ours >= {"static": 40.0, "pan": 32.0}[scene.camera]
    assert ours >= inpainting + 7.0


def test_outside_the_hole_every_bit_is_the_plates(shot):
    scene, frames = shot
    source = source_of(scene)
    for index, frame in enumerate(frames):
        outside = source.hole(index) == 0
        assert frame.dtype == np.float32
        assert np.array_equal(frame[outside], source.plate(index)[outside])


def test_plates_that_cost_much_to_read_are_kept_and_give_the_same_bits(shot, monkeypatch):
    scene, frames = shot
    source = source_of(scene)
    read = []

    class Costly(ArraySource):
        at_hand = False

        def plate(self, index):
            read.append(index)
            return super().plate(index)

    assert all(map(np.array_equal, filled(Costly(source.plates, source.holes)), frames))
    assert sorted(read) == sorted(2 * [*range(source.count)])  # surveyed, and borrowed from
    monkeypatch.setattr(shelf, "PLATES", 3)
    read.clear()
    assert all(map(np.array_equal, filled(Costly(source.plates, source.holes)), frames))
    assert len(read) > 2 * source.count  # some had to make room


def test_twice_the_same_bits():
    scene = Scene(height_px=90, width_px=160, frames=5, camera="pan")
    first, second = filled(source_of(scene)), filled(source_of(scene))
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def test_static_pixels_are_copied_not_resampled():
    random = np.random.default_rng(5)
    still = cv2.GaussianBlur(random.uniform(0, 3, (80, 120, 3)).astype(np.float32), (0, 0), 1.5)
    plates = np.repeat(still[None], 6, axis=0)
    holes = np.zeros((6, 80, 120), np.float32)
    for index in range(6):
        holes[index, 20:60, 10 + 16 * index : 26 + 16 * index] = 1.0
        plates[index, 20:60, 10 + 16 * index : 26 + 16 * index] = 0.0
    for frame in filled(ArraySource(plates, holes)):
        assert np.array_equal(frame, still)


def test_what_shines_is_brought_over_with_its_full_range_and_no_dark_ring():
    y, x = np.mgrid[0:96, 0:160].astype(np.float32)
    random = np.random.default_rng(2)
    texture = cv2.GaussianBlur(random.uniform(0, 1, (96, 240)).astype(np.float32), (0, 0), 2.0)

    def clean(index):
        background = texture[:, 3 * index : 3 * index + 160]
        lamp = 30.0 * np.clip(7.0 - np.hypot(x - 80 + 3 * index, y - 48), 0.0, 1.0)
        return np.repeat((background + lamp)[..., None], 3, axis=-1).astype(np.float32)

    plates = np.stack([clean(index) for index in range(7)])
    holes = np.zeros((7, 96, 160), np.float32)
    holes[3, 30:66, 50:92] = 1.0
    plates[3, 30:66, 50:92] = 0.0
    result = filled(ArraySource(plates, holes))[3]
    truth = clean(3)
    assert result.max() == pytest.approx(truth.max(), rel=0.05)
    assert result.min() > 0.5 * truth.min()
    dim = truth.max(axis=-1) < 1.0
    assert np.abs(result - truth)[dim].mean() < 0.01


def test_a_change_of_exposure_is_matched():
    scene = Scene(height_px=144, width_px=256, frames=8)
    source = source_of(scene)
    plates = source.plates * (1.04 ** np.arange(8))[:, None, None, None]
    frames = filled(ArraySource(plates.astype(np.float32), source.holes))
    sums = np.zeros(2)
    for index, frame in enumerate(frames):
        sums += squared_error(frame / 1.04**index, scene.truth(index), scene.remove(index))
    assert decibels(tuple(sums)) > 38.0


def test_something_else_that_passes_is_outvoted():
    random = np.random.default_rng(9)
    still = cv2.GaussianBlur(random.uniform(0.2, 0.6, (90, 160, 3)).astype(np.float32), (0, 0), 2.0)
    plates = np.repeat(still[None], 9, axis=0)
    holes = np.zeros((9, 90, 160), np.float32)
    holes[4, 30:60, 60:100] = 1.0
    plates[4, 30:60, 60:100] = 0.0
    plates[5, 25:65, 55:105] = 0.9  # the nearest frame shows a stranger, in no matte
    result = filled(ArraySource(plates, holes))[4]
    assert np.abs(result - still).mean() < 0.02


def test_never_seen_parts_stay_in_the_range_of_what_is_around():
    still = np.full((64, 96, 3), 0.2, np.float32)
    plates = np.repeat(still[None], 4, axis=0)
    plates[:, 20:40, 30:60] = 5.0
    holes = np.zeros((4, 64, 96), np.float32)
    holes[:, 19:41, 29:61] = 1.0
    for frame in filled(ArraySource(plates, holes)):
        assert np.abs(frame - 0.2).max() < 0.01


@pytest.mark.parametrize("size", [(1, 1), (1, 63), (63, 2), (63, 63), (213, 513)])
@pytest.mark.parametrize("count", [1, 3])
def test_odd_and_tiny_sizes(size, count):
    random = np.random.default_rng(0)
    plates = random.uniform(0, 2, (count, *size, 3)).astype(np.float32)
    holes = np.zeros((count, *size), np.float32)
    holes[:, : max(size[0] // 3, 1), : max(size[1] // 3, 1)] = 1.0  # touches the border; 1 x 1 is all hole
    for index, frame in enumerate(filled(ArraySource(plates, holes))):
        assert frame.shape == (*size, 3)
        assert np.isfinite(frame).all()
        assert np.array_equal(frame[holes[index] == 0], plates[index][holes[index] == 0])


def test_whole_frame_holes_empty_holes_and_a_shot_that_is_all_hole():
    scene = Scene(height_px=72, width_px=128, frames=5)
    plates = np.stack([scene.truth(4)] * 5)
    holes = np.zeros((5, 72, 128), np.float32)
    holes[1] = 1.0
    plates[1] = 9.0
    frames = filled(ArraySource(plates, holes))
    assert np.array_equal(frames[0], plates[0])
    assert np.abs(frames[1] - plates[0]).max() < 0.05
    everything = filled(ArraySource(plates, np.ones_like(holes)))
    assert all(np.isfinite(frame).all() for frame in everything)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 70), st.integers(1, 70))
def test_wild_pixels_and_holes_never_crash_and_stay_finite(seed, count, height, width):
    random = np.random.default_rng(seed)
    plates = np.exp(random.normal(0, 3, (count, height, width, 3))).astype(np.float32) - np.float32(0.05)
    holes = (random.uniform(0, 1, (count, height, width)) < random.uniform()).astype(np.float32)
    for index, frame in enumerate(filled(ArraySource(plates, holes))):
        assert np.isfinite(frame).all()
        assert np.array_equal(frame[holes[index] == 0], plates[index][holes[index] == 0])


def test_progress_counts_both_passes_and_cancel_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    source = source_of(Scene(height_px=72, width_px=128, frames=4))
    seen = []

    def watch(stage, step, steps):
        seen.append((stage, step, steps))
        if len(seen) == 2:
            assert list(Path(tmp_path).iterdir())

    list(DraftEngine().fill(source, watch))
    assert seen == [(Stage.FILL, step, 8) for step in range(9)]
    assert not list(tmp_path.iterdir())
    for last in (2, 6):

        def stop(stage, step, steps, last=last):
            if step == last:
                raise Cancelled

        with pytest.raises(Cancelled):
            list(DraftEngine().fill(source, stop))
        assert not list(tmp_path.iterdir())
    half = DraftEngine().fill(source, unwatched)
    next(half)
    half.close()
    assert not list(tmp_path.iterdir())
