"""A client is told its place when that alone changes, and when its job begins and ends once that was measured."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from held_workers import HeldWorkers
from real_shots import ShotOnDisk, StartServer, done, running, send, servers, void, wait_for

from void_server.jobs import NOBODY, JobStore
from void_server.limits import Limits
from void_wire.client import Client
from void_wire.messages import Role, Stage, State


@pytest.fixture
def start_server(tmp_path: Path, held: HeldWorkers) -> Iterator[StartServer]:
    """Starts servers that ask for no keys."""
    with servers(tmp_path / "data") as start:
        yield start


def receive(store: JobStore, shot: ShotOnDisk, job: str) -> None:
    spec = shot.spec(job)
    store.submit(spec, NOBODY)
    store.add_frames(job, {(role, n): "0" * 32 for role in spec.roles for n in spec.frames.numbers()})


def test_no_number_before_one_is_measured_and_then_for_jobs_of_the_kind(
    shot: ShotOnDisk, start_server: StartServer, held: HeldWorkers, tmp_path: Path
) -> None:
    server = start_server(weights=None)
    with Client(server.address) as client:
        send(client, shot, "first-job-1")
        first = wait_for(client, "first-job-1", running)
        assert (first.begins_in_s, first.ends_in_s) == (None, None)
        held.let_go("first-job-1")
        wait_for(client, "first-job-1", done)
        send(client, shot, "runs-job-1", "waits-job-1")
        runs = wait_for(client, "runs-job-1", running)
        waits = client.watch("waits-job-1")
        assert (runs.begins_in_s, runs.device) == (None, "auto")
        assert runs.ends_in_s is not None
        assert waits.begins_in_s is not None
        assert waits.ends_in_s is not None
        assert 0 < waits.begins_in_s < waits.ends_in_s
        assert waits.begins_in_s == pytest.approx(runs.ends_in_s, abs=5.0)
        other = shot.spec("other-kind-1", layers=("matte",))
        client.submit(other)
        client.upload(other, shot.files)
        of_other = client.watch(other.job)
        assert of_other.begins_in_s == pytest.approx(waits.ends_in_s, abs=5.0)
        assert of_other.ends_in_s is None
        listed = void("jobs", "--server", server.address).stdout
        assert " ".join(listed.split()).count("begins in") == 2


def test_who_waits_is_told_when_its_place_alone_changes(shot: ShotOnDisk, start_server: StartServer) -> None:
    with Client(start_server(weights=None).address) as client:
        send(client, shot, "runs-job-1", "waits-job-1", "waits-job-2")
        wait_for(client, "runs-job-1", running)
        before = client.watch("waits-job-2")
        assert before.queue_place == 2
        client.cancel("waits-job-1")
        after = client.watch("waits-job-2", before.revision, 25.0)
        assert (after.revision > before.revision, after.queue_place) == (True, 1)


def test_what_was_measured_outlives_the_server_and_a_run_from_the_middle_tells_nothing(
    tmp_path: Path, shot: ShotOnDisk
) -> None:
    def open_store() -> JobStore:
        return JobStore(tmp_path / "data", limits=Limits(), changed=lambda job: None)

    def begun(store: JobStore, job: str) -> float | None:
        receive(store, shot, job)
        store.begin(job, "cpu")
        return store.status(job).ends_in_s

    def made(store: JobStore, job: str) -> None:
        store.progress(job, Stage.FILL, 0, 1)
        store.progress(job, Stage.FILL, 1, 1)
        store.finish(job, {})

    store = open_store()
    assert begun(store, "job-00000") is None
    store.add_frame("job-00000", Role.RESULT, 1001, "0" * 32)
    store.move("job-00000", State.QUEUED)  # as after a clean stop
    store.begin("job-00000", "cpu")
    made(store, "job-00000")
    assert begun(store, "job-00001") is None
    made(store, "job-00001")
    assert begun(store, "job-00002") is not None
    store.close()
    store = open_store()
    assert begun(store, "job-00003") is not None
    store.close()


def test_what_did_not_move_is_not_told(tmp_path: Path, shot: ShotOnDisk) -> None:
    changed: list[str] = []
    store = JobStore(tmp_path / "data", limits=Limits(), changed=changed.append)
    for number in range(3):
        receive(store, shot, f"job-0000{number}")
    changed.clear()
    store.begin("job-00000", "cpu")
    assert sorted(changed) == ["job-00000", "job-00001", "job-00002"]
    changed.clear()
    store.finish("job-00000", {})
    assert changed == ["job-00000"]
    store.close()
