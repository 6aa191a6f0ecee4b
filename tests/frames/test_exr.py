"""EXR in and out on real files: every bit that is not meant to change is the plate's."""

from __future__ import annotations

import resource
import struct
from pathlib import Path

import numpy as np
import OpenImageIO
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from void_server.frames.exr import (
    HALF_MAX,
    limit_decoder,
    lossless,
    read_header,
    read_plate,
    rgb_channels,
    write_frame,
    write_result,
)
from void_server.frames.geometry import Box
from void_wire.errors import MissingFrames, ServerBusy, SettingsError, UnsupportedImage


@pytest.fixture(autouse=True)
def limits():
    limit_decoder()


def save(path, pixels, names, types=None, display=None, origin=(0, 0), tile=0, **attributes):
    """A file written by OpenImageIO alone, so that our writer is not tested against itself."""
    height, width, count = pixels.shape
    spec = OpenImageIO.ImageSpec(width, height, count, "half" if pixels.dtype == np.float16 else "float")
    spec.channelnames = tuple(names)
    if types:
        spec.channelformats = tuple(OpenImageIO.TypeDesc(kind) for kind in types)
    spec.x, spec.y = origin
    spec.full_x, spec.full_y, spec.full_width, spec.full_height = display or (*origin, width, height)
    spec.tile_width = spec.tile_height = tile
    for name, value in attributes.items():
        spec.attribute(name.replace("__", "/"), value)
    target = OpenImageIO.ImageOutput.create("openexr")
    assert target.open(str(path), spec), target.geterror()
    assert target.write_image(pixels), target.geterror()
    assert target.close()
    return path


def bits(path, names):
    """Each channel's raw bits, by OpenImageIO alone, channel by channel in its own type."""
    source = OpenImageIO.ImageInput.open(str(path))
    spec = source.spec()
    found = {}
    for name in names:
        position = spec.channelnames.index(name)
        kind = str(spec.channelformats[position] if spec.channelformats else spec.format)
        plane = source.read_image(0, 0, position, position + 1, kind)
        found[name] = plane.view(np.uint16 if kind == "half" else np.uint32)[..., 0]
    source.close()
    return found


def wild_half(height, width, count, seed=0):
    """Random half bits: NaN payloads, infinities, denormals, -0.0 and all."""
    values = np.random.default_rng(seed).integers(0, 2**16, (height, width, count), dtype=np.uint16)
    values.flat[: min(4, values.size)] = [0x8000, 0x7C01, 0xFE55, 0x0001][: min(4, values.size)]
    return values.view(np.float16)


def wild_float(height, width, count, seed=0):
    values = np.random.default_rng(seed).integers(0, 2**32, (height, width, count), dtype=np.uint32)
    return values.view(np.float32)


def rewrite(source: Path, target: Path, **options):
    """Read, change a checkerboard of RGB to ramps, write; returns what went in."""
    plate = read_plate(source, 7)
    height, width = plate.pixels.shape[:2]
    rgb = np.random.default_rng(1).random((height, width, 3), dtype=np.float32)
    changed = np.add.outer(np.arange(height), np.arange(width)) % 3 == 0
    codec = write_result(target, plate, rgb, changed, **options)
    return plate, rgb, changed, codec


@pytest.mark.parametrize("compression", ["none", "rle", "zips", "zip", "piz", "pxr24", "htj2k256"])
@pytest.mark.parametrize("kind", ["half", "float"])
def test_bits_outside_survive_every_codec(tmp_path, compression, kind):
    make = wild_half if kind == "half" else wild_float
    names = ["R", "G", "B", "A", "depth.Z", "forward.u"]
    source = save(tmp_path / "in.exr", make(37, 63, 6), names, compression=compression)
    stored = bits(source, names)  # PXR24 rounded floats when this plate was made; what is stored is the plate
    _, rgb, changed, codec = rewrite(source, tmp_path / "out.exr")
    found = bits(tmp_path / "out.exr", names)
    for name in names[3:]:
        assert np.array_equal(found[name], stored[name]), name
    for position, name in enumerate("RGB"):
        assert np.array_equal(found[name][~changed], stored[name][~changed])
        assert np.array_equal(
            found[name][changed],
            rgb[..., position][changed]
            .astype(np.float16 if kind == "half" else np.float32)
            .view(found[name].dtype),
        )
    assert codec == ("zip" if (compression, kind) == ("pxr24", "float") else compression)
    assert read_header(tmp_path / "out.exr", 7).compression == codec


