from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from void_server.frames.crop import choose_fit
from void_server.frames.geometry import Box, Fit, union
from void_server.frames.segments import GAIN, OVERLAP, SHORTEST, Segment, Take, common_box, joined, plan_takes
from void_wire.messages import PictureSettings

UHD = Box(0, 0, 3840, 2160)


def fitted(marked: Box) -> Fit:
    return choose_fit(PictureSettings(), (384, 672), UHD, marked)


def plan(marked: list[Box | None], cuts: list[int] | None = None, *, split: bool = True) -> list[Take]:
    return plan_takes(marked, cuts or [], fitted, split=split)


def travelling(frames: int, from_x: int = 100, to_x: int = 3300) -> list[Box | None]:
    return [Box(int(x), 900, 300, 400) for x in np.linspace(from_x, to_x, frames)]


def test_what_stands_still_is_one_segment_however_long() -> None:
    (take,) = plan([Box(1000, 900, 300, 400)] * 500)
    (segment,) = take.segments
    assert (segment.first, segment.stop) == (0, 500)


def test_what_travels_far_gets_boxes_of_its_own_with_more_detail() -> None:
    marked = travelling(200)
    (take,) = plan(marked)
    whole = fitted(union(marked) or UHD).detail
    assert len(take.segments) > 1
    mean = np.mean([max(s.fit.detail for s in take.segments if s.covers(i)) for i in range(200)])
    assert mean >= GAIN * whole
    for one, following in zip(take.segments, take.segments[1:], strict=False):
        assert one.stop - following.first == OVERLAP


def test_one_keeps_one() -> None:
    (take,) = plan(travelling(200), split=False)
    assert len(take.segments) == 1


def test_a_shot_too_short_for_two_is_not_split() -> None:
    (take,) = plan(travelling(2 * SHORTEST - OVERLAP - 1))
    assert len(take.segments) == 1


def test_a_third_or_nothing() -> None:
    gains_too_little = travelling(200, 1000, 1200)
    (take,) = plan(gains_too_little)
    assert len(take.segments) == 1


def test_each_cut_begins_a_take_and_empty_ones_have_no_segment() -> None:
    left, right = Box(100, 900, 300, 400), Box(3300, 900, 300, 400)
    takes = plan([left] * 10 + [None] * 5 + [right] * 10, [10, 15])
    assert [(take.first, take.stop, len(take.segments)) for take in takes] == [
        (0, 10, 1),
        (10, 15, 0),
        (15, 25, 1),
    ]
    assert takes[0].segments[0].fit.box.x < 400 < 2500 < takes[2].segments[0].fit.box.x


@settings(max_examples=60, deadline=None)
@given(
    path=st.lists(
        st.one_of(st.none(), st.tuples(st.integers(0, 3500), st.integers(0, 1900))), min_size=2, max_size=12
    ),
    every=st.integers(5, 40),
)
def test_every_frame_is_seen_by_one_segment_or_by_two_that_hold_all_it_marks(
    path: list[tuple[int, int] | None], every: int
) -> None:
    marked: list[Box | None] = [
        Box(*place, 200, 150) if place is not None else None for place in path for _ in range(every)
    ]
    (take,) = plan(marked)
    for index, box in enumerate(marked):
        covering = take.covering(index)
        assert len(covering) in ((1, 2) if any(marked) else (0,))
        for segment in covering:
            assert box is None or box.within(segment.fit.box) == box
    for one in take.segments:
        assert len(one) >= min(SHORTEST, len(marked))


def two() -> tuple[Segment, Segment]:
    boxes = (Box(0, 0, 64, 64), Box(32, 0, 64, 64))
    one, other = (Fit(box, (32, 32)) for box in boxes)
    return Segment(0, 50, boxes[0], one), Segment(50 - OVERLAP, 90, boxes[1], other)


def test_the_fill_goes_over_from_one_segment_to_the_next() -> None:
    first, second = two()
    dark, bright = np.zeros((32, 32, 3), np.float32), np.ones((32, 32, 3), np.float32)
    levels = []
    for index in range(50 - OVERLAP, 50):
        box = common_box([first, second])
        assert box == Box(32, 0, 32, 64)
        fill = joined(index, [(first, dark), (second, bright)], box)
        assert fill.shape == (64, 32, 3)
        assert fill.dtype == np.float32
        levels.append(float(fill[5, 5, 0]))
        assert np.allclose(fill, levels[-1])
    steps = np.diff([0.0, *levels, 1.0])
    assert steps == pytest.approx(1 / (OVERLAP + 1), abs=1e-6)


def test_the_same_picture_seen_through_two_boxes_is_that_picture() -> None:
    first, second = two()
    ramp = np.linspace(0, 1, 96, dtype=np.float32)[None, :, None].repeat(64, 0).repeat(3, 2)
    answers = [(s, s.fit.to_raster(ramp[:, s.fit.box.x : s.fit.box.right])) for s in (first, second)]
    box = common_box([first, second])
    fill = joined(45, answers, box)
    assert np.abs(fill - ramp[:, box.x : box.right])[:, 4:-4].max() < 2e-3
