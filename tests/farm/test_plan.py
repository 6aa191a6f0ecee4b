"""The plan: cutting, what it refuses, and that nobody changes it unnoticed."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from farm_bundles import planned_shot as shot
from hypothesis import given
from hypothesis import strategies as st

from void_farm import plan as plans
from void_farm.plan import Plan, split
from void_wire.errors import SettingsError
from void_wire.messages import FrameRange, Role


@given(
    count=st.integers(1, 700),
    step=st.integers(1, 3),
    longest=st.integers(3, 260),
    overlap=st.integers(1, 24),
    multiple=st.sampled_from([1, 4, 8, 12]),
)
def test_segments_cover_every_frame_once_or_where_they_meet_twice(count, step, longest, overlap, multiple):
    frames = FrameRange(1001, 1001 + (count - 1) * step, step)
    if longest < 3 * overlap or longest < overlap + multiple:
        with pytest.raises(SettingsError, match="--segment-frames"):
            split(frames, longest, overlap, multiple)
        return
    found = split(frames, longest, overlap, multiple)
    covered = [frame for one in found for frame in one.numbers()]
    assert set(covered) == set(frames.numbers())
    assert max(map(covered.count, {covered[0], covered[-1], covered[len(covered) // 2]})) <= 2
    for one in found:
        assert len(one) <= longest
        assert (one.first - frames.first) // step % multiple == 0
    for before, after in pairwise(found):
        assert len(set(before.numbers()) & set(after.numbers())) >= overlap
    for before, after in zip(found, found[2:], strict=False):
        assert not set(before.numbers()) & set(after.numbers())


def test_segments_are_about_equal():
    lengths = [len(one) for one in split(FrameRange(1, 250), 100, 12, 4)]
    assert lengths == [92, 92, 90]


def test_it_is_read_as_it_was_written(tmp_path):
    plan = Plan("night", (shot("a"), shot("b", segments=(FrameRange(1001, 1020),))))
    plans.write(tmp_path / "plan.json", plan)
    assert plans.read(tmp_path / "plan.json") == plan
    assert [(task.index, task.shot.spec.shot) for task in plan.tasks()] == [(0, "a"), (1, "a"), (2, "b")]
    assert str(plan.task(1)) == "segment 1 (shot a, 1009-1020)"


def test_a_plan_that_was_changed_is_refused(tmp_path):
    path = tmp_path / "plan.json"
    plans.write(path, Plan("night", (shot(),)))
    whole = json.loads(path.read_text())
    whole["plan"]["shots"][0]["spec"]["picture"]["grow_px"] += 1
    path.write_text(json.dumps(whole))
    with pytest.raises(SettingsError, match=r"changed after it was written.*Write the bundle anew"):
        plans.read(path)
    path.write_text(json.dumps({**whole, "format": 99}))
    with pytest.raises(SettingsError, match="format 99, this program reads 2"):
        plans.read(path)
    path.write_text("{}")
    with pytest.raises(SettingsError, match="is no plan"):
        plans.read(path)
    with pytest.raises(SettingsError, match="cannot be read"):
        plans.read(tmp_path / "none.json")


def test_jobs_are_named_by_plan_and_segment():
    plan = Plan("night", (shot(),))
    other = Plan("night", (replace(shot(), output="s.%04d.exr"),))
    jobs = [plan.job(task) for task in plan.tasks()]
    assert [job.frames for job in jobs] == [FrameRange(1001, 1012), FrameRange(1009, 1020)]
    assert len({job.job for job in jobs} | {other.job(task).job for task in other.tasks()}) == 4
    assert jobs == [plan.job(task) for task in plan.tasks()]


def test_an_index_outside_is_refused():
    with pytest.raises(SettingsError, match="Index 2 is none of the plan's: it has segments 0-1"):
        Plan("night", (shot(),)).task(2)
    with pytest.raises(SettingsError, match="Index -1"):
        Plan("night", (shot(),)).task(-1)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"segments": ()}, "do not cover"),
        ({"digests": {Role.PLATE: ("1",)}}, "fit no frames"),
        ({"inputs": {Role.MATTES: "m.%04d.exr"}, "digests": {}}, "does not name"),
    ],
)
def test_a_shot_that_cannot_be_is_refused(changes, says):
    with pytest.raises(SettingsError, match=says):
        replace(shot(), **changes)


def test_three_segments_over_a_frame_and_two_shots_of_a_name_are_refused():
    with pytest.raises(SettingsError, match="once or twice"):
        shot(segments=[FrameRange(1001, 1020)] * 3)
    with pytest.raises(SettingsError, match="Two shots are called a"):
        Plan("night", (shot(), shot()))
    with pytest.raises(SettingsError, match="no shot"):
        Plan("night", ())
