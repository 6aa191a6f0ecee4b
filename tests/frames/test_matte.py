"""From mattes to the four classes, and to where the fill goes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import OpenImageIO
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from void_server.frames.geometry import Box, resize
from void_server.frames.matte import (
    AFFECTED,
    KEEP,
    OVERLAP,
    REMOVE,
    compose_quadmask,
    composite_matte,
    exact_classes,
    grow,
    grow_remove,
    quantise,
    resize_quadmask,
    split_quadmask,
    within_box,
)
from void_server.frames.overlay import overlay, write_png
from void_wire.errors import SettingsError, StrayMatteValues

FOUR = {REMOVE, OVERLAP, AFFECTED, KEEP}


def square(shape, rows, columns):
    matte = np.zeros(shape, np.float32)
    matte[rows, columns] = 1
    return matte


def test_classes_of_two_mattes():
    remove = square((384, 672), slice(100, 200), slice(100, 200))
    affected = square((384, 672), slice(150, 300), slice(150, 300))
    drawn = compose_quadmask(remove, affected, affected_shape="drawn")
    assert (drawn[100, 100], drawn[160, 160], drawn[250, 250], drawn[0, 0]) == (
        REMOVE,
        OVERLAP,
        AFFECTED,
        KEEP,
    )
    assert np.count_nonzero(drawn == OVERLAP) == 50 * 50
    assert set(np.unique(compose_quadmask(remove, None))) == {REMOVE, KEEP}
    first = compose_quadmask(remove, affected, first_frame_clear=True)
    assert np.array_equal(first, compose_quadmask(remove, None))


def test_affected_goes_on_the_training_grid():
    """8 by 14 cells at 384 x 672, 48 pixels a side; a cell counts when one pixel in it does; remove stays exact."""
    remove = square((384, 672), slice(10, 20), slice(10, 20))
    affected = square((384, 672), slice(47, 49), slice(672 - 1, 672))
    classes = compose_quadmask(remove, affected)
    expected = np.full((384, 672), KEEP, np.uint8)
    expected[0:96, 624:672] = AFFECTED
    expected[10:20, 10:20] = REMOVE
    assert np.array_equal(classes, expected)


@pytest.mark.parametrize(
    ("shape", "cells"),
    [
        ((384, 672), (8, 14)),
        ((672, 384), (14, 8)),
        ((480, 480), (8, 8)),
        ((352, 624), (8, 14)),
        ((384, 1000), (8, 21)),
    ],
)
def test_grid_cells(shape, cells):
    """Edges are floored: cell i begins at floor(i * length / cells)."""
    for axis in (0, 1):
        starts = [i * shape[axis] // cells[axis] for i in range(cells[axis] + 1)]
        for first, last in pairwise(starts):
            affected = np.zeros(shape, np.float32)
            affected[(last - 1, 0) if axis == 0 else (0, last - 1)] = 1
            touched = (compose_quadmask(np.zeros(shape, np.float32), affected) == AFFECTED).any(axis=1 - axis)
            assert np.flatnonzero(touched).tolist() == list(range(first, last))


def test_thin_objects_survive_the_way_from_uhd():
    for width in (1, 2, 4):
        wire = square((2160, 3840), slice(None), slice(1000, 1000 + width))
        classes = compose_quadmask(resize(wire, (384, 672)), None)
        assert (classes == REMOVE).any(axis=1).all(), width
    speck = square((2160, 3840), slice(1000, 1003), slice(1000, 1003))
    assert (compose_quadmask(resize(speck, (384, 672)), None) == REMOVE).any()


def test_no_false_rings():
    """A hard edge between remove and keep: the reference makes overlap and affected there, we do not."""
    y, x = np.mgrid[:1080, :1920]
    disc = ((x - 960) ** 2 + (y - 540) ** 2 < 300**2).astype(np.float32)
    ours = compose_quadmask(resize(disc, (384, 672)), None)
    assert set(np.unique(ours)) == {REMOVE, KEEP}
    area = np.count_nonzero(ours == REMOVE) / ours.size * disc.size / disc.sum()
    assert 1.0 <= area < 1.02
    theirs = resize_quadmask(np.where(disc > 0, REMOVE, KEEP).astype(np.uint8), (384, 672))
    assert {OVERLAP, AFFECTED} <= set(np.unique(theirs))


def test_split_is_the_inverse_of_compose():
    classes = np.random.default_rng(0).choice(np.uint8([0, 63, 127, 255]), (40, 50))
    remove, affected = split_quadmask(classes)
    assert np.array_equal(compose_quadmask(remove, affected, affected_shape="drawn"), classes)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("scale", [1, 255])
def test_exact_classes_in_either_scale(dtype, scale):
    classes = np.random.default_rng(0).choice(np.uint8([0, 63, 127, 255]), (40, 50))
    stored = (classes / 255 * scale).astype(dtype).astype(np.float32)
    assert np.array_equal(exact_classes(stored, 1), classes)
    assert (exact_classes(np.zeros((2, 2), np.float32), 1) == REMOVE).all()


def test_stray_values_are_named():
    values = np.full((20, 30), 1.0, np.float32)
    values[4, 9] = 190 / 255
    with pytest.raises(StrayMatteValues, match=r"Frame 1007 .*holds 1 pixels .* the first 190 at x 9, y 4"):
        exact_classes(values, 1007)


@given(hnp.arrays(np.float32, (6, 7), elements=st.floats(-400, 400, width=32)))
@settings(max_examples=200, deadline=None)
def test_any_values_are_classes_or_a_sentence(values):
    try:
        classes = exact_classes(values, 3)
    except StrayMatteValues as error:
        assert "Frame 3" in str(error)  # noqa: PT017
    else:
        assert set(np.unique(classes)) <= FOUR


def test_reference_resize_matches_its_definition():
    """Mean over floor(i H / h) .. ceil((i + 1) H / h), then the reference's bounds."""
    classes = np.random.default_rng(0).choice(np.uint8([0, 63, 127, 255]), (57, 83))
    height, width = 20, 31
    slow = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            rows = slice(i * 57 // height, -(-(i + 1) * 57 // height))
            columns = slice(j * 83 // width, -(-(j + 1) * 83 // width))
            slow[i, j] = classes[rows, columns].mean()
    assert np.array_equal(resize_quadmask(classes, (height, width)), quantise(slow))
    assert resize_quadmask(classes, (57, 83)) is classes


def test_quantise_bounds():
    codes = np.array([0, 31, 32, 95, 96, 191, 192, 255], np.uint8)
    assert quantise(codes).tolist() == [0, 0, 63, 63, 127, 127, 255, 255]


def test_composite_matte_grows_and_falls():
    remove = square((101, 101), 50, 50)
    matte = composite_matte(remove, None, 3, 4)
    row = matte[50, 50:]
    assert (row[:4] == 1).all()
    assert ((row[4:8] > 0) & (row[4:8] < 1)).all()
    assert (row[8:] == 0).all()
    assert (np.diff(row[:9]) <= 0).all()
    assert np.allclose(row[4:8] + row[7:3:-1], 1, atol=1e-6)
    assert np.array_equal(matte, matte.T)
    hard = composite_matte(remove, None, 3, 0)
    assert composite_matte(remove, None, 0, 0).sum() == 1
    y, x = np.mgrid[-50:51, -50:51]
    assert np.array_equal(hard == 1, np.hypot(x, y) <= 3)


def test_composite_matte_falls_by_exact_distances():
    remove = np.zeros((54, 96), np.float32)
    remove[20:33, 30:50] = remove[10:22, 60:63] = remove[40, 11] = 1
    marked, all_of_them = np.argwhere(remove > 0), np.indices(remove.shape).reshape(2, -1).T
    squares = np.square(all_of_them[:, None] - marked[None]).sum(axis=-1).min(axis=1)
    fall = np.clip(np.sqrt(squares.astype(np.float32)) / np.float32(24), 0, 1)
    expected = (1 - fall * fall * (3 - 2 * fall)).reshape(remove.shape)
    kept = []
    for size in range(1, 40):
        kept.append(np.zeros(97 * size, np.uint8))  # what is made next lies elsewhere
        assert np.array_equal(composite_matte(remove, None, 0, 23), expected)


def test_composite_matte_takes_the_union_and_every_soft_pixel():
    remove = square((20, 20), 3, 3) * np.float32(0.002)
    affected = square((20, 20), 15, 15)
    matte = composite_matte(remove, affected, 0, 0)
    assert np.flatnonzero(matte).tolist() == [3 * 20 + 3, 15 * 20 + 15]
    assert matte.dtype == np.float32
    empty = composite_matte(np.zeros((20, 20), np.float32), None, 3, 4)
    assert not empty.any()
    full = composite_matte(np.ones((1, 1), np.float32), None, 3, 4)
    assert full.tolist() == [[1.0]]


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 40), st.integers(1, 40)),
        elements=st.sampled_from([0, 0, 0, 0.3, 1]),
    ),
    st.integers(0, 6),
    st.integers(0, 6),
)
@settings(max_examples=100, deadline=None)
def test_composite_matte_bounds(remove, grow_px, feather_px):
    matte = composite_matte(remove, None, grow_px, feather_px)
    assert (matte[remove > 0] == 1).all()
    assert 0 <= matte.min() <= matte.max() <= 1
    y, x = np.nonzero(remove)
    if len(y):
        grid = np.mgrid[: remove.shape[0], : remove.shape[1]]
        away = np.sqrt(((grid[:, None] - np.stack([y, x])[:, :, None, None]) ** 2).sum(0)).min(0)
        assert (matte[away <= grow_px - 1e-3] == 1).all()
        assert (matte[away >= grow_px + feather_px + 1 + 1e-3] == 0).all()


