from __future__ import annotations

import numpy as np

from void_server.frames.composite import composite


def test_over_inside_and_bits_outside():
    plate = np.random.default_rng(0).integers(0, 2**32, (20, 30, 3), dtype=np.uint32).view(np.float32)
    fill = np.random.default_rng(1).random((20, 30, 3), dtype=np.float32)
    matte = np.zeros((20, 30), np.float32)
    matte[5:10, 5:10] = 1
    matte[5:10, 10] = 0.25
    plate[5:10, 10] = 2.0
    result, changed = composite(plate, fill, matte)
    assert np.array_equal(changed, matte > 0)
    assert np.array_equal(result.view(np.uint32)[~changed], plate.view(np.uint32)[~changed])
    assert np.array_equal(result[5:10, 5:10], fill[5:10, 5:10])
    assert np.allclose(result[5:10, 10], 1.5 + 0.25 * fill[5:10, 10])


def test_full_matte_hides_infinite_plate_pixels():
    plate = np.full((1, 2, 3), np.inf, np.float32)
    result, _ = composite(plate, np.ones((1, 2, 3), np.float32), np.ones((1, 2), np.float32))
    assert (result == 1).all()
