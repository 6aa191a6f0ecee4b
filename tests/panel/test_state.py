"""What the panel knows and says, without a widget."""

from dataclasses import replace

import pytest
from job_statuses import spec, status

from void_panel.events import Detailed, Found, Listed, Lost, Made, Pictured
from void_panel.faults import faults, verdict
from void_panel.pictures import Look, Picture
from void_panel.requests import Change
from void_panel.state import PICTURES, Link, PanelState
from void_wire.messages import JobStatus, Role, Signs, Stage, State

PICTURE = Picture(b"png")


def listed(*statuses: JobStatus, at_s: float = 0.0) -> Listed:
    return Listed(statuses, at_s, tuple(status.job for status in statuses))


def there(*statuses: JobStatus) -> PanelState:
    state = PanelState("tcp://box:7801", clock=lambda: 0.0)
    state.take(Found("1.2", {"draft": "", "void": "No weights."}))
    state.take(listed(*statuses))
    return state


def sentences(state: PanelState) -> list[str]:
    return [line.sentence for line in state.log]


def test_every_state_of_a_job_has_its_line() -> None:
    rows = there(
        status(1, State.RECEIVING, received=3),
        status(2, State.QUEUED, queue_place=2),
        status(3, State.RUNNING, stage=Stage.PASS1, step=12, steps=30),
        status(4, State.CANCELLING, stage=Stage.PASS1, step=12, steps=30),
        status(5, State.DONE, ready={Role.RESULT: [1001, 1002, 1003, 1004]}),
        status(6, State.FAILED, ready={Role.RESULT: [1001]}, error="Broken."),
    ).rows.values()
    assert [(row.standing, row.doing, row.share) for row in rows] == [
        ("arriving", "files 3/8", 3 / 8),
        ("queued", "place 2", None),
        ("running", "pass 1 12/30", 0.4),
        ("stopping", "pass 1", None),
        ("done", "4 frames", 1.0),
        ("failed", "1 of 4 frames", 0.25),
    ]


def test_time_left_is_told_of_the_stage_and_forgotten_with_the_server() -> None:
    state = there(status(1, State.RUNNING, stage=Stage.PASS1, step=0, steps=30))
    for step in range(1, 4):
        running = status(1, State.RUNNING, stage=Stage.PASS1, step=step, steps=30)
        state.take(Listed((running,), 8.0 * step))
    assert state.rows["job-00001"].left == "about 4 min"
    state.tick(8.0 * 3 + 60)
    assert state.rows["job-00001"].left == "about 25 min"
    state.take(Lost("Gone."))
    assert state.rows["job-00001"].left == ""


def test_what_the_server_expects_is_told_until_it_is_lost() -> None:
    state = there(status(1, State.QUEUED, queue_place=1, begins_in_s=240.0, ends_in_s=600.0))
    assert state.rows["job-00001"].outlook == "begins in about 4 min, done in about 10 min"
    state.take(Lost("Gone."))
    assert state.rows["job-00001"].outlook == ""


def test_a_job_that_waits_for_room_says_why_and_is_logged_once() -> None:
    state = there(status(1, State.QUEUED, queue_place=1))
    for waits in ("There is no room.", "There is still no room.", ""):
        state.take(Listed((status(1, State.QUEUED, waits=waits),), 1.0))
        row = state.rows["job-00001"]
        assert (row.standing, row.doing) == (("waiting", waits) if waits else ("queued", ""))
    assert sentences(state)[1:] == ["shot_001 waits: There is no room."]


def test_what_happens_to_jobs_is_logged_once() -> None:
    state = there(status(1), status(2, State.DONE))
    assert sentences(state) == ["tcp://box:7801: 2 jobs, 1 queued."]
    for now in (
        status(1, State.RUNNING),
        status(1, State.RUNNING, stage=Stage.PASS1, step=1, steps=2),
        status(1, State.FAILED, error="The disk is full."),
    ):
        state.take(Listed((now,), 1.0))
    assert sentences(state)[1:] == ["shot_001 runs.", "shot_001 failed: The disk is full."]
    assert [line.bad for line in state.log] == [False, False, True]


