"""Black mattes are told from EXR files without an image library, whatever part of them is looked at."""

import numpy as np
import pytest

from void_host.marks import unmarked
from void_server.frames.exr import write_frame
from void_wire.messages import Role


def matte(path, pixels, channels="RGB", compression="zips"):
    write_frame(path, 1, np.ascontiguousarray(pixels), channels, compression=compression)
    return {Role.PLATE: path.with_name("plate.exr"), Role.MATTES: path}


@pytest.mark.parametrize("kind", [np.float16, np.float32])
@pytest.mark.parametrize("compression", ["none", "zips", "zip"])
@pytest.mark.parametrize("size", [(37, 51), (16, 64)])
def test_one_pixel_of_the_remove_matte_is_enough_and_the_affected_one_does_not_count(
    tmp_path, kind, compression, size
):
    pixels = np.zeros((*size, 3), kind)
    assert unmarked(matte(tmp_path / "a.exr", pixels, compression=compression))
    pixels[..., 1] = np.random.default_rng(1).random(size)  # affected
    assert unmarked(matte(tmp_path / "a.exr", pixels, compression=compression))
    for y, x in ((0, 0), (size[0] - 1, size[1] - 1), (20 % size[0], 7)):
        marked = pixels.copy()
        marked[y, x, 0] = 1e-3
        assert not unmarked(matte(tmp_path / "a.exr", marked, compression=compression)), (y, x)


def test_a_remove_matte_of_its_own_has_one_channel(tmp_path):
    files = {Role.REMOVE: tmp_path / "r.exr"}
    pixels = np.zeros((8, 8, 1), np.float16)
    matte(tmp_path / "r.exr", pixels, "A")
    assert unmarked(files)
    pixels[3, 3] = 1
    matte(tmp_path / "r.exr", pixels, "A")
    assert not unmarked(files)


def test_what_cannot_be_looked_into_is_left_to_the_server(tmp_path):
    black = np.zeros((8, 8, 3), np.float16)
    assert not unmarked(matte(tmp_path / "piz.exr", black, compression="piz"))
    assert not unmarked({Role.MATTES: tmp_path / "nothing.exr"})
    whole = matte(tmp_path / "whole.exr", black)[Role.MATTES].read_bytes()
    for length in (0, 7, 40, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.exr").write_bytes(whole[:length])
        assert not unmarked({Role.MATTES: tmp_path / "cut.exr"}), length
    assert not unmarked(matte(tmp_path / "gb.exr", black[..., :2], "GB"))
