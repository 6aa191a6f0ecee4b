"""Whatever several owners do, in any order and over restarts, each has its own jobs and nobody another's."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from void_server.jobs import NOBODY, JobStore
from void_server.limits import Limits
from void_server.own_jobs import OwnJobs
from void_server.uploads import Uploads
from void_wire import codec
from void_wire.client import ENDED
from void_wire.errors import IllegalTransition, MissingFrames, ServerBusy, UnknownJob
from void_wire.messages import FrameAck, FrameHeader, FrameRange, FrameRefused, JobSpec, Role, State

OWNERS = (NOBODY, "aa" * 32, "bb" * 32)
IDS = tuple(f"job-0000{number}" for number in range(6))
LIMITS = Limits(queue=8, jobs_per_key=3, quota_bytes=400)

owners, ids = st.sampled_from(OWNERS), st.sampled_from(IDS)


def spec(job: str) -> JobSpec:
    return JobSpec(
        job=job, shot="s", engine="draft", frames=FrameRange(1, 2), roles=(Role.PLATE, Role.REMOVE)
    )


class House(RuleBasedStateMachine):
    """``owned`` is what should be: job to owner."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.owned: dict[str, str] = {}
        self.open()

    def open(self) -> None:
        self.store = JobStore(Path(self.folder.name), limits=LIMITS, changed=lambda job: None)
        self.store.recover()

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    def jobs(self, owner: str) -> OwnJobs:
        return OwnJobs(self.store, owner)

    def unfinished(self, owner: str) -> int:
        return sum(status.state not in ENDED for status in self.jobs(owner).statuses())

    @rule(owner=owners, job=ids)
    def submit(self, owner: str, job: str) -> None:
        full = self.unfinished(owner) >= 3 or self.store.held_bytes(owner) >= 400
        try:
            self.jobs(owner).submit(spec(job))
        except IllegalTransition:
            assert self.owned[job] != owner
        except ServerBusy:
            assert job not in self.owned
            assert full or sum(map(self.unfinished, OWNERS)) >= 8
        else:
            assert self.owned.setdefault(job, owner) == owner

    @rule(
        owner=owners, job=ids, role=st.sampled_from(Role), frame=st.integers(0, 3), size=st.integers(0, 150)
    )
    def send(self, owner: str, job: str, role: Role, frame: int, size: int) -> None:
        payload = bytes(size)
        header = FrameHeader(job, role, frame, size, codec.digest(payload))
        answer = Uploads(self.jobs(owner), 1000).take(header, memoryview(payload))
        if self.owned.get(job) != owner:
            assert isinstance(answer, FrameRefused)
            assert answer.code == "job.unknown"
        elif isinstance(answer, FrameAck):
            assert self.jobs(owner).folder(job).frame(role, frame).read_bytes() == payload

    @rule(owner=owners, job=ids, source=ids)
    def rerun(self, owner: str, job: str, source: str) -> None:
        try:
            self.jobs(owner).rerun(source, spec(job))
        except UnknownJob:
            assert self.owned.get(source) != owner
        except (MissingFrames, ServerBusy, IllegalTransition):
            pass
        else:
            assert self.owned.setdefault(job, owner) == owner

    @rule(owner=owners, job=ids)
    def cancel(self, owner: str, job: str) -> None:
        try:
            self.store.move(self.jobs(owner).own(job), State.CANCELLED)
        except UnknownJob:
            assert self.owned.get(job) != owner
        except IllegalTransition:
            assert self.owned[job] == owner

    @rule(owner=owners, job=ids)
    def purge(self, owner: str, job: str) -> None:
        try:
            self.jobs(owner).purge(job)
        except UnknownJob:
            assert self.owned.get(job) != owner
        except IllegalTransition:
            assert self.jobs(owner).state(job) not in ENDED
        else:
            assert self.owned.pop(job) == owner

    @precondition(lambda self: self.store.next_queued())
    @rule(end=st.sampled_from((State.DONE, State.FAILED)))
    def work(self, end: State) -> None:
        job = self.store.next_queued()
        assert job is not None
        self.store.move(job, State.RUNNING)
        self.store.folder(job).frame(Role.RESULT, 1).write_bytes(bytes(50))
        self.store.add_frame(job, Role.RESULT, 1, codec.digest(bytes(50)))
        self.store.move(job, end)

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.open()

    @invariant()
    def each_has_its_own_and_no_other(self) -> None:
        for owner in OWNERS:
            mine = self.jobs(owner)
            assert {status.job for status in mine.statuses()} == {
                job for job, whose in self.owned.items() if whose == owner
            }
            for job in IDS:
                try:
                    mine.digests(job)
                    known = True
                except UnknownJob:
                    known = False
                assert known == (self.owned.get(job) == owner)

    @invariant()
    def what_is_counted_is_what_lies_there(self) -> None:
        top = Path(self.folder.name) / "jobs"
        assert {path.name for path in top.iterdir()} == set(self.owned)
        for owner in OWNERS:
            files = [
                path
                for job, whose in self.owned.items()
                if whose == owner
                for path in (top / job).rglob("*")
                if path.is_file()
            ]
            noted = sum(sum(map(len, self.jobs(owner).digests(job).values())) for job in self._of(owner))
            assert noted == len(files)
            assert self.store.held_bytes(owner) == sum(path.stat().st_size for path in files)
            assert self.unfinished(owner) <= 3

    def _of(self, owner: str) -> list[str]:
        return [job for job, whose in self.owned.items() if whose == owner]


TestHouse = House.TestCase
TestHouse.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
