"""The simulated farm beside what can be worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_server.bench import night as bench
from void_server.farm.night import Cost, Site, best, segments, simulate, work_s

PLAIN = Cost(window_s=60.0, frame_s=1.0, task_s=2.0, in_mb=10.0, out_mb=20.0)
ROOMY = Site(gpus=1, storage_mb_s=1e6, link_mb_s=100.0, model_mb=1000.0, load_s=5.0)


@given(st.integers(1, 3000), st.integers(36, 400), st.integers(1, 12))
def test_segments_cover_a_shot_and_share_their_overlap(frames: int, length: int, overlap: int) -> None:
    found = segments(frames, length, overlap)
    assert sum(found) - overlap * (len(found) - 1) >= frames
    assert max(found) <= length or len(found) == 1


def test_one_gpu_does_one_thing_after_the_other() -> None:
    night = simulate([85, 85], 85, 16, ROOMY, PLAIN)
    work, moving, load = 2 * (60 + 85 + 2), (1000 + 2 * 85 * 30) / 100, 5
    assert night.hours == pytest.approx((work + moving + load) / 3600)
    assert (night.working, night.loading, night.moving, night.idle) == pytest.approx(
        (work / (night.hours * 3600), load / (night.hours * 3600), moving / (night.hours * 3600), 0), abs=1e-9
    )
    assert (night.tasks, night.extra) == (2, 0)


def test_a_session_of_one_task_loads_each_time_and_reads_the_model_once() -> None:
    once = simulate([85] * 4, 85, 16, ROOMY, PLAIN)
    each = simulate([85] * 4, 85, 16, Site(**{**ROOMY.__dict__, "session_tasks": 1}), PLAIN)
    assert each.hours - once.hours == pytest.approx(3 * 5 / 3600)


def test_a_storage_that_is_too_small_is_what_the_night_takes() -> None:
    site = Site(gpus=50, storage_mb_s=100.0, link_mb_s=100.0, model_mb=0.0, load_s=0.0)
    cost = Cost(window_s=0.0, frame_s=0.0, task_s=0.0, in_mb=10.0, out_mb=20.0)
    night = simulate([100] * 50, 100, 16, site, cost)
    assert night.hours == pytest.approx(50 * 100 * 30 / 100 / 3600)
    assert night.storage == pytest.approx(1)


def test_work_is_counted_by_the_windows_that_the_engine_cuts() -> None:
    assert work_s(85, PLAIN) == 60 + 85 + 2
    assert work_s(20, PLAIN) == 60 + 20 + 2  # a short clip is padded to a window
    assert work_s(154, PLAIN) > 2 * 60 + 154 + 2 - 60


def test_many_gpus_want_short_segments_and_few_want_long_ones() -> None:
    lengths = (85, 154, 500)
    for gpus, wanted in ((100, 85), (1, 500)):
        site = Site(gpus=gpus, storage_mb_s=1e6)
        found = best([simulate([500] * 4, length, 16, site, PLAIN) for length in lengths])
        assert found.segment_frames == wanted


def test_a_night_that_was_done_gives_the_figures_that_made_it() -> None:
    def seen(frames: int, first: bool) -> bench.Seen:
        megabytes, work = 2.0 * frames, 2.0 + 0.5 * frames
        moved = 1.0 + megabytes / 10 + (4.0 if first else 0.0)
        return bench.Seen(frames, megabytes, 1.5 + moved + work, moved, work, first)

    tasks = tuple(seen(frames, frames == 40) for frames in (40, 30, 20, 10))
    real = bench.RealNight(3.0 + sum(one.whole_s for one in tasks), (3.0,), tasks)
    site, cost = bench.figures(real)
    assert (site.load_s, site.link_mb_s) == pytest.approx((7.0, 10.0))
    assert (cost.frame_s, cost.task_s, cost.in_mb) == pytest.approx((0.5, 4.5, 2.0))
    assert bench.expected(real, 1, site, cost).hours * 3600 == pytest.approx(real.seconds)
    two = bench.expected(real, 2, site, cost).hours * 3600
    longest, others = tasks[0].whole_s, [one.whole_s for one in tasks[1:]]
    assert two == pytest.approx(3.0 + max(longest + others[2], 4.0 + others[0] + others[1]))
