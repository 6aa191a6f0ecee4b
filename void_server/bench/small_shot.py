"""A small shot on disk, for servers that are tried and not looked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from void_server.frames.exr import write_frame
from void_server.frames.geometry import Box
from void_wire.messages import FrameRange, JobSpec, PictureSettings, Role, VoidSettings

METADATA: dict[str, str | float] = {"nuke/node": "vfx", "framesPerSecond": 24.0}


@dataclass(frozen=True)
class ShotOnDisk:
    """Plate, remove and affected matte of a small shot, and the job that asks for it."""

    folder: Path
    frames: FrameRange

    def pattern(self, role: Role) -> str:
        """As a command line names the sequence."""
        return str(self.folder / f"{role.value}.%04d.exr")

    def path(self, role: Role, frame: int) -> Path:
        """The file of one frame number."""
        return self.folder / f"{role.value}.{frame:04d}.exr"

    @property
    def files(self) -> dict[Role, dict[int, Path]]:
        """Every file, as `Client.upload` takes them."""
        roles = (Role.PLATE, Role.REMOVE, Role.AFFECTED)
        return {role: {n: self.path(role, n) for n in self.frames.numbers()} for role in roles}

    def spec(self, job: str, void: VoidSettings | None = None, **picture: object) -> JobSpec:
        """A job of engine draft, or with ``void`` of that engine, whose answers then come back as they are."""
        if void is not None:
            picture = {"detail": "raw", **picture}
        return JobSpec(
            job=job,
            shot="shot",
            engine="draft" if void is None else "void",
            frames=self.frames,
            roles=(Role.PLATE, Role.REMOVE, Role.AFFECTED),
            prompt="an empty room",
            picture=PictureSettings(colorspace="lin_rec709", **picture),  # type: ignore[arg-type]
            void=void,
        )


def make_shot(
    folder: Path,
    frames: int = 6,
    size: tuple[int, int] = (64, 96),
    seed: int = 0,
    metadata: dict[str, str | float] = METADATA,
) -> ShotOnDisk:
    """A textured plate, scene-linear, with a depth channel, and a square that wanders through it.

    Its data window is smaller than its display window, which is ``size`` (height, width). Frames begin at 1001.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shot = ShotOnDisk(folder, FrameRange(1001, 1000 + frames))
    random = np.random.default_rng(seed)
    height, width = size
    texture = random.random((height, width, 3)) * 0.5 + 0.1
    inset = 4 if min(size) > 16 else 0
    for index, frame in enumerate(shot.frames.numbers()):
        plate, matte = texture.copy(), np.zeros(size, np.float16)
        x = width // 4 + index * max(1, width // 48)
        box = np.s_[height // 3 : 2 * height // 3, x : x + width // 6]
        plate[box], matte[box] = (4.0, 0.2, 0.1), 1.0
        depth = random.random((height, width, 1)) * 100
        pixels = np.concatenate([plate, depth], axis=2)[inset:, inset:].astype(np.float16)
        write_frame(
            shot.path(Role.PLATE, frame),
            frame,
            pixels,
            ("R", "G", "B", "Z"),
            display=Box(0, 0, width, height),
            origin=(inset, inset),
            metadata=metadata,
        )
        write_frame(shot.path(Role.REMOVE, frame), frame, matte[..., None], "A")
        shadow = np.roll(matte, height // 4, axis=0)
        write_frame(shot.path(Role.AFFECTED, frame), frame, shadow[..., None], "A")
    return shot
