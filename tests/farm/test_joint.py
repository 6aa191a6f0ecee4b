"""Where two segments meet."""

import numpy as np
import pytest

from void_server.farm.joint import joined, share_of_later
from void_server.frames.color import ColorTransform
from void_server.frames.exr import read_plate, write_frame, write_result
from void_wire.errors import SizeMismatch

NAMES = ("R", "G", "B", "Z", "fill.R")


def frame(tmp_path, name, pixels, channels=NAMES):
    write_frame(tmp_path / f"{name}.exr", 1001, pixels, channels)
    return read_plate(tmp_path / f"{name}.exr", 1001)


@pytest.fixture
def pair(tmp_path):
    """Equal but for a square of the picture and of the layer; the depth holds what is no number."""
    pixels = np.random.default_rng(1).random((20, 30, 5)).astype(np.float16)
    pixels[0, 0, 3], pixels[1, 1, 0] = np.nan, np.inf
    other = pixels.copy()
    other[5:10, 5:10, :3] += np.float16(1)
    other[5:10, 5:10, 4] += np.float16(2)
    return frame(tmp_path, "earlier", pixels), frame(tmp_path, "later", other)


def test_it_is_mixed_where_they_differ_and_the_bits_stay_elsewhere(pair, tmp_path):
    earlier, later = pair
    plate, rgb, changed = joined(earlier, later, 0.25, ColorTransform("lin_rec709"))
    assert changed.sum() == 25
    write_result(tmp_path / "joined.exr", plate, rgb, changed)
    found = read_plate(tmp_path / "joined.exr", 1001).pixels
    outside = np.ones(changed.shape, bool)
    outside[5:10, 5:10] = False
    assert np.array_equal(found[outside].view(np.uint16), earlier.pixels[outside].view(np.uint16))
    mixed = earlier.pixels[5:10, 5:10].astype(np.float32)
    assert np.allclose(found[5:10, 5:10, :3], mixed[..., :3] + 0.25, atol=2e-3)
    assert np.allclose(found[5:10, 5:10, 4], mixed[..., 4] + 0.5, atol=4e-3)
    assert np.array_equal(found[5:10, 5:10, 3], earlier.pixels[5:10, 5:10, 3])


def test_two_of_the_same_bits_are_that(pair):
    earlier, _ = pair
    plate, _, changed = joined(earlier, earlier, 0.5, ColorTransform("lin_rec709"))
    assert not changed.any()
    assert np.array_equal(plate.pixels.view(np.uint16), earlier.pixels.view(np.uint16))


def test_log_plates_are_mixed_as_light(tmp_path):
    ends = [np.full((4, 4, 3), value, np.float16) for value in (0.3, 0.6)]
    color = ColorTransform("ACEScct")
    _, rgb, _ = joined(*(frame(tmp_path, str(at), one, "RGB") for at, one in enumerate(ends)), 0.5, color)
    light = [color.light(one.astype(np.float32)) for one in (*ends, rgb)]
    assert np.allclose(light[2], (light[0] + light[1]) / 2, rtol=1e-3)
    assert abs(float(rgb.mean()) - 0.45) > 0.05


def test_what_does_not_belong_together_is_refused(pair, tmp_path):
    with pytest.raises(SizeMismatch, match="differs in size or channels between two segments"):
        joined(
            pair[0],
            frame(tmp_path, "odd", np.zeros((20, 31, 5), np.float16)),
            0.5,
            ColorTransform("lin_rec709"),
        )


def test_the_share_rises_evenly():
    assert [share_of_later(frame, 1001, 1005, 2) for frame in (1001, 1003, 1005)] == [0.25, 0.5, 0.75]
