"""The jobs of one owner: all of the store that a client can reach."""

from __future__ import annotations

from dataclasses import dataclass

from void_server.job_folder import JobFolder
from void_server.jobs import JobStore, unknown
from void_server.live_job import Wait
from void_server.rerunning import rerun
from void_wire.messages import JobSpec, JobStatus, Role, Signs, State


@dataclass(frozen=True)
class OwnJobs:
    """The store as ``owner`` sees it: every job of another is unknown, in the words for one that is not there.

    Every method that names a job raises UnknownJob.
    """

    store: JobStore
    owner: str

    def submit(self, spec: JobSpec) -> JobStatus:
        """What JobStore.submit does. An id that another owner uses is refused as one with other settings is."""
        return self.store.submit(spec, self.owner)

    def rerun(self, source: str, spec: JobSpec) -> JobStatus:
        """What `rerunning.rerun` does, of an own job."""
        return rerun(self.store, self.own(source), spec, self.owner)

    def spec(self, job: str) -> JobSpec:
        """What the job was asked to be."""
        return self.store.spec(self.own(job))

    def state(self, job: str) -> State:
        """The job's state."""
        return self.store.state(self.own(job))

    def status(self, job: str) -> JobStatus:
        """The job as it is now."""
        return self.store.status(self.own(job))

    def statuses(self) -> list[JobStatus]:
        """Every own job, newest first."""
        return self.store.statuses(self.owner)

    def purge(self, job: str) -> int:
        """Delete a job that has ended; returns the bytes that its files had. Raises IllegalTransition."""
        return self.store.purge(self.own(job))

    def check_room(self, more_bytes: int) -> None:
        """Refuse a frame over the owner's quota, or that the disk has no room for. Raises ServerBusy."""
        self.store.check_quota(self.owner, more_bytes)
        self.store.room.check(more_bytes)

    def hold(self, job: str, sentence: str, need_bytes: int) -> None:
        """Have the job wait for room, with the sentence that says why."""
        self.store.hold(self.own(job), Wait(sentence, need_bytes))

    def folder(self, job: str) -> JobFolder:
        """Where the job's frames lie."""
        return self.store.folder(self.own(job))

    def add_frame(self, job: str, role: Role, frame: int, digest: str) -> None:
        """A frame was received and is whole on disk."""
        self.store.add_frame(self.own(job), role, frame, digest)

    def digest(self, job: str, role: Role, frame: int) -> str | None:
        """The digest of a frame that is there, else None."""
        return self.store.digest(self.own(job), role, frame)

    def digests(self, job: str) -> dict[Role, dict[int, str]]:
        """Every frame the server holds of the job."""
        return self.store.digests(self.own(job))

    def signs(self, job: str) -> dict[int, Signs]:
        """Every frame of the result that was judged."""
        return self.store.signs(self.own(job))

    def own(self, job: str) -> str:
        """The job's id, once more: of an own job alone."""
        if self.store.owner(job) != self.owner:
            raise unknown(job)
        return job
