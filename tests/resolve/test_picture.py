"""What the macro's stock tools make of real frames: mattes, overlay on its grid, merge, views."""

import cv2
import numpy as np
import pytest
from fusion import Comp, _render
from fusion_shots import TEMPLATES, box, fill, plate, wire

from void_resolve.controls import BY_NAME
from void_server.frames.matte import AFFECTED, KEEP, OVERLAP, REMOVE, compose_quadmask, composite_matte

RASTER = (384, 672)
REMOVED, TOUCHED = (300, 214, 60, 90), (340, 194, 200, 40)  # x, y from below, width, height


SMALL = (120, 200)
SMALL_REMOVED, SMALL_TOUCHED = (60, 50, 30, 30), (70, 30, 60, 12)


@pytest.fixture(params=[False, True], ids=["middles", "corners"])
def pixel_places(request, monkeypatch):
    """Custom Tools count a pixel's place from its middle or from its corner: both have to do."""
    monkeypatch.setattr(_render, "CORNER", request.param)


@pytest.fixture
def comp(session):
    made = Comp(session, size=RASTER[::-1])
    made.macro = fill(session, made, REMOVED, TOUCHED, size=RASTER)
    return made


@pytest.fixture
def small(session):
    made = Comp(session, size=SMALL[::-1])
    made.macro = fill(session, made, SMALL_REMOVED, SMALL_TOUCHED, size=SMALL)
    return made


def given_out(comp, frame=0, output="MainOutput1", **controls):
    """Of the macro with some controls as given, rows from above."""
    for name, value in controls.items():
        if name in BY_NAME and isinstance(value, str):
            value = BY_NAME[name].choices.index(value)
        comp.macro.SetInput(name, value)
    return _render.picture(comp.inside(comp.macro._tool, output)[0], frame)[::-1]


def matte(where, frame=0, size=None):
    size = size or (SMALL if where in (SMALL_REMOVED, SMALL_TOUCHED) else RASTER)
    return box(*where, size=size)(frame)[::-1, :, 3].copy()


def down(pixels):
    return pixels[::-1]


def classes(comp, frame=0, **controls):
    """The quadmask that the overlay's tint stands for: on a black plate nothing else has colour."""
    for name in ("MediaIn1",):
        comp.tools[name].pixels = lambda frame: np.zeros((*comp.size[::-1], 4), np.float32)
    made = given_out(comp, frame, show="overlay", **controls)
    removed = made[..., 0] > 0.3
    touched = (made[..., 2] > 0.3) | (removed & (made[..., 1] > 0.3))
    return np.select([removed & touched, removed, touched], [OVERLAP, REMOVE, AFFECTED], KEEP)


def test_the_overlay_shows_the_quadmask_of_the_server(comp, pixel_places):
    wanted = compose_quadmask(matte(REMOVED, 2), matte(TOUCHED, 2))
    assert (classes(comp, 2) == wanted).all()
    assert set(np.unique(wanted)) == {REMOVE, OVERLAP, AFFECTED, KEEP}
    wanted = compose_quadmask(matte(REMOVED), matte(TOUCHED), affected_shape="drawn")
    assert (classes(comp, affected_shape="drawn") == wanted).all()


def test_the_grid_lies_in_the_box(session):
    """A box of twice the raster within a larger plate: what is in it is what the server makes of that crop."""
    size, (x, y, width, height) = (900, 1500), (100, 50, 1344, 768)  # y from above
    mattes = (300, 630, 80, 90), (700, 336, 90, 64)
    comp = Comp(session, size=size[::-1])
    comp.macro = fill(session, comp, *mattes, size=size)
    seen = {"box_x": x, "box_y": size[0] - y - height, "box_width": width, "box_height": height}
    shown = classes(comp, **seen, grow=0, feather=0, merge_grow=0)
    cut = [matte(where, size=size)[y : y + height, x : x + width] for where in mattes]
    seen = compose_quadmask(*(cv2.resize(one, RASTER[::-1], interpolation=cv2.INTER_AREA) for one in cut))
    assert (shown[y : y + height, x : x + width] == seen.repeat(2, 0).repeat(2, 1)).all()
    shown[y : y + height, x : x + width] = KEEP
    assert (shown == KEEP).all()


def test_the_overlay_is_the_plate_where_nothing_is_marked(comp):
    shown, under = given_out(comp, show="overlay"), down(plate(RASTER)(0))
    keep = compose_quadmask(matte(REMOVED), matte(TOUCHED)) == KEEP
    assert (shown[keep] == under[keep]).all()
    assert np.abs(shown[~keep] - under[~keep]).max(axis=-1).min() > 0


@pytest.fixture
def result(small):
    """A result that is wrong everywhere, so that whatever comes from it shows."""
    made = small.add("MediaIn", "Result", lambda frame: np.full((*SMALL, 4), 7, np.float32))
    wire(small.macro, None, None, None, made)
    given_out(small, use_result=1, result_first=0, result_last=1)
    return small


