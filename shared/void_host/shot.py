"""One removal as an artist asked for it; after it is made nothing is read from the host again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

from void_wire.messages import JobSpec


@dataclass(frozen=True)
class Shot:
    """What is removed, where it is made and where it goes."""

    owner: str  # what asked for it, by its full name in the host: a node, a clip
    server: str  # full address
    output: str  # path of the result with a place for the frame's number
    version: int  # of the result, as it stands in the path
    spec: JobSpec
    view: str = ""  # of a script with several; "": it has one
    size: Optional[Tuple[int, int]] = None  # width and height of the plate; None where nobody needs it
