"""What a shot is made of: sequences and frame numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import List

from void_wire.errors import SettingsError
from void_wire.messages.limits import MAX_FRAMES, MAX_NUMBER

_RANGE = re.compile(r"(-?\d{1,9})(?:-(-?\d{1,9})(?:x(\d{1,9}))?)?", re.ASCII)


class Role(str, Enum):
    """What a sequence of frames is to its shot."""

    PLATE = "plate"
    QUADMASK = "quadmask"  # ready-made, one channel: 0 remove, 63 overlap, 127 affected, 255 keep
    MATTES = "mattes"  # one EXR with two raw mattes: channel R remove, G affected
    REMOVE = "remove"  # remove matte alone, 0..1
    AFFECTED = "affected"  # affected matte alone, 0..1
    RESULT = "result"
    PASS1 = "pass1"  # Pass 1's result, there while Pass 2 runs
    OVERLAY = "overlay"  # PNG: the plate tinted with the quadmask exactly as the engine gets it
    RESULT_THUMBNAIL = (
        "result_thumbnail"  # PNG: plate and result side by side, small, as a display shows them
    )
    PASS1_THUMBNAIL = "pass1_thumbnail"  # PNG: the same of Pass 1's result

    @property
    def label(self) -> str:
        """The role in a sentence: ``remove matte``."""
        return f"{self.value} matte" if self in (Role.REMOVE, Role.AFFECTED) else self.value.replace("_", " ")


SENT_ROLES = (
    (Role.PLATE, Role.QUADMASK),
    (Role.PLATE, Role.MATTES),
    (Role.PLATE, Role.REMOVE),
    (Role.PLATE, Role.REMOVE, Role.AFFECTED),
)
"""The combinations of sequences a job can be made of."""

THUMBNAILS = {Role.RESULT: Role.RESULT_THUMBNAIL, Role.PASS1: Role.PASS1_THUMBNAIL}
"""A sequence -> its thumbnails. A frame that is ready has its thumbnail, so those are not listed as ready."""


@dataclass(frozen=True)
class FrameRange:
    """Frame numbers ``first``..``last`` inclusive, every ``step``-th."""

    first: int
    last: int
    step: int = 1

    def __post_init__(self) -> None:
        if self.step < 1 or self.last < self.first:
            raise SettingsError(
                f"Range {self} holds no frames: give it as first-last, for example 1001-1046."
            )
        if not -MAX_NUMBER <= self.first <= self.last <= MAX_NUMBER:
            raise SettingsError(f"Range {self} leaves the frame numbers there are, up to {MAX_NUMBER}.")
        if len(self) > MAX_FRAMES:
            raise SettingsError(
                f"Range {self} holds {len(self)} frames; one job takes {MAX_FRAMES}. Split the shot."
            )

    @classmethod
    def of_text(cls, text: str, name: str = "Range") -> "FrameRange":
        """``1001-1046``, ``1001-1046x2`` or ``1001``; ``name`` is what it is called. Raises SettingsError."""
        match = _RANGE.fullmatch(text.strip())
        if not match:
            raise SettingsError(
                f"{name} {text!r} is no range: write 1001-1046, or 1001-1046x2 for every second frame."
            )
        first, last, step = match.groups()
        return cls(int(first), int(last if last is not None else first), int(step or 1))

    def __len__(self) -> int:
        return (self.last - self.first) // self.step + 1

    def __str__(self) -> str:
        return f"{self.first}-{self.last}" + (f"x{self.step}" if self.step != 1 else "")

    def numbers(self) -> List[int]:
        """The frame numbers in order."""
        return list(range(self.first, self.last + 1, self.step))
