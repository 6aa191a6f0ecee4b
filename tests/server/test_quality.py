"""Measures against a known truth: a planted fault must rank above it in at least 95 % of frames."""

import functools
import math

import cv2
import numpy as np
import pytest

from void_server.frames.matte import composite_matte
from void_server.quality import (
    decode_srgb,
    gradient_energy,
    seam_score,
    sharpness_ratio,
)
from void_server.scene import Scene

SCENES = [
    {"camera": camera, "background": background, "seed": seed, "grain": 0.01 * seed}
    for camera in ("static", "pan", "handheld")
    for background in ("textured", "smooth")
    for seed in (0, 1)
]
INDICES = (7, 15)
RANKED = 0.95


@functools.cache
def shot(name):
    """Plate, truth and composite matte of every frame that is looked at."""
    scene = Scene(270, 480, 24, **SCENES[name])
    frames = {}
    for index in INDICES:
        matte = composite_matte(scene.remove(index), scene.affected(index), 4, 3)
        frames[index] = scene.plate(index), scene.truth(index), matte
    return frames


def merged(fill, plate, matte):
    return (plate * (1 - matte[..., None]) + fill * matte[..., None]).astype(np.float32)


def ranked(worse):
    """Share of frames in which ``worse(frames, index)`` is true."""
    return np.mean([worse(shot(name), index) for name in range(len(SCENES)) for index in INDICES])


def test_a_blurred_fill_is_softer_than_the_truth():
    def worse(frames, index):
        plate, truth, matte = frames[index]
        blurred = merged(cv2.GaussianBlur(truth, (0, 0), 1.5), plate, matte)
        good = sharpness_ratio(merged(truth, plate, matte), matte, truth)
        assert good == pytest.approx(1.0, abs=1e-4)
        return sharpness_ratio(blurred, matte, truth) < 0.9 * good

    assert ranked(worse) >= RANKED


@pytest.mark.parametrize("gain", [1.03, 0.97])
def test_a_level_that_is_off_by_three_percent_is_a_seam_against_the_truth(gain):
    def worse(frames, index):
        plate, truth, matte = frames[index]
        good = seam_score(merged(truth, plate, matte), matte, truth)
        assert good == pytest.approx(1.0, abs=1e-3)
        return seam_score(merged(truth * np.float32(gain), plate, matte), matte, truth) > good

    assert ranked(worse) >= RANKED


def test_a_measure_is_no_number_where_there_is_nothing_to_compare():
    picture = np.random.default_rng(0).random((40, 60, 3), dtype=np.float32)
    nothing, everything = np.zeros((40, 60), np.float32), np.ones((40, 60), np.float32)
    for matte in (nothing, everything):
        assert math.isnan(seam_score(picture, matte, picture))
    assert math.isnan(sharpness_ratio(picture, nothing, picture))


def test_gradient_energy_of_a_known_ramp():
    ramp = np.broadcast_to(np.linspace(0, 1, 101, dtype=np.float32)[None, :, None], (20, 101, 3))
    picture = decode_srgb(ramp)
    where = np.zeros((20, 101), bool)
    where[:, 10:90] = True
    assert gradient_energy(picture, where) == pytest.approx(1e-4, rel=1e-3)
