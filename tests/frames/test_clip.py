"""Sample folders in the layout of the model's authors, made here with a real encoder."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest

from void_server.frames.clip import unpack_sample
from void_server.frames.exr import read_plate
from void_server.frames.matte_files import read_mattes
from void_server.frames.sequence import find_sequence
from void_wire.errors import MissingFrames, SizeMismatch, UnsupportedImage
from void_wire.messages import FrameRange, Role

REAL = Path(__file__).parents[2] / ".." / "shared" / "clips" / "BigBen"


def encode(path, pictures):
    with av.open(str(path), "w") as video:
        stream = video.add_stream("libx264", rate=12, options={"crf": "12"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv444p"
        for picture in pictures:
            video.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        video.mux(stream.encode())


def quad_picture(codes, height=64, width=96):
    bands = np.repeat(np.uint8(codes), -(-width // len(codes)))[:width]
    return np.broadcast_to(bands[None, :, None], (height, width, 3)).copy()


def sample(folder, frames=5, mask_frames=5, mask="quadmask_0.mp4", codes=(0, 63, 127, 255), mask_width=96):
    folder.mkdir(exist_ok=True)
    ramp = np.broadcast_to(np.linspace(20, 230, 96).astype(np.uint8)[None, :, None], (64, 96, 3))
    encode(folder / "input_video.mp4", [np.ascontiguousarray(ramp)] * frames)
    encode(folder / mask, [quad_picture(codes, width=mask_width)] * mask_frames)
    (folder / "prompt.json").write_text(json.dumps({"bg": "An empty table."}))
    return folder


def test_a_sample_becomes_two_sequences(tmp_path):
    seen = []
    found = unpack_sample(sample(tmp_path / "in"), tmp_path / "out", unpacked=seen.append)
    assert (found.frames, found.prompt, seen) == (FrameRange(1001, 1005), "An empty table.", [1, 2, 3, 4, 5])
    plates, masks = find_sequence(found.plate), find_sequence(found.quadmask, found.frames)
    assert list(plates) == [1001, 1002, 1003, 1004, 1005]
    plate = read_plate(plates[1003], 1003)
    assert plate.pixels.dtype == np.float16
    codes = plate.rgb * 255
    assert np.abs(codes - np.round(codes)).max() < 0.13  # a half at 1.0 is 1/16 of a code apart
    assert np.abs(codes[32, :, 1] - np.linspace(20, 230, 96)).max() < 6
    mattes = read_mattes({Role.QUADMASK: masks[1003]}, 1003, plate.layout.display)
    assert mattes.quadmask[32, [12, 36, 60, 84]].tolist() == [0, 63, 127, 255]


def test_another_size_and_no_new_classes(tmp_path):
    found = unpack_sample(sample(tmp_path / "in", 1, 1, codes=(0, 255)), tmp_path / "out", size=(41, 27))
    plate = read_plate(Path(found.plate % 1001), 1001)
    assert plate.pixels.shape == (27, 41, 3)
    mattes = read_mattes({Role.QUADMASK: Path(found.quadmask % 1001)}, 1001, plate.layout.display)
    assert set(np.unique(mattes.quadmask[:, :18])) == {0}
    assert set(np.unique(mattes.quadmask[:, 23:])) == {255}


def test_trimask_has_three_classes(tmp_path):
    found = unpack_sample(sample(tmp_path / "in", 2, 2, "trimask_0.mp4", (0, 50, 127, 255)), tmp_path / "out")
    plate = read_plate(Path(found.plate % 1002), 1002)
    mattes = read_mattes({Role.QUADMASK: Path(found.quadmask % 1002)}, 1002, plate.layout.display)
    assert mattes.quadmask[32, [12, 36, 60, 84]].tolist() == [0, 0, 127, 255]


@pytest.mark.parametrize(("frames", "mask_frames"), [(5, 3), (3, 5)])
def test_lengths_that_differ(tmp_path, frames, mask_frames):
    with pytest.raises(
        MissingFrames, match=f"has {frames} frames of plate and {mask_frames} of quadmask_0.mp4"
    ):
        unpack_sample(sample(tmp_path / "in", frames, mask_frames), tmp_path / "out")


def test_what_is_wrong_is_named(tmp_path):
    with pytest.raises(SizeMismatch, match="is 48 x 64 and its plate is 96 x 64"):
        unpack_sample(sample(tmp_path / "size", mask_width=48), tmp_path / "out")
    folder = sample(tmp_path / "in", 2, 2)
    (folder / "trimask_0.mp4").write_bytes((folder / "quadmask_0.mp4").read_bytes())
    assert len(unpack_sample(folder, tmp_path / "out").frames) == 2  # the quadmask goes first
    (folder / "quadmask_1.mp4").write_bytes(b"")
    with pytest.raises(UnsupportedImage, match=r"holds quadmask_0.mp4, quadmask_1.mp4"):
        unpack_sample(folder, tmp_path / "out")
    (folder / "quadmask_1.mp4").unlink()
    (folder / "quadmask_0.mp4").write_bytes(b"no video")
    with pytest.raises(UnsupportedImage, match=r"quadmask_0.mp4 cannot be read as a video"):
        unpack_sample(folder, tmp_path / "out")
    (folder / "input_video.mp4").unlink()
    with pytest.raises(MissingFrames, match=r"input_video.mp4 is missing"):
        unpack_sample(folder, tmp_path / "out")
    (folder / "prompt.json").write_text('{"fg": 1}')
    with pytest.raises(UnsupportedImage, match=r"prompt.json cannot be read"):
        unpack_sample(folder, tmp_path / "out")
    (folder / "prompt.json").unlink()
    with pytest.raises(MissingFrames, match=r"prompt.json is missing"):
        unpack_sample(folder, tmp_path / "out")
    for mask in folder.glob("*mask*"):
        mask.unlink()
    (folder / "prompt.json").write_text('{"bg": "x"}')
    with pytest.raises(MissingFrames, match=r"holds no quadmask_0.mp4 or trimask_0.mp4"):
        unpack_sample(folder, tmp_path / "out")


@pytest.mark.skipif(not REAL.is_dir(), reason="the real clips lie outside this repository")
def test_a_real_sample(tmp_path):
    found = unpack_sample(REAL, tmp_path)
    assert len(found.frames) == 50
    assert "river" in found.prompt
    plate = read_plate(Path(found.plate % 1050), 1050)
    mattes = read_mattes({Role.QUADMASK: Path(found.quadmask % 1050)}, 1050, plate.layout.display)
    assert set(np.unique(mattes.quadmask)) == {0, 127, 255}
