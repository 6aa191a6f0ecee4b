"""The box the model looks at: inside the plate, around the mattes, in the raster's shape."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from void_server.frames.crop import auto_box, choose_fit, describe, halved, named_box
from void_server.frames.geometry import Box, Fit, place
from void_wire.errors import SettingsError
from void_wire.messages import FrameRange, JobSpec, PictureSettings, Role

RASTER = (384, 672)
UHD = Box(0, 0, 3840, 2160)


def fit(display=UHD, marked=None, raster=RASTER, aspect=1.0, **picture):
    return choose_fit(PictureSettings(**picture), raster, display, marked or Box(1900, 1000, 20, 20), aspect)


def test_a_small_object_gets_the_rasters_own_pixels():
    small = fit()
    assert small.box == Box(1910 - 336, 1010 - 192, 672, 384)
    assert small.raster == RASTER
    assert small.detail == 1.0


def test_context_is_a_share_of_the_box_on_every_side():
    marked = Box(1000, 800, 980, 400)
    wanted = (980 + 2 * 8) * 1.7
    box = fit(marked=marked).box
    assert wanted <= box.width < wanted + 16
    assert abs(box.width / box.height - 7 / 4) < 0.02
    assert box.width % 16 == box.height % 16 == 0
    assert fit(marked=marked, crop_context=0.0).box.width == 1008
    assert abs((box.x + box.width / 2) - (1000 + 490)) <= 1


def test_at_the_plates_edge_the_box_moves_inside():
    box = fit(marked=Box(3800, 2100, 40, 60)).box
    assert (box.right, box.bottom) == (3840, 2160)
    assert (box.width, box.height) == (672, 384)
    shifted = fit(Box(-100, 50, 3840, 2160), Box(-100, 50, 40, 60)).box
    assert (shifted.x, shifted.y) == (-100, 50)


def test_where_the_plate_is_too_small_context_goes_before_shape():
    tall = fit(Box(0, 0, 1920, 1080), Box(900, 100, 100, 900)).box
    assert tall.height == 1080
    assert abs(tall.width / tall.height - 7 / 4) < 0.02
    wide = fit(Box(0, 0, 2048, 858), Box(0, 300, 2048, 100)).box
    assert wide == Box(0, 0, 2048, 858)


def test_a_raster_larger_than_its_crop_shrinks_unless_told():
    plate = Box(0, 0, 640, 360)
    assert fit(plate, Box(300, 200, 20, 20)).raster == (352, 640)
    told = fit(plate, Box(300, 200, 20, 20), enlarge=True)
    assert told.raster == RASTER
    assert told.detail > 1
    assert fit(plate, Box(300, 200, 20, 20), crop="full").raster == (352, 640)
    assert fit(Box(0, 0, 1, 1), Box(0, 0, 1, 1)).raster == (64, 64)
    assert fit(Box(0, 0, 1, 1), Box(0, 0, 1, 1), raster=(32, 128)).raster == (32, 64)
    assert fit(crop="1900,1000,320,180").raster == (176, 320)
    record = describe(fit(plate, Box(300, 200, 20, 20)), RASTER, plate, Box(300, 200, 20, 20))
    assert record["raster"] == "352x640 (not 384x672: the crop has no more pixels)"
    assert describe(fit(), RASTER, UHD, Box(1900, 1000, 20, 20)) == {
        "crop": "1574,818,672,384",
        "raster": "384x672",
        "detail ratio": "1.00 raster pixels per plate pixel",
    }


rasters = st.sampled_from([(384, 672), (192, 336), (768, 1344), (480, 720), (672, 384), (64, 64)])


@st.composite
def shots(draw):
    display = Box(
        draw(st.integers(-50, 50)),
        draw(st.integers(-50, 50)),
        draw(st.integers(1, 4500)),
        draw(st.integers(1, 3000)),
    )
    x, y = draw(st.integers(0, display.width - 1)), draw(st.integers(0, display.height - 1))
    width, height = draw(st.integers(1, display.width - x)), draw(st.integers(1, display.height - y))
    return display, Box(x, y, width, height).moved(display.x, display.y)


@given(
    shot=shots(),
    raster=rasters,
    reach=st.integers(0, 60),
    context=st.floats(0, 3),
    aspect=st.sampled_from([1.0, 2.0, 0.5, 1.3, 0.9117]),
)
@settings(max_examples=400, deadline=None)
def test_any_box(shot, raster, reach, context, aspect):
    display, marked = shot
    box = auto_box(display, marked, raster, reach, context, aspect)
    assert box.within(display) == box
    assert box.within(marked.grown(reach).within(display)) == marked.grown(reach).within(display)
    for side, whole in ((box.width, display.width), (box.height, display.height)):
        assert side % 16 == 0 or side == whole
    across, down = min(1, aspect), min(1, 1 / aspect)
    squared = (box.height * down, box.width * across)
    if box.width < display.width and box.height < display.height:  # the plate had room: nothing is enlarged
        assert squared[0] >= raster[0] - 1e-6
        assert squared[1] >= raster[1] - 1e-6
    must = marked.grown(reach).within(display)
    if must.width < box.width - 16 and must.height < box.height - 16:  # nothing broke the shape but the snap
        off = (squared[1] / squared[0]) / (raster[1] / raster[0])
        slack = 17 / min(box.width, box.height)
        assert 1 - slack < off < 1 + slack + slack**2 or min(box.width, box.height) < 34


@given(shot=shots(), by=st.integers(1, 12))
@settings(max_examples=100, deadline=None)
def test_more_marked_never_shrinks_the_box(shot, by):
    display, marked = shot
    more = marked.grown(by).within(display)
    assume(more is not None)
    one, other = (auto_box(display, box, RASTER, 8, 0.35) for box in (marked, more))
    assert other.width >= one.width
    assert other.height >= one.height


def test_an_anamorphic_plate_is_squared():
    """A circle on the set is an ellipse on the plate and a circle to the model, at any pixel aspect."""
    for aspect in (2.0, 0.5, 1.0):
        display = Box(0, 0, 1600, 1200)
        chosen = fit(display, Box(700, 500, 200, 200), aspect=aspect)
        squared = (chosen.box.height * min(1, 1 / aspect), chosen.box.width * min(1, aspect))
        assert squared[0] >= chosen.raster[0]
        assert squared[1] >= chosen.raster[1]
        radii = (round(120 / max(1, aspect)), round(120 * min(1, aspect)))
        plate = np.zeros((1200, 1600), np.float32)
        cv2.ellipse(plate, (800, 600), radii, 0, 0, 360, 1.0, -1)
        seen = chosen.to_raster(place(plate, display, chosen.box)) > 0.5
        height, width = seen.any(axis=1).sum(), seen.any(axis=0).sum()
        assert abs(width / height - 1) < 0.05, aspect
    assert fit(aspect=0.0) == fit(aspect=float("nan")) == fit()


def test_boxes_by_name():
    display = Box(10, -5, 640, 360)
    assert named_box(PictureSettings(), display) is None
    assert named_box(PictureSettings(crop="full"), display) == display
    assert named_box(PictureSettings(crop="0,0,640,360"), display) == display
    assert named_box(PictureSettings(crop="100,50,320,176"), display) == Box(110, 45, 320, 176)
    for crop in ("600,0,100,100", "-1,0,64,64", "0,300,64,61", "0,0,0,10"):
        with pytest.raises(SettingsError, match=r"leaves the plate, which is 640 x 360"):
            named_box(PictureSettings(crop=crop), display)
    with pytest.raises(SettingsError, match="feather of 70 pixels is wider than the crop"):
        named_box(PictureSettings(crop="0,0,100,64", feather_px=70), display)
    with pytest.raises(SettingsError, match=r"holds nothing of the mattes, which lie in 300,200,20,10"):
        named_box(PictureSettings(crop="0,0,100,64"), display, Box(310, 195, 20, 10))


@pytest.mark.parametrize("text", ["", "left", "1,2,3", "1,2,3,4,5", "1.5,2,3,4", "1,2,3,-4", "１,2,3,4"])
def test_crops_that_are_none(text):
    with pytest.raises(SettingsError, match="write auto, full, or x,y,width,height"):
        PictureSettings(crop=text)


def test_engine_draft_has_no_crop_and_no_light():
    """It works on the plate itself: what it would ignore is refused, whoever asks."""
    asked = {"crop": "full", "crop_context": 0.1, "enlarge": True, "encoding": "log", "exposure": "off"}
    for picture in ({name: value} for name, value in {**asked, "model_grow_px": 1}.items()):
        with pytest.raises(SettingsError, match=f"Engine draft has no {next(iter(picture))}: leave that out"):
            JobSpec(
                job="draft-job-1",
                shot="shot",
                engine="draft",
                frames=FrameRange(1, 2),
                roles=(Role.PLATE, Role.REMOVE),
                picture=PictureSettings(**picture),
            )


@pytest.mark.parametrize(
    ("raster", "half"),
    [((384, 672), (192, 336)), ((64, 112), (32, 48)), ((48, 64), (32, 32)), ((32, 32), (32, 32))],
)
def test_a_preview_halves_the_raster_over_the_same_box(raster, half):
    small = halved(Fit(Box(3, 5, 700, 400), raster))
    assert (small.box, small.raster) == (Box(3, 5, 700, 400), half)
    said = describe(small, raster, Box(0, 0, 800, 600), Box(10, 10, 20, 20), preview=True)["raster"]
    assert said == f"{half[0]}x{half[1]} (halved: a preview)"
