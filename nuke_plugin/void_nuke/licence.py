"""What the licence of a Nuke means for a removal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple


@dataclass(frozen=True)
class Licence:
    """One of the kinds below."""

    key: str  # of ``nuke.env``, true under it
    nuke: str  # its name in a sentence
    script: str  # the ending of its scripts
    encrypted: bool  # no other licence opens them
    background: Tuple[str, ...] = ()  # what a Nuke in the background is started with

    @property
    def has_background(self) -> bool:
        """Whether a Nuke may be started to render a copy of the script. Whether that works is seen then."""
        return self is not NON_COMMERCIAL


COMMERCIAL = Licence("", "Nuke", ".nk", encrypted=False)
INDIE = Licence("indie", "Nuke Indie", ".nkind", encrypted=True, background=("-i", "--indie"))
NON_COMMERCIAL = Licence("nc", "Nuke Non-commercial", ".nknc", encrypted=True)
