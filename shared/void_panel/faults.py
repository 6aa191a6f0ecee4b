"""Frames worth a look, in words: what the wire's signs say of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Mapping, Sequence

from void_wire.messages import WORTH_A_LOOK, Signs


@dataclass(frozen=True)
class Fault:
    """One frame that stands out."""

    frame: int
    badness: float  # the largest of its signs over that sign's limit, above 1
    words: str  # which of them, worst first: ``seam 4.1 %, flicker 3.4``


def faults(signs: Mapping[int, Signs]) -> List[Fault]:
    """The frames that stand out, worst first."""
    found = []
    for frame, sign in signs.items():
        over = sorted(
            (
                (value / limit, name)
                for name, limit in WORTH_A_LOOK.items()
                if (value := _of(sign, name)) > limit
            ),
            reverse=True,
        )
        if over:
            words = ", ".join(f"{name} {_figure(name, _of(sign, name))}" for _, name in over)
            found.append(Fault(frame, over[0][0], words))
    return sorted(found, key=lambda fault: (-fault.badness, fault.frame))


def verdict(judged: int, found: Sequence[Fault], most: int = 3) -> str:
    """A job's faults among ``judged`` frames in a sentence; "" while there is none."""
    if not judged:
        return ""
    if not found:
        return f"No frame stands out among {judged} judged."
    named = "; ".join(f"{fault.frame} {fault.words}" for fault in found[:most])
    others = f"; and {len(found) - most} more" if len(found) > most else ""
    return f"Worth a look: {named}{others}"


def _of(signs: Signs, name: str) -> float:
    return getattr(signs, name) or 0.0


def _figure(name: str, value: float) -> str:
    return f"{value:.1f}" if name == "flicker" else f"{value * 100:.1f} %"
