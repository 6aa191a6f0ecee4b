"""Colour there and back: golden greys, inverses, names that do not exist."""

from __future__ import annotations

import numpy as np
import OpenImageIO
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from void_server.frames.color import ColorTransform
from void_server.frames.color_config import BUILTIN_CONFIG, config_label, names
from void_server.frames.encoding import CEILING
from void_wire.errors import SettingsError

LINEAR = [
    "scene_linear",
    "ACEScg",
    "lin_ap1",
    "ACES2065-1",
    "Linear Rec.709 (sRGB)",
    "lin_rec709",
    "Linear Rec.2020",
]
LOG = ["ACEScct", "ARRI LogC4", "S-Log3 S-Gamut3.Cine", "V-Log V-Gamut", "DaVinci Intermediate WideGamut"]
VIDEO = [
    "sRGB",
    "sRGB - Texture",
    "srgb_texture",
    "Camera Rec.709",
    "Gamma 2.4 Encoded Rec.709",
    "sRGB - Display",
]


@pytest.fixture(autouse=True)
def builtin_config(monkeypatch):
    monkeypatch.delenv("OCIO", raising=False)


def grey(value):
    return np.full((1, 3), value, np.float32)


@pytest.mark.parametrize("space", ["scene_linear", "Linear Rec.709 (sRGB)", "ACES2065-1"])
@pytest.mark.parametrize(
    ("linear", "encoded"),
    [(0.0, 0.0), (0.0031308, 0.0404500), (0.18, 0.4613561), (0.5, 0.7353570), (CEILING, 1.0), (500.0, 1.0)],
)
def test_golden_greys(space, linear, encoded):
    """Up to the knee the sRGB curve alone: middle grey 0.18 is 0.4613561 (IEC 61966-2-1)."""
    assert np.allclose(ColorTransform(space).encode(grey(linear)), encoded, atol=2e-6)


def test_the_shoulder_keeps_slope_and_order():
    transform = ColorTransform("lin_rec709")
    linear = np.linspace(0, CEILING, 200_001, dtype=np.float32)
    encoded = transform.encode(linear[:, None].repeat(3, 1))[:, 0]
    assert (np.diff(encoded) >= 0).all()
    assert encoded[-1] <= 1
    fine = np.float32([0.499, 0.5, 0.501])
    slopes = np.diff(transform.encode(fine[:, None].repeat(3, 1))[:, 0].astype(np.float64))
    assert abs(slopes[1] / slopes[0] - 1) < 0.02


@pytest.mark.parametrize(
    ("space", "tolerance"), [(name, 2e-5) for name in LINEAR] + [(name, 5e-4) for name in LOG]
)
def test_round_trip_in_scene_linear_up_to_64(space, tolerance):
    """decode(encode(x)) in linear Rec.709, relative to the pixel's brightest channel."""
    rng = np.random.default_rng(0)
    linear = np.geomspace(1e-3, 0.999 * CEILING, 3000, dtype=np.float32)[:, None] * rng.uniform(
        0.4, 1, (3000, 3)
    )
    reference = ColorTransform("lin_rec709")
    there = ColorTransform(space)
    plate = there.decode(reference.encode(linear.astype(np.float32)))  # the same colours in the plate's space
    back = reference.decode(there.encode(plate))
    error = np.abs(back - linear) / linear.max(axis=1, keepdims=True)
    assert error.max() < tolerance


@given(value=st.floats(0, CEILING, width=32), ceiling=st.floats(1, CEILING, width=32))
@settings(max_examples=25, deadline=None)
def test_inverse_for_any_ceiling(value, ceiling):
    transform = ColorTransform("lin_rec709", ceiling=ceiling)
    seen = transform.encode(grey(value))
    assert 0 <= seen.min() <= seen.max() <= 1
    assert np.allclose(transform.decode(seen), min(value, ceiling), rtol=1e-4, atol=1e-6)