def test_a_lost_server_is_told_of_once_and_nothing_can_be_asked_of_it() -> None:
    state = there(status(1, State.RUNNING, ready={Role.RESULT: [1001]}))
    state.take(Detailed("job-00001", spec(status(1)), 0, ()))
    assert (state.can_cancel, state.again, state.fetchable) == (True, (Change.SEED,), (1001,))
    state.take(Lost("The server stopped answering."))
    state.take(Lost("No server answers."))
    assert (state.can_cancel, state.again, state.fetchable, state.wanted) == (False, (), (), None)
    assert state.headline.startswith("No answer since ")
    assert state.report == "The server stopped answering."
    assert list(state.rows) == ["job-00001"]
    state.take(Found("1.2", {"draft": "", "void": ""}))
    state.take(listed(status(1, State.DONE, ready={Role.RESULT: [1001, 1002]})))
    assert sentences(state)[1:] == [
        "The server stopped answering.", "The server at tcp://box:7801 is back.", "shot_001 is done: 2 frames.",
    ]  # fmt: skip


def test_a_test_of_the_connection_says_what_each_engine_lacks() -> None:
    state = there()
    assert state.headline == "Draft ready, void not"
    assert state.report == "VOID 1.2 at tcp://box:7801\ndraft: ready.\nvoid: No weights."
    state.take(Found("1.2", {"draft": "", "void": ""}))
    assert state.headline == "Draft and void ready"


def test_jobs_that_the_server_forgot_leave_and_another_is_looked_at() -> None:
    state = there(status(2, State.DONE), status(1, State.RUNNING))
    assert state.selected == "job-00001"  # the one that runs
    state.take(Listed((), 1.0, ("job-00002",)))
    assert (state.selected, list(state.rows)) == ("job-00002", ["job-00002"])
    state.take(Listed((), 2.0, ()))
    assert (state.selected, state.status) == (None, None)
    assert state.empty.startswith("No jobs yet.")


def test_a_job_that_was_made_again_is_looked_at_when_it_is_listed() -> None:
    state = there(status(1, State.FAILED))
    state.take(Made("job-00002", "shot_001 is done again."))
    state.take(listed(status(2), status(1, State.FAILED)))
    assert state.selected == "job-00002"
    assert state.status == status(2)


@pytest.mark.parametrize(
    ("job", "preview", "ways"),
    [
        (status(1, State.DONE), False, (Change.SEED,)),
        (status(1, State.DONE), True, (Change.FULL, Change.SEED)),
        (status(1, State.FAILED), False, (Change.SEED, Change.NOTHING)),
        (status(1, State.CANCELLED, engine="draft"), False, (Change.NOTHING,)),
        (status(1, State.DONE, engine="draft"), False, ()),
        (status(1, State.CANCELLED, received=7), False, ()),
    ],
)
def test_a_job_is_done_again_only_where_something_else_can_come_out(
    job: JobStatus, preview: bool, ways: tuple[Change, ...]
) -> None:
    state = there(job)
    assert state.again == ()  # what it was asked to be is not known yet
    state.take(Detailed(job.job, spec(job, preview=preview), 0, ()))
    assert state.again == ways


def test_the_newest_frame_is_looked_at_until_one_is_chosen() -> None:
    running = status(1, State.RUNNING, ready={Role.PASS1: [1001, 1002]})
    state = there(running)
    assert state.wanted == Look(running.job, Role.PASS1, 1002)
    state.take(Pictured(state.wanted, PICTURE))
    before = state.picture()
    state.take(
        Listed((status(1, State.RUNNING, ready={Role.RESULT: [1001], Role.PASS1: [1001, 1002]}),), 1.0)
    )
    newest = Look(running.job, Role.RESULT, 1001)
    assert (state.wanted, state.picture()) == (
        newest,
        before,
    )  # the last picture stays until the next is there
    state.take(Pictured(newest, None, "Frame 1001 is gone."))
    assert (state.wanted, state.picture(), state.blank) == (
        None,
        (newest, None),
        "Frame 1001 is gone.",
    )
    state.look_at(1002)
    assert state.picture() == before
    state.look_at(1004)
    assert (state.look, state.blank) == (None, "Frame 1004 is not made yet.")


