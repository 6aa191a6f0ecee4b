"""What the gizmo's stock nodes make of real frames: the mattes, the overlay on its grid, the merge, the views."""

import cv2
import nuke_shots as shots
import numpy as np
import pytest
from nuke._render import image

from void_server.frames.exr import read_plate
from void_server.frames.geometry import Box
from void_server.frames.matte import AFFECTED, KEEP, OVERLAP, REMOVE, compose_quadmask, composite_matte
from void_server.frames.matte_files import read_mattes
from void_wire.messages import Role

RASTER = (384, 672)
RGB = "RGB"


def top_down(made, names=RGB):
    return np.stack([made[name][::-1] for name in names], axis=-1)


def matte(box, frame=1001, size=RASTER):
    return shots.box(size, *box)(frame)[..., 0]


REMOVED, TOUCHED = (300, 80, 60, 90), (340, 150, 200, 40)


@pytest.fixture
def node(nuke, tmp_path):
    return shots.comp(nuke, tmp_path, RASTER, REMOVED, TOUCHED)


def classes_shown(node, frame=1001, size=RASTER):
    """The quadmask that the overlay's tint stands for, over the plate."""
    made = image(node.node("BackToPlate"), frame)
    tint = np.zeros((*size, 4), np.float32)
    for at, name in enumerate("RGBA"):
        tint[-made[name].shape[0] :, : made[name].shape[1], at] = made[name][::-1]
    removed, touched = (
        tint[..., 0] > 0.3,
        (tint[..., 2] > 0.3) | ((tint[..., 0] > 0.3) & (tint[..., 1] > 0.3)),
    )
    return np.select([removed & touched, removed, touched], [OVERLAP, REMOVE, AFFECTED], KEEP)


def test_the_overlay_shows_the_quadmask_of_the_server(node):
    for frame in shots.FRAMES:
        wanted = compose_quadmask(matte(REMOVED, frame), matte(TOUCHED, frame))
        assert (classes_shown(node, frame) == wanted).all()
        assert set(np.unique(wanted)) == {REMOVE, OVERLAP, AFFECTED, KEEP}
    node["affected_shape"].setValue("drawn")
    wanted = compose_quadmask(matte(REMOVED), matte(TOUCHED), affected_shape="drawn")
    assert (classes_shown(node) == wanted).all()


def test_the_grid_lies_in_the_box(nuke, tmp_path):
    """A box of twice the raster within a larger plate: what is in it is what the server makes of that crop."""
    size, box = (900, 1500), (100, 50, 1344, 768)  # x, y from the upper left, width, height
    node = shots.comp(nuke, tmp_path, size, (300, 180, 80, 90), (700, 500, 90, 64))
    x, y, width, height = box
    node["box"].setValue([x, size[0] - y - height, x + width, size[0] - y])
    shown = classes_shown(node, size=size)
    mattes = [matte(roto, size=size) for roto in ((300, 180, 80, 90), (700, 500, 90, 64))]
    cut = [one[y : y + height, x : x + width] for one in mattes]
    seen = compose_quadmask(*(cv2.resize(one, RASTER[::-1], interpolation=cv2.INTER_AREA) for one in cut))
    assert (shown[y : y + height, x : x + width] == seen.repeat(2, 0).repeat(2, 1)).all()
    shown[y : y + height, x : x + width] = KEEP
    assert (shown == KEEP).all()


def test_the_overlay_is_the_plate_where_nothing_is_marked(node):
    node["show"].setValue("overlay")
    shown, plate = top_down(image(node, 1001)), shots.plate(RASTER)(1001)[..., :3].astype(np.float32)
    keep = compose_quadmask(matte(REMOVED), matte(TOUCHED)) == KEEP
    assert (shown[keep] == plate[keep]).all()
    assert np.abs(shown[~keep] - plate[~keep]).max(axis=-1).min() > 0


@pytest.fixture
def result(node, tmp_path):
    """A result that is wrong everywhere, so that whatever comes from it shows."""
    fill = np.full((*RASTER, 4), 7, np.float16)
    node["result"].setValue(shots.write(tmp_path, "result", lambda frame: fill, "RGBA"))
    node["result_first"].setValue(1001)
    node["result_last"].setValue(1002)
    node["use_result"].setValue(True)
    return node


def half_bits(pixels):
    return pixels.astype(np.float16).view(np.uint16)