def test_ceiling_of_one_is_plain_srgb():
    """A linear plate made from video gives the model the video's own codes."""
    codes = np.arange(256, dtype=np.float32)[:, None].repeat(3, 1) / 255
    linear = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4).astype(np.float32)
    assert np.abs(ColorTransform("lin_rec709", ceiling=1.0).encode(linear) - codes).max() < 1e-6


@pytest.mark.parametrize("space", VIDEO)
def test_video_passes_as_it_is(space):
    transform = ColorTransform(space)
    codes = np.random.default_rng(0).random((64, 64, 3), dtype=np.float32)
    assert transform.is_video
    assert np.abs(transform.encode(codes) - codes).max() < 1e-6
    assert np.abs(transform.decode(codes) - codes).max() < 1e-6
    assert transform.encode(np.float32([[-1, 0.5, 2]])).tolist() == [[0, 0.5, 1]]


@pytest.mark.parametrize("space", ["scene_linear", "ARRI LogC4", "sRGB"])
def test_any_plate_value_lands_in_range(space):
    values = np.random.default_rng(0).normal(0, 1e4, (500, 3)).astype(np.float32)
    encoded = ColorTransform(space).encode(values)
    assert encoded.min() >= 0
    assert encoded.max() <= 1
    assert np.isfinite(encoded).all()


@pytest.mark.parametrize("shape", [(3,), (5, 3), (4, 5, 3), (2, 4, 5, 3)])
@pytest.mark.parametrize("space", ["scene_linear", "ACEScct", "sRGB"])
def test_any_shape(space, shape):
    values = np.random.default_rng(0).random(shape, dtype=np.float32)
    transform = ColorTransform(space)
    encoded = transform.encode(values)
    assert encoded.shape == transform.decode(encoded).shape == shape
    assert encoded.dtype == np.float32


@pytest.mark.parametrize("encoding", ["display", "log"])
@pytest.mark.parametrize("space", ["scene_linear", "lin_rec709", "ARRI LogC4"])
@pytest.mark.parametrize("stops", [0.0, 2.5])
def test_there_and_back_from_a_thousandth_to_64(space, encoding, stops):
    """Relative to the pixel's brightest channel, for what the encoding's white holds after the gain."""
    transform = ColorTransform(space, encoding).exposed(stops)
    top = min(64.0, 0.8 * transform.white)  # AP1 codes of a saturated colour lie higher than its own
    rng = np.random.default_rng(0)
    light = np.geomspace(1e-3, top, 4000, dtype=np.float32)[:, None] * rng.uniform(0.4, 1, (4000, 3))
    wide = ColorTransform(space, "log").exposed(-3.0)
    seen = transform.encode(
        wide.decode(wide.fold(light.astype(np.float32)))
    )  # the light in the plate's space
    assert 0 <= seen.min() <= seen.max() <= 1
    error = np.abs(transform.light(transform.decode(seen)) - light) / light.max(axis=1, keepdims=True)
    assert error.max() < 1e-3


def test_golden_codes_of_acescct():
    """S-2016-001: 0 at 0.0729055, middle grey at 0.4135884, the cut at 0.155251, 222.86 at 1."""
    transform = ColorTransform("lin_rec709", "log")
    for light, code in [
        (0.0, 0.0729055),
        (0.0078125, 0.1552511),
        (0.18, 0.4135884),
        (1.0, 0.5547945),
        (300, 1.0),
    ]:
        assert np.allclose(transform.encode(grey(light)), code, atol=2e-6), light
    assert np.allclose(transform.encode(grey(-0.005)), -0.005 * 10.5402377 + 0.0729055, atol=1e-6)
    assert (transform.encode(grey(-1)) == 0).all()
    assert abs(transform.white - 222.861) < 0.001


def test_log_is_the_configs_acescct():
    light = np.random.default_rng(0).random((500, 3), dtype=np.float32) * 4
    camera = ColorTransform("ACEScct", "log")
    codes = ColorTransform("lin_rec709", "log").encode(light)
    assert np.abs(camera.encode(codes) - codes).max() < 2e-4  # OpenColorIO's own logarithm


