"""Grain measured on scenes whose grain is known, and put back."""

import cv2
import numpy as np
import pytest

from void_server.frames.grain import NONE, Grain, measure, regrain
from void_server.scene import Scene
from void_server.scene.film import grain_sigma

STRENGTH = 0.02
HEIGHT, WIDTH = 360, 640
LARGER = {"height_px": 540, "width_px": 960}  # coarse grain is told by as many of its grains


def shots(scene, first=4, count=2):
    for index in range(first, first + count):
        yield scene.plate(index), np.maximum(scene.remove(index), scene.affected(index))


def film(**fields):
    return Scene(**{"height_px": HEIGHT, "width_px": WIDTH, "frames": 12, "grain": STRENGTH, **fields})


@pytest.fixture(scope="module")
def known():
    scene = film(camera="pan")
    return scene, measure(shots(scene))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"camera": "pan"},
        {"camera": "handheld"},
        {"camera": "handheld", "background": "smooth", "exposure_stops": 2.0},
        {"camera": "pan", "grain_radius_px": 1.5, **LARGER},
        {"camera": "pan", "grain_radius_px": 0.3, "shutter": 0.5},
        {"camera": "handheld", "grain": 0.06, "seed": 4},
    ],
    ids=lambda fields: "-".join(map(str, fields.values())) or "static",
)
def test_strength_at_three_levels_and_correlation_are_the_plates(fields):
    scene = film(**fields)
    grain = measure(shots(scene))
    # three levels within what the plate holds
    levels = np.quantile(scene.clean_truth(5), [0.2, 0.5, 0.8], axis=(0, 1)).astype(np.float32)
    assert grain.sigma(levels) == pytest.approx(grain_sigma(levels, scene.grain), rel=0.1)
    flat = np.full((200, 300, 3), 0.18, np.float32)
    made = regrain(flat, np.ones((200, 300), np.float32), grain, 1, 1001) - flat
    beside = np.mean(made[:, 1:] * made[:, :-1], axis=(0, 1)) / made.var(axis=(0, 1))
    assert beside == pytest.approx(np.exp(-1 / (4 * scene.grain_radius_px**2)), abs=0.06)
    below = np.mean(made[1:] * made[:-1], axis=(0, 1)) / made.var(axis=(0, 1))
    assert below == pytest.approx(beside, abs=0.06)


def test_fill_gets_the_plates_grain_in_every_channel_at_three_levels(known):
    scene, grain = known
    truth = scene.clean_truth(6)
    share = np.ones(truth.shape[:2], np.float32)
    unit = (regrain(truth, share, grain, 7, 1007) - truth) / grain_sigma(truth, STRENGTH)
    luma = truth.mean(axis=2)
    for low, high in ((0.0, 0.33), (0.33, 0.66), (0.66, 0.95)):
        here = (luma >= np.quantile(luma, low)) & (luma < np.quantile(luma, high))
        assert unit[here].std(axis=0) == pytest.approx(1.0, rel=0.1)


def test_every_frame_and_seed_has_grain_of_its_own_and_the_same_one_again(known):
    _, grain = known
    flat, share = np.full((200, 200, 3), 0.18, np.float32), np.ones((200, 200), np.float32)

    def made(seed, frame):
        return regrain(flat, share, grain, seed, frame) - flat

    first = made(3, 1001)
    assert np.array_equal(first, made(3, 1001))
    for other in (made(3, 1002), made(4, 1001), made(3, -1001)):
        assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.05


def test_channels_share_what_the_plates_channels_share(known):
    _, grain = known
    flat, share = np.full((300, 300, 3), 0.18, np.float32), np.ones((300, 300), np.float32)
    made = (regrain(flat, share, grain, 3, 1) - flat).reshape(-1, 3)
    assert np.corrcoef(made.T)[[0, 0, 1], [1, 2, 2]] == pytest.approx(0.25, abs=0.06)


def test_the_synthesis_has_no_pattern_of_lines():
    """Bricks and blocks are square, grain is round: fine detail is not much stronger along rows and columns."""
    grain = measure(shots(film(camera="pan", grain_radius_px=1.0, **LARGER)))
    flat, share = np.full((600, 600, 3), 0.18, np.float32), np.ones((600, 600), np.float32)
    power = np.square(np.abs(np.fft.fft2((regrain(flat, share, grain, 3, 1) - flat)[..., 1])))
    across, down = np.abs(np.fft.fftfreq(600)), np.abs(np.fft.fftfreq(600))[:, None]
    fine = (np.hypot(across, down) > 0.25) & (np.hypot(across, down) < 0.4)
    straight = np.minimum(across, down) < 0.03
    assert (
        power[fine & straight].mean() < 1.8 * power[fine & ~straight].mean()
    )  # 2.2 where the rim is not faded


