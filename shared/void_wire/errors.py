"""The one exception tree.

::

    VoidError
    ├─ ShotError        the artist can fix it
    │   ├─ MissingFrames, SizeMismatch, UnsupportedImage, EmptyMatte, StrayMatteValues, BadPixels
    ├─ SettingsError    address, key, path, colour space, config value
    ├─ TransportError   the two sides do not reach or understand each other
    │   ├─ Unreachable, TimedOut, NotAuthorised, ProtocolError, DamagedMessage
    ├─ ServerBusy       queue or disk full: try again later
    ├─ JobError         about one job
    │   ├─ UnknownJob, IllegalTransition, JobFailed
    └─ EngineError      the model or the machine
        ├─ CheckpointError, GpuMemory, WorkerDied

Every class has a stable ``code`` that crosses the wire, a message that is one sentence for the artist with
the next step, and says whether trying again unchanged can help (``retryable``). A job that was cancelled is
in a state, not in error.
"""

from __future__ import annotations

from typing import ClassVar, Dict, Type


class VoidError(Exception):
    """Base of everything a user is told. ``str(error)`` is the whole sentence."""

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False


class ShotError(VoidError):
    """Something about the frames or mattes that the artist can fix."""

    code = "shot"


class MissingFrames(ShotError):
    """Frames of the range are not there."""

    code = "shot.missing_frames"


class SizeMismatch(ShotError):
    """A frame or matte has another size than the rest of the shot."""

    code = "shot.size_mismatch"


class UnsupportedImage(ShotError):
    """A file is no image we read: truncated, empty, another format, odd channels."""

    code = "shot.unsupported_image"


class EmptyMatte(ShotError):
    """Nothing is marked for removal."""

    code = "shot.empty_matte"


class StrayMatteValues(ShotError):
    """A quadmask holds values that are none of its four, or a matte leaves 0..1."""

    code = "shot.stray_matte_values"


class BadPixels(ShotError):
    """NaN or infinite pixels in a plate or matte."""

    code = "shot.bad_pixels"


class SettingsError(VoidError):
    """An address, key, path, colour space or config value is wrong."""

    code = "settings"


class TransportError(VoidError):
    """The two sides do not reach or understand each other."""

    code = "transport"


class Unreachable(TransportError):
    """Nobody answers at the address."""

    code = "transport.unreachable"
    retryable = True


class TimedOut(TransportError):
    """The server was there and stopped answering."""

    code = "transport.timed_out"
    retryable = True


class NotAuthorised(TransportError):
    """The server does not know this key."""

    code = "transport.not_authorised"


class ProtocolError(TransportError):
    """A message is malformed, too large, or of another protocol version."""

    code = "transport.protocol"


class DamagedMessage(ProtocolError):
    """A message is not what was sent; sent again it may arrive whole."""

    code = "transport.damaged"
    retryable = True


class ServerBusy(VoidError):
    """Queue or disk full; the same request may succeed later."""

    code = "server_busy"
    retryable = True


class JobError(VoidError):
    """About one job."""

    code = "job"


class UnknownJob(JobError):
    """The server has no such job."""

    code = "job.unknown"


class IllegalTransition(JobError):
    """The job's state does not allow this."""

    code = "job.illegal_transition"


class JobFailed(JobError):
    """The job ended in a failure that has no class of its own; a bug carries its log id."""

    code = "job.failed"


class EngineError(VoidError):
    """The model or the machine it runs on."""

    code = "engine"


class CheckpointError(EngineError):
    """Weights are missing, incomplete, of another shape, or not safetensors."""

    code = "engine.checkpoint"


class GpuMemory(EngineError):
    """The GPU has not enough memory for this raster and memory mode."""

    code = "engine.gpu_memory"


class WorkerDied(EngineError):
    """The process that owns the GPU ended in the middle of a job."""

    code = "engine.worker_died"
    retryable = True


def _tree(cls: Type[VoidError]) -> Dict[str, Type[VoidError]]:
    found = {cls.code: cls}
    for sub in cls.__subclasses__():
        found.update(_tree(sub))
    return found


def from_code(code: str, sentence: str) -> VoidError:
    """The error that ``code`` stands for; an unknown code becomes a plain VoidError with the same sentence."""
    return _tree(VoidError).get(code, VoidError)(sentence)
