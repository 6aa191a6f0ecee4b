"""Jobs that wait for room, on the disk or in their owner's quota, and go on by themselves when there is."""

from __future__ import annotations

import logging
import time

from void_server.jobs import JobStore
from void_server.live_job import Wait
from void_server.room import GOES_ON
from void_wire.errors import ServerBusy
from void_wire.messages import State

log = logging.getLogger(__name__)

LOOK_S = 2.0
"""Between looks at the disk, while a job waits."""

AGAIN_S = 600.0
"""A job that ran out of room is tried again after this, if there is any: another may have filled the disk."""


class Waiting:
    """Holds jobs of ``store``. Methods are called from the server's main thread only."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._look_at = 0.0

    def may_begin(self, job: str) -> bool:
        """Whether there is room for what the job makes first; else it waits."""
        return self._fits(job, self._store.frame_bytes(job))

    def disk_full(self, job: str) -> bool:
        """Whether the disk would not take another frame of the job."""
        return bool(self._lack(self._store.frame_bytes(job)))

    def over_quota(self, job: str) -> bool:
        """Whether the owner's jobs have more than they may, by what this one has made: then it is to be left."""
        try:
            self._store.check_quota(self._store.owner(job), 0)
        except ServerBusy as error:
            self._hold(job, Wait(str(error), self._store.rest_bytes(job)))
            return True
        return False

    def ran_out(self, job: str) -> None:
        """The running job found no room: it waits until its rest has, and more where that much was there already."""
        need, again = self._store.rest_bytes(job), time.monotonic() + AGAIN_S
        if lack := self._lack(need):
            self._hold(job, Wait(lack, need, until_s=again))
            return
        free = self._store.room.free_bytes()
        sentence = (
            f"{free / 1e6:.1f} MB were free on the server's disk and did not suffice: make room. {GOES_ON}"
        )
        self._hold(job, Wait(sentence, need, free + self._store.frame_bytes(job), again))

    def look(self) -> None:
        """Now and then: let those go on that can."""
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_S
        for job, wait in self._store.waiting().items():
            if self._store.state(job) not in (State.RECEIVING, State.QUEUED):
                continue  # its worker is yet to leave it
            enough = self._store.room.free_bytes() >= wait.above_bytes and self._fits(job, wait.need_bytes)
            if enough or (now >= wait.until_s and self._fits(job, self._store.frame_bytes(job))):
                log.info("job %s has room again", job, extra={"job": job})
                self._store.hold(job, None)

    def _lack(self, need_bytes: int) -> str:
        """Why the disk would not take that much; empty when it would."""
        try:
            self._store.room.probe(need_bytes)
        except ServerBusy as error:
            return str(error)
        return ""

    def _fits(self, job: str, need_bytes: int) -> bool:
        """Whether quota and disk take that much; else the job waits, as it does already or from now on."""
        try:
            self._store.check_quota(self._store.owner(job), need_bytes)
            self._store.room.probe(need_bytes)
        except ServerBusy as error:
            if job not in self._store.waiting():
                self._hold(job, Wait(str(error), need_bytes))
            return False
        return True

    def _hold(self, job: str, wait: Wait) -> None:
        log.warning("job %s waits: %s", job, wait.sentence, extra={"job": job})
        self._store.hold(job, wait)