def test_overlay_colours_the_classes_and_shows_the_plate(tmp_path):
    plate = np.random.default_rng(0).random((40, 80, 3), dtype=np.float32)
    classes = np.repeat(np.uint8([0, 63, 127, 255]), 20)[None].repeat(40, 0)
    picture = overlay(plate, classes)
    assert np.abs(picture[:, 60:] / 255 - plate[:, 60:]).max() < 0.003
    means = [picture[:, 20 * part : 20 * part + 20].reshape(-1, 3).mean(0) for part in range(3)]
    assert (
        min(
            np.abs(a - b).max() for a, b in [(means[0], means[1]), (means[1], means[2]), (means[0], means[2])]
        )
        > 60
    )
    assert all(picture[:, 20 * part : 20 * part + 20].std() > 20 for part in range(3))

    write_png(tmp_path / "o.png", picture)
    assert np.array_equal(
        OpenImageIO.ImageBuf(str(tmp_path / "o.png")).get_pixels(OpenImageIO.UINT8), picture
    )
    assert [path.name for path in tmp_path.iterdir()] == ["o.png"]
    with pytest.raises(SettingsError, match="cannot be written"):
        write_png(tmp_path / "nowhere" / "o.png", picture)


# --- a fill inside a box, and what the model sees of the remove matte --------------------------------------


