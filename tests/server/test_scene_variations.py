import numpy as np
import pytest

from void_server.scene import Scene
from void_server.scene.film import CHANNELS, grain_sigma

VARIATIONS = {
    "handheld": {"camera": "handheld"},
    "smooth": {"background": "smooth"},
    "exposure": {"exposure_stops": 1.5},
    "bulbs": {"bulbs": 64.0},
    "reflection": {"reflection": 0.3},
    "shutter": {"shutter": 0.5},
    "grain": {"grain": 0.02},
    "all": {
        "camera": "handheld",
        "background": "smooth",
        "exposure_stops": -1.0,
        "bulbs": 64.0,
        "reflection": 0.3,
        "shutter": 0.5,
        "grain": 0.02,
    },
}


DEMO_SUMS = (7821.7735, 7730.3852, 382.4965)


def small(**fields):
    return Scene(height_px=90, width_px=160, frames=9, **fields)


@pytest.mark.parametrize("name", VARIATIONS)
def test_each_variation_is_deterministic_and_differs_inside_the_mattes_only(name):
    scene, again = small(**VARIATIONS[name]), small(**VARIATIONS[name])
    for index in (0, 4, 8):
        plate, truth = scene.plate(index), scene.truth(index)
        assert np.array_equal(plate, again.plate(index))
        outside = (scene.remove(index) == 0) & (scene.affected(index) == 0)
        assert outside.any()
        assert np.array_equal(plate[outside], truth[outside])
        assert np.abs(plate - truth).max() > 0.05
        assert np.isfinite(plate).all()
        for matte in (scene.remove(index), scene.affected(index)):
            assert matte.min() >= 0
            assert matte.max() <= 1 + 1e-6


@pytest.mark.parametrize("name", VARIATIONS)
def test_each_variation_changes_the_picture_and_its_default_does_not(name):
    assert np.abs(small().plate(4) - small(**VARIATIONS[name]).plate(4)).max() > 0.01


def test_pictures_of_the_demo_stay_as_they_are():
    """The sums were taken before there were variations; they hold for the platform they were taken on."""
    scene = small(camera="pan", seed=3)
    sums = [float(f(2).astype(np.float64).sum()) for f in (scene.plate, scene.truth, scene.remove)]
    assert sums == pytest.approx(DEMO_SUMS, rel=1e-5)


def test_a_hand_turns_rolls_and_zooms_smoothly():
    scene = Scene(camera="handheld", frames=48, seed=1)
    views = [scene._view(index) for index in range(48)]
    for name in ("yaw", "pitch", "roll", "zoom"):
        curve = np.array([getattr(view, name) for view in views])
        assert np.ptp(curve) > 0.004, name
        assert np.abs(np.diff(curve, 2)).max() < 0.3 * np.ptp(curve), name
    other = Scene(camera="handheld", frames=48, seed=2)._view(5)
    assert other.yaw != views[5].yaw


def test_exposure_rolls_by_the_stops_asked_for():
    plain, rolling = small(), small(exposure_stops=2.0)
    assert np.array_equal(plain.truth(0), rolling.truth(0))
    assert np.allclose(rolling.truth(8), 4.0 * plain.truth(8))
    assert np.median(rolling.truth(4) / plain.truth(4)) == pytest.approx(2.0, rel=1e-5)


def test_bulbs_reach_their_brightness_behind_the_cart_and_nothing_rings_below_black():
    scene = Scene(height_px=180, width_px=320, frames=9, bulbs=64.0)
    truth = scene.truth(4)
    assert truth.max() == pytest.approx(64.0, abs=0.5)
    assert truth.min() >= 0
    assert max(truth[scene.remove(index) > 0.9].max() for index in range(9)) > 30


def test_motion_blur_softens_the_matte_and_keeps_what_it_covers():
    sharp, blurred = small(travel=1.0), small(travel=1.0, shutter=0.5)

    def soft(scene):
        matte = scene.remove(4)
        return ((matte > 0.02) & (matte < 0.98)).sum()

    assert soft(blurred) > 1.5 * soft(sharp)
    assert blurred.remove(4).sum() == pytest.approx(sharp.remove(4).sum(), rel=0.02)


def test_motion_blur_mixes_light_as_the_matte_says():
    """On a smooth wall a blurred pixel of the post is the wall's light and the post's in the matte's shares."""
    scene = Scene(height_px=180, width_px=320, frames=9, background="smooth", shutter=0.5)
    matte, plate, truth = scene.remove(4), scene.plate(4), scene.truth(4)
    row = slice(95, 110)  # across the post, between ball and body
    moved = (plate - truth)[row].mean(axis=-1)
    share = matte[row]
    assert ((share > 0.2) & (share < 0.8)).sum() > 10
    assert np.corrcoef(moved[share > 0], share[share > 0])[0, 1] ** 2 > 0.5  # the post is not one colour


def test_reflection_stands_on_its_head_under_the_cart():
    plain, wet = (Scene(height_px=180, width_px=320, frames=3, reflection=share) for share in (0.0, 0.4))
    below = np.abs(plain.plate(1) - wet.plate(1)).max(axis=-1) > 0.01
    rows = np.flatnonzero(below.any(axis=1))
    cart_rows = np.flatnonzero((wet.remove(1) > 0.5).any(axis=1))
    assert rows.min() >= cart_rows.max() - 3
    assert (wet.affected(1)[below] > 0).all()


def test_grain_is_as_strong_as_said_correlated_in_space_and_new_in_every_frame():
    scene = Scene(height_px=270, width_px=480, frames=2, grain=0.02, background="smooth")
    fields = [scene.truth(index) - scene.clean_truth(index) for index in (0, 1)]
    unit = [field / grain_sigma(scene.clean_truth(index), 0.02) for index, field in enumerate(fields)]
    assert np.allclose([u.std(axis=(0, 1)) for u in unit], 1.0, atol=0.03)
    grey = np.full((1, 3), 0.18, np.float32)
    assert grain_sigma(grey, 0.02)[0] == pytest.approx(0.02 * np.asarray(CHANNELS), rel=1e-5)
    assert grain_sigma(4 * grey, 0.02)[0, 1] > 1.8 * 0.02
    assert abs(np.mean(unit[0] * unit[1])) < 0.01
    beside = np.mean(unit[0][:, 1:] * unit[0][:, :-1])
    assert beside == pytest.approx(
        np.exp(-1 / (4 * 0.7**2)), abs=0.03
    )  # a Gaussian with itself, one pixel on


def test_grain_of_plate_and_truth_is_one_outside_and_independent_of_the_object_inside():
    scene = Scene(height_px=180, width_px=320, frames=3, grain=0.03)
    inside = scene.remove(1) > 0.99
    grain = (scene.truth(1) - scene.clean_truth(1))[inside] / grain_sigma(scene.clean_truth(1), 0.03)[inside]
    assert grain.std() == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("size", [(1, 1), (17, 63), (63, 17)])
def test_any_size_with_everything_switched_on(size):
    scene = Scene(*size, frames=3, **VARIATIONS["all"])
    for index in range(3):
        assert np.isfinite(scene.plate(index)).all()
        assert scene.remove(index).shape == size