def test_all_halfs_survive_beside_float_channels(tmp_path):
    """The mixed path goes through float32: all 65,536 halfs must come back, signalling NaNs too."""
    every = np.arange(2**16, dtype=np.uint32).astype(np.uint16).reshape(256, 256)
    pixels = np.zeros((256, 256, 5), np.float32)
    pixels[..., :4] = every.view(np.float16).astype(np.float32)[..., None]
    pixels[..., 4] = wild_float(256, 256, 1)[..., 0]
    types = ["half", "half", "half", "half", "float"]
    source = save(tmp_path / "in.exr", pixels, ["R", "G", "B", "A", "Z"], types)
    stored = bits(source, "RGBAZ")
    assert np.array_equal(stored["A"], every)
    plate = read_plate(source, 1)
    assert plate.layout.types == tuple(types)
    nothing = np.zeros((256, 256), bool)
    write_result(tmp_path / "out.exr", plate, plate.rgb, nothing)
    found = bits(tmp_path / "out.exr", "RGBAZ")
    for name in "RGBAZ":
        assert np.array_equal(found[name], stored[name]), name
    assert read_header(tmp_path / "out.exr", 1).types == tuple(types)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (63, 1), (1, 63), (63, 63), (2049, 857)])
def test_odd_sizes(tmp_path, width, height):
    source = save(tmp_path / "in.exr", wild_half(height, width, 4), "RGBA", compression="zips")
    stored = bits(source, "RGBA")
    _, _, changed, _ = rewrite(source, tmp_path / "out.exr")
    found = bits(tmp_path / "out.exr", "RGBA")
    for name in "RGBA":
        assert np.array_equal(found[name][~changed], stored[name][~changed])


@pytest.mark.parametrize(
    ("origin", "display"),
    [
        ((-5, -3), (0, 0, 40, 30)),
        ((10, 4), (0, 0, 100, 50)),
        ((1000, 2000), (990, 1990, 64, 64)),
        ((3, 3), (-9, -9, 20, 20)),
    ],
)
def test_windows_and_metadata_are_kept(tmp_path, origin, display):
    attributes = {
        "PixelAspectRatio": 2.0,
        "nuke__node_hash": "7f3a",
        "input__frame": 42,
        "DateTime": "2020:01:02 03:04:05",
        "Copyright": "a studio",
        "ImageDescription": "plate",
        "openexr:lineOrder": "decreasingY",
        "screenWindowWidth": 1.5,
    }
    source = save(
        tmp_path / "in.exr",
        wild_half(21, 33, 4),
        "RGBA",
        display=display,
        origin=origin,
        compression="piz",
        **attributes,
    )
    spec = OpenImageIO.ImageInput.open(str(source)).spec()
    spec.attribute("smpte:TimeCode", OpenImageIO.TypeTimeCode, (18621184, 0))
    stored = bits(source, "RGBA")
    plate, _, changed, _ = rewrite(
        source, tmp_path / "out.exr", extra_metadata={"void/engine": "draft", "void/seed": 42}
    )
    assert plate.layout.data == Box(*origin, 33, 21)
    assert plate.layout.display == Box(*display)
    after = read_header(tmp_path / "out.exr", 7)
    assert (after.data, after.display, after.pixel_aspect) == (plate.layout.data, plate.layout.display, 2.0)
    assert after.channels == plate.layout.channels
    assert {**plate.layout.metadata, "void/engine": "draft", "void/seed": 42} == dict(after.metadata)
    found = bits(tmp_path / "out.exr", "RGBA")
    assert np.array_equal(found["A"], stored["A"])
    assert np.array_equal(found["G"][~changed], stored["G"][~changed])


