"""Pictures of frames: asked for by frame, made outside, since a host may have nothing that reads EXR."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from void_wire.messages import Role

WIDTH_PX = 640
"""Of a picture, at most."""


@dataclass(frozen=True)
class Picture:
    """A small picture, 8 bits a channel, as a display shows it."""

    width: int
    height: int
    rgb: bytes = field(repr=False)  # rows from the top, three bytes a pixel, nothing between rows

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1 or len(self.rgb) != self.width * self.height * 3:
            raise ValueError(f"{len(self.rgb)} bytes are no picture of {self.width}x{self.height}.")


class Thumbnailer(Protocol):
    """Makes a Picture of a frame. Called on a thread that is not the panel's."""

    def __call__(self, path: Path, frame: int, colorspace: str) -> Picture:
        """A picture at most `WIDTH_PX` wide of the EXR at ``path``, whose values are in ``colorspace``.

        Raises VoidError when none can be made; the sentence is shown in its place.
        """
        ...


@dataclass(frozen=True)
class Look:
    """One frame somebody wants to see."""

    job: str
    role: Role  # Role.RESULT or Role.PASS1
    frame: int
    colorspace: str


@dataclass(frozen=True)
class Pair:
    """A frame before and after."""

    made: Picture
    plate: Picture
