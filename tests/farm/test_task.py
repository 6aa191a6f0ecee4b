"""A segment's task where others work at the same segment."""

from pathlib import Path

import pytest
from farm_bundles import read_plan

from void_server.farm.places import Places
from void_server.farm.task import Work, is_done, run
from void_wire.errors import Unreachable


def test_a_task_that_outlives_its_session_leaves_what_another_did(drafts: Path, draft_address: str) -> None:
    plan = read_plan(drafts)
    work = Work(plan, plan.task(0), Places(drafts))

    def gone() -> str:
        """Its own server left with the session; by the time this is known the next run has done the segment."""
        run(work, lambda: draft_address, lambda what, share: None)
        raise Unreachable("No VOID server answers at ipc:///tmp/void.sock.")

    late = run(work, gone, lambda what, share: None)
    assert is_done(work)
    assert work.folder.done(work.spec.job) == late
    assert work.folder.failed(work.spec.job) is None


def test_one_that_fails_alone_says_so(drafts: Path) -> None:
    plan = read_plan(drafts)
    work = Work(plan, plan.task(1), Places(drafts))

    def gone() -> str:
        raise Unreachable("No VOID server answers at ipc:///tmp/void.sock.")

    with pytest.raises(Unreachable, match=r"^Segment 1 \(shot a, .*No VOID server answers"):
        run(work, gone, lambda what, share: None)
    failed = work.folder.failed(work.spec.job)
    assert failed is not None
    assert failed.code == Unreachable.code
    assert not is_done(work)
