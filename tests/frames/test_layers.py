"""Layers beside the picture: the plate's bits stay, the numbers are what they say, other readers find them."""

from __future__ import annotations

import numpy as np
import OpenImageIO
import pytest

from void_server.frames.exr import limit_decoder, read_header, read_plate, write_frame, write_result
from void_server.frames.layers import CHANNELS, check_layers, make_layers
from void_server.frames.matte import enlarge_quadmask
from void_wire.errors import UnsupportedImage

SIZE = (9, 14)
QUADMASK = np.tile(np.uint8([0, 63, 127, 255]), 50)[: SIZE[0] * SIZE[1]].reshape(SIZE)
MATTE = np.linspace(0, 1, SIZE[0] * SIZE[1], dtype=np.float32).reshape(SIZE)
CHANGED = MATTE > 0.4


@pytest.fixture(autouse=True)
def limits():
    limit_decoder()


def plate_of(tmp_path, kind, names="RGBA", seed=0):
    pixels = np.random.default_rng(seed).random((*SIZE, len(names)), dtype=np.float32) * 4
    write_frame(tmp_path / "plate.exr", 7, pixels.astype(kind), names)
    return read_plate(tmp_path / "plate.exr", 7)


def written(tmp_path, plate, names):
    random = np.random.default_rng(1)
    rgb, fill = random.random((2, *SIZE, 3), dtype=np.float32) * 3
    layers = make_layers(names, plate, rgb, CHANGED, fill=fill, matte=MATTE, quadmask=QUADMASK)
    write_result(tmp_path / "result.exr", plate, rgb, CHANGED, extra_channels=layers)
    return rgb, fill, channels_of(tmp_path / "result.exr")


def channels_of(path):
    """By OpenImageIO alone, in the file's own types."""
    source = OpenImageIO.ImageInput.open(str(path))
    spec = source.spec()
    types = [str(kind) for kind in spec.channelformats] or [str(spec.format)] * spec.nchannels
    pixels = source.read_image("half" if set(types) == {"half"} else "float")
    found = {name: pixels[..., place] for place, name in enumerate(spec.channelnames)}
    return found, dict(zip(spec.channelnames, types, strict=True))


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_every_layer_beside_a_plate_that_stays(tmp_path, kind):
    plate = plate_of(tmp_path, kind)
    rgb, fill, (found, types) = written(tmp_path, plate, tuple(CHANNELS))
    assert set(types.values()) == {"half" if kind is np.float16 else "float"}
    assert set(found) == set("RGBA") | {
        f"{layer}.{channel}" for layer, channels in CHANNELS.items() for channel in channels
    }
    step = 2.0**-10 if kind is np.float16 else 1e-6
    for place, name in enumerate("RGB"):
        before = plate.pixels[..., place]
        assert np.array_equal(found[name][~CHANGED], before[~CHANGED])
        assert np.array_equal(found[f"fill.{name}"], fill[..., place].astype(kind))
        difference = found[f"difference.{name}"].astype(np.float32)
        assert not difference[~CHANGED].any()
        there = rgb[..., place] - before.astype(np.float32)
        assert np.allclose(difference[CHANGED], there[CHANGED], rtol=step, atol=step)
        assert np.abs(difference[CHANGED]).max() > 0.5
    assert np.array_equal(found["A"], plate.pixels[..., 3])
    assert np.array_equal(found["matte.A"], MATTE.astype(kind))
    assert np.array_equal(np.rint(found["quadmask.A"].astype(np.float32) * 255), QUADMASK)


def test_layers_have_the_type_of_red_where_a_plate_mixes_types(tmp_path):
    spec = OpenImageIO.ImageSpec(SIZE[1], SIZE[0], 4, "float")
    spec.channelnames = ("R", "G", "B", "Z")
    spec.channelformats = tuple(OpenImageIO.TypeDesc(kind) for kind in ("half", "half", "half", "float"))
    target = OpenImageIO.ImageOutput.create("openexr")
    pixels = np.random.default_rng(3).random((*SIZE, 4), dtype=np.float32)
    assert target.open(str(tmp_path / "mixed.exr"), spec)
    assert target.write_image(pixels)
    target.close()
    plate = read_plate(tmp_path / "mixed.exr", 7)
    _, _, (found, types) = written(tmp_path, plate, ("fill", "matte"))
    assert types == {name: "float" if name == "Z" else "half" for name in found}
    assert np.array_equal(found["Z"], pixels[..., 3])
    assert np.array_equal(found["R"][~CHANGED], plate.pixels[..., 0][~CHANGED])


def test_only_what_was_asked_for(tmp_path):
    _, _, (found, _) = written(tmp_path, plate_of(tmp_path, np.float16), ("matte",))
    assert set(found) == {*"RGBA", "matte.A"}


def test_luminance_alone_has_layers_of_luminance_and_can_be_read_again(tmp_path):
    plate = plate_of(tmp_path, np.float32, "Y")
    rgb, _, (found, _) = written(tmp_path, plate, ("fill", "difference"))
    assert set(found) == {"Y", "fill.Y", "difference.Y"}
    weights = np.float32([0.2126, 0.7152, 0.0722])
    assert np.allclose(
        found["difference.Y"][CHANGED], (rgb @ weights - plate.pixels[..., 0])[CHANGED], atol=1e-5
    )
    assert np.array_equal(read_plate(tmp_path / "result.exr", 7).rgb[..., 0], found["Y"])


def test_what_a_half_cannot_hold_stays_at_its_largest(tmp_path):
    plate = plate_of(tmp_path, np.float16)
    huge = np.full((*SIZE, 3), 1e9, np.float32)
    layers = make_layers(("fill",), plate, huge, CHANGED, fill=-huge, matte=MATTE, quadmask=QUADMASK)
    write_result(tmp_path / "result.exr", plate, huge, CHANGED, extra_channels=layers)
    assert (channels_of(tmp_path / "result.exr")[0]["fill.R"] == -65504).all()


@pytest.mark.parametrize("name", ["matte.A", "Matte.red"])
def test_a_plate_with_a_layer_of_that_name_is_refused(tmp_path, name):
    layout = plate_of(tmp_path, np.float16, ("R", "G", "B", name)).layout
    check_layers(layout, ("fill", "quadmask"))
    with pytest.raises(UnsupportedImage, match=r"Frame 7 \(plate.exr\) has a layer matte already"):
        check_layers(layout, ("fill", "matte"))


def test_a_plate_without_room_for_layers_is_refused(tmp_path):
    names = ["R", "G", "B", *(f"id{n}.R" for n in range(122))]
    write_frame(tmp_path / "many.exr", 7, np.zeros((2, 2, 125), np.float16), names)
    layout = read_header(tmp_path / "many.exr", 7)
    check_layers(layout, ("fill",))
    with pytest.raises(UnsupportedImage, match="8 channels more would have 133"):
        check_layers(layout, tuple(CHANNELS))


def test_a_quadmask_comes_back_in_blocks_of_its_own_classes():
    small = np.uint8([[0, 63], [127, 255]])
    assert np.array_equal(enlarge_quadmask(small, (4, 6)), np.kron(small, np.ones((2, 3), np.uint8)))
    assert np.array_equal(enlarge_quadmask(enlarge_quadmask(small, (8, 8)), (2, 2)), small)