@pytest.mark.parametrize("compression", ["dwaa", "dwab", "b44", "b44a"])
def test_lossy_plates_come_back_in_zip(tmp_path, compression):
    smooth = np.random.default_rng(0).random((40, 50, 3), dtype=np.float32).astype(np.float16)
    source = save(tmp_path / "in.exr", smooth, "RGB", compression=compression)
    stored = bits(source, "RGB")  # as decoded: that is the plate now
    _, _, changed, codec = rewrite(source, tmp_path / "out.exr")
    assert codec == "zip"
    found = bits(tmp_path / "out.exr", "RGB")
    for name in "RGB":
        assert np.array_equal(found[name][~changed], stored[name][~changed])


def test_asked_compression_never_rounds():
    assert lossless("pxr24", ["half"]) == "pxr24"
    assert lossless("pxr24", ["half", "float"]) == "zip"
    assert lossless("piz", ["float"]) == "piz"
    assert lossless("some future codec", ["half"]) == "zip"


def test_tiled_plate_becomes_scanlines(tmp_path):
    source = save(tmp_path / "in.exr", wild_half(40, 50, 3), "RGB", tile=16)
    stored = bits(source, "RGB")
    _, _, changed, _ = rewrite(source, tmp_path / "out.exr")
    found = bits(tmp_path / "out.exr", "RGB")
    assert np.array_equal(found["B"][~changed], stored["B"][~changed])
    assert OpenImageIO.ImageInput.open(str(tmp_path / "out.exr")).spec().tile_width == 0


def test_fill_beyond_half_stays_finite(tmp_path):
    source = save(tmp_path / "in.exr", np.ones((2, 2, 3), np.float16), "RGB")
    plate = read_plate(source, 1)
    write_result(tmp_path / "out.exr", plate, np.full((2, 2, 3), 1e9, np.float32), np.ones((2, 2), bool))
    assert (read_plate(tmp_path / "out.exr", 1).rgb == HALF_MAX).all()


def test_layers_and_luminance(tmp_path):
    layered = read_plate(
        save(tmp_path / "l.exr", wild_half(3, 4, 4), ["beauty.blue", "beauty.green", "beauty.red", "Z"]), 1
    )
    names = [layered.layout.channels[channel] for channel in rgb_channels(layered.layout)]
    assert names == ["beauty.red", "beauty.green", "beauty.blue"]
    grey = read_plate(save(tmp_path / "y.exr", np.full((3, 4, 1), 0.5, np.float16), ["Y"]), 1)
    assert grey.rgb.shape == (3, 4, 3)
    fill = np.broadcast_to(np.float32([1, 0, 0]), (3, 4, 3))
    write_result(tmp_path / "yo.exr", grey, fill, np.ones((3, 4), bool))
    assert np.allclose(read_plate(tmp_path / "yo.exr", 1).rgb, 0.2126, atol=1e-4)


