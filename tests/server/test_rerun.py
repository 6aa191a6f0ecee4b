"""What a rerun changes, and what it makes of the frames the server has."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from void_server.jobs import NOBODY, JobStore
from void_server.limits import Limits
from void_server.options import window_seeds
from void_server.rerunning import rerun
from void_wire import codec
from void_wire.errors import IllegalTransition, MissingFrames, SettingsError, UnknownJob
from void_wire.messages import FrameRange, JobSpec, Role, State, VoidSettings, WindowSeed
from void_wire.rerun import changed

ROLES = (Role.PLATE, Role.REMOVE)


def spec(job: str = "lime-0001", **void: object) -> JobSpec:
    return JobSpec(
        job=job,
        shot="lime",
        engine="void",
        frames=FrameRange(1001, 1003),
        roles=ROLES,
        prompt="a table",
        void=VoidSettings(**void),  # type: ignore[arg-type]
    )


def seeds_of(found: JobSpec) -> list[tuple[int, int]]:
    assert found.void is not None
    return [(own.window, own.seed) for own in found.void.window_seeds]


# --- what changes ----------------------------------------------------------------------------------------


def test_final_is_the_preview_in_full() -> None:
    full = spec(pass1_steps=33, passes=2, seed=9)
    preview = spec(pass1_steps=33, passes=2, seed=9, preview=True)
    assert preview.void is not None
    ran = preview.void.as_run()
    assert (ran.passes, ran.pass1_steps, ran.seed) == (1, 10, 9)
    assert VoidSettings(preview=True, pass1_steps=4).as_run().pass1_steps == 4
    assert changed(preview, "lime-0002", final=True) == changed(full, "lime-0002", prompt="a table")


def test_a_window_is_done_over_what_stood_before() -> None:
    once = changed(spec(seed=9), "lime-0002", window=2, seed=77)
    assert once.void is not None
    assert (once.void.seed, seeds_of(once)) == (9, [(2, 77)])
    assert seeds_of(changed(once, "lime-0003", window=2, seed=78)) == [(2, 78)]
    twice = changed(once, "lime-0003", window=1, seed=5)
    assert seeds_of(twice) == [(2, 77), (1, 5)]
    assert seeds_of(changed(twice, "lime-0004", window=2, seed=6)) == [(2, 77), (1, 5), (2, 6)]
    assert seeds_of(changed(twice, "lime-0004", prompt="a chair")) == [(2, 77), (1, 5)]


def test_another_seed_for_all_leaves_no_window_its_own() -> None:
    again = changed(spec(window_seeds=(WindowSeed(2, 77),)), "lime-0002", seed=5)
    assert again.void is not None
    assert (again.void.seed, seeds_of(again)) == (5, [])


def test_what_changes_nothing_is_refused() -> None:
    for changes in ({}, {"window": 2}, {"final": True}, {"window": 0, "seed": 1}, {"prompt": " "}):
        with pytest.raises(SettingsError):
            changed(spec(), "lime-0002", **changes)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="17 windows have seeds"):
        spec(window_seeds=tuple(WindowSeed(n, 1) for n in range(1, 18)))


def test_window_seeds_as_an_option() -> None:
    assert window_seeds("2:77, 4:9") == (WindowSeed(2, 77), WindowSeed(4, 9))
    assert window_seeds(None) == ()
    for text in ("", "2", "2:", "2:7,", "a:7", "-1:7"):
        with pytest.raises(SettingsError):
            window_seeds(text)


# --- frames the server has -------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return JobStore(tmp_path, limits=Limits(queue=3), changed=lambda job: None)


def receive(store: JobStore, job: JobSpec) -> None:
    store.submit(job, NOBODY)
    for role in job.roles:
        for frame in job.frames.numbers():
            payload = f"{role.value} {frame}".encode()
            store.folder(job.job).frame(role, frame).write_bytes(payload)
            store.add_frame(job.job, role, frame, codec.digest(payload))


def test_a_rerun_is_queued_with_the_frames_of_the_job_before(store: JobStore) -> None:
    receive(store, spec())
    again = spec("lime-0002", seed=7)
    status = rerun(store, "lime-0001", again, NOBODY)
    assert (status.state, status.received, status.expected) == (State.QUEUED, 6, 6)
    assert store.digests("lime-0002") == store.digests("lime-0001")
    for role in ROLES:
        for frame in (1001, 1002, 1003):
            paths = [store.folder(job).frame(role, frame) for job in ("lime-0001", "lime-0002")]
            assert paths[0].samefile(paths[1])
    assert not [path for path in store.folder("lime-0002").path.rglob("*") if path.suffix == ".part"]


def test_asking_twice_is_one_job_in_whatever_state(store: JobStore, tmp_path: Path) -> None:
    receive(store, spec())
    again = spec("lime-0002", seed=7)
    store.submit(again, NOBODY)  # as if the server had been killed in the middle of it
    store.folder("lime-0002").frame(Role.PLATE, 1001).write_bytes(b"older")
    assert rerun(store, "lime-0001", again, NOBODY).state is State.QUEUED
    assert store.folder("lime-0002").frame(Role.PLATE, 1001).read_bytes() == b"plate 1001"
    store.move("lime-0002", State.RUNNING)
    for path in store.folder("lime-0001").path.rglob("*.exr"):
        path.unlink()
    assert rerun(store, "lime-0001", again, NOBODY).state is State.RUNNING
    assert len(store.statuses(NOBODY)) == 2
    with pytest.raises(IllegalTransition, match="other settings"):
        rerun(store, "lime-0001", spec("lime-0002", seed=8), NOBODY)


def test_frames_are_copied_where_a_file_has_one_name_alone(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_paths: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    receive(store, spec())
    monkeypatch.setattr(os, "link", refuse)
    assert rerun(store, "lime-0001", spec("lime-0002", seed=7), NOBODY).state is State.QUEUED
    paths = [store.folder(job).frame(Role.PLATE, 1002) for job in ("lime-0001", "lime-0002")]
    assert not paths[0].samefile(paths[1])
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_frames_that_are_not_there_are_named(store: JobStore) -> None:
    with pytest.raises(UnknownJob, match="no job lime-0001"):
        rerun(store, "lime-0001", spec("lime-0002"), NOBODY)
    store.submit(spec(), NOBODY)
    store.add_frame("lime-0001", Role.PLATE, 1001, "0" * 32)
    with pytest.raises(
        MissingFrames, match=r"Job lime-0001 never received frame 1002 of the plate and 4 more"
    ):
        rerun(store, "lime-0001", spec("lime-0002"), NOBODY)
    store.move("lime-0001", State.CANCELLED)
    receive(store, spec("lime-0003"))
    store.folder("lime-0003").frame(Role.REMOVE, 1002).unlink()
    with pytest.raises(MissingFrames, match="Frame 1002 of the remove matte of job lime-0003 is gone"):
        rerun(store, "lime-0003", spec("lime-0004"), NOBODY)
    assert {status.job for status in store.statuses(NOBODY)} == {"lime-0001", "lime-0003"}
