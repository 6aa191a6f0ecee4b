"""Job states, the queue, and what outlives the server."""

import contextlib
import itertools
import sqlite3
import threading
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from void_server.job_database import JobDatabase
from void_server.jobs import NOBODY, JobStore
from void_server.limits import Limits
from void_server.transitions import TRANSITIONS
from void_wire import codec
from void_wire.errors import (
    IllegalTransition,
    JobFailed,
    ServerBusy,
    SettingsError,
    UnknownJob,
    VoidError,
    WorkerDied,
)
from void_wire.messages import FrameRange, JobSpec, Role, Signs, Stage, State


def spec(job: str, frames: int = 2) -> JobSpec:
    return JobSpec(
        job=job, shot="s", engine="draft", frames=FrameRange(1, frames), roles=(Role.PLATE, Role.REMOVE)
    )


def open_store(folder: Path, queue_limit: int = 100) -> JobStore:
    return JobStore(folder, limits=Limits(queue=queue_limit), changed=lambda job: None)


def receive_all(store: JobStore, job: str) -> None:
    wanted = store.spec(job)
    for role, frame in itertools.product(wanted.roles, wanted.frames.numbers()):
        store.add_frame(job, role, frame, "0" * 32)


def test_the_last_frame_received_queues_the_job(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.submit(spec("job-00001"), NOBODY)
    store.add_frame("job-00001", Role.PLATE, 1, "0" * 32)
    assert store.status("job-00001").state is State.RECEIVING
    assert store.status("job-00001").received == 1
    receive_all(store, "job-00001")
    status = store.status("job-00001")
    assert (status.state, status.received, status.queue_place) == (State.QUEUED, 4, 1)


def test_submitting_twice_is_one_job_and_another_spec_is_refused(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.submit(spec("job-00001"), NOBODY)
    store.submit(spec("job-00001"), NOBODY)
    assert len(store.statuses(NOBODY)) == 1
    with pytest.raises(IllegalTransition, match="other settings"):
        store.submit(spec("job-00001", frames=3), NOBODY)


def test_the_queue_is_first_come_first_served(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for job in ("job-00001", "job-00002", "job-00003"):
        store.submit(spec(job), NOBODY)
    for job in ("job-00003", "job-00002", "job-00001"):
        receive_all(store, job)
    assert store.next_queued() == "job-00001"
    assert [store.status(f"job-0000{n}").queue_place for n in (1, 2, 3)] == [1, 2, 3]


def test_turns_outlive_the_server_and_who_was_cut_short_has_his_still(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for number, owner in enumerate(("anna", "anna", "bert", "bert")):
        store.submit(spec(f"job-0000{number}"), owner)
        receive_all(store, f"job-0000{number}")
    for job in ("job-00000", "job-00002"):
        assert store.next_queued() == job
        store.move(job, State.RUNNING)
        store.move(job, State.DONE)
    store.close()
    store = open_store(tmp_path)
    store.recover()
    assert store.next_queued() == "job-00001"
    store.move("job-00001", State.RUNNING)
    store.close()
    store = open_store(tmp_path)
    store.recover()
    assert [store.status(f"job-0000{n}").queue_place for n in (1, 3)] == [1, 2]
    store.move("job-00001", State.RUNNING)
    store.move("job-00001", State.QUEUED)
    assert store.next_queued() == "job-00001"


@pytest.mark.parametrize(("before", "after"), list(itertools.product(State, State)))
def test_only_the_tables_transitions_happen(tmp_path: Path, before: State, after: State) -> None:
    store = open_store(tmp_path)
    store.submit(spec("job-00001"), NOBODY)
    if before is not State.RECEIVING:
        receive_all(store, "job-00001")
    if before not in (State.RECEIVING, State.QUEUED, State.CANCELLED):
        store.move("job-00001", State.RUNNING)
    if store.state("job-00001") is not before:
        store.move("job-00001", before)
    if (before, after) == (State.RECEIVING, State.QUEUED):
        with pytest.raises(IllegalTransition, match="lacks frames"):
            store.move("job-00001", after)
        receive_all(store, "job-00001")
        assert store.state("job-00001") is State.QUEUED
        return
    if after in TRANSITIONS[before]:
        store.move("job-00001", after)
        assert store.state("job-00001") is after
    else:
        with pytest.raises(IllegalTransition, match=f"is {before.value}; it cannot become {after.value}"):
            store.move("job-00001", after)


def test_a_new_server_takes_up_what_ran_and_forgets_half_files(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for job in ("job-00001", "job-00002"):
        store.submit(spec(job), NOBODY)
        receive_all(store, job)
        store.move(job, State.RUNNING)
    store.move("job-00002", State.CANCELLING)
    store.add_frame("job-00001", Role.RESULT, 1, "1" * 32)
    revision = store.status("job-00001").revision
    half = store.folder("job-00001").frame(Role.RESULT, 2).with_suffix(".exr.part")
    half.write_bytes(b"half")
    milestone = store.folder("job-00001").milestones(0) / "pass1.part"
    milestone.parent.mkdir(parents=True)
    milestone.write_bytes(b"half")
    store.close()

    again = open_store(tmp_path)
    again.recover()
    assert again.status("job-00001").state is State.QUEUED
    assert again.status("job-00002").state is State.CANCELLED
    assert again.status("job-00001").ready == {Role.RESULT: [1]}
    assert again.status("job-00001").revision > revision
    assert not half.exists()
    assert not milestone.exists()


def test_a_failure_keeps_its_code_and_sentence(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.submit(spec("job-00001"), NOBODY)
    receive_all(store, "job-00001")
    store.move("job-00001", State.RUNNING)
    store.progress("job-00001", Stage.PASS1, 3, 30)
    assert store.status("job-00001").step == 3
    store.move("job-00001", State.FAILED, error=JobFailed("It broke."))
    status = store.status("job-00001")
    assert (status.error_code, status.error, status.stage) == ("job.failed", "It broke.", None)


def test_a_full_queue_says_how_full(tmp_path: Path) -> None:
    store = open_store(tmp_path, queue_limit=2)
    store.submit(spec("job-00001"), NOBODY)
    store.submit(spec("job-00002"), NOBODY)
    with pytest.raises(ServerBusy, match="2 unfinished jobs"):
        store.submit(spec("job-00003"), NOBODY)
    store.submit(spec("job-00002"), NOBODY)
    store.move("job-00001", State.CANCELLED)
    store.submit(spec("job-00003"), NOBODY)


@pytest.mark.parametrize("job", ["../../../etc", "a/b/c/d/e/f", "short", "x" * 65, "job-0000\n", "job 00001"])
def test_no_id_leaves_the_folder(tmp_path: Path, job: str) -> None:
    store = open_store(tmp_path)
    with pytest.raises(SettingsError):
        store.folder(job)
    with pytest.raises((SettingsError, UnknownJob)):
        store.status(job)


def test_the_store_takes_frames_from_many_threads(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.submit(spec("job-00001", frames=40), NOBODY)
    frames = [(role, n) for role in (Role.PLATE, Role.REMOVE) for n in range(1, 41)]

    def add(part: list[tuple[Role, int]]) -> None:
        for role, n in part:
            store.add_frame("job-00001", role, n, "0" * 32)

    threads = [threading.Thread(target=add, args=(frames[i::4],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.status("job-00001").state is State.QUEUED


class Life(RuleBasedStateMachine):
    """Arbitrary interleavings of what clients and workers do leave the store consistent."""

    made = Bundle("made")

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.store = open_store(Path(self.folder.name))
        self.count = 0

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    @rule(target=made)
    def submit(self) -> str:
        self.count += 1
        job = f"job-{self.count:05d}"
        self.store.submit(spec(job), NOBODY)
        return job

    @rule(job=made)
    def receive(self, job: str) -> None:
        receive_all(self.store, job)

    @rule(job=made, state=st.sampled_from(State))
    def move(self, job: str, state: State) -> None:
        before, status = self.store.state(job), self.store.status(job)
        try:
            self.store.move(job, state)
        except IllegalTransition:
            assert state not in TRANSITIONS[before] or status.received < status.expected
        else:
            assert state in TRANSITIONS[before]

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.store = open_store(Path(self.folder.name))
        self.store.recover()
        assert not any(s.state in (State.RUNNING, State.CANCELLING) for s in self.store.statuses(NOBODY))

    @invariant()
    def the_queue_is_the_queued(self) -> None:
        statuses = self.store.statuses(NOBODY)
        places = sorted(s.queue_place for s in statuses if s.state is State.QUEUED)
        assert places == list(range(1, len(places) + 1))
        assert all(s.received == s.expected for s in statuses if s.state is State.QUEUED)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)


def test_two_servers_never_share_a_folder(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with pytest.raises(SettingsError, match="another server runs on it"):
        open_store(tmp_path)
    store.close()
    open_store(tmp_path).close()


def test_digests_of_an_older_release_are_made_anew_once(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.submit(spec("job-00001"), NOBODY)
    for role, frame in itertools.product((Role.PLATE, Role.REMOVE), (1, 2)):
        payload = f"{role} {frame}".encode()
        store.folder("job-00001").frame(role, frame).write_bytes(payload)
        store.add_frame("job-00001", role, frame, codec.digest(payload))
    now = store.digests("job-00001")
    store.folder("job-00001").frame(Role.PLATE, 2).unlink()
    store.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "jobs.sqlite", isolation_level=None)) as database:
        database.execute("UPDATE files SET digest='of another kind'")
        database.execute("PRAGMA user_version=0")
    store = open_store(tmp_path)
    store.recover()
    del now[Role.PLATE][2]  # and is not said to be there
    assert store.digests("job-00001") == now
    store.close()
    store = open_store(tmp_path)
    store.folder("job-00001").frame(Role.PLATE, 1).write_bytes(b"another")
    store.recover()
    assert store.digests("job-00001") == now, (
        "what was noted by this release stays, for damage to be found by"
    )


def test_a_start_that_was_cut_short_goes_on_with_the_digests_that_are_left(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for job in ("job-00001", "job-00002"):
        store.submit(spec(job), NOBODY)
        receive_all(store, job)
    store.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "jobs.sqlite", isolation_level=None)) as database:
        database.execute("PRAGMA user_version=0")
    seen: list[str] = []

    def cut_short(job: str, role: Role, frame: int) -> str:
        seen.append(job)
        if len(set(seen)) == 2:
            raise KeyboardInterrupt
        return "1" * 32

    database = JobDatabase(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        database.renew_digests(cut_short)
    database.close()
    database = JobDatabase(tmp_path)
    assert database.renew_digests(lambda job, role, frame: "2" * 32) == 4
    made = [set(one.values()) for job in dict.fromkeys(seen) for one in database.digests(job).values()]
    assert made == [{"1" * 32}, {"1" * 32}, {"2" * 32}, {"2" * 32}]
    assert database.renew_digests(lambda job, role, frame: None) == 0
    database.close()


def test_how_a_worker_was_lost_outlives_the_server_until_the_job_is_asked_for_again(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.submit(spec("job-00001"), NOBODY)
    receive_all(store, "job-00001")
    with pytest.raises(IllegalTransition):
        store.try_again("job-00001", "signal 9")
    assert store.lost("job-00001") == ""
    store.move("job-00001", State.RUNNING)
    store.progress("job-00001", Stage.PASS1, 3, 30)
    store.try_again("job-00001", "signal 9")
    assert (store.status("job-00001").state, store.status("job-00001").stage) == (State.QUEUED, None)
    store.move("job-00001", State.RUNNING)
    store.close()
    store = open_store(tmp_path)
    store.recover()
    assert store.lost("job-00001") == "signal 9"
    store.move("job-00001", State.RUNNING)
    store.move("job-00001", State.FAILED, error=WorkerDied("It died."))
    store.submit(spec("job-00001"), NOBODY)
    assert store.lost("job-00001") == ""


@pytest.mark.parametrize(
    ("error", "then"), [(WorkerDied("It died."), State.QUEUED), (JobFailed("A bug."), State.FAILED)]
)
def test_asked_again_a_job_that_failed_for_the_moment_is_queued(
    tmp_path: Path, error: VoidError, then: State
) -> None:
    store = open_store(tmp_path)
    store.submit(spec("job-00001"), NOBODY)
    receive_all(store, "job-00001")
    store.move("job-00001", State.RUNNING)
    store.move("job-00001", State.FAILED, error=error)
    status = store.submit(spec("job-00001"), NOBODY)
    assert status.state is then
    assert bool(status.error) is (then is State.FAILED)


def test_a_disk_that_takes_no_more_is_a_sentence_and_passes(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    store = open_store(tmp_path)
    store.submit(spec("job-00001"), NOBODY)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    try:
        with pytest.raises(ServerBusy, match="make room on its disk"):
            receive_all(store, "job-00001")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    receive_all(store, "job-00001")
    assert store.state("job-00001") is State.QUEUED


def test_signs_are_kept_with_the_job_and_replaced_when_a_frame_is_made_again(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.submit(spec("job-00001"), NOBODY)
    store.submit(spec("job-00002"), NOBODY)
    store.add_signs("job-00001", 2, Signs(seam=0.2))
    store.add_signs("job-00001", 1, Signs(seam=0.01, borrowed=1.0))
    store.add_signs("job-00001", 2, Signs(residual=0.5))
    store.close()
    store = open_store(tmp_path)
    assert list(store.signs("job-00001").items()) == [
        (1, Signs(seam=0.01, borrowed=1.0)),
        (2, Signs(residual=0.5)),
    ]
    assert store.signs("job-00002") == {}
    with pytest.raises(UnknownJob):
        store.signs("job-00003")
    with pytest.raises(UnknownJob):
        store.add_signs("job-00003", 1, Signs())


def test_a_database_from_before_there_were_signs_goes_on(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.submit(spec("job-00001"), NOBODY)
    receive_all(store, "job-00001")
    store.close()
    with sqlite3.connect(tmp_path / "jobs.sqlite") as database:
        database.execute("DROP TABLE signs")
    database.close()
    store = open_store(tmp_path)
    assert store.state("job-00001") is State.QUEUED
    assert store.signs("job-00001") == {}
    store.add_signs("job-00001", 1, Signs(drift=0.1))
    assert store.signs("job-00001") == {1: Signs(drift=0.1)}
