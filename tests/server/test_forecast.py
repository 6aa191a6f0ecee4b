"""When a job begins and ends, told from what was measured, and only from that."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_server.forecast import Durations, Lane, Parts, RunClock, kind_of, line_up, mean
from void_wire.messages import FrameRange, JobSpec, PictureSettings, Role, Stage, VoidSettings

VOID = JobSpec(
    job="job-00001",
    shot="s",
    engine="void",
    frames=FrameRange(1, 10),
    roles=(Role.PLATE, Role.REMOVE),
    prompt="a table",
    void=VoidSettings(),
)
EXPECTED = {Stage.DECODE: 10.0, Stage.PASS1: 100.0, Stage.ENCODE: 10.0}


def left_s(clock: RunClock, expected: Durations, now_s: float) -> float:
    return sum(clock.left(expected, now_s).values())


def lanes(places: int, running: Iterable[float | None], workers: int) -> list[Lane]:
    """With a job each, of those that have one."""
    made = [Lane(places) for _ in range(workers)]
    for lane, one in zip(made, running, strict=False):
        lane.add(0.0, None if one is None else Parts(one, 0.0, 0.0))
    return made


def test_a_run_that_keeps_to_what_was_expected_has_the_rest_left() -> None:
    clock = RunClock(whole=True)
    assert left_s(clock, EXPECTED, 0.0) == 120.0
    clock.seen(Stage.DECODE, 0, 10, 50.0)
    for step in range(1, 11):
        clock.seen(Stage.DECODE, step, 10, 50.0 + step)
    assert left_s(clock, EXPECTED, 60.0) == pytest.approx(110.0)
    clock.seen(Stage.PASS1, 0, 4, 60.0)
    clock.seen(Stage.PASS1, 1, 4, 85.0)
    assert left_s(clock, EXPECTED, 85.0) == pytest.approx(85.0)
    assert left_s(clock, EXPECTED, 95.0) == pytest.approx(75.0)
    assert left_s(clock, EXPECTED, 1000.0) == 0.0


def test_its_own_pace_counts_more_the_further_it_is() -> None:
    clock = RunClock(whole=True)
    clock.seen(Stage.PASS1, 0, 100, 0.0)
    left = []
    for step in range(1, 100):  # twice as slow as expected
        clock.seen(Stage.PASS1, step, 100, 2.0 * step)
        left.append(left_s(clock, {Stage.PASS1: 100.0}, 2.0 * step))
    assert left[0] == pytest.approx(99.99)
    assert left[49] == pytest.approx(50 * 2 * 0.75, rel=0.01)
    assert left[-1] == pytest.approx(2.0, rel=0.02)


def test_a_stage_that_has_not_done_a_step_has_no_pace_of_its_own() -> None:
    clock = RunClock(whole=True)
    for now_s in range(60):
        clock.seen(Stage.DECODE, 0, 10, float(now_s))
    assert left_s(clock, EXPECTED, 59.0) == pytest.approx(120.0)


def test_a_run_taken_up_in_the_middle_goes_by_what_was_expected() -> None:
    clock = RunClock(whole=False)
    clock.seen(Stage.PASS1, 20, 30, 0.0)
    assert left_s(clock, EXPECTED, 0.0) == pytest.approx(10.0 + 100.0 / 3 + 10.0)


def test_a_run_tells_what_a_frame_took_in_each_stage_but_for_loading() -> None:
    clock = RunClock(whole=True)
    assert clock.per_frame(10, 5.0) == {}
    clock.seen(Stage.DECODE, 0, 2, 100.0)
    clock.seen(Stage.DECODE, 2, 2, 120.0)
    clock.seen(Stage.LOAD, 0, 1, 120.0)
    clock.seen(Stage.LOAD, 1, 1, 190.0)
    clock.seen(Stage.PASS1, 0, 1, 195.0)  # what went by before a stage began was the one's before
    clock.seen(Stage.PASS1, 1, 1, 295.0)
    assert clock.per_frame(10, 300.0) == pytest.approx({Stage.DECODE: 2.0, Stage.PASS1: 10.5})


def test_several_runs_are_averaged_and_none_tell_nothing() -> None:
    assert mean([]) is None
    assert mean([{Stage.FILL: 1.0}, {Stage.FILL: 2.0, Stage.ENCODE: 1.0}]) == {
        Stage.FILL: 1.5,
        Stage.ENCODE: 0.5,
    }


TAKES = st.builds(Parts, *[st.floats(0, 100)] * 3)


@given(st.lists(TAKES, max_size=8), st.lists(st.floats(0, 100), max_size=3), st.integers(1, 3))
def test_a_queue_is_done_in_order_by_whoever_is_free_first(
    takes: list[Parts], running: list[float], workers: int
) -> None:
    running = running[:workers]
    found = line_up([(f"job {n}", one) for n, one in enumerate(takes)], lanes(1, running, workers))
    free = sorted([*running, *[0.0] * (workers - len(running))])
    for (begins, ends), one in zip(found.values(), takes, strict=True):
        assert begins == free[0]
        assert ends == pytest.approx(free[0] + one.before + one.model + one.after)
        free = sorted([*free[1:], ends])


@given(st.lists(TAKES, min_size=1, max_size=8))
def test_two_jobs_of_a_worker_share_its_one_model(takes: list[Parts]) -> None:
    queue = [(f"job {n}", one) for n, one in enumerate(takes)]
    found = list(line_up(queue, [Lane(2)]).values())
    alone = list(line_up(queue, [Lane(1)]).values())
    for (_, ends), (_, later) in zip(found, alone, strict=True):
        assert ends <= later + 1e-9
    last = max(ends for _, ends in found)
    assert last >= sum(one.model for one in takes) - 1e-9
    for position, (begins, _) in enumerate(found[2:], 2):
        assert sum(ends > begins + 1e-9 for _, ends in found[:position]) < 2  # of two places one was free
    for before, (begins, _), (following, _) in zip(takes, found, found[1:], strict=False):
        assert following >= begins + before.before - 1e-9  # only when it was ready for the model


def test_a_job_begins_while_the_one_before_has_the_model() -> None:
    shot = Parts(10.0, 60.0, 20.0)
    assert line_up([("a", shot), ("b", shot), ("c", shot)], [Lane(2)]) == {
        "a": (0.0, 90.0),
        "b": (10.0, 150.0),
        "c": (90.0, 210.0),  # when a is gone
    }


def test_where_there_is_no_model_nothing_is_done_beside() -> None:
    draft, void = {Stage.DECODE: 1.0, Stage.FILL: 8.0}, {**EXPECTED, Stage.FILL: 5.0}
    assert Parts.of(draft, draft) == Parts(9.0, 0.0, 0.0)
    assert Parts.of(void, void) == Parts(10.0, 100.0, 15.0)
    assert Parts.of({Stage.ENCODE: 2.0}, EXPECTED) == Parts(0.0, 0.0, 2.0)


def test_what_cannot_be_told_is_not() -> None:
    one, two = Parts(1.0, 0.0, 0.0), Parts(0.5, 1.0, 0.5)
    assert line_up([("a", one)], lanes(1, [None], 1)) == {"a": (None, None)}
    assert line_up([("a", one), ("b", two), ("c", None), ("d", one)], lanes(1, [None], 2)) == {
        "a": (0.0, 1.0),
        "b": (1.0, 3.0),
        "c": (3.0, None),
        "d": (None, None),
    }


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (replace(VOID, job="job-00002", prompt="a chair", frames=FrameRange(1, 90)), True),
        (replace(VOID, void=VoidSettings(seed=7, pass1_guidance=1.0)), True),
        (replace(VOID, picture=PictureSettings(feather_px=9)), True),
        (replace(VOID, void=VoidSettings(pass2_steps=10)), False),
        (replace(VOID, void=VoidSettings(raster_height_px=256)), False),
        (replace(VOID, void=VoidSettings(pass1_guidance=2.0)), False),
        (replace(VOID, picture=PictureSettings(detail="raw")), False),
        (replace(VOID, engine="draft", void=None), False),
    ],
)
def test_a_kind_is_what_costs_time(other: JobSpec, same: bool) -> None:
    assert (kind_of(other, 1000) == kind_of(VOID, 1000)) is same
    assert kind_of(VOID, 1000) == kind_of(VOID, 1023) != kind_of(VOID, 4000)


def test_steps_of_a_pass_that_is_not_run_do_not_matter() -> None:
    one, other = (replace(VOID, void=VoidSettings(passes=1, pass2_steps=steps)) for steps in (10, 50))
    assert kind_of(one, 1000) == kind_of(other, 1000)
