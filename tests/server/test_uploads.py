"""What may become a frame on the server's disk, and what not."""

import errno
import os
from pathlib import Path

import pytest

from void_server.jobs import NOBODY, JobStore
from void_server.limits import Limits
from void_server.own_jobs import OwnJobs
from void_server.uploads import Uploads
from void_server.waiting import Waiting
from void_wire import codec
from void_wire.messages import FrameAck, FrameHeader, FrameRange, FrameRefused, JobSpec, Role, State

JOB = "job-00001"
PAYLOAD = b"an exr, as far as the wire knows"


@pytest.fixture
def store(tmp_path: Path) -> OwnJobs:
    made = OwnJobs(JobStore(tmp_path, limits=Limits(queue=10), changed=lambda job: None), NOBODY)
    made.submit(
        JobSpec(job=JOB, shot="s", engine="draft", frames=FrameRange(1, 2), roles=(Role.PLATE, Role.REMOVE))
    )
    return made


def header(
    job: str = JOB, role: Role = Role.PLATE, frame: int = 1, payload: bytes = PAYLOAD, size: int | None = None
) -> FrameHeader:
    return FrameHeader(job, role, frame, len(payload) if size is None else size, codec.digest(payload))


def test_a_frame_is_on_disk_before_it_is_acknowledged(store: OwnJobs) -> None:
    answer = Uploads(store, 1000).take(header(), memoryview(PAYLOAD))
    assert answer == FrameAck(JOB, Role.PLATE, 1)
    assert store.folder(JOB).frame(Role.PLATE, 1).read_bytes() == PAYLOAD
    assert store.digests(JOB) == {Role.PLATE: {1: codec.digest(PAYLOAD)}}


@pytest.mark.parametrize(
    ("wrong", "payload", "sentence"),
    [
        (header(job="job-99999"), PAYLOAD, "no job job-99999"),
        (header(frame=3), PAYLOAD, "no part of job"),
        (header(role=Role.RESULT), PAYLOAD, "no part of job"),
        (header(size=5), PAYLOAD, "32 bytes where its header says 5"),
        (header(payload=b"x" * 1001), b"x" * 1001, "the limit is 1000"),
        (header(), PAYLOAD.replace(b"a", b"b"), "damaged on the way"),
    ],
)
def test_anything_else_is_refused(store: OwnJobs, wrong: FrameHeader, payload: bytes, sentence: str) -> None:
    answer = Uploads(store, 1000).take(wrong, memoryview(payload))
    assert isinstance(answer, FrameRefused)
    assert sentence in answer.sentence
    assert store.digests(JOB) == {}


def test_a_frame_sent_again_is_acknowledged_even_when_the_job_moved_on(store: OwnJobs) -> None:
    uploads = Uploads(store, 1000)
    for role in (Role.PLATE, Role.REMOVE):
        for frame in (1, 2):
            uploads.take(header(role=role, frame=frame), memoryview(PAYLOAD))
    assert store.state(JOB) is State.QUEUED
    assert isinstance(uploads.take(header(), memoryview(PAYLOAD)), FrameAck)
    other = b"another picture"
    late = uploads.take(header(payload=other), memoryview(other))
    assert isinstance(late, FrameRefused)
    assert "is queued: it takes no more frames" in late.sentence


def test_a_full_disk_is_said_with_bytes_and_leaves_no_half_file(
    store: OwnJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    answer = Uploads(store, 1000).take(header(), memoryview(PAYLOAD))
    assert isinstance(answer, FrameRefused)
    assert answer.code == "server_busy"
    assert "No space left on device" in answer.sentence
    assert store.status(JOB).waits == answer.sentence
    folder = store.folder(JOB).frame(Role.PLATE, 1).parent
    assert list(folder.iterdir()) == []
    monkeypatch.undo()
    assert isinstance(Uploads(store, 1000).take(header(), memoryview(PAYLOAD)), FrameAck)
    Waiting(store.store).look()
    assert store.status(JOB).waits == ""
