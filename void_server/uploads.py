"""Frames arriving: checked, made durable, then acknowledged."""

from __future__ import annotations

from void_server.own_jobs import OwnJobs
from void_server.room import no_room
from void_wire import codec
from void_wire.errors import IllegalTransition, ProtocolError, ServerBusy, VoidError
from void_wire.files import write_whole
from void_wire.messages import FrameAck, FrameHeader, FrameRange, FrameRefused, State


class Uploads:
    """Takes frames into the store.

    Args:
        jobs: those that the sender may send frames of.
        max_frame_bytes: larger frames are refused.
    """

    def __init__(self, jobs: OwnJobs, max_frame_bytes: int) -> None:
        self._jobs = jobs
        self._max_frame_bytes = max_frame_bytes

    def take(self, header: FrameHeader, payload: memoryview) -> FrameAck | FrameRefused:
        """Write the frame and acknowledge it, or refuse it with the reason; one held already is acknowledged.

        Where there is no room for it the job waits, and tells when there is.
        """
        try:
            self._take(header, payload)
        except VoidError as error:
            if isinstance(error, ServerBusy):
                self._jobs.hold(header.job, str(error), len(payload))
            return FrameRefused(header.job, header.role, header.frame, error.code, str(error))
        return FrameAck(header.job, header.role, header.frame)

    def _take(self, header: FrameHeader, payload: memoryview) -> None:
        spec = self._jobs.spec(header.job)
        name = f"Frame {header.frame} of the {header.role.label}"
        if header.role not in spec.roles or not _asked_for(spec.frames, header.frame):
            raise ProtocolError(f"{name} is no part of job {header.job} ({spec.frames}).")
        if not len(payload) == header.size_bytes <= self._max_frame_bytes:
            raise ProtocolError(
                f"{name} came with {len(payload)} bytes where its header says {header.size_bytes} and the limit is "
                f"{self._max_frame_bytes}."
            )
        if codec.digest(payload) != header.digest:
            raise ProtocolError(f"{name} was damaged on the way: send it again.")
        if self._jobs.digest(header.job, header.role, header.frame) == header.digest:
            return
        state = self._jobs.state(header.job)
        if state is not State.RECEIVING:
            raise IllegalTransition(f"Job {header.job} is {state.value}: it takes no more frames.")
        self._jobs.check_room(len(payload))
        try:
            write_whole(self._jobs.folder(header.job).frame(header.role, header.frame), payload)
        except OSError as error:
            raise no_room(error.strerror) from None
        self._jobs.add_frame(header.job, header.role, header.frame, header.digest)


def _asked_for(frames: FrameRange, frame: int) -> bool:
    return frame in range(frames.first, frames.last + 1, frames.step)
