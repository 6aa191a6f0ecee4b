import math

import numpy as np
import pytest

from void_server.quality import decibels, encode_srgb, inpaint_baseline, psnr_db, squared_error
from void_server.scene import Scene


@pytest.fixture(params=["static", "pan"])
def scene(request):
    return Scene(height_px=90, width_px=160, frames=9, camera=request.param)


def test_same_fields_render_the_same_bits_and_another_seed_does_not(scene):
    again = Scene(height_px=90, width_px=160, frames=9, camera=scene.camera)
    assert np.array_equal(scene.plate(4), again.plate(4))
    other = Scene(height_px=90, width_px=160, frames=9, camera=scene.camera, seed=1)
    assert np.abs(scene.truth(4) - other.truth(4)).mean() > 0.01


@pytest.mark.parametrize("size", [(1, 1), (63, 63), (33, 1025), (270, 480)])
def test_any_size_is_finite_half_friendly_and_mattes_stay_in_range(size):
    scene = Scene(*size, frames=3, camera="pan")
    for picture in (scene.plate(2), scene.truth(2)):
        assert picture.shape == (*size, 3)
        assert picture.dtype == np.float32
        assert picture.min() >= 0.0
        assert picture.max() < 16.0
    for matte in (scene.remove(2), scene.affected(2)):
        assert matte.shape == size
        assert matte.min() >= 0.0
        assert matte.max() <= 1.0


def test_plate_and_truth_differ_inside_the_mattes_only(scene):
    for index in range(scene.frames):
        outside = (scene.remove(index) == 0) & (scene.affected(index) == 0)
        difference = np.abs(scene.plate(index) - scene.truth(index)).max(axis=-1)
        assert difference[outside].max() < 1e-4
        assert difference[scene.remove(index) > 0.9].mean() > 0.02


def test_ball_hangs_with_the_cart_and_without_it_lies_on_the_floor_outside_the_remove_matte():
    scene = Scene(height_px=180, width_px=320, frames=24)

    def red(picture):
        y, x = np.nonzero((picture[..., 0] > 0.2) & (picture[..., 1] < 0.25 * picture[..., 0]))
        return y.mean(), x.mean()

    held_first, held_last = red(scene.plate(0)), red(scene.plate(23))
    fallen_first, fallen_last = red(scene.truth(0)), red(scene.truth(23))
    assert held_first == pytest.approx(fallen_first, abs=1.0)
    assert held_last[0] == pytest.approx(held_first[0], abs=1.0)
    assert held_last[1] > held_first[1] + 100
    assert fallen_last[0] > fallen_first[0] + 20
    assert fallen_last[1] == pytest.approx(fallen_first[1], abs=1.0)
    clean = scene.truth(23)
    for index in range(1, 23):  # at 0 the ball still hangs and shares edge pixels with the hook
        inside = scene.remove(index) > 0
        assert np.abs(scene.truth(index) - clean)[inside].max() < 1e-4


def test_pan_moves_the_picture_smoothly_by_parts_of_a_pixel():
    scene = Scene(height_px=180, width_px=320, frames=9, camera="pan")

    def lamp(index):
        weight = np.maximum(scene.truth(index)[..., 0] - 2.0, 0.0)
        return float((weight * np.arange(320)).sum() / weight.sum())

    places = np.array([lamp(index) for index in range(9)])
    steps = np.diff(places)
    assert (steps < 0).all()
    assert np.abs(steps).min() < 0.3 * np.abs(steps).max()
    static = Scene(height_px=180, width_px=320, frames=9)
    assert np.array_equal(static.truth(7)[:, 160:], static.truth(8)[:, 160:])


def test_a_panning_camera_sees_one_and_the_same_wall():
    scene = Scene(height_px=180, width_px=320, frames=5, camera="pan", seed=3)
    focal = 1.9 * 180
    angles = np.linspace(-0.1, 0.1, 300)

    def wall_at_eye_height(index):
        swing = math.atan(0.22 * 320 / focal)
        yaw = swing * (0.5 - 0.5 * math.cos(math.pi * index / 4) - 0.5)
        columns = focal * np.tan(angles - yaw) + 159.5
        return np.interp(columns, np.arange(320), scene.truth(index)[60, :, 1]), columns

    first, seen_first = wall_at_eye_height(0)
    last, seen_last = wall_at_eye_height(4)
    both = (seen_first > 0) & (seen_first < 319) & (seen_last > 0) & (seen_last < 319)
    assert both.sum() > 200
    assert np.corrcoef(first[both], last[both])[0, 1] > 0.9


def test_highlights_go_above_one_and_matte_edges_are_soft(scene):
    assert scene.truth(0).max() > 2.0
    edge = scene.remove(3)
    assert ((edge > 0.05) & (edge < 0.95)).sum() > 20


def test_an_index_outside_the_shot_is_refused(scene):
    with pytest.raises(IndexError, match="index 9 of a scene of 9"):
        scene.plate(9)


def test_psnr_of_a_known_difference_and_of_none():
    truth = np.full((4, 4, 3), 0.5, np.float32)
    result = truth.copy()
    result[0] = 0.0
    matte = np.zeros((4, 4), np.float32)
    assert math.isnan(psnr_db(result, truth, matte))
    matte[3] = 1.0
    assert psnr_db(result, truth, matte) == math.inf
    matte[:] = 1.0
    wanted = 10 * math.log10(4.0 / float(encode_srgb(truth[:1, :1])[0, 0, 0]) ** 2)
    assert psnr_db(result, truth, matte) == pytest.approx(wanted, abs=1e-4)
    halves = [
        squared_error(result[:2], truth[:2], matte[:2]),
        squared_error(result[2:], truth[2:], matte[2:]),
    ]
    assert decibels((halves[0][0] + halves[1][0], halves[0][1] + halves[1][1])) == pytest.approx(
        wanted, abs=1e-4
    )


def test_baseline_inpainting_changes_the_hole_only_and_fills_flat_colour_exactly_enough():
    plate = np.full((40, 40, 3), 0.18, np.float32)
    plate[10:20, 10:20] = 4.0
    hole = np.zeros((40, 40), np.float32)
    hole[9:21, 9:21] = 0.5
    filled = inpaint_baseline(plate, hole)
    assert np.array_equal(filled[hole == 0], plate[hole == 0])
    assert np.abs(filled - 0.18).max() < 0.01
