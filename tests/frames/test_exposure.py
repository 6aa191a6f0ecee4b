"""The gain of a job: 1 for a plate that is exposed, else what brings it there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from void_server.frames.exposure import LightMeter


def scene(seed=0, size=(120, 200)):
    """Light of a normal picture: a median of middle grey, five stops around it."""
    random = np.random.default_rng(seed)
    return (0.18 * 2 ** random.normal(0, 1.5, (*size, 1)) * np.ones(3)).astype(np.float32)


def metered(*frames):
    meter = LightMeter()
    for light in frames:
        meter.see(light.astype(np.float32), np.ones(light.shape[:2], bool))
    return meter


@pytest.mark.parametrize("off", [-1.8, -1, 0, 1, 1.8])
def test_a_normal_exposure_stays(off):
    assert metered(scene() * 2.0**off).stops() == 0.0


@pytest.mark.parametrize(("off", "stops"), [(-3, 1.0), (-5, 3.0), (-6, 4.0), (-8, 4.0), (3, -1.0), (9, -4.0)])
def test_beyond_two_stops_it_comes_back_to_them(off, stops):
    assert abs(metered(scene() * 2.0**off).stops() - stops) <= 0.1


def test_highlights_bars_and_negatives_do_not_move_it():
    dark = scene() / 16
    assert abs(metered(dark).stops() - 2.0) <= 0.1
    lamp, bars, noisy = dark.copy(), dark.copy(), dark.copy()
    lamp[:20, :40] = 5000
    bars[:45] = 0
    noisy[:30] = -0.01
    for changed in (lamp, bars, noisy):
        assert abs(metered(changed).stops() - 2.0) <= 0.4
    assert metered(bars).stops() == metered(dark[45:]).stops()
    assert metered(np.zeros((8, 8, 3))).stops() == 0.0
    assert LightMeter().stops() == 0.0


def test_all_frames_count_and_only_what_counts():
    dark, normal = scene(1) / 64, scene(2)
    assert metered(dark).stops() == 4.0
    assert 2.5 < metered(dark, dark, normal).stops() < 4.0
    assert metered(dark, normal, normal).stops() == 0.0
    meter = LightMeter()
    counts = np.zeros(dark.shape[:2], bool)
    counts[:50] = True
    half = np.concatenate([normal[:50], dark[50:]])
    meter.see(half, counts)
    assert meter.stops() == 0.0


@given(seed=st.integers(0, 1000), stops=st.floats(-12, 12))
@settings(max_examples=50, deadline=None)
def test_bounds(seed, stops):
    found = metered(scene(seed, (20, 20)) * 2.0**stops).stops()
    assert -4 <= found <= 4
    assert found * stops <= 0


def test_what_the_model_cannot_make_is_told():
    light = scene(0, (100, 100)).clip(0, 1)
    light[:5] = 70
    light[5:6, :50, 2] = -0.001
    assert metered(light).describe(64.0) == {
        "plate above white": "5.00 % (white is 64)",
        "plate below zero": "0.50 %",
    }
    video = np.ones((10, 10, 3), np.float32)
    assert metered(video).describe(1.0)["plate above white"] == "0.00 % (white is 1)"
    assert metered(video * 1.2).describe(1.0)["plate above white"] == "100.00 % (white is 1)"
