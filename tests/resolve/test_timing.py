"""Frame numbers of comp and clip, both ways, for every cut there can be; and the colour a project works in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_resolve.colour import ASKED, management, space
from void_resolve.timing import ClipRange, CompRange, timing
from void_wire.errors import SettingsError


@st.composite
def cuts(draw):
    """A comp that counts from anywhere, over a clip that is cut anywhere in its file."""
    first, length = draw(st.integers(-1000, 100_000)), draw(st.integers(1, 5000))
    left, right = draw(st.integers(0, 500)), draw(st.integers(0, 500))
    source = draw(st.integers(0, 10_000_000))
    inside = draw(st.booleans())
    comp = CompRange(first - left * inside, first + length - 1 + right * inside, first, first + length - 1)
    return comp, ClipRange(source, source + length - 1, length, left, right)


@given(cuts(), st.integers(-(10**6), 10**6))
def test_there_and_back(cut, frame):
    made = timing(*cut)
    assert made.to_comp(made.to_job(frame)) == frame
    assert made.to_job(made.to_comp(frame)) == frame
    assert made.to_job(frame + 1) == made.to_job(frame) + 1


@given(cuts())
def test_the_cut_is_numbered_as_its_file(cut):
    comp, clip = cut
    made = timing(comp, clip)
    assert made.to_job(comp.render_first) == clip.source_first
    assert made.to_job(comp.render_last) == clip.source_last
    assert not made.retimed


@given(cuts(), st.integers(1, 400), st.integers(1, 400))
def test_a_trim_of_the_edit_changes_no_frame_of_the_job(cut, later, shorter):
    """The comp counts from the cut's beginning anew; the file's frames are what they were."""
    comp, clip = cut
    if clip.duration <= later + shorter:
        return
    trimmed_clip = ClipRange(
        clip.source_first + later, clip.source_last - shorter, clip.duration - later - shorter, clip.left + later,
        clip.right + shorter,
    )  # fmt: skip
    length = trimmed_clip.duration
    trimmed = timing(CompRange(0, length - 1, 0, length - 1), trimmed_clip)
    before = timing(comp, clip)
    assert trimmed.to_job(0) == before.to_job(comp.render_first + later)


@given(cuts())
def test_handles_are_what_both_have(cut):
    comp, clip = cut
    made = timing(comp, clip)
    assert comp.first <= made.first <= comp.render_first
    assert comp.render_last <= made.last <= comp.last
    assert made.first >= comp.render_first - clip.left
    assert made.last <= comp.render_last + clip.right


def test_a_retimed_clip_keeps_the_comps_numbers():
    made = timing(CompRange(0, 47, 0, 47), ClipRange(1000, 1095, 48, 0, 0))
    assert made.retimed
    assert (made.to_job(5), made.first, made.last) == (5, 0, 47)


def test_a_last_frame_that_does_not_count_makes_no_difference():
    comp = CompRange(0, 47, 0, 47)
    assert timing(comp, ClipRange(1000, 1048, 48, 0, 0)) == timing(comp, ClipRange(1000, 1047, 48, 0, 0))


def test_a_comp_without_a_clip_counts_for_itself():
    made = timing(CompRange(1001, 1100, 1010, 1020), None)
    assert (made.to_job(1010), made.first, made.last) == (1010, 1001, 1100)
    assert made.wanted(1, -1) == (1010, 1020)
    assert made.wanted(1012, 1012) == (1012, 1012)


# --- colour ---------------------------------------------------------------------------------------------------


def of(mode, timeline=""):
    return management({"colorScienceMode": mode, "colorSpaceTimeline": timeline})


@pytest.mark.parametrize(
    ("mode", "timeline", "linear"),
    [
        ("davinciYRGBColorManagedv2", "DaVinci WG", "Linear DaVinci WideGamut"),
        ("davinciYRGBColorManagedv2", "DaVinci Wide Gamut Intermediate", "Linear DaVinci WideGamut"),
        ("davinciYRGBColorManaged", "Rec.709 Gamma 2.4", "Linear Rec.709 (sRGB)"),
        ("davinciYRGBColorManagedv2", "Rec.709 (Scene)", "Linear Rec.709 (sRGB)"),
        ("davinciYRGBColorManagedv2", "Rec.2100 ST2084", "Linear Rec.2020"),
        ("davinciYRGBColorManagedv2", "P3-D65", "Linear P3-D65"),
        ("davinciYRGBColorManagedv2", "ARRI LogC", "Linear ARRI Wide Gamut 3"),
        ("acescct", "", "ACEScg"),
        ("acescc", "Rec.709", "ACEScg"),
    ],
)
def test_a_managed_project_sends_its_linear_space_by_name(mode, timeline, linear):
    assert space(of(mode, timeline), ASKED).name == linear
    assert not space(of(mode, timeline), ASKED).warning
    assert not space(of(mode, timeline), linear).warning


def test_its_spaces_are_names_that_a_server_knows():
    from void_resolve.colour import _LINEAR
    from void_server.frames.color import ColorTransform

    for _, linear in _LINEAR:
        ColorTransform(linear)


def test_another_name_than_the_projects_is_taken_and_said():
    found = space(of("acescct"), "Linear Rec.2020")
    assert found.name == "Linear Rec.2020"
    assert "ACEScg" in found.warning


def test_an_unmanaged_project_needs_a_name_and_is_warned_about():
    with pytest.raises(SettingsError, match="not colour managed"):
        space(of("davinciYRGB"), ASKED)
    with pytest.raises(SettingsError, match="no mode named"):
        space(of(""), "")
    found = space(of("davinciYRGB"), "Gamma 2.4 Encoded Rec.709")
    assert found.name == "Gamma 2.4 Encoded Rec.709"
    assert "not colour managed" in found.warning


def test_a_managed_space_without_a_name_here_needs_one():
    with pytest.raises(SettingsError, match="no name here"):
        space(of("davinciYRGBColorManagedv2", "Elephant Film"), ASKED)
    assert not space(of("davinciYRGBColorManagedv2", "Elephant Film"), "ACEScg").warning


def test_standalone_fusion_sends_what_is_named():
    assert space(None, "").name == ASKED
    assert space(None, " ACEScg ").name == "ACEScg"
