"""All that the panel knows and shows, without a widget: events go in, what to draw comes out."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Callable, Deque, Dict, Optional, Sequence, Set, Tuple

from void_panel.events import Detailed, Event, Found, Listed, Lost, Made, Pictured, Said
from void_panel.faults import Fault, verdict
from void_panel.pace import Pace
from void_panel.pictures import Look, Picture
from void_panel.requests import Change
from void_panel.rows import OPEN, JobRow, changes, row_of, watch_pace
from void_wire.messages import JobSpec, JobStatus, Role, State

LOG_LINES = 500
PICTURES = 24
"""Kept, so that going back to a frame shows it at once."""


class Link(Enum):
    """How the panel stands with the server."""

    LOOKING = "looking"
    THERE = "there"
    LOST = "lost"


@dataclass(frozen=True)
class LogLine:
    """Something that happened."""

    at: float  # seconds since the epoch
    sentence: str
    bad: bool = False


@dataclass
class Changed:
    """What is to be drawn anew since it was last asked for."""

    order: bool = True
    rows: Set[str] = field(default_factory=set)
    server: bool = True
    selected: bool = True
    log: bool = True


class PanelState:
    """The jobs of one server, the one that is looked at, and what happened.

    Args:
        address: of the server.
        clock: seconds since the epoch.
    """

    def __init__(self, address: str, *, clock: Callable[[], float] = time.time) -> None:
        self.address = address
        self.link = Link.LOOKING
        self.version = ""
        self.engines: Dict[str, str] = {}
        self.lost = ""  # why
        self.lost_at = ""
        self.looking = True  # whether anybody still looks for it
        self.order: Tuple[str, ...] = ()
        self.rows: Dict[str, JobRow] = {}
        self.selected: Optional[str] = None
        self.marked: Tuple[str, ...] = ()  # rows that are marked together; the selected one alone, mostly
        self.log: Deque[LogLine] = deque(maxlen=LOG_LINES)
        self.said = 0  # log lines in all, also those that are gone
        self._clock = clock
        self._statuses: Dict[str, JobStatus] = {}
        self._paces: Dict[str, Pace] = {}
        self._listed = False
        self._frame: Optional[int] = None  # chosen by hand; None: the newest
        self._details: Dict[str, Detailed] = {}
        self._seen: "OrderedDict[Look, Picture]" = OrderedDict()
        self._blank: Dict[Look, str] = {}
        self._changed = Changed()

    # --- what happens --------------------------------------------------------------------------------------

    def take(self, event: Event) -> None:
        """Something was reported."""
        if isinstance(event, Found):
            self._found(event)
        elif isinstance(event, Lost):
            self._lose(event)
        elif isinstance(event, Listed):
            self._list(event)
        elif isinstance(event, Detailed):
            self._details[event.job] = event
            self._touch(event.job)
        elif isinstance(event, Pictured):
            self._picture(event)
        elif isinstance(event, Made):
            self.say(event.sentence)
            self.select(event.job)
        elif isinstance(event, Said):
            self.say(event.sentence, bad=event.bad)

    def tick(self, now_s: float) -> None:
        """Time went by: what is left of the running stages is told anew."""
        if self.link is not Link.THERE:
            return
        for job in self.order:
            status = self._statuses[job]
            if status.state in (State.RUNNING, State.RECEIVING):
                self._row(status, now_s)

    def select(self, job: Optional[str]) -> None:
        """Look at this job, at its newest frame."""
        if job != self.selected:
            self.selected, self._frame = job, None
            if job not in self.marked:
                self.marked = () if job is None else (job,)
            self._blank.clear()  # what could not be fetched may come now
            self._changed.selected = True

    def mark(self, jobs: Sequence[str]) -> None:
        """These rows are marked together, in this order."""
        if self.marked != tuple(jobs):
            self.marked = tuple(jobs)
            self._changed.selected = True

    def look_at(self, frame: Optional[int]) -> None:
        """Look at this frame of the job; None: at the newest, whichever that is."""
        self._frame = frame
        self._changed.selected = True

    def say(self, sentence: str, *, bad: bool = False) -> None:
        """Write a line in the log."""
        self.log.append(LogLine(self._clock(), sentence, bad))
        self.said += 1
        self._changed.log = True

    def take_over(self, before: "PanelState") -> None:
        """Keep the log of the state that this one follows."""
        self.log, self.said = before.log, before.said

    # --- what is shown -------------------------------------------------------------------------------------

    def take_changes(self) -> Changed:
        """What changed since the last call."""
        changed, self._changed = self._changed, Changed(False, set(), False, False, False)
        return changed

    @property
    def headline(self) -> str:
        """How the panel stands with the server, in a line."""
        if self.link is Link.LOOKING:
            return f"Looking for a server at {self.address}"
        if self.link is Link.LOST:
            if not self.looking:
                return "No server"
            return f"No answer since {self.lost_at}: looking for the server at {self.address}"
        ready = [name for name, lack in self.engines.items() if not lack]
        lacking = [name for name, lack in self.engines.items() if lack]
        told = f"{' and '.join(ready)} ready" if ready else "no engine is ready"
        return told[0].upper() + told[1:] + (f", {' and '.join(lacking)} not" if lacking else "")

    @property
    def report(self) -> str:
        """What a test of the connection adds: version, each engine and what it lacks; or why nobody answers."""
        if self.link is Link.LOST:
            return self.lost
        engines = [f"{name}: {lack or 'ready.'}" for name, lack in self.engines.items()]
        return "\n".join([f"VOID {self.version} at {self.address}", *engines])

    @property
    def tally(self) -> str:
        """How many jobs there are, in a line."""
        if not self._listed:
            return ""
        states = [self._statuses[job].state for job in self.order]
        counts = [
            (sum(state in (State.RUNNING, State.CANCELLING) for state in states), "running"),
            (states.count(State.QUEUED), "queued"),
            (states.count(State.RECEIVING), "arriving"),
            (states.count(State.FAILED), "failed"),
        ]
        told = [f"{len(states)} job{'s' * (len(states) != 1)}", *(f"{n} {word}" for n, word in counts if n)]
        return ", ".join(told)

    @property
    def empty(self) -> str:
        """What stands in place of the table; "" when there are jobs."""
        if self.order:
            return ""
        if not self._listed:
            return "The jobs are shown here once a server answers."
        return "No jobs yet. A shot sent from a node, or with void submit, shows up here."

    @property
    def status(self) -> Optional[JobStatus]:
        """The job that is looked at."""
        return self._statuses.get(self.selected or "")

    @property
    def spec(self) -> Optional[JobSpec]:
        """What that job was asked to be, once it is known."""
        details = self._details.get(self.selected or "")
        return details.spec if details else None

    @property
    def faults(self) -> Tuple[Fault, ...]:
        """Its frames that are worth a look, worst first."""
        details = self._details.get(self.selected or "")
        return details.faults if details else ()

    @property
    def verdict(self) -> str:
        """What the signs of its frames say, in a sentence."""
        details = self._details.get(self.selected or "")
        return verdict(details.judged, details.faults) if details else ""

    @property
    def frame(self) -> Optional[int]:
        """The frame that was chosen by hand; None: the newest is looked at."""
        return self._frame

    @property
    def can_cancel(self) -> bool:
        """Whether that job can be stopped."""
        return self._at_hand and self.status is not None and self.status.state in OPEN[:3]

    @property
    def again(self) -> Tuple[Change, ...]:
        """How that job can be done again."""
        return changes(self.status, self.spec) if self._at_hand and self.status else ()

    @property
    def why_not_again(self) -> str:
        """Why there is no way to do it again."""
        status = self.status
        if not self._at_hand or status is None:
            return "No server answers."
        if status.received < status.expected:
            return "The server does not have all of its frames."
        return "It would come out the same: engine draft has no seed, and nothing failed."

    @property
    def fetchable(self) -> Tuple[int, ...]:
        """The frames of its result that can be brought now."""
        return tuple(self.status.ready.get(Role.RESULT, ())) if self._at_hand and self.status else ()

    @property
    def farmable(self) -> Tuple[str, ...]:
        """The marked jobs, where all of them can be written as a farm job."""
        return () if self.why_not_farm else self.marked

    @property
    def why_not_farm(self) -> str:
        """Why the marked jobs cannot be written as a farm job; "" when they can."""
        if not self._at_hand or not self.marked:
            return "No server answers." if not self._at_hand else "No job is marked."
        statuses = [self._statuses[job] for job in self.marked if job in self._statuses]
        if len(statuses) < len(self.marked):  # one that was just made, or chosen before the panel was closed
            return "The server has not told of that job yet."
        for status in statuses:
            if status.received < status.expected:
                return f"The server does not have all frames of {status.shot}."
        shots = [status.shot for status in statuses]
        twice = next((shot for shot in shots if shots.count(shot) > 1), "")
        return f"Two of these jobs are of shot {twice}: a farm job takes one." if twice else ""

    @property
    def look(self) -> Optional[Look]:
        """The frame to show: chosen by hand, else the newest, of pass 1 while there is no result."""
        status = self.status
        if status is None:
            return None
        for role in (Role.RESULT, Role.PASS1):
            frames = status.ready.get(role, [])
            if self._frame in frames:
                return Look(status.job, role, self._frame or 0)
            if frames and self._frame is None:
                return Look(status.job, role, frames[-1])
        return None

    @property
    def wanted(self) -> Optional[Look]:
        """The frame a picture is still to be made of."""
        look = self.look
        return None if look in self._seen or look in self._blank or not self._at_hand else look

    def picture(self) -> Tuple[Optional[Look], Optional[Picture]]:
        """The frame that can be shown now: the wanted one, else the last of the same job that there is."""
        look = self.look
        if look in self._seen or look in self._blank:
            return look, self._seen.get(look) if look else None
        for seen in reversed(self._seen):
            if look is not None and seen.job == look.job:
                return seen, self._seen[seen]
        return look, None

    @property
    def blank(self) -> str:
        """Why there is no picture."""
        look = self.look
        if look is None:
            return "No frame is made yet." if self._frame is None else f"Frame {self._frame} is not made yet."
        return self._blank.get(look, f"Frame {look.frame} is coming.")

    # --- inside --------------------------------------------------------------------------------------------

    @property
    def _at_hand(self) -> bool:
        return self.link is Link.THERE

    def _found(self, event: Found) -> None:
        if self.link is Link.LOST:
            self.say(f"The server at {self.address} is back.")
        self.link, self.version, self.engines = Link.THERE, event.version, event.engines
        self._blank.clear()
        self._changed.server = self._changed.selected = True

    def _lose(self, event: Lost) -> None:
        if self.link is not Link.LOST:
            if not self.log or self.log[-1].sentence != event.sentence:  # a request may have met it first
                self.say(event.sentence, bad=True)
            self.lost, self.lost_at, self.looking = event.sentence, self._time(), not event.given_up
            self._paces.clear()
            for job in self.order:
                self._statuses[job] = replace(self._statuses[job], begins_in_s=None, ends_in_s=None)
                self._row(self._statuses[job], 0.0)
        self.link = Link.LOST
        self._changed.server = self._changed.selected = True
        self._changed.order = self._changed.order or not self.order

    def _list(self, event: Listed) -> None:
        for status in event.changed:
            before = self._statuses.get(status.job)
            self._statuses[status.job] = status
            pace = self._paces.setdefault(status.job, Pace())
            watch_pace(pace, status, event.at_s)
            self._row(status, event.at_s)
            if self._listed:
                self._tell(before, status)
            if status.job == self.selected:
                self._changed.selected = True
        if event.order is None:
            return
        if event.order != self.order or not self._listed:
            for job in set(self._statuses) - set(event.order):
                for known in (self._statuses, self.rows, self._paces, self._details):
                    known.pop(job, None)
            self.order = event.order
            self.mark([job for job in self.marked if job in self._statuses])
            self._changed.order = True
            if self.selected not in self._statuses:
                self.select(self._first())
        if not self._listed:
            self._listed = True
            self.say(f"{self.address}: {self.tally}.")
        self._changed.server = True

    def _first(self) -> Optional[str]:
        """The job to look at when none is: the one that runs, else the newest."""
        running = [job for job in self.order if self._statuses[job].state is State.RUNNING]
        return next(iter([*running, *self.order]), None)

    def _row(self, status: JobStatus, now_s: float) -> None:
        row = row_of(status, self._paces.setdefault(status.job, Pace()), now_s)
        if self.rows.get(status.job) != row:
            self.rows[status.job] = row
            self._touch(status.job)

    def _touch(self, job: str) -> None:
        self._changed.rows.add(job)
        self._changed.selected = self._changed.selected or job == self.selected

    def _tell(self, before: Optional[JobStatus], status: JobStatus) -> None:
        if status.waits and not (before and before.waits):
            self.say(f"{status.shot} waits: {status.waits}", bad=True)
        if before is not None and before.state is status.state:
            return
        count = len(status.ready.get(Role.RESULT, []))
        sentences = {
            State.RECEIVING: f"{status.shot}: frames arrive.",
            State.QUEUED: f"{status.shot} is queued.",
            State.RUNNING: f"{status.shot} runs.",
            State.CANCELLING: f"{status.shot} stops at its next step.",
            State.DONE: f"{status.shot} is done: {count} frame{'s' * (count != 1)}.",
            State.FAILED: f"{status.shot} failed: {status.error}",
            State.CANCELLED: f"{status.shot} is cancelled; {count} finished frame{'s' * (count != 1)} kept.",
        }
        self.say(sentences[status.state], bad=status.state is State.FAILED)

    def _picture(self, event: Pictured) -> None:
        if event.picture is None:
            self._blank[event.look] = event.sentence
        else:
            self._seen[event.look] = event.picture
            while len(self._seen) > PICTURES:
                self._seen.popitem(last=False)
        self._touch(event.look.job)

    def _time(self) -> str:
        return time.strftime("%H:%M", time.localtime(self._clock()))
