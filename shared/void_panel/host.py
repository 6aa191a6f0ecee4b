"""What a host does for the panel. Without one the panel opens by itself, as ``void panel``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional


@dataclass(frozen=True)
class Host:
    """Both are called on the panel's thread, the host's main one."""

    reveal: Callable[[str], bool]
    """Show the node that made the job with this id; False when no node here did."""

    target: Callable[[str], Optional[Callable[[int], Path]]]
    """Frame number to file of the job with this id, where its node wants the result; None: the artist is asked."""
