"""Which frame is which: the numbers of a clip's comp and those of the clip's own frames, both ways. Pure.

The Fusion page counts a clip's comp from its own beginning, so its numbers change when the edit is trimmed. A job is
numbered as the clip's file counts, which does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple


@dataclass(frozen=True)
class ClipRange:
    """What a timeline says of a clip, in frames; handles are what lies beyond either end of the cut."""

    source_first: int
    source_last: int
    duration: int  # on the timeline
    left: int  # handle before the cut
    right: int  # handle after it

    def one_for_one(self) -> bool:
        """Whether each frame of the timeline is one of the file. Of the last it is not written whether it counts."""
        return self.source_last - self.source_first in (self.duration - 1, self.duration)


@dataclass(frozen=True)
class CompRange:
    """What a comp says of itself, in its own frames. The render range is what the edit shows."""

    first: int
    last: int
    render_first: int
    render_last: int


@dataclass(frozen=True)
class Timing:
    """Comp frames to job frames: ``job = comp + shift``. What may be asked for is ``first`` to ``last`` of the comp."""

    shift: int
    first: int
    last: int
    render_first: int
    render_last: int
    retimed: bool = False  # the clip runs at another speed, so the comp's own numbers were kept

    def to_job(self, frame: int) -> int:
        """Number of the comp -> number of the job and its files."""
        return frame + self.shift

    def to_comp(self, number: int) -> int:
        """The inverse."""
        return number - self.shift

    def wanted(self, first: int, last: int) -> Tuple[int, int]:
        """The typed range, or the render range while ``last`` lies before ``first``."""
        return (first, last) if first <= last else (self.render_first, self.render_last)


def timing(comp: CompRange, clip: Optional[ClipRange]) -> Timing:
    """How the frames of ``comp`` are numbered; ``clip`` is None in standalone Fusion and for a comp without a clip.

    A clip whose frames are not shown one for one (retimed, or of another rate than the timeline's) keeps the comp's
    numbers: there is no frame of the file for each of the comp's.
    """
    if clip is None:
        return Timing(0, comp.first, comp.last, comp.render_first, comp.render_last)
    if not clip.one_for_one():
        return Timing(0, comp.first, comp.last, comp.render_first, comp.render_last, retimed=True)
    shift = clip.source_first - comp.render_first
    first = max(comp.first, comp.render_first - clip.left)
    last = min(comp.last, comp.render_last + clip.right)
    return Timing(shift, first, last, comp.render_first, comp.render_last)
