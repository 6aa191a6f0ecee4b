"""What two artists do in any order, with a server that is killed in between: what was acknowledged is kept."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from real_shots import ShotOnDisk, make_shot

from void_server.bench.trust.ground import Bits, bits, bring, finished, submit
from void_server.bench.trust.tried_server import TriedServer
from void_server.transitions import TRANSITIONS
from void_wire.client import ENDED, Client
from void_wire.connection import Connection
from void_wire.errors import IllegalTransition, UnknownJob
from void_wire.messages import FrameRange, JobSpec, JobStatus, State

NAMES = ("first", "second")


def reachable(state: State) -> set[State]:
    """Every state that may be seen after ``state``, itself too."""
    found = {state}
    while more := {then for one in found for then in TRANSITIONS[one]} - found:
        found |= more
    return found


@dataclass
class Known:
    """What a client knows of its job."""

    spec: JobSpec
    state: State = State.RECEIVING
    frames: set[int] = field(default_factory=set)  # acknowledged, with every role
    cancelled: bool = False

    @property
    def whole(self) -> bool:
        return self.frames == set(self.spec.frames.numbers())


class Studio(RuleBasedStateMachine):
    """Anna works; Ben's job was done before and lies beside hers."""

    server: TriedServer
    shot: ShotOnDisk
    anna: Connection
    ben: Connection
    wanted: Bits
    turns = itertools.count()
    folder: Path

    @initialize()
    def begin(self) -> None:
        self.turn = next(self.turns)
        self.jobs: dict[str, Known] = {}
        self.gone: set[str] = set()
        self.client = Client(self.anna, patience_s=60)

    def teardown(self) -> None:
        if not hasattr(self, "client"):
            return
        for known in self.jobs.values():  # what is whole comes to its end, and to the right one
            if known.whole and not known.cancelled:
                finished(self.client, known.spec.job)
                self.look_at(known)
            elif known.spec.job not in self.gone and self.client.watch(known.spec.job).state not in ENDED:
                self.client.cancel(known.spec.job)
        self.client.close()
        self.others_are_as_they_were()

    def others_are_as_they_were(self) -> None:
        with Client(self.ben, patience_s=60) as client:
            client.connect()
            assert [(status.job, status.state) for status in client.jobs()] == [("bens-job-1", State.DONE)]
            for job in self.jobs:  # and hers are nothing to him
                for ask in (client.watch, client.cancel, client.spec, client.signs):
                    with pytest.raises(UnknownJob):
                        ask(job)
                assert client.purge(job) == 0
            spec = self.shot.spec("bens-job-1")
            assert bits(bring(client, spec, self.folder)) == self.wanted

    def job(self, name: str) -> str:
        return f"{name}-{self.turn:05d}"

    def look_at(self, known: Known) -> None:
        """A job that is done has the bits of an undisturbed one."""
        assert bits(bring(self.client, known.spec, self.folder)) == self.wanted

    def noted(self, known: Known, status: JobStatus) -> None:
        assert status.state in reachable(known.state), f"{known.state} became {status.state}"
        assert status.state is not State.FAILED, status.error
        assert status.received >= len(known.frames) * len(known.spec.roles)
        if known.cancelled:
            assert status.state in (State.CANCELLING, State.CANCELLED, State.DONE)
        known.state = status.state

    @rule(name=st.sampled_from(NAMES))
    def submit(self, name: str) -> None:
        job = self.job(name)
        known = self.jobs.get(job) or Known(self.shot.spec(job))
        status = self.client.submit(known.spec)
        self.jobs[job] = known
        self.gone.discard(job)
        self.noted(known, status)

    @rule(name=st.sampled_from(NAMES), frame=st.sampled_from((1001, 1002)))
    def send_a_frame(self, name: str, frame: int) -> None:
        if self.job(name) not in self.jobs:
            self.submit(name)
        known = self.jobs[self.job(name)]
        part = replace(known.spec, frames=FrameRange(frame, frame))
        try:
            self.client.upload(part, self.shot.files)
        except IllegalTransition:
            assert known.cancelled
        else:
            known.frames.add(frame)

    @rule(name=st.sampled_from(NAMES))
    def send_all(self, name: str) -> None:
        for frame in self.shot.frames.numbers():
            self.send_a_frame(name, frame)

    @precondition(lambda self: bool(self.jobs))
    @rule(name=st.sampled_from(NAMES))
    def cancel(self, name: str) -> None:
        job = self.job(name)
        if (known := self.jobs.get(job)) is None:
            with pytest.raises(UnknownJob):
                self.client.cancel(job)
            return
        status = self.client.cancel(job)
        known.cancelled = known.cancelled or known.state is not State.DONE
        self.noted(known, status)

    @rule(name=st.sampled_from(NAMES))
    def purge(self, name: str) -> None:
        job = self.job(name)
        known = self.jobs.get(job)
        try:
            self.client.purge(job)
        except IllegalTransition:
            assert known is not None
            assert known.state not in ENDED
        else:
            assert known is None or known.whole or known.cancelled
            self.jobs.pop(job, None)
            self.gone.add(job)
            assert not (self.server.data_dir / "jobs" / job).exists()

    @precondition(lambda self: bool(self.jobs))
    @rule(name=st.sampled_from(NAMES))
    def fetch(self, name: str) -> None:
        known = self.jobs.get(self.job(name))
        if known is not None and known.whole and not known.cancelled:
            finished(self.client, known.spec.job)
            self.look_at(known)

    @rule()
    def disconnect(self) -> None:
        self.client.close()
        self.client = Client(self.anna, patience_s=60)

    @rule(name=st.sampled_from(NAMES), frame=st.sampled_from((1001, 1002)))
    def crash_once_a_frame_is_acknowledged(self, name: str, frame: int) -> None:
        self.send_a_frame(name, frame)
        self.server.kill()
        self.server.start()

    @precondition(lambda self: bool(self.jobs))
    @rule()
    def everything_crashes(self) -> None:
        self.server.kill(everything=True)
        self.server.start()

    @invariant()
    def what_was_acknowledged_is_there(self) -> None:
        if not hasattr(self, "client"):
            return
        self.client.connect()
        listed = {status.job for status in self.client.jobs()}
        assert set(self.jobs) <= listed
        assert not self.gone & listed
        for job, known in self.jobs.items():
            self.noted(known, self.client.watch(job))


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[type[Studio]]:
    shot, folder = make_shot(tmp_path / "shot", frames=2, size=(32, 48)), tmp_path / "fetched"
    folder.mkdir()
    with TriedServer(tmp_path / "data", keys=True) as server:
        anna, ben = server.key("anna"), server.key("ben")
        with Client(ben) as client:
            spec = shot.spec("bens-job-1")
            submit(client, spec, shot)
            finished(client, spec.job)
            wanted = bits(bring(client, spec, folder))
        there = {"server": server, "shot": shot, "anna": anna, "ben": ben, "wanted": wanted, "folder": folder}
        yield type("Studio", (Studio,), there)


def test_nothing_acknowledged_is_lost_and_every_state_is_legal(studio: type[Studio]) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        studio,
        settings=settings(
            max_examples=6,
            stateful_step_count=12,
            deadline=None,
            derandomize=True,
            database=None,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
