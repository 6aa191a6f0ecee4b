"""Bundles of small shots, written by the command line."""

from collections.abc import Callable
from pathlib import Path

import pytest
from farm_bundles import row, table
from real_shots import make_shot, void

WriteBundle = Callable[..., Path]


@pytest.fixture
def write_bundle(tmp_path: Path) -> WriteBundle:
    """Writes rows of a table as a bundle; arguments are for ``void farm write``."""

    def write(rows: list[dict[str, str]], *arguments: object) -> Path:
        bundle = tmp_path / "bundle"
        done = void("farm", "write", table(tmp_path / "night.csv", rows), "--out", bundle, *arguments)
        assert done.returncode == 0, done.stderr
        return bundle

    return write


@pytest.fixture
def drafts(tmp_path: Path, write_bundle: WriteBundle) -> Path:
    """Two shots of engine draft: one of two segments, one of one."""
    rows = [row(make_shot(tmp_path / "a", 10), "a"), row(make_shot(tmp_path / "b", 4, seed=1), "b")]
    return write_bundle(rows, "--segment-frames", 8, "--overlap", 2)
