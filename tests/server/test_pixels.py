"""Halves made float32 and channels taken out: every bit, whatever way the pixels lie in memory."""

from __future__ import annotations

import numpy as np
import pytest

from void_server.pixels import floats, picked

EVERY = np.arange(2**16, dtype=np.uint16).view(np.float16)
"""Each half there is: denormals, both zeros, both infinities, 2,046 NaNs."""
FRAME = EVERY.reshape(128, 128, 4)
PARTS = {
    "whole": FRAME,
    "crop": FRAME[3:90, 5:77],
    "channels": FRAME[..., :3],
    "channels of a crop": FRAME[3:90, 5:77, 1:],
    "every third": FRAME[::3, ::3],
    "upside down": FRAME[::-1],
    "right to left": FRAME[:, ::-1],
    "on its side": FRAME.transpose(1, 0, 2),
    "one pixel again and again": np.broadcast_to(FRAME[0, 1], (5, 7, 4)),
    "read only": np.frombuffer(FRAME.tobytes(), np.float16).reshape(FRAME.shape),
    "nothing": FRAME[:0],
    "no columns": FRAME[:, :0],
}


def exact(halves):
    """By IEEE 754 binary16: sign, exponent and fraction, without any library's conversion. No NaN."""
    code = halves.view(np.uint16).astype(np.int64)
    exponent, fraction = code >> 10 & 31, code & 1023
    normal = np.ldexp(1.0 + fraction / 1024, exponent - 15)
    size = np.where(exponent == 31, np.inf, np.where(exponent == 0, np.ldexp(fraction / 1024, -14), normal))
    return np.copysign(size, np.where(code >> 15, -1.0, 1.0)).astype(np.float32)


def test_every_half_is_exact():
    """Compared by their bits, so -0.0 is not 0.0; what was no number is none, and nothing else is."""
    made = floats(EVERY)
    assert made.dtype == np.float32
    code = EVERY.view(np.uint16)
    none = (code & 0x7FFF) > 0x7C00
    assert none.sum() == 2046
    assert np.array_equal(np.isnan(made), none)
    assert np.array_equal(made[~none].view(np.uint32), exact(EVERY[~none]).view(np.uint32))


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_any_strides(part):
    before = part.copy()
    made = floats(part)
    assert made.dtype == np.float32
    assert made.shape == part.shape
    assert np.array_equal(made, part.astype(np.float32), equal_nan=True)
    made[...] = 1
    assert np.array_equal(part.view(np.uint16), before.view(np.uint16)), "a copy, always"


def test_floats_are_copied_bit_for_bit():
    wild = np.random.default_rng(0).integers(0, 2**32, (9, 8, 3), np.uint32).view(np.float32)
    made = floats(wild)
    assert np.array_equal(made.view(np.uint32), wild.view(np.uint32))
    assert not np.shares_memory(made, wild)


@pytest.mark.parametrize("channels", [(0, 1, 2), (2, 1, 0), (2,), (1, 1, 1), (1, 0)])
@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_channels_keep_their_bits(part, channels):
    taken = picked(part, channels)
    assert taken.dtype == part.dtype
    wanted = np.ascontiguousarray(part[..., list(channels)])
    assert np.array_equal(np.ascontiguousarray(taken).view(np.uint16), wanted.view(np.uint16))


def test_channels_of_floats_keep_their_bits():
    wild = np.random.default_rng(1).integers(0, 2**32, (9, 8, 128), np.uint32).view(np.float32)
    taken = picked(wild, (127, 5, 64))
    assert np.array_equal(taken.view(np.uint32), wild[..., [127, 5, 64]].copy().view(np.uint32))


def test_all_channels_are_the_pixels_themselves():
    assert picked(FRAME, (0, 1, 2, 3)) is FRAME
