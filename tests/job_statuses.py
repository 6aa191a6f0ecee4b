"""Jobs as a server tells of them, for tests without one."""

from dataclasses import replace

from void_wire.messages import FrameRange, JobSpec, JobStatus, PictureSettings, Role, State, VoidSettings

FRAMES = FrameRange(1001, 1004)
ROLES = (Role.PLATE, Role.REMOVE)


def status(number: int = 0, state: State = State.QUEUED, **known: object) -> JobStatus:
    plain = JobStatus(f"job-{number:05d}", f"shot_{number:03d}", "void", 1, state, FRAMES, 8, 8)
    return replace(plain, **known)  # type: ignore[arg-type]


def spec(of: JobStatus, *, preview: bool = False) -> JobSpec:
    void = VoidSettings(preview=preview) if of.engine == "void" else None
    picture = PictureSettings(colorspace="lin_rec709")
    return JobSpec(of.job, of.shot, of.engine, of.frames, ROLES, "a room", picture, void)
