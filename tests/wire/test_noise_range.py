"""Where a part of a shot may begin in the noise of the whole."""

from __future__ import annotations

from typing import Any

import pytest

from void_wire.errors import SettingsError
from void_wire.messages import FrameRange, JobSpec, Role, VoidSettings, noise_range


def part(frames: str, whole: str, **void: Any) -> JobSpec:
    return JobSpec(
        job="part-0001",
        shot="shot",
        engine="void",
        frames=FrameRange.of_text(frames),
        roles=(Role.PLATE, Role.REMOVE),
        prompt="a table",
        void=VoidSettings(noise_range=whole, **void),
    )


@pytest.mark.parametrize(
    ("frames", "whole", "void"),
    [
        ("1001-1200", "1001-1200", {}),
        ("1197-1200", "1001-1200", {}),
        ("1009-1100x2", "1001-1200x2", {}),
        ("1009-1100", "1001-1200", {"time_base": "model", "rate_fps": 24.0}),
        ("1005-1100", "1001-1200", {"time_base": "model"}),  # the plate's header says what its rate is
        ("-3-40", "-7-40", {}),
    ],
)
def test_a_part_that_begins_a_multiple_of_four_after_the_whole(
    frames: str, whole: str, void: dict[str, Any]
) -> None:
    assert part(frames, whole, **void).void == VoidSettings(noise_range=whole, **void)


@pytest.mark.parametrize(
    ("frames", "whole", "void", "says"),
    [
        (
            "1010-1100",
            "1001-1200",
            {},
            "Frame 1010, where range 1010-1100 begins, is 9 after 1001, where noise range 1001-1200 begins, and that "
            "must be a multiple of 4: begin at 1009, or 1013.",
        ),
        ("1198-1200", "1001-1200", {}, "a multiple of 4: begin at 1197."),
        (
            "1005-1100x2",
            "1001-1200x2",
            {},
            "is 4 after 1001, .* must be a multiple of 8: begin at 1001, or 1009",
        ),
        ("1005-1100", "1001-1200", {"time_base": "model", "rate_fps": 24.0}, "must be a multiple of 8"),
        ("997-1100", "1001-1200", {}, "Frame 997 of range 997-1100 lies outside .* for example 997-1200"),
        ("1101-1208", "1001-1200", {}, "Frame 1208 of range 1101-1208 lies outside .* for example 1001-1208"),
        ("1001-1100x2", "1001-1200", {}, "one frame in 2 and noise range 1001-1200 one in 1: give"),
        ("1001-1100", "the shot", {}, "Noise range 'the shot' is no range: write 1001-1046"),
        ("1001-1100", "1200-1001", {}, "Range 1200-1001 holds no frames"),
    ],
)
def test_another_is_refused_with_what_to_do(frames: str, whole: str, void: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        part(frames, whole, **void)


def test_the_nearest_frame_that_the_model_sees() -> None:
    found = [noise_range.position(FrameRange(1001, 1100), 1001 + n, every=3) for n in range(8)]
    assert found == [0, 0, 1, 1, 1, 2, 2, 2]
