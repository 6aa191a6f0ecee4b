"""A fill goes over the plate where the matte and the crop say, whatever the windows are."""

from __future__ import annotations

import numpy as np
import pytest

from void_server.frames.exr import read_plate, write_frame
from void_server.frames.geometry import Box, place, take
from void_server.frames.grain import Grain
from void_server.frames.matte import within_box
from void_server.job_folder import JobFolder
from void_server.shot import Shot, drawn_on
from void_wire.messages import FrameRange, JobSpec, PictureSettings, Role, VoidSettings

DISPLAY = Box(0, 0, 96, 64)
MATTE = Box(40, 20, 12, 10)


def position(box):
    """Values that say where a pixel is, in the coordinates of the display window."""
    y, x = np.mgrid[box.y : box.bottom, box.x : box.right].astype(np.float32)
    return np.stack([x, y, x + y], axis=-1)


def shot_of(tmp_path, display, data, marked, picture):
    """One frame whose plate has random bits; the shot and those bits."""
    folder = JobFolder(tmp_path)
    folder.make([Role.PLATE, Role.REMOVE, Role.RESULT])
    bits = np.random.default_rng(0).integers(0, 0x7C00, (data.height, data.width, 4), np.uint16)
    plate = bits.view(np.float16)
    write_frame(folder.frame(Role.PLATE, 7), 7, plate, "RGBZ", display=display, origin=(data.x, data.y))
    remove = place(np.ones((10, 12), np.float32), marked, display, outside=0).astype(np.float16)
    matte = folder.frame(Role.REMOVE, 7)
    write_frame(matte, 7, remove[..., None], "A", display=display, origin=(display.x, display.y))
    spec = JobSpec(
        job="shot-job-1",
        shot="shot",
        engine="void",
        frames=FrameRange(7, 7),
        roles=(Role.PLATE, Role.REMOVE),
        prompt="a room",
        picture=picture,
        void=VoidSettings(),
    )
    return Shot(spec, folder), bits


@pytest.mark.parametrize("box", [DISPLAY, Box(24, 8, 48, 40), Box(30, 8, 16, 40), Box(0, 0, 46, 24)])
@pytest.mark.parametrize(
    "data",
    [
        DISPLAY,
        Box(-16, -8, 128, 80),
        Box(4, 4, 92, 60),
        Box(45, 0, 20, 64),
        Box(0, 0, 8, 8),
        Box(200, 200, 5, 5),
    ],
)
@pytest.mark.parametrize("origin", [(0, 0), (-300, 17)])
def test_windows(tmp_path, box, data, origin):
    display, data, box, marked = (window.moved(*origin) for window in (DISPLAY, data, box, MATTE))
    shot, bits = shot_of(tmp_path, display, data, marked, PictureSettings(grow_px=2, feather_px=3))
    assert np.array_equal(shot.canvas(0, box), box.of(shot.canvas(0), display), equal_nan=True)
    shot.write(Role.RESULT, 0, drawn_on(position(box) * 2, box), box, {"void/test": "yes"})

    result = read_plate(shot.folder.frame(Role.RESULT, 7), 7)
    assert (result.layout.display, result.layout.data) == (display, data)
    merged = within_box(shot.matte(0), box, display, 3)
    matte = take(merged, data, display, outside=0)
    assert np.array_equal(result.pixels[matte == 0].view(np.uint16), bits[matte == 0])
    assert np.array_equal(result.pixels[..., 3].view(np.uint16), bits[..., 3])
    expected = position(data) * 2
    assert np.allclose(result.pixels[matte == 1][:, :3], expected[matte == 1], atol=0.5)
    if data == display and box == display:
        assert np.count_nonzero(matte == 1) > 12 * 10


@pytest.mark.parametrize("data", [DISPLAY, Box(-16, -8, 128, 80), Box(30, 22, 20, 30)])
def test_layers_show_what_was_merged(tmp_path, data):
    box, names = Box(24, 8, 48, 40), ("fill", "matte", "quadmask", "difference")
    shot, bits = shot_of(
        tmp_path, DISPLAY, data, MATTE, PictureSettings(grow_px=2, feather_px=3, layers=names)
    )
    seen = np.full((40, 48), 127, np.uint8)
    grain = Grain(
        kernel=np.ones((1, 1)), mix=np.eye(3), levels=np.tile([0.0, 1e6], (3, 1)), sigmas=np.full((3, 2), 0.5)
    )
    shot.write(
        Role.RESULT, 0, drawn_on(position(box) * 2, box), box, {}, grain, 5, quadmask=seen
    )  # fmt: skip
    result = read_plate(shot.folder.frame(Role.RESULT, 7), 7)
    layer = {name: result.pixels[..., place] for place, name in enumerate(result.layout.channels)}
    matte = take(within_box(shot.matte(0), box, DISPLAY, 3), data, DISPLAY, outside=0)
    inside = take(box.of(np.ones((64, 96), np.float32), DISPLAY), data, box, outside=0) == 1
    assert np.array_equal(layer["matte.A"], matte.astype(np.float16))
    assert np.array_equal(layer["quadmask.A"], np.where(inside, np.float16(127 / 255), np.float16(1)))
    for place_, name in enumerate("RGB"):
        fill = layer[f"fill.{name}"]
        assert np.array_equal(fill[matte == 1], layer[name][matte == 1])
        assert not fill[~inside].any()
        grainy = fill.astype(np.float32) - 2 * position(data)[..., place_]
        assert 0.4 < grainy[inside].std() < 0.6
        assert np.array_equal(layer[name].view(np.uint16)[matte == 0], bits[..., place_][matte == 0])
        assert not layer[f"difference.{name}"][matte == 0].any()
