"""The folder of one job: the only place that knows where a frame's file lies."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from void_wire.files import PART_SUFFIX
from void_wire.messages import THUMBNAILS, Role

LISTED_ROLES = (Role.RESULT, Role.PASS1, Role.OVERLAY)
"""The sequences that the worker writes and a job's status lists."""

MADE_ROLES = (*LISTED_ROLES, *THUMBNAILS.values())
"""All that the worker writes; all others are received."""

_MILESTONES = "milestones"
_PNG = (Role.OVERLAY, *THUMBNAILS.values())


@dataclass(frozen=True)
class JobFolder:
    """``path/<role>/<frame>.exr``."""

    path: Path

    def make(self, roles: Iterable[Role]) -> None:
        """Make the folders of ``roles``, for this user alone."""
        self.path.mkdir(exist_ok=True, mode=0o700)
        for role in roles:
            (self.path / role.value).mkdir(exist_ok=True, mode=0o700)

    def frame(self, role: Role, frame: int) -> Path:
        """The file of one frame number."""
        return self.path / role.value / f"{frame}.{'png' if role in _PNG else 'exr'}"

    def milestones(self, first: int) -> Path:
        """Where the model leaves how far it has come with the segment that begins at index ``first``."""
        return self.path / _MILESTONES / str(first)

    def begun(self) -> bool:
        """Whether the model has left anything to go on from."""
        return (self.path / _MILESTONES).exists()

    def forget_milestones(self) -> None:
        """The job needs them no more."""
        shutil.rmtree(self.path / _MILESTONES, ignore_errors=True)

    def take_over(self, other: JobFolder, role: Role, frame: int) -> None:
        """Have a frame of ``other`` here too, as a second name of the file; as a copy where there are no such names.

        Raises OSError, FileNotFoundError when ``other`` has it no more.
        """
        source, target = other.frame(role, frame), self.frame(role, frame)
        part = target.with_name(target.name + PART_SUFFIX)
        part.unlink(missing_ok=True)
        try:
            os.link(source, part)
        except FileNotFoundError:
            raise
        except OSError:
            shutil.copyfile(source, part)
            with part.open("rb+") as file:
                os.fsync(file.fileno())
        part.replace(target)
        part.unlink(missing_ok=True)  # two names of one file: a replace leaves both
