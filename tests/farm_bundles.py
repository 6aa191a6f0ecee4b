"""Small plans and bundles, written as a wrangler does."""

from pathlib import Path

from real_shots import ShotOnDisk

from void_farm import plan as plans
from void_farm.plan import Plan, Segment, Shot
from void_wire.messages import FrameRange, JobSpec, PictureSettings, Role

TINY = {
    "engine": "void", "prompt": "an empty room", "raster": "48x64", "steps": "1", "window": "21",
    "warped-noise": "corrected", "detail": "raw", "regrain": "no",
}  # fmt: skip
"""Options of a job for the tiny model."""


def planned_shot(
    name: str = "a",
    segments: tuple[FrameRange, ...] = (FrameRange(1001, 1012), FrameRange(1009, 1020)),
) -> Shot:
    """A shot of a plan, 1001-1020, of files that are not there."""
    frames = FrameRange(1001, 1020)
    spec = JobSpec(f"{name}-12345678", name, "draft", frames, (Role.PLATE, Role.REMOVE))
    picture = PictureSettings()
    inputs = {Role.PLATE: "/shots/plate.%04d.exr", Role.REMOVE: "remove.%04d.exr"}
    digests = {Role.PLATE: tuple(f"{frame:032d}" for frame in frames.numbers())}
    return Shot(spec, inputs, digests, "r.%04d.exr", tuple(Segment(one, frames, picture) for one in segments))


def row(shot: ShotOnDisk, name: str, **options: str) -> dict[str, str]:
    """A line of a table: engine draft, unless options say otherwise."""
    files = {role: str(shot.folder / f"{role}.%04d.exr") for role in ("plate", "remove", "affected")}
    return {"shot": name, "engine": "draft", "colorspace": "lin_rec709", **files, **options}


def table(path: Path, rows: list[dict[str, str]]) -> Path:
    """Lines of options as a file."""
    names = list(dict.fromkeys(name for one in rows for name in one))
    lines = [names, *([one.get(name, "") for name in names] for one in rows)]
    path.write_text("\n".join(",".join(f'"{cell}"' for cell in line) for line in lines) + "\n")
    return path


def read_plan(bundle: Path) -> Plan:
    return plans.read(bundle / plans.NAME)
