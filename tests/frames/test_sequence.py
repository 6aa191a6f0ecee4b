"""Image sequences on a real disk."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from void_server.frames.sequence import find_sequence, output_path, ranges
from void_wire.errors import MissingFrames, SettingsError, VoidError
from void_wire.messages import FrameRange


@pytest.fixture
def folder(tmp_path):
    for name in (
        *(f"plate.{n}.exr" for n in (1001, 1002, 1003, 1004, 1006, 1007, 1010)),
        *(f"big.{n}.exr" for n in (9999, 10000, 10001)),
        *(f"neg.{n:04d}.exr" for n in (-2, -1, 0, 1)),
        *(f"odd.{n}.exr" for n in (1, 3, 5)),
        "plate.1005.exr.part",
        "plate.old.exr",
        "still.exr",
    ):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    "pattern", ["plate.%04d.exr", "plate.####.exr", "plate.$F4.exr", "plate.@@@@.exr", "plate.%d.exr"]
)
def test_patterns_of_the_field(folder, pattern):
    found = find_sequence(str(folder / pattern), FrameRange(1001, 1004))
    assert found == {n: folder / f"plate.{n}.exr" for n in (1001, 1002, 1003, 1004)}
    assert list(found) == [1001, 1002, 1003, 1004]


def test_missing_in_the_middle(folder):
    with pytest.raises(
        MissingFrames,
        match=r"Frames 1005, 1008-1009 of .* are missing, the folder holds 1001-1004, 1006-1007, 1010",
    ):
        find_sequence(str(folder / "plate.%04d.exr"), FrameRange(1001, 1010))
    with pytest.raises(MissingFrames, match=r"Frames 1005, 1008-1009"):
        find_sequence(str(folder / "plate.%04d.exr"))
    with pytest.raises(MissingFrames, match=r"Frame 1005 of .* is missing"):
        find_sequence(str(folder / "plate.%04d.exr"), FrameRange(1004, 1007))


def test_range_outside_the_files(folder):
    with pytest.raises(MissingFrames, match=r"No frame of 1-10 is in .*holds 1001-1004"):
        find_sequence(str(folder / "plate.%04d.exr"), FrameRange(1, 10))
    with pytest.raises(MissingFrames, match="No file matches"):
        find_sequence(str(folder / "other.%04d.exr"))
    with pytest.raises(MissingFrames, match="cannot be listed"):
        find_sequence(str(folder / "nowhere" / "plate.%04d.exr"))


def test_steps_long_and_negative_numbers(folder):
    assert list(find_sequence(str(folder / "plate.%04d.exr"), FrameRange(1001, 1010, 3))) == [
        1001,
        1004,
        1007,
        1010,
    ]
    assert list(find_sequence(str(folder / "odd.%d.exr"))) == [1, 3, 5]
    assert list(find_sequence(str(folder / "big.%04d.exr"))) == [9999, 10000, 10001]
    negative = find_sequence(str(folder / "neg.%04d.exr"))
    assert list(negative) == [-2, -1, 0, 1]
    assert negative[-2].name == "neg.-002.exr"


def test_single_files(folder):
    assert find_sequence(str(folder / "still.exr")) == {1: folder / "still.exr"}
    assert find_sequence(str(folder / "still.exr"), FrameRange(7, 7)) == {7: folder / "still.exr"}
    assert find_sequence(str(folder / "plate.1003.exr")) == {1003: folder / "plate.1003.exr"}
    with pytest.raises(SettingsError, match="names one file and the range 1-5 holds 5 frames"):
        find_sequence(str(folder / "still.exr"), FrameRange(1, 5))
    with pytest.raises(MissingFrames, match="is missing"):
        find_sequence(str(folder / "gone.exr"))


def test_output_paths():
    assert output_path("/out/r.%04d.exr", 1001).as_posix() == "/out/r.1001.exr"
    assert output_path("/out/r.####.exr", -7).as_posix() == "/out/r.-007.exr"
    assert output_path("/out/r.%04d.exr", 123456).as_posix() == "/out/r.123456.exr"
    assert output_path("r.exr", 5) == output_path("r.exr", 6)


def test_a_date_in_a_name_is_no_frame_of_the_shot(folder):
    for name in ("plate.1001.exr", "plate.1002.exr", "plate.20261120.exr", "plate.1795180800000.exr"):
        (folder / name).touch()
    with pytest.raises(MissingFrames, match="too far apart for one shot"):
        find_sequence(str(folder / "plate.%04d.exr"))
    found = find_sequence(str(folder / "plate.%04d.exr"), FrameRange(1001, 1002))
    assert list(found) == [1001, 1002]


def test_a_folder_is_no_sequence(folder):
    with pytest.raises(SettingsError, match="is a folder: name the files in it"):
        find_sequence(str(folder))


def test_many_holes_make_a_short_sentence():
    assert ranges(range(0, 200, 3)) == "0-198x3"
    assert ranges([n * n for n in range(20)]) == "0-1, 4, 9, 16, 25, 36, 49, ..., 361"


def test_ranges():
    assert ranges([1005, 1006, 1007, 1010]) == "1005-1007, 1010"
    assert ranges([3]) == "3"


@given(pattern=st.text(max_size=30))
@settings(max_examples=200, deadline=None)
def test_any_text_gives_a_sentence_or_a_path(tmp_path_factory, pattern):
    folder = tmp_path_factory.getbasetemp()
    for call in (
        lambda: find_sequence(f"{folder}/{pattern}"),
        lambda: find_sequence(f"{folder}/{pattern}", FrameRange(1, 3)),
        lambda: output_path(pattern, 12),
    ):
        try:
            call()
        except VoidError as error:
            assert str(error)  # noqa: PT017