def test_inside_its_own_window_the_matte_stays():
    matte = np.random.default_rng(0).random((30, 40), dtype=np.float32)
    window = Box(3, -2, 40, 30)
    assert within_box(matte, window, window, 4) is matte


def test_towards_the_boxs_edge_it_falls_to_nothing():
    matte = np.ones((60, 80), np.float32)
    window, box = Box(10, 20, 80, 60), Box(30, 30, 40, 30)
    restricted = within_box(matte, box, window, 4)
    inside = box.of(restricted, window)
    assert (restricted > 0).sum() == inside.size
    assert (inside[5:-5, 5:-5] == 1).all()
    profile = inside[15, :6]
    assert (np.diff(profile) > 0)[:4].all()
    assert 0 < profile[0] < 0.2
    assert np.allclose(inside, inside[::-1, ::-1])
    assert (box.of(within_box(matte, box, window, 0), window) == 1).all()


def test_where_the_plate_ends_it_does_not_fall():
    matte = np.ones((60, 80), np.float32)
    window = Box(0, 0, 80, 60)
    corner = within_box(matte, Box(0, 0, 40, 30), window, 4)
    assert (corner[:25, :35] == 1).all()
    assert 0 < corner[29, 0] < 0.2
    assert 0 < corner[0, 39] < 0.2
    assert not corner[30:].any()


def test_a_grown_matte():
    matte = np.zeros((40, 40), np.float32)
    matte[20, 20] = 1
    matte[20, 21] = 0.3
    matte[20, 30] = 0.05  # less than counts: stays, does not spread
    assert grow(matte, 0) is matte
    grown = grow(matte, 3)
    y, x = np.mgrid[:40, :40]
    near = np.minimum(np.hypot(y - 20, x - 20), np.hypot(y - 20, x - 21)) <= 3
    assert (grown[near] == 1).all()
    assert np.array_equal(grown[~near], matte[~near])
    assert matte[20, 21] == np.float32(0.3)
    assert not grow(np.zeros((5, 5), np.float32), 9).any()


def test_a_grown_quadmask():
    classes = np.full((9, 9), 255, np.uint8)
    classes[4, 4] = 0
    classes[:, 6:] = 127
    classes[0, 8] = 63
    assert grow_remove(classes, 0) is classes
    grown = grow_remove(classes, 2)
    assert grown.dtype == np.uint8
    assert grown[4].tolist() == [255, 255, 0, 0, 0, 0, 63, 127, 127]
    assert grown[1, 8] == grown[0, 6] == 63
    assert np.count_nonzero(grown == 127) < np.count_nonzero(classes == 127)


def test_a_motion_blurred_edge_is_merged_whole():
    """Every pixel the object has touched, however little, is replaced and not mixed."""
    remove = np.zeros((40, 100), np.float32)
    remove[10:30, 20:80] = np.minimum(1, np.linspace(0, 3, 60)[None])
    assert (composite_matte(remove, None, 0, 6)[remove > 0] == 1).all()
