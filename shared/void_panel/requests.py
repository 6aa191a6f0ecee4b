"""What the panel asks of its threads."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Callable, Optional, Tuple, Union

from void_panel.pictures import Look


class Change(Enum):
    """What is different when a job is done again; the value is how the menu says it."""

    NOTHING = "As it was"
    SEED = "With another seed"
    FULL = "In full"


@dataclass(frozen=True)
class CancelJob:
    """Stop it at its next step."""

    job: str


@dataclass(frozen=True)
class Again:
    """Do it again, of the frames the server has."""

    job: str
    change: Change


@dataclass(frozen=True)
class Show:
    """Report what is known of this job from now on; None: of none."""

    job: Optional[str]


@dataclass(frozen=True)
class Bring:
    """Bring these frames of the result home."""

    job: str
    shot: str
    frames: Tuple[int, ...]
    target: Callable[[int], Path]


@dataclass(frozen=True)
class See:
    """A picture of this frame, in place of any asked for before; None: of none."""

    look: Optional[Look]


ControlRequest = Union[CancelJob, Again, Show]
FrameRequest = Union[Bring, See]
