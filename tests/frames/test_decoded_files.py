"""Files that are kept as they were decoded: the same bits, as long as there is room."""

import errno
from types import SimpleNamespace

import numpy as np
import pytest

from void_server import mapped as mapping
from void_server.frames import decoded_files
from void_server.frames.decoded_files import DecodedFiles
from void_server.frames.exr import read_plate, write_frame
from void_wire.errors import MissingFrames

SIZE_BYTES = 6 * 8 * 4 * 2


@pytest.fixture
def files(tmp_path):
    """Three frames of 6 x 8, RGBA in half."""
    paths = [tmp_path / f"{n}.exr" for n in range(3)]
    for n, path in enumerate(paths):
        pixels = np.random.default_rng(n).normal(size=(6, 8, 4)).astype(np.float16)
        pixels[2, 3, 3] = np.nan
        write_frame(path, n, pixels, "RGBA")
    return paths


def test_a_file_is_decoded_once(files):
    truth = read_plate(files[0], 0)
    with DecodedFiles() as decoded:
        first = decoded.read(files[0], 0)
        files[0].unlink()
        again = decoded.read(files[0], 0)
        assert decoded.whole
    for one in (first, again):
        assert one.layout == truth.layout
        assert one.pixels.tobytes() == truth.pixels.tobytes()
    with pytest.raises(ValueError, match="read-only"):
        again.pixels[0] = 0
    with pytest.raises(MissingFrames):
        decoded.read(files[0], 0)  # its room was given back


def test_what_has_no_room_is_decoded_each_time(files):
    with DecodedFiles(2 * SIZE_BYTES) as decoded:
        for n in (0, 1):
            decoded.read(files[n], n)
        assert decoded.whole
        expected = decoded.read(files[2], 2).pixels.tobytes()
        assert not decoded.whole
        assert decoded.read(files[2], 2).pixels.tobytes() == expected
        for path in files:
            path.unlink()
        for n in (0, 1):
            decoded.read(files[n], n)
        with pytest.raises(MissingFrames):
            decoded.read(files[2], 2)


def test_it_takes_its_share_of_what_is_free_alone(files, monkeypatch):
    free = int(1.5 * SIZE_BYTES / decoded_files.SHARE)
    monkeypatch.setattr(decoded_files.shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))
    with DecodedFiles() as decoded:
        decoded.read(files[0], 0)
        assert decoded.whole
        decoded.read(files[1], 1)
        assert not decoded.whole


def test_a_full_disk_only_costs_time(files, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(mapping.tempfile, "TemporaryFile", full)
    with DecodedFiles() as decoded:
        for _ in range(2):
            assert decoded.read(files[0], 0).pixels.tobytes() == read_plate(files[0], 0).pixels.tobytes()
        assert not decoded.whole