def test_outside_the_matte_the_plate_passes_bit_for_bit(result):
    shown = top_down(image(result, 1001), "RGBA")
    inside = (shown[..., :3] == 7).all(axis=-1)
    plate = shots.plate(RASTER)(1001)
    assert (half_bits(shown[~inside]) == plate[~inside].view(np.uint16)).all()
    assert (half_bits(shown[..., 3]) == plate[..., 3].view(np.uint16)).all()
    # All of what the server merges, at the widest feather too, is kept.
    for grow, feather in ((3, 4), (0, 0), (20, 30)):
        result["grow"].setValue(grow)
        result["feather"].setValue(feather)
        inside = (top_down(image(result, 1001)) == 7).all(axis=-1)
        merged = composite_matte(matte(REMOVED), matte(TOUCHED), grow, feather) > 0
        assert inside[merged].all()
        assert inside.sum() < 2 * merged.sum() + 2000


def test_the_nodes_own_merge_takes_less(result):
    whole = (top_down(image(result, 1001)) == 7).all(axis=-1)
    result["merge_grow"].setValue(-7)
    less = (top_down(image(result, 1001)) == 7).all(axis=-1)
    assert (less == ((matte(REMOVED) > 0) | (matte(TOUCHED) > 0))).all()
    assert less.sum() < whole.sum()


def test_the_plate_passes_outside_the_results_frames_and_before_there_is_one(result):
    plate = shots.plate(RASTER)
    assert (top_down(image(result, 1003)) == plate(1003)[..., :3].astype(np.float32)).all()
    result["use_result"].setValue(False)
    assert (top_down(image(result, 1001)) == plate(1001)[..., :3].astype(np.float32)).all()


def test_the_views(result):
    plate = shots.plate(RASTER)(1001)[..., :3].astype(np.float32)
    result["show"].setValue("result")
    merged = top_down(image(result, 1001))
    result["show"].setValue("plate")
    assert (top_down(image(result, 1001)) == plate).all()
    result["show"].setValue("A-B wipe")
    result["wipe"].setValue(0.5)
    wiped = top_down(image(result, 1001))
    assert (wiped[:, :336] == plate[:, :336]).all()
    assert (wiped[:, 336:] == merged[:, 336:]).all()
    assert (merged[:, 336:] != plate[:, 336:]).any()
    result["show"].setValue("fill only")
    fill = top_down(image(result, 1001), "RGBA")
    inside = (merged == 7).all(axis=-1)
    assert (fill[inside] == [7, 7, 7, 1]).all()
    assert (fill[~inside] == 0).all()


def test_the_export_is_what_a_server_reads(node, nuke, tmp_path):
    node["export_folder"].setValue(str(tmp_path / "export"))
    node["exporting"].setValue(True)
    for name in ("WritePlate", "WriteMattes"):
        nuke.execute(node.node(name), 1001, 1003)
    for frame in shots.FRAMES:
        sent = read_plate(tmp_path / "export" / f"plate.{frame}.exr", frame)
        assert (sent.pixels.view(np.uint16) == shots.plate(RASTER)(frame).view(np.uint16)).all()
        assert sent.layout.metadata["nuke/input/timecode"] == "01:00:00:00"
        file = tmp_path / "export" / f"mattes.{frame}.exr"
        mattes = read_mattes({Role.MATTES: file}, frame, Box(0, 0, 672, 384))
        assert (mattes.remove == matte(REMOVED, frame)).all()
        assert (mattes.affected == matte(TOUCHED, frame)).all()
    node["plate_depth"].setValue("32 bit float")
    nuke.execute(node.node("WritePlate"), 1001, 1001)
    assert read_plate(tmp_path / "export" / "plate.1001.exr", 1001).pixels.dtype == np.float32


def test_an_open_affected_input_is_nothing(nuke, tmp_path):
    node = shots.comp(nuke, tmp_path, RASTER, REMOVED, affected=None)
    assert (classes_shown(node) == compose_quadmask(matte(REMOVED), None)).all()
    assert (image(node.node("Mattes"), 1001)["G"] == 0).all()


def test_a_group_of_it_does_the_same(result):
    before = top_down(image(result, 1001))
    group = result.makeGroup()
    assert group.Class() == "Group"
    assert (top_down(image(group, 1001)) == before).all()
    group["show"].setValue("plate")
    assert (top_down(image(group, 1001)) == shots.plate(RASTER)(1001)[..., :3].astype(np.float32)).all()
