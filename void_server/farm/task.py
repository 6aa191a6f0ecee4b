"""One segment, done so that it may be done again: what is there and right stays, what a server has goes on."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from void_farm.plan import Plan, Task
from void_server.farm.places import Places
from void_server.farm.segment_folder import Begun, Done, Failed, SegmentFolder, now_s
from void_server.frames.exr import limit_decoder, read_plate, write_result
from void_server.frames.sequence import find_sequence
from void_server.metadata import metadata
from void_server.submission import Files
from void_wire import codec
from void_wire.client import ENDED, Client
from void_wire.connection import Connection
from void_wire.errors import MissingFrames, ShotError, UnknownJob, VoidError, from_code
from void_wire.files import PART_SUFFIX
from void_wire.messages import JobSpec, JobStatus, Role, Signs, Stage, State

WATCH_S = 2.0
PATIENCE_S = 15.0
"""For a server that does not answer: a task that fails is tried again, one that waits holds a GPU."""

CANCEL_PATIENCE_S = 3.0
_CANCEL_WATCH_S = 60.0

_SHARES = {
    Stage.DECODE: (0.0, 0.05),
    Stage.LOAD: (0.05, 0.1),
    Stage.PASS1: (0.1, 0.4),
    Stage.NOISE: (0.4, 0.45),
    Stage.PASS2: (0.45, 0.9),
    Stage.FILL: (0.5, 0.95),
    Stage.ENCODE: (0.95, 1.0),
}
"""Where in the work a stage lies, roughly: for the bar of a farm's view alone."""

Tell = Callable[[str, float], None]
"""Called with what is being done, and how much of the whole is, 0 to 1."""


@dataclass(frozen=True)
class Work:
    """A task of a plan on this node."""

    plan: Plan
    task: Task
    places: Places

    @property
    def spec(self) -> JobSpec:
        """What a server is asked."""
        return self.plan.job(self.task)

    @property
    def folder(self) -> SegmentFolder:
        """Where the frames go."""
        return SegmentFolder.of(self.places.bundle, self.task.index)

    def files(self) -> Files:
        """The segment's input files on this node. Raises MissingFrames, SettingsError."""
        shot = self.task.shot
        return {
            role: find_sequence(self.places.pattern(pattern), self.task.segment.frames)
            for role, pattern in shot.inputs.items()
        }


def is_done(work: Work) -> bool:
    """Whether every frame of it is there, with the bits that were noted."""
    return _done(work) is not None


def run(work: Work, server: Callable[[], str | Connection], tell: Tell) -> Done:
    """Do a segment; returns what is noted of it. One that is done already is not touched.

    Args:
        work: which.
        server: called where one is needed: its address.
        tell: hears how it goes.

    What fails is noted beside the frames and raised, with the segment's name before it. Not where somebody else has
    done the segment meanwhile: a task whose session was killed may outlive it and find its server gone.
    """
    spec, folder = work.spec, work.folder
    if done := _done(work):
        return done
    began = now_s()
    folder.note(Begun(spec.job, platform.node(), began))
    try:
        limit_decoder()
        files = work.files()
        check_digests(work, files)
        for part in folder.path.glob(f"*{PART_SUFFIX}"):
            part.unlink(missing_ok=True)
        there = {number for number in spec.frames.numbers() if _is_of(folder.frame(number), number, spec.job)}
        if work.task.segment.untouched:
            record, signs = _untouched(spec, files, folder, there), dict[int, Signs]()
        elif len(there) == len(spec.frames):
            record, signs = _told_by(folder.frame(spec.frames.first), spec.frames.first), {}
        else:
            record, signs = _removed(spec, files, folder, there, server(), tell)
    except VoidError as error:
        if done := _done(work):
            return done
        error = type(error)(f"{str(work.task).capitalize()}: {error}")
        folder.note(Failed(spec.job, platform.node(), now_s(), error.code, str(error)))
        raise error from None
    numbers = spec.frames.numbers()
    done = Done(
        spec.job,
        platform.node(),
        began,
        now_s(),
        tuple(codec.digest(folder.frame(number).read_bytes()) for number in numbers),
        record,
        tuple(signs.get(number, Signs()) for number in numbers),
    )
    folder.note(done)
    return done


def _done(work: Work) -> Done | None:
    done = work.folder.done(work.spec.job)
    whole = done is not None and work.folder.is_whole(done, work.spec.frames.numbers())
    return done if whole else None