def test_where_nothing_was_lost_no_bit_changes_and_half_a_loss_is_made_whole(known):
    _, grain = known
    random = np.random.default_rng(0)
    sigma = float(grain.sigma(np.full((1, 3), 0.18, np.float32))[0, 1])
    plate = (0.18 + sigma * random.standard_normal((300, 300, 3))).astype(np.float32)
    share = np.zeros((300, 300), np.float32)
    share[100:200] = 0.5
    fill = plate.copy()
    fill[100:200] = 0.18 + 0.5 * (plate[100:200] - 0.18)  # half of the grain's amplitude is left
    made = regrain(fill, share, grain, 1, 1)
    assert np.array_equal(made[share == 0], fill[share == 0])
    assert made[100:200, :, 1].std() == pytest.approx(sigma, rel=0.05)
    assert np.array_equal(regrain(fill, np.zeros_like(share), grain, 1, 1), fill)


@pytest.mark.parametrize("fields", [{}, {"camera": "pan"}, {"camera": "handheld"}])
def test_a_plate_without_grain_gets_none_that_shows(fields):
    scene = film(grain=0.0, **fields)
    grain = measure(shots(scene))
    truth = scene.truth(6)
    made = regrain(truth, np.ones(truth.shape[:2], np.float32), grain, 1, 1)
    assert (made - truth).std() < 0.004
    if not fields:
        assert np.abs(made - truth).max() < 1e-4


def test_one_frame_is_enough_where_it_is_flat():
    scene = film(background="smooth")
    grain = measure(shots(scene, count=1))
    levels = np.quantile(scene.clean_truth(4), [0.2, 0.5, 0.8], axis=(0, 1)).astype(np.float32)
    assert grain.sigma(levels) == pytest.approx(grain_sigma(levels, STRENGTH), rel=0.1)


def test_what_an_enlarged_answer_still_has_is_not_added_again(known):
    """The plate's grain averaged over 2 x 2 and enlarged, and what is lacking: together the plate's, fine and all."""
    scene, grain = known
    frames = []
    for plate, matte in shots(scene):
        small = cv2.resize(plate, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
        frames.append((cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), matte))
    present = measure(frames)
    clean, share = scene.clean_truth(4), np.ones((HEIGHT, WIDTH), np.float32)
    here = np.maximum(scene.remove(4), scene.affected(4)) == 0
    small = cv2.resize(scene.truth(4) - clean, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
    left = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    sigma = grain_sigma(clean, STRENGTH)
    assert 0.3 < (left / sigma)[here].std() < 0.8
    made = (regrain(clean + left, share, grain.without(present), 1, 4) - clean) / sigma
    assert made[here].std(axis=0) == pytest.approx(1.0, rel=0.1)
    beside = np.mean(made[:, 1:] * made[:, :-1]) / made.var()
    assert beside == pytest.approx(0.6, abs=0.1)


def test_without_what_is_not_there_grain_stays_as_it_is(known):
    _, grain = known
    same, none = grain.without(NONE), grain.without(grain)
    assert np.allclose(same.sigmas, grain.sigmas)
    assert np.abs(same.kernel - grain.kernel).max() < 0.02
    assert none.sigmas.max() < 0.1 * grain.sigmas.max()


def test_what_the_matte_covers_is_not_measured():
    scene, half = film(background="smooth"), WIDTH // 2
    frames = []
    for plate, matte in shots(scene):
        noisy = plate.copy()
        noisy[:, half:] += (
            np.random.default_rng(len(frames)).standard_normal((HEIGHT, half, 3)).astype(np.float32)
        )
        covered = matte.copy()
        covered[:, half:] = 0.5
        frames.append((noisy, covered))
    levels = np.quantile(scene.clean_truth(5)[:, :half], [0.2, 0.5, 0.8], axis=(0, 1)).astype(np.float32)
    assert measure(frames).sigma(levels) == pytest.approx(grain_sigma(levels, STRENGTH), rel=0.1)


def test_no_room_beside_the_matte_or_no_frames_means_no_grain():
    plate = np.random.default_rng(0).random((64, 96, 3), dtype=np.float32)
    assert measure([(plate, np.ones((64, 96), np.float32))] * 2) is NONE
    assert measure([(plate[:20, :20], np.zeros((20, 20), np.float32))] * 2) is NONE
    assert measure([]) is NONE
    assert np.array_equal(regrain(plate, np.ones((64, 96), np.float32), NONE, 1, 1), plate)


def test_between_its_levels_the_curve_is_linear_and_above_them_it_follows_the_root_of_the_light():
    levels, sigmas = np.tile([0.1, 0.4], (3, 1)), np.tile([0.01, 0.03], (3, 1))
    grain = Grain(levels, sigmas, np.ones((1, 1)), np.eye(3))
    light = np.repeat(np.array([0.0, 0.1, 0.25, 0.4, 6.4], np.float32)[:, None], 3, axis=1)
    assert grain.sigma(light)[:, 1] == pytest.approx([0.01, 0.01, 0.02, 0.03, 0.12], rel=1e-5)


def test_the_record_names_each_channels_strength(known):
    _, grain = known
    record = grain.record()
    assert set(record) == {"grain red", "grain green", "grain blue", "grain correlation"}
    assert float(record["grain correlation"]) == pytest.approx(0.6, abs=0.06)