def test_outside_the_matte_the_plate_passes_bit_for_bit(result):
    shown, under = given_out(result), down(plate(SMALL)(0))
    inside = (shown[..., :3] == 7).all(axis=-1)
    assert (shown.view(np.uint32)[~inside] == under.view(np.uint32)[~inside]).all()
    assert (shown[..., 3].view(np.uint32) == under[..., 3].view(np.uint32)).all()
    # All of what the server merges, at the widest feather too, is kept.
    for grow, feather in ((3, 4), (0, 0), (20, 30)):
        inside = (given_out(result, grow=grow, feather=feather)[..., :3] == 7).all(axis=-1)
        merged = composite_matte(matte(SMALL_REMOVED), matte(SMALL_TOUCHED), grow, feather) > 0
        assert inside[merged].all()
        assert inside.sum() < 4 * merged.sum() + 200


def test_the_merge_grows_by_every_number_of_pixels(result, pixel_places):
    marked = ((matte(SMALL_REMOVED) > 0) | (matte(SMALL_TOUCHED) > 0)).astype(np.uint8)
    for pixels in (0, 2, 5, 41):
        shown = given_out(result, grow=pixels, feather=0, merge_grow=0)
        square = cv2.dilate(marked, np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)) > 0
        assert ((shown[..., :3] == 7).all(axis=-1) == square).all(), pixels


def test_a_feather_stays_within_the_merge(result):
    hard = (given_out(result)[..., :3] == 7).all(axis=-1)
    soft, under = given_out(result, merge_feather=6.0), down(plate(SMALL)(0))
    assert (soft[~hard].view(np.uint32) == under[~hard].view(np.uint32)).all()
    between = (soft[..., :3] != 7).all(axis=-1) & hard
    assert between.any()
    assert (soft[..., :3] == 7).all(axis=-1).any()


def test_the_macros_own_merge_takes_less(result):
    shown = given_out(result, merge_grow=-30)
    less = (shown[..., :3] == 7).all(axis=-1)
    assert (less == ((matte(SMALL_REMOVED) > 0) | (matte(SMALL_TOUCHED) > 0))).all()


def test_the_plate_passes_outside_the_results_frames_and_before_there_is_one(result):
    assert (given_out(result, 2) == down(plate(SMALL)(2))).all()
    assert (given_out(result, 0, use_result=0) == down(plate(SMALL)(0))).all()


def test_the_views(result, pixel_places):
    under, merged = down(plate(SMALL)(0)), given_out(result, show="result")
    assert (given_out(result, show="plate") == under).all()
    wiped = given_out(result, show="A-B wipe", wipe=0.5)
    assert (wiped[:, :100] == under[:, :100]).all()
    assert (wiped[:, 100:] == merged[:, 100:]).all()
    assert (merged[:, 100:] != under[:, 100:]).any()
    only = given_out(result, show="fill only")
    inside = (merged[..., :3] == 7).all(axis=-1)
    assert (only[inside] == [7, 7, 7, 1]).all()
    assert (only[~inside] == 0).all()


def test_what_is_not_shown_is_not_worked_out(result, monkeypatch):
    worked = []
    work = _render._worked
    monkeypatch.setattr(_render, "_worked", lambda tool, frame: worked.append(tool.name) or work(tool, frame))
    for show, asked, idle in (
        ("result", {"MergeMatte"}, {"Tint", "Seen"}),
        ("overlay", {"Tint", "Seen"}, set()),
        ("fill only", {"MergeMatte"}, {"Tint", "Seen"}),
    ):
        worked.clear()
        given_out(result, show=show)
        assert asked <= set(worked)
        assert not idle & set(worked)


def test_the_second_output_is_both_mattes(small):
    made = given_out(small, 1, output="MainOutput2")
    assert (made[..., 0] == matte(SMALL_REMOVED, 1)).all()
    assert (made[..., 1] == matte(SMALL_TOUCHED, 1)).all()
    small.macro.FindMainInput(3).ConnectTo(None)
    assert (given_out(small, 1, output="MainOutput2")[..., 1] == 0).all()


def test_a_matte_in_another_channel_and_of_another_size(small):
    half = np.zeros((60, 100, 4), np.float32)
    half[30:40, 50:90, 0], half[..., 3] = 1, 1
    small.tools["Polygon1"].pixels = lambda frame: half
    made = given_out(small, output="MainOutput2", remove_channel="red")
    assert (made[..., 0] == down(half[..., 0].repeat(2, 0).repeat(2, 1))).all()
    assert (given_out(small, output="MainOutput2", remove_channel="alpha")[..., 0] == 1).all()


def test_the_effect_of_the_edit_page_marks_with_its_ellipses(session):
    comp = Comp(session, size=SMALL[::-1])
    shot = comp.add("MediaIn", "MediaIn1", plate(SMALL))
    mask = comp.add("PolylineMask", "Polygon1", box(*SMALL_REMOVED, size=SMALL))
    comp.paste((TEMPLATES / "VOID Remove.setting").read_text(encoding="utf-8"))
    comp.macro = comp.FindTool("VOIDRemove")
    wire(comp.macro, shot)
    made = given_out(comp, output="MainOutput2")
    assert made[60, 100, 0] == 1
    assert not made[..., 1].any(), "nothing is affected until an ellipse is turned on"
    assert 0 < made[..., 0].mean() < 0.1
    wire(comp.macro, None, mask)
    both = given_out(comp, output="MainOutput2")[..., 0]
    assert (both == np.maximum(made[..., 0], matte(SMALL_REMOVED))).all(), "a roto joins it"
    given_out(comp, affected_level=1.0, output="MainOutput2")
    assert given_out(comp, output="MainOutput2")[..., 1].any()
    assert (given_out(comp) == down(plate(SMALL)(0))).all()