def check_digests(work: Work, files: Files) -> None:
    """Raise ShotError when a file is not the one that the plan was made for."""
    shot = work.task.shot
    numbers = shot.spec.frames.numbers()
    for role, digests in shot.digests.items():
        planned = dict(zip(numbers, digests, strict=True))
        for number, file in files[role].items():
            try:
                found = codec.digest(file.read_bytes())
            except OSError as error:
                raise MissingFrames(
                    f"frame {number} of the {role.label} cannot be read ({file.name}: {error.strerror}): put it back."
                ) from None
            if found != planned[number]:
                raise ShotError(
                    f"frame {number} of the {role.label} ({file.name}) is not the file that the plan was made for: its "
                    f"digest is {found[:12]} and was {planned[number][:12]}. Put that back, or write the bundle anew."
                )


def _is_of(path: Path, number: int, job: str) -> bool:
    """Whether the frame opens, whole, and says that it is of this job."""
    try:
        return bool(read_plate(path, number).layout.metadata.get("void/job") == job)
    except VoidError:
        return False


def _told_by(path: Path, number: int) -> dict[str, str]:
    """What a frame's metadata say of its making: the record, where the server that had it is gone."""
    found = read_plate(path, number).layout.metadata
    return {
        name.removeprefix("void/").replace("_", " "): str(value)
        for name, value in found.items()
        if name.startswith("void/")
    }


def _untouched(spec: JobSpec, files: Files, folder: SegmentFolder, there: set[int]) -> dict[str, str]:
    """Write the plate's frames as the result: no model and no server."""
    record = {"untouched": "nothing is marked here"}
    for number, file in files[Role.PLATE].items():
        if number not in there:
            plate = read_plate(file, number)
            data = plate.layout.data
            write_result(
                folder.frame(number),
                plate,
                np.zeros((data.height, data.width, 3), np.float32),
                np.zeros((data.height, data.width), bool),
                compression=spec.picture.compression,
                extra_metadata=metadata(spec, Role.RESULT, record),
            )
    return record


def _removed(
    spec: JobSpec, files: Files, folder: SegmentFolder, there: set[int], server: str | Connection, tell: Tell
) -> tuple[dict[str, str], dict[int, Signs]]:
    with Client(server, patience_s=PATIENCE_S, name="void farm") as client:
        status = _submitted(client, spec)
        try:
            if status.state is State.RECEIVING:
                client.upload(
                    spec, files, lambda done, of: tell("send", 0.0), lambda why: tell(f"wait: {why}", 0.0)
                )
            status = client.watch(spec.job)
            while True:
                tell(*_how_far(status))
                fetched = [n for n in status.ready.get(Role.RESULT, []) if n not in there]
                for number, _ in client.fetch(spec.job, Role.RESULT, fetched, folder.frame):
                    there.add(number)
                if status.state in ENDED:
                    break
                status = client.watch(spec.job, status.revision, 0.0 if fetched else WATCH_S)
        except (KeyboardInterrupt, SystemExit):
            _cancel(server, spec.job)  # whoever stopped the task wants the node for something else
            raise
        if status.state is State.FAILED:
            raise from_code(status.error_code, status.error)
        if status.state is State.CANCELLED:
            raise UnknownJob(f"somebody cancelled its job {spec.job}: run the task again.")
        signs = client.signs(spec.job)
        client.purge(spec.job)  # a night's frames would fill the node
        return dict(status.record), signs


def _submitted(client: Client, spec: JobSpec) -> JobStatus:
    """The job on the server: one that goes on there, or a new one in place of one that came to nothing."""
    status = client.submit(spec)
    while status.state is State.CANCELLING:
        status = client.watch(spec.job, status.revision, _CANCEL_WATCH_S)
    if status.state in (State.CANCELLED, State.FAILED):
        client.purge(spec.job)
        status = client.submit(spec)
    return status


def _cancel(server: str | Connection, job: str) -> None:
    with (
        contextlib.suppress(VoidError),
        Client(server, patience_s=CANCEL_PATIENCE_S, name="void farm") as client,
    ):
        client.cancel(job)


def _how_far(status: JobStatus) -> tuple[str, float]:
    if status.waits:
        return f"wait: {status.waits}", 0.0
    if status.state is State.QUEUED:
        return f"queue, place {status.queue_place}", 0.0
    if status.stage is None:
        return status.state.value, 1.0 if status.state in ENDED else 0.0
    first, last = _SHARES[status.stage]
    share = status.step / status.steps if status.steps else 0.0
    return f"{status.stage.value} {status.step}/{status.steps}", first + (last - first) * min(1.0, share)
