"""Windows are counted through the segments of a shot, and each engine call gets the seeds of its own."""

from __future__ import annotations

import pytest

from void_server.frames.geometry import Box, Fit
from void_server.frames.segments import Segment
from void_server.window_plan import WindowPlan
from void_wire.errors import SettingsError
from void_wire.messages import VoidSettings, WindowSeed

BOX = Box(0, 0, 64, 64)
FRAMES = range(1001, 1101)
FIRST, SECOND = (Segment(first, stop, BOX, Fit(BOX, (64, 64))) for first, stop in ((0, 60), (48, 100)))
SEEDS = (WindowSeed(2, 77), WindowSeed(3, 9), WindowSeed(1, 5))


def plan(*seeds: WindowSeed, every: int = 1) -> WindowPlan:
    return WindowPlan(VoidSettings(window_frames=45, window_seeds=seeds), [FIRST, SECOND], FRAMES, every)


def test_windows_run_on_from_segment_to_segment() -> None:
    assert str(plan()) == "1: 1001-1045, 2: 1030-1060, 3: 1049-1093, 4: 1078-1100"


@pytest.mark.parametrize(
    ("whole", "every", "first"), [("", 1, (0, 0)), ("1001-1200", 1, (0, 48)), ("1-2000", 3, (333, 349))]
)
def test_each_segment_has_the_noise_of_its_place_in_the_shot(
    whole: str, every: int, first: tuple[int, int]
) -> None:
    found = WindowPlan(VoidSettings(noise_range=whole), [FIRST, SECOND], FRAMES, every)
    assert (found.noise_at(FIRST), found.noise_at(SECOND)) == first


def test_each_segment_gets_its_own_seeds_in_its_own_count() -> None:
    found = plan(*SEEDS)
    assert found.settings_of(FIRST).window_seeds == (WindowSeed(2, 77), WindowSeed(1, 5))
    assert found.settings_of(SECOND).window_seeds == (WindowSeed(1, 9),)
    assert plan().settings_of(SECOND) == VoidSettings(window_frames=45)


def test_frames_the_model_does_not_see_make_no_window() -> None:
    found = plan(every=2)
    assert str(found) == "1: 1001-1060, 2: 1049-1100"
    with pytest.raises(SettingsError, match=r"Window 3 .* the shot has 2 \(1: 1001-1060, 2: 1049-1100\)"):
        plan(*SEEDS, every=2)
