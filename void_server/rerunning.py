"""A job made of the frames that another one has: nothing is uploaded."""

from __future__ import annotations

from void_server.jobs import JobStore
from void_server.room import no_room
from void_wire.errors import MissingFrames, UnknownJob
from void_wire.messages import JobSpec, JobStatus, Role, State


def rerun(store: JobStore, source: str, spec: JobSpec, owner: str) -> JobStatus:
    """Make the job of the frames that ``source`` holds, or find it.

    Where the disk knows no second names of a file the frames are copied, and the call takes as long.

    Raises what `JobStore.submit` raises, UnknownJob, MissingFrames.
    """
    try:
        made = store.state(spec.job) is not State.RECEIVING
    except UnknownJob:
        made = False
    if made:
        return store.submit(spec, owner)
    held = _held(store, source, spec)
    store.submit(spec, owner)
    for role, frame in held:
        try:
            store.folder(spec.job).take_over(store.folder(source), role, frame)
        except FileNotFoundError:
            store.move(spec.job, State.CANCELLED)
            raise _gone(source, role, frame) from None
        except OSError as error:
            raise no_room(error.strerror) from None
    store.add_frames(spec.job, held)
    return store.status(spec.job)


def _held(store: JobStore, job: str, spec: JobSpec) -> dict[tuple[Role, int], str]:
    """The digests of what ``spec`` needs. Raises UnknownJob, MissingFrames when ``job`` lacks one of them."""
    digests = store.digests(job)
    wanted = [(role, frame) for role in spec.roles for frame in spec.frames.numbers()]
    held = {(role, frame): digests.get(role, {}).get(frame, "") for role, frame in wanted}
    lacking = [key for key in wanted if not held[key]]
    if lacking:
        (role, frame), others = lacking[0], len(lacking) - 1
        raise MissingFrames(
            f"Job {job} never received frame {frame} of the {role.label}"
            f"{f' and {others} more' if others else ''}: send the shot with "
            f"void submit --job {job}, or as a new job."
        )
    for role, frame in wanted:
        if not store.folder(job).frame(role, frame).is_file():
            raise _gone(job, role, frame)
    return held


def _gone(job: str, role: Role, frame: int) -> MissingFrames:
    return MissingFrames(
        f"Frame {frame} of the {role.label} of job {job} is gone from the server: send the shot again with void submit."
    )
