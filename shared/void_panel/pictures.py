"""Pictures of frames, as the server makes them: nothing here reads EXR."""

from __future__ import annotations

from dataclasses import dataclass, field

from void_wire.messages import Role


@dataclass(frozen=True)
class Look:
    """One frame somebody wants to see."""

    job: str
    role: Role  # Role.RESULT or Role.PASS1
    frame: int


@dataclass(frozen=True)
class Picture:
    """A frame before and after: the server's thumbnail."""

    png: bytes = field(repr=False)  # the plate is its left half, what was made its right one
