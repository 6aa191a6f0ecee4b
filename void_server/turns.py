"""Whose job is next: owners take turns, one job each, and nobody waits for all of another's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import zip_longest


def in_turn(
    waiting: Iterable[tuple[str, str]],
    turns: Mapping[str, int],
    priority: Callable[[str], int] = lambda owner: 0,
) -> list[str]:
    """The jobs in the order in which they will be begun, if no other comes.

    Args:
        waiting: job and owner of each, oldest first; an owner's jobs keep that order.
        turns: owner -> when it had its last turn, larger is later; who had none is not in it, and comes first.
        priority: of an owner. All jobs of a higher one come before any of a lower; equals take turns.
    """
    lines: dict[str, list[str]] = {}
    for job, owner in waiting:
        lines.setdefault(owner, []).append(job)
    ranks: dict[int, list[str]] = {}
    for owner in sorted(lines, key=lambda owner: turns.get(owner, 0)):
        ranks.setdefault(priority(owner), []).append(owner)
    return [
        job
        for rank in sorted(ranks, reverse=True)
        for each in zip_longest(*(lines[owner] for owner in ranks[rank]))
        for job in each
        if job is not None
    ]
