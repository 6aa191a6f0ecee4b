"""Values of the settings become a job, or everything that is wrong with them is said at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_host.box import box_of, crop_of
from void_host.inputs import unconnected
from void_host.job import job_spec, shot_name
from void_host.problems import Problems
from void_host.settings import SETTINGS
from void_wire.errors import EmptyMatte, SettingsError, ShotError
from void_wire.messages import FrameRange, PictureSettings, VoidSettings

SIZE = (160, 96)
WHOLE = (0.0, 0.0, 160.0, 96.0)


def values(**given):
    return {**{setting.name: setting.value for setting in SETTINGS}, "prompt": "a table", **given}


def test_untouched_settings_are_the_defaults():
    spec = job_spec(values(last=5, handles=2), "shot", WHOLE, SIZE)
    assert (spec.picture, spec.void) == (PictureSettings(), VoidSettings(show_pass1=True))
    assert spec.frames == FrameRange(-1, 7)
    assert spec.job != job_spec(values(last=5), "shot", WHOLE, SIZE).job


def test_everything_wrong_is_said_at_once():
    wrong = values(handles=-1, exposure="brighter", seed=-1, prompt=" ")
    with pytest.raises(SettingsError) as error:
        job_spec(wrong, "shot", WHOLE, SIZE)
    lines = str(error.value).split("\n")
    assert len(lines) == 4
    for line, word in zip(lines, ("Handles are -1", "brighter", "seed", "prompt is empty"), strict=True):
        assert word.lower() in line.lower()


def test_a_box_counts_only_where_crop_says_so():
    outside = (0.0, 0.0, 161.0, 96.0)
    assert job_spec(values(crop="auto"), "shot", outside, SIZE).picture.crop == "auto"
    assert job_spec(values(crop="box", engine="draft"), "shot", outside, SIZE).picture == PictureSettings()
    with pytest.raises(SettingsError, match="leaves the plate, which is 160 x 96"):
        job_spec(values(crop="box"), "shot", outside, SIZE)


@given(st.integers(0, 159), st.integers(0, 95), st.integers(1, 160), st.integers(1, 96))
def test_a_crop_is_its_box_and_back(x, y, width, height):
    crop = f"{x},{y},{min(width, 160 - x)},{min(height, 96 - y)}"
    assert crop_of(box_of(crop, SIZE[1]), SIZE) == crop


@pytest.mark.parametrize("crop", ["full", "auto", "", "1,2,3", "1,2,3,4 5,6,7,8"])
def test_a_crop_that_is_no_box_has_none(crop):
    assert box_of(crop, 96) is None


def test_a_box_grows_to_whole_pixels():
    assert crop_of((10.5, 20.25, 30.5, 40.75), SIZE) == "10,55,21,21"


def test_the_shot_is_named_by_script_and_owner():
    assert shot_name("/a/sh010_comp.v004.nk", "Group1.VOID2") == "sh010_comp_v004_Group1_VOID2"
    assert shot_name("", "") == "shot"
    assert len(shot_name("/a/" + "x" * 90, "VOID")) == 64


def test_problems_are_one_error_of_the_first_ones_class():
    problems = Problems(unconnected(("plate",)))
    with problems.noted():
        raise EmptyMatte("It is black.")
    with pytest.raises(ShotError) as error:
        problems.say()
    assert str(error.value) == "Input remove is not connected: connect the roto of what goes.\nIt is black."
    Problems().say()
    with pytest.raises(ZeroDivisionError), Problems().noted():
        raise ZeroDivisionError
