"""Whose job is next: owners take turns, one job each, and nobody waits for all of another's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import zip_longest


def in_turn(waiting: Iterable[tuple[str, str]], turns: Mapping[str, int]) -> list[str]:
    """The jobs in the order in which they will be begun, if no other comes.

    Args:
        waiting: job and owner of each, oldest first; an owner's jobs keep that order.
        turns: owner -> when it had its last turn, larger is later; who had none is not in it, and comes first.
    """
    lines: dict[str, list[str]] = {}
    for job, owner in waiting:
        lines.setdefault(owner, []).append(job)
    owners = sorted(lines, key=lambda owner: turns.get(owner, 0))
    return [
        job for each in zip_longest(*(lines[owner] for owner in owners)) for job in each if job is not None
    ]