def test_unsupported_kinds_say_so(tmp_path):
    save(tmp_path / "yc.exr", wild_half(4, 4, 3), ["Y", "RY", "BY"])
    with pytest.raises(UnsupportedImage, match=r"Frame 5 \(yc.exr\) has no red, green and blue.*RY"):
        read_plate(tmp_path / "yc.exr", 5).rgb  # noqa: B018

    spec = OpenImageIO.ImageSpec(4, 4, 4, "half")
    spec.channelnames = ("R", "G", "B", "id")
    spec.channelformats = tuple(OpenImageIO.TypeDesc(kind) for kind in ("half", "half", "half", "uint"))
    target = OpenImageIO.ImageOutput.create("openexr")
    assert target.open(str(tmp_path / "uint.exr"), spec)
    assert target.write_image(np.zeros((4, 4, 4), np.float32))
    target.close()
    with pytest.raises(UnsupportedImage, match=r"Frame 5 .*32-bit integer channels \(id\)"):
        read_plate(tmp_path / "uint.exr", 5)

    parts = [OpenImageIO.ImageSpec(4, 4, 3, "half") for _ in range(2)]
    for name, part in zip("ab", parts, strict=True):
        part.attribute("oiio:subimagename", name)
    target = OpenImageIO.ImageOutput.create("openexr")
    assert target.open(str(tmp_path / "parts.exr"), tuple(parts))
    target.write_image(wild_half(4, 4, 3))
    target.open(str(tmp_path / "parts.exr"), parts[1], "AppendSubimage")
    target.write_image(wild_half(4, 4, 3))
    target.close()
    with pytest.raises(UnsupportedImage, match="has 2 parts"):
        read_header(tmp_path / "parts.exr", 5)

    spec = OpenImageIO.ImageSpec(2, 2, 3, "half")
    spec.deep = True
    target = OpenImageIO.ImageOutput.create("openexr")
    assert target.open(str(tmp_path / "deep.exr"), spec)
    deep = OpenImageIO.DeepData()
    deep.init(spec)
    assert target.write_deep_image(deep)
    target.close()
    with pytest.raises(UnsupportedImage, match="deep"):
        read_header(tmp_path / "deep.exr", 5)


def test_subsampled_channels_are_refused(tmp_path):
    source = save(tmp_path / "in.exr", wild_half(4, 4, 3), "RGB", compression="none")
    raw = bytearray(source.read_bytes())
    raw[raw.index(b"B\0") + 2 + 8] = 2  # xSampling of channel B in the header's channel list
    (tmp_path / "sub.exr").write_bytes(raw)
    with pytest.raises(UnsupportedImage, match=r"Frame 9 \(sub.exr\)"):
        read_plate(tmp_path / "sub.exr", 9)


def test_files_that_are_no_exr(tmp_path):
    (tmp_path / "zero.exr").write_bytes(b"")
    (tmp_path / "text.exr").write_bytes(b"not an image at all")
    (tmp_path / "folder.exr").mkdir()
    with pytest.raises(UnsupportedImage, match=r"Frame 3 \(zero.exr\) is empty"):
        read_header(tmp_path / "zero.exr", 3)
    with pytest.raises(UnsupportedImage, match=r"Frame 3 \(text.exr\) is no EXR"):
        read_header(tmp_path / "text.exr", 3)
    with pytest.raises(UnsupportedImage, match=r"Frame 3 \(folder.exr\) cannot be opened"):
        read_header(tmp_path / "folder.exr", 3)
    with pytest.raises(MissingFrames, match=r"Frame 3 \(gone.exr\) is missing"):
        read_header(tmp_path / "gone.exr", 3)


def test_another_format_under_an_exr_name_reaches_no_decoder(tmp_path):
    spec = OpenImageIO.ImageSpec(4, 4, 3, "uint8")
    target = OpenImageIO.ImageOutput.create("png")
    assert target.open(str(tmp_path / "png"), spec)
    target.write_image(np.zeros((4, 4, 3), np.uint8))
    target.close()
    (tmp_path / "png").rename(tmp_path / "p.exr")
    with pytest.raises(UnsupportedImage, match="is no EXR file"):
        read_header(tmp_path / "p.exr", 1)


@pytest.fixture(scope="module")
def whole_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    pixels = np.random.default_rng(0).random((40, 64, 4), dtype=np.float32).astype(np.float16)
    return save(
        folder / "a.exr", pixels, "RGBA", compression="zips", owner="x"
    ).read_bytes(), folder / "cut.exr"


@given(share=st.floats(0, 0.999))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_truncated_anywhere_is_a_sentence(whole_file, share):
    raw, path = whole_file
    path.write_bytes(raw[: int(len(raw) * share)])
    with pytest.raises(UnsupportedImage, match=r"Frame 1003 \(cut.exr\)"):
        read_plate(path, 1003)