def test_exposure_is_a_gain_in_light():
    light = np.random.default_rng(0).random((100, 3), dtype=np.float32) * 8
    for encoding in ("display", "log"):
        normal = ColorTransform("lin_rec709", encoding)
        lifted = normal.exposed(3.0)
        assert np.array_equal(lifted.encode(light / 8), normal.encode(light))
        assert np.array_equal(lifted.decode(normal.encode(light)) * 8, normal.decode(normal.encode(light)))
        assert lifted.white == normal.white / 8
        assert normal.stops == 0.0


def test_video_has_no_exposure():
    video = ColorTransform("sRGB")
    assert video.exposed(0.0).white == 1.0
    with pytest.raises(SettingsError, match=r"\+2 stops .*'sRGB' is display-referred"):
        video.exposed(2.0)


@pytest.mark.parametrize("space", VIDEO)
def test_video_in_log_comes_back(space):
    transform = ColorTransform(space, "log")
    codes = np.random.default_rng(0).random((64, 64, 3), dtype=np.float32)
    seen = transform.encode(codes)
    assert seen.max() < 0.6
    assert np.abs(transform.decode(seen) - codes).max() < 1e-3


@pytest.mark.parametrize("space", ["ARRI LogC4", "Log3G10 REDWideGamutRGB", "sRGB"])
def test_pixels_are_converted_as_openimageio_does(space):
    values = np.random.default_rng(3).uniform(0, 1, (5, 7, 3)).astype(np.float32)
    wanted = OpenImageIO.ImageBufAlgo.colorconvert(
        OpenImageIO.ImageBuf(values), space, "lin_rec709", False, "", "", BUILTIN_CONFIG
    ).get_pixels(OpenImageIO.FLOAT)
    assert np.allclose(ColorTransform(space, "log").light(values), wanted, rtol=1e-6, atol=1e-7)


def test_unknown_space_names_near_ones():
    with pytest.raises(SettingsError, match=r"'ACESgc' is not in ocio://studio-config-v2.2.0.*'ACEScg'"):
        ColorTransform("ACESgc")
    with pytest.raises(SettingsError, match="'qqqq' is not in"):
        ColorTransform("qqqq")
    with pytest.raises(SettingsError, match="holds data"):
        ColorTransform("Raw")
    assert {"ACEScg", "scene_linear", "lin_rec709"} <= set(names())


def test_config_of_the_environment(tmp_path, monkeypatch):
    config = tmp_path / "show.ocio"
    config.write_text(
        """ocio_profile_version: 2
roles: {default: raw, scene_linear: show_linear}
file_rules: [!<Rule> {name: Default, colorspace: default}]
displays: {none: [!<View> {name: Raw, colorspace: raw}]}
colorspaces:
  - !<ColorSpace> {name: raw, isdata: true}
  - !<ColorSpace> {name: lin_rec709}
  - !<ColorSpace>
    name: show_linear
    to_scene_reference: !<MatrixTransform> {matrix: [2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1]}
"""
    )
    monkeypatch.setenv("OCIO", str(config))
    transform = ColorTransform("scene_linear")
    assert np.allclose(transform.encode(grey(0.09)), 0.4613561, atol=2e-6)
    assert np.allclose(transform.decode(transform.encode(grey(0.09))), 0.09, atol=1e-6)
    with pytest.raises(SettingsError, match=r"'ACEScg' is not in .*show.ocio"):
        ColorTransform("ACEScg")
    config.write_text("nonsense: [")
    with pytest.raises(SettingsError, match=r"show.ocio cannot be read"):
        ColorTransform("scene_linear")


def test_a_result_names_the_config_without_its_folder(monkeypatch):
    monkeypatch.delenv("OCIO", raising=False)
    assert config_label() == BUILTIN_CONFIG
    monkeypatch.setenv("OCIO", "/shows/lime/ocio/lime_v3.ocio")
    assert config_label() == "lime_v3.ocio"
