from __future__ import annotations

import pytest

from void_server.options import frame_range
from void_wire.errors import SettingsError
from void_wire.messages import FrameRange


@pytest.mark.parametrize(
    ("text", "handles", "wanted"),
    [
        (None, 0, None),
        ("1001-1046", 0, FrameRange(1001, 1046)),
        ("1001-1046", 8, FrameRange(993, 1054)),
        ("1001-1045x2", 3, FrameRange(995, 1051, 2)),
        ("7", 1, FrameRange(6, 8)),
        ("-5--1", 2, FrameRange(-7, 1)),
    ],
)
def test_a_range_with_handles(text: str | None, handles: int, wanted: FrameRange | None) -> None:
    assert frame_range(text, handles) == wanted


@pytest.mark.parametrize(
    ("text", "handles", "says"),
    [
        (None, 8, "--handles goes around a range"),
        ("1001-1046", -1, "--handles is -1"),
        ("1001-1010,1020-1030", 0, "is no range"),
    ],
)
def test_what_is_no_range_is_said(text: str | None, handles: int, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        frame_range(text, handles)
