"""What is deleted, what is given up, and what a result tells of its making."""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from real_shots import ShotOnDisk, StartServer, servers, void

from void_server.config import Config
from void_server.frames.exr import read_header
from void_server.jobs import NOBODY, JobStore
from void_server.limits import Limits
from void_server.retention import Kept, Retention
from void_server.server import Server
from void_server.sidecar import read_options
from void_wire.client import ENDED, Client
from void_wire.errors import IllegalTransition, UnknownJob
from void_wire.messages import FrameRange, JobSpec, Role, State


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Without keys."""
    with servers(tmp_path / "data") as start:
        yield start


def spec(job: str) -> JobSpec:
    return JobSpec(
        job=job, shot="s", engine="draft", frames=FrameRange(1, 1), roles=(Role.PLATE, Role.REMOVE)
    )


KEPT = st.lists(
    st.builds(
        Kept,
        job=st.uuids().map(str),
        state=st.sampled_from(State),
        changed_s=st.integers(0, 100).map(float),
        size_bytes=st.integers(0, 50),
    ),
    max_size=12,
)


@given(KEPT, st.integers(0, 60), st.integers(0, 120), st.integers(0, 60))
def test_ended_jobs_go_by_age_then_by_size_the_oldest_first(
    kept: list[Kept], keep_s: int, keep_bytes: int, receive_s: int
) -> None:
    policy, now_s = Retention(keep_s, keep_bytes, receive_s), 100.0
    gone = set(policy.expired(kept, now_s))
    ended = [one for one in kept if one.state in ENDED]
    assert gone <= {one.job for one in ended}
    stay = [one for one in ended if one.job not in gone]
    if keep_s:
        assert all(now_s - one.changed_s <= keep_s for one in stay)
    if keep_bytes:
        assert sum(one.size_bytes for one in stay) <= keep_bytes
    else:
        assert gone == {one.job for one in ended if keep_s and now_s - one.changed_s > keep_s}
    for one in ended:  # nothing older stays than what went for its size alone
        if one.job in gone and not (keep_s and now_s - one.changed_s > keep_s):
            assert all(other.changed_s >= one.changed_s for other in stay)
    given_up = set(policy.abandoned(kept, now_s))
    waiting = {one.job for one in kept if one.state is State.RECEIVING and now_s - one.changed_s > receive_s}
    assert given_up == (waiting if receive_s else set())


def test_a_job_is_deleted_whole_and_only_when_it_has_ended(tmp_path: Path) -> None:
    changed: list[str] = []
    store = JobStore(tmp_path, limits=Limits(), changed=changed.append)
    for job in ("job-00001", "job-00002"):
        store.submit(spec(job), NOBODY)
        path = store.folder(job).frame(Role.PLATE, 1)
        path.write_bytes(bytes(500))
        store.add_frame(job, Role.PLATE, 1, "0" * 32)
    with pytest.raises(IllegalTransition, match="is receiving: cancel it first"):
        store.purge("job-00001")
    store.move("job-00001", State.CANCELLED)
    changed.clear()
    assert store.purge("job-00001") == 500
    assert changed == ["job-00001"]
    assert not store.folder("job-00001").path.exists()
    assert [status.job for status in store.statuses(NOBODY)] == ["job-00002"]
    for ask in (store.status, store.digests, store.signs, store.purge, store.owner):
        with pytest.raises(UnknownJob):
            ask("job-00001")
    assert store.held_bytes(NOBODY) == 500
    store.submit(spec("job-00001"), NOBODY)  # its id is free again, and nothing of it is there
    assert store.digests("job-00001") == {}


def test_the_server_gives_up_and_deletes_by_its_rules(
    start_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = JobStore(tmp_path / "data", limits=Limits(), changed=lambda job: None)
    for job in ("old-done-1", "left-alone-1", "fresh-job-1"):
        store.submit(spec(job), NOBODY)
    store.move("old-done-1", State.CANCELLED)
    long_ago = time.time() - 40 * 86_400
    store.close()
    with closing(sqlite3.connect(tmp_path / "data" / "jobs.sqlite", isolation_level=None)) as database:
        database.execute("UPDATE jobs SET changed_s=? WHERE job!='fresh-job-1'", (long_ago,))
    server = start_server(weights=None)
    with Client(server.address) as client:
        deadline = time.monotonic() + 10
        while len(client.jobs()) > 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        states = {status.job: (status.state, status.error) for status in client.jobs()}
        assert set(states) == {"left-alone-1", "fresh-job-1"}
        assert states["fresh-job-1"] == (State.RECEIVING, "")
        assert states["left-alone-1"][0] is State.CANCELLED
        assert "for 24 hours (receive_hours)" in states["left-alone-1"][1]
    assert not (tmp_path / "data" / "jobs" / "old-done-1").exists()


def test_void_jobs_purge_deletes_what_has_ended_and_may_be_asked_again(
    start_server: StartServer, shot: ShotOnDisk
) -> None:
    server = start_server(weights=None)
    with Client(server.address) as client:
        client.submit(spec("job-00001"))
        client.submit(spec("job-00002"))
        client.cancel("job-00001")
        with pytest.raises(IllegalTransition):
            client.purge("job-00002")
        assert (
            "1 jobs that had ended are deleted" in void("jobs", "--purge", "--server", server.address).stdout
        )
        assert [status.job for status in client.jobs()] == ["job-00002"]
        assert client.purge("job-00001") == 0
        client.cancel("job-00002")
        with Client(server.address) as watching:
            watching.watch("job-00002")
            client.purge("job-00002")
            with pytest.raises(UnknownJob):
                watching.watch("job-00002", within_s=5.0)


def test_a_job_that_is_watched_while_it_is_purged_is_unknown_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(Config(address="tcp://127.0.0.1:0", data_dir=str(tmp_path))) as server:
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            with Client(server.address) as client, Client(server.address) as other:
                client.submit(spec("job-00001"))
                revision = client.cancel("job-00001").revision
                failed: list[Exception] = []

                def watch() -> None:
                    try:
                        other.watch("job-00001", revision, 20.0)
                    except UnknownJob as error:
                        failed.append(error)

                other.connect()
                watcher = threading.Thread(target=watch)
                watcher.start()
                time.sleep(0.3)
                client.purge("job-00001")
                watcher.join(timeout=10)
                assert len(failed) == 1
        finally:
            server.stop()
            thread.join()


def test_a_private_server_s_results_and_sidecar_have_no_prompt(
    start_server: StartServer, shot: ShotOnDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "the heroine is dead"
    given = [f"--{role.value}={shot.pattern(role)}" for role in shot.files]
    given += ["--engine", "draft", "--colorspace", "lin_rec709", "--prompt", secret]
    held: dict[bool, bool] = {}
    for private in (False, True):
        monkeypatch.setenv("VOID_PRIVATE", str(private))
        server = start_server(weights=None)
        out = tmp_path / str(private)
        ended = void("submit", *given, "--server", server.address, "--out", out / "result.%04d.exr")
        assert ended.returncode == 0, ended.stderr
        server.stop()
        left = list(out.iterdir())
        assert {path.suffix for path in left} == {".exr", ".json"}
        held[private] = any(secret.encode() in path.read_bytes() for path in left)
        header = read_header(out / "result.1001.exr", 1001)
        assert header.metadata["void/prompt"] == ("left out" if private else secret)
        record = json.loads((out / "result.void.json").read_text())
        assert record["job"]["prompt"] == ("left out" if private else secret)
    assert held == {False: True, True: False}
    assert "prompt" not in read_options(tmp_path / "True" / "result.void.json")
    assert read_options(tmp_path / "False" / "result.void.json")["prompt"] == secret
