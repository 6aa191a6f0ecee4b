"""Frames of a pass on disk: all of them to the bit, or none."""

import sys
from pathlib import Path

import pytest
import torch

from void_server.engine.kept_frames import Chunks, keeping, read

LENGTHS = (1, 8, 8, 4)


def chunks(stages: int = 2) -> Chunks:
    source = torch.Generator().manual_seed(3)
    for length in LENGTHS:
        yield [torch.rand((length, 3, 4, 6), generator=source) for _ in range(stages)]


def whole(given: Chunks) -> list[torch.Tensor]:
    return [torch.cat(stage) for stage in zip(*given, strict=True)]


@pytest.mark.parametrize("stages", [1, 3])
def test_what_was_kept_is_read_to_the_bit(tmp_path: Path, stages: int) -> None:
    path = tmp_path / "below" / "pass1.npy"
    passed_on = whole(keeping(chunks(stages), path, sum(LENGTHS)))
    kept = read(path)
    assert kept is not None
    for one, other, made in zip(whole(kept), passed_on, whole(chunks(stages)), strict=True):
        assert torch.equal(one, made)
        assert torch.equal(other, made)
    assert [entry.name for entry in path.parent.iterdir()] == ["pass1.npy"]


def test_what_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "pass1.npy"
    closed = False

    def watched() -> Chunks:
        nonlocal closed
        try:
            yield from chunks()
        finally:
            closed = True

    stream = keeping(watched(), path, sum(LENGTHS))
    next(stream)
    next(stream)
    assert path.with_suffix(".part").exists()
    stream.close()
    assert closed
    assert not list(tmp_path.iterdir())
    assert read(path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_a_full_disk_costs_what_is_kept_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "pass1.npy"
    path.with_suffix(".part").symlink_to("/dev/full")
    for one, made in zip(whole(keeping(chunks(), path, sum(LENGTHS))), whole(chunks()), strict=True):
        assert torch.equal(one, made)
    assert "the frames of pass1 are not kept" in caplog.text
    assert caplog.text.count("are not kept") == 1
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_costs_no_frame(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    path = tmp_path / "file" / "pass1.npy"
    assert len(whole(keeping(chunks(), path, sum(LENGTHS)))[0]) == sum(LENGTHS)
    assert read(path) is None
