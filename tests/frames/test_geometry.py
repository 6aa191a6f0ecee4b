"""Windows and raster: each way undoes the other in position, and nothing rings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from void_server.frames.geometry import Box, Fit, bounds, place, resize, take, union

RASTER = (384, 672)


def ramp(height, width):
    """Each pixel holds the position of its centre in 0..1, x and y."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([(x + 0.5) / width, (y + 0.5) / height, np.zeros_like(x)], axis=-1)


@pytest.mark.parametrize("size", [(857, 2049), (1080, 1920), (360, 544), (384, 672), (63, 63), (200, 1000)])
def test_positions_are_kept_both_ways(size):
    fit = Fit(Box(0, 0, size[1], size[0]), RASTER)
    raster = fit.to_raster(ramp(*size))
    assert raster.shape == (*RASTER, 3)
    edge = slice(16, -16)
    assert np.abs(raster - ramp(*RASTER))[edge, edge].max() < 2e-3
    back = fit.from_raster(ramp(*RASTER))
    assert back.shape == (*size, 3)
    inner = (slice(size[0] // 16 + 1, -size[0] // 16 - 1), slice(size[1] // 16 + 1, -size[1] // 16 - 1))
    assert np.abs(back - ramp(*size))[inner].max() < 2e-3


def test_there_and_back_on_a_smooth_picture():
    y, x = np.mgrid[:857, :2049] / 100.0
    picture = (0.5 + 0.4 * np.sin(x) * np.cos(y)).astype(np.float32)[..., None].repeat(3, -1)
    fit = Fit(Box(0, 0, 2049, 857), RASTER)
    error = np.abs(fit.from_raster(fit.to_raster(picture)) - picture)
    assert error.max() < 0.005
    assert error.mean() < 3e-4


def test_area_average_keeps_the_mean():
    picture = np.random.default_rng(0).random((1080, 1920, 3), dtype=np.float32)
    assert abs(resize(picture, RASTER).mean() - picture.mean()) < 1e-5


def test_enlarging_never_rings():
    step = np.zeros((*RASTER, 3), np.float32)
    step[:, 300:] = 40.0
    large = Fit(Box(0, 0, 3840, 2160), RASTER).from_raster(step)
    assert large.min() == 0.0
    assert large.max() == 40.0


def test_one_pixel():
    fit = Fit(Box(0, 0, 1, 1), (32, 48))
    raster = fit.to_raster(np.full((1, 1, 3), 0.25, np.float32))
    assert raster.shape == (32, 48, 3)
    assert np.allclose(raster, 0.25)
    assert np.allclose(fit.from_raster(raster), 0.25)


def test_same_size_is_the_same_array():
    image = ramp(*RASTER)
    assert resize(image, RASTER) is image


def test_a_box_comes_back_where_it_was():
    display, box = Box(-20, 7, 200, 100), Box(30, 37, 70, 30)
    canvas = np.zeros((100, 200), np.float32)
    canvas[30:60, 50:120] = 1.0
    fit = Fit(box, (60, 140))
    raster = fit.to_raster(place(canvas, display, box))
    assert raster.shape == (60, 140)
    assert (raster == 1).all()
    assert fit.detail == 2.0
    back = take(fit.from_raster(raster), display, box, outside=0)
    assert np.array_equal(back, canvas)


boxes = st.builds(Box, st.integers(-30, 30), st.integers(-30, 30), st.integers(1, 40), st.integers(1, 40))


@given(data=boxes, display=boxes)
@settings(max_examples=200, deadline=None)
def test_windows_there_and_back(data, display):
    image = np.arange(data.width * data.height, dtype=np.float32).reshape(data.height, data.width) + 1
    canvas = place(image, data, display, outside=0)
    assert canvas.shape == (display.height, display.width)
    back = take(canvas, data, display, outside=0)
    left, top = max(data.x, display.x), max(data.y, display.y)
    right = min(data.x + data.width, display.x + display.width)
    bottom = min(data.y + data.height, display.y + display.height)
    common = np.zeros_like(image)
    if right > left and bottom > top:
        rows, columns = slice(top - data.y, bottom - data.y), slice(left - data.x, right - data.x)
        common[rows, columns] = image[rows, columns]
    assert np.array_equal(back, common)
    assert np.count_nonzero(canvas) == np.count_nonzero(common)


@given(first=boxes, second=boxes)
@settings(max_examples=200, deadline=None)
def test_what_boxes_have_in_common(first, second):
    window = Box(-40, -40, 120, 120)
    drawn = [np.zeros((120, 120), bool) for _ in "ab"]
    for canvas, box in zip(drawn, (first, second), strict=True):
        box.of(canvas, window)[:] = True
        assert bounds(canvas, window) == box
    assert bounds(drawn[0] & drawn[1], window) == first.within(second)
    assert bounds(drawn[0] | drawn[1], window) == union([first, None, second])


def test_the_model_sees_no_black_border():
    image = np.full((10, 10, 3), 0.7, np.float32)
    canvas = place(image, Box(5, 5, 10, 10), Box(0, 0, 20, 20))
    assert (canvas == np.float32(0.7)).all()
    away = place(image, Box(500, 500, 10, 10), Box(0, 0, 20, 20))
    assert (away == np.float32(0.7)).all()