@given(edits=st.lists(st.tuples(st.integers(4, 600), st.integers(0, 255)), min_size=1, max_size=6))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_header_reads_or_is_a_sentence(whole_file, edits):
    raw, path = whole_file
    damaged = bytearray(raw)
    for place, value in edits:
        damaged[place] = value
    path.write_bytes(damaged)
    try:
        plate = read_plate(path, 1003)
    except UnsupportedImage as error:
        assert str(error).startswith("Frame 1003 (cut.exr)")  # noqa: PT017
    else:
        assert plate.pixels.shape == (
            plate.layout.data.height,
            plate.layout.data.width,
            len(plate.layout.channels),
        )


def test_bombs_are_refused(tmp_path):
    source = save(tmp_path / "in.exr", np.zeros((4, 4, 3), np.float16), "RGB")
    raw = source.read_bytes()
    window = struct.pack("<4i", 0, 0, 3, 3)
    for name in (b"dataWindow\0box2i\0", b"displayWindow\0box2i\0"):
        start = raw.index(name) + len(name) + 4
        assert raw[start : start + 16] == window
        huge = raw[:start] + struct.pack("<4i", 0, 0, 65535, 65535) + raw[start + 16 :]
        (tmp_path / "huge.exr").write_bytes(huge)
        with pytest.raises(UnsupportedImage, match=r"Frame 2 \(huge.exr\)"):
            read_plate(tmp_path / "huge.exr", 2)
    many = save(tmp_path / "many.exr", np.zeros((1, 1, 200), np.float16), [f"c{n}" for n in range(200)])
    with pytest.raises(UnsupportedImage, match=r"many.exr"):
        read_header(many, 2)


def test_error_text_that_is_no_text(tmp_path):
    source = save(tmp_path / "in.exr", wild_half(4, 4, 3), "RGB")
    raw = source.read_bytes().replace(b"channels\0chlist\0", b"channel\xff\0chl\xffst\0")
    (tmp_path / "bad.exr").write_bytes(raw)
    with pytest.raises(UnsupportedImage, match=r"Frame 4 \(bad.exr\)"):
        read_plate(tmp_path / "bad.exr", 4)


def test_full_disk_leaves_nothing_broken(tmp_path):
    """The limit on file size makes write(2) fail in the middle as a full disk does."""
    source = save(tmp_path / "in.exr", wild_half(300, 400, 4), "RGBA", compression="none")
    plate = read_plate(source, 1003)
    (tmp_path / "out.exr").write_bytes(b"older")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (100_000, source.stat().st_size - 1):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(
                ServerBusy, match=r"Frame 1003 could not be saved: .*out.exr needs up to 960000 bytes"
            ):
                write_result(tmp_path / "out.exr", plate, plate.rgb, np.zeros((300, 400), bool))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert (tmp_path / "out.exr").read_bytes() == b"older"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["in.exr", "out.exr"]


def test_unwritable_folder(tmp_path):
    plate = read_plate(save(tmp_path / "in.exr", wild_half(4, 4, 3), "RGB"), 8)
    with pytest.raises(SettingsError, match="Frame 8 cannot be written to"):
        write_result(tmp_path / "nowhere" / "out.exr", plate, plate.rgb, np.zeros((4, 4), bool))


def test_write_frame(tmp_path):
    pixels = wild_float(5, 7, 3)
    write_frame(
        tmp_path / "f.exr",
        1,
        pixels,
        "RGB",
        display=Box(0, 0, 20, 10),
        origin=(2, 3),
        metadata={"void/made": "here"},
    )
    layout = read_header(tmp_path / "f.exr", 1)
    assert (layout.data, layout.display, layout.compression) == (Box(2, 3, 7, 5), Box(0, 0, 20, 10), "zips")
    assert layout.metadata["void/made"] == "here"
    found = bits(tmp_path / "f.exr", "RGB")
    for position, name in enumerate("RGB"):
        assert np.array_equal(found[name], pixels.view(np.uint32)[..., position])
