"""What one server takes: how many jobs, frames and bytes. Each refusal names value, limit, option and next step."""

from __future__ import annotations

from dataclasses import dataclass

from void_wire.errors import ServerBusy, SettingsError
from void_wire.messages import MAX_FRAMES, JobSpec

GB = 10**9


@dataclass(frozen=True)
class Limits:
    """Limits of Config, as the job store asks them."""

    queue: int = 100  # unfinished jobs of everybody
    jobs_per_key: int = 50  # unfinished jobs of one owner
    frames_per_job: int = MAX_FRAMES
    quota_bytes: int = 0  # of one owner's jobs on disk; 0: none

    def check_job(self, spec: JobSpec, *, unfinished: int, own_unfinished: int, own_bytes: int) -> None:
        """Refuse a new job that is too long, or one too many.

        Raises SettingsError for its length, ServerBusy for what passes.
        """
        if len(spec.frames) > self.frames_per_job:
            raise SettingsError(
                f"Job {spec.job} has {len(spec.frames)} frames and this server takes {self.frames_per_job} in a job "
                "(frames_per_job): split the shot, or ask who runs the server."
            )
        if unfinished >= self.queue:
            raise ServerBusy(
                f"The server holds {unfinished} unfinished jobs, its limit (queue_limit {self.queue}): wait for one to "
                "end or cancel one (void jobs, void cancel JOB)."
            )
        if own_unfinished >= self.jobs_per_key:
            raise ServerBusy(
                f"You have {own_unfinished} unfinished jobs here, the limit of one key (jobs_per_key "
                f"{self.jobs_per_key}): wait for one to end or cancel one (void jobs, void cancel JOB)."
            )
        self.check_room(own_bytes, 0)

    def check_room(self, own_bytes: int, more_bytes: int) -> None:
        """Refuse a job, or ``more_bytes`` of a frame, over the quota. Raises ServerBusy."""
        if self.quota_bytes and own_bytes + max(1, more_bytes) > self.quota_bytes:
            raise ServerBusy(
                f"Your jobs hold {own_bytes / GB:.2f} GB here"
                + (f" and {more_bytes / 1e6:.1f} MB more are needed" if more_bytes else "")
                + f"; a key may have {self.quota_bytes / GB:g} GB (quota_gb). Remove jobs that have ended (void jobs "
                "--purge): one that is being sent or done goes on by itself then, another is to be sent again."
            )