def test_pictures_are_kept_for_a_few_frames_only() -> None:
    frames = list(range(1001, 1001 + 2 * PICTURES))
    done = status(1, State.DONE, ready={Role.RESULT: frames})
    state = there(done)
    state.take(Detailed(done.job, spec(done), 0, ()))
    for frame in frames:
        state.look_at(frame)
        look = state.wanted
        assert look is not None
        state.take(Pictured(look, PICTURE))
    state.look_at(frames[-PICTURES])
    assert state.wanted is None
    state.look_at(frames[-PICTURES - 1])
    assert state.wanted is not None


def test_worst_frames_come_first_with_what_is_wrong_with_them() -> None:
    signs = {
        1001: Signs(seam=0.01),
        1002: Signs(seam=0.045),
        1003: Signs(residual=0.4, flicker=3.3),
        1004: Signs(),
    }
    assert [(fault.frame, fault.words) for fault in faults(signs)] == [
        (1003, "residual 40.0 %, flicker 3.3"),
        (1002, "seam 4.5 %"),
    ]
    assert verdict(4, faults(signs), most=1) == "Worth a look: 1003 residual 40.0 %, flicker 3.3; and 1 more"
    assert verdict(1, ()) == "No frame stands out among 1 judged."
    assert verdict(0, ()) == ""


def test_state_link_is_looking_before_anybody_answers() -> None:
    state = PanelState("tcp://box:7801")
    assert (state.link, state.headline) == (Link.LOOKING, "Looking for a server at tcp://box:7801")
    state.take(Lost("Address 'x' is none.", given_up=True))
    assert (state.headline, state.report) == ("No server", "Address 'x' is none.")


def test_marked_jobs_become_a_farm_job_when_all_of_them_are_there() -> None:
    jobs = [status(number, State.DONE) for number in range(3)]
    arriving = replace(jobs[2], state=State.RECEIVING, received=jobs[2].expected - 1)
    state = there(jobs[0], jobs[1], arriving)
    assert (state.selected, state.farmable) == (jobs[0].job, (jobs[0].job,))
    state.mark([jobs[0].job, jobs[1].job])
    assert (state.farmable, state.why_not_farm) == ((jobs[0].job, jobs[1].job), "")
    state.select(jobs[1].job)  # one of them: they stay marked
    assert len(state.farmable) == 2
    state.mark([jobs[1].job, arriving.job])
    assert (state.farmable, state.why_not_farm) == (
        (),
        f"The server does not have all frames of {arriving.shot}.",
    )
    twin = replace(jobs[0], shot=jobs[1].shot)
    state.take(listed(twin, jobs[1], arriving))
    state.mark([twin.job, jobs[1].job])
    assert state.why_not_farm == f"Two of these jobs are of shot {twin.shot}: a farm job takes one."
    state.select(arriving.job)  # another: it alone
    assert state.marked == (arriving.job,)
    state.take(listed(twin, jobs[1]))
    assert state.marked == (twin.job,)
    state.take(Lost("gone"))
    assert (state.farmable, state.why_not_farm) == ((), "No server answers.")


def test_a_job_that_was_just_made_is_no_farm_job_before_it_is_told_of() -> None:
    one, made = status(1, State.DONE), status(2, State.RECEIVING)
    state = there(one)
    state.take(Made(made.job, "Made."))
    assert (state.farmable, state.why_not_farm) == ((), "The server has not told of that job yet.")
    state.take(listed(one, replace(made, received=made.expected)))
    assert state.farmable == (made.job,)
    shown_again = PanelState("tcp://box:7801", clock=lambda: 0.0)
    shown_again.select(one.job)
    shown_again.take(Found("1.2", {"draft": "", "void": ""}))
    assert shown_again.farmable == ()
