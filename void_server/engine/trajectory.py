"""Where a thing is between two moments at which it was seen, from where it was at the moments around them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.floating[Any]]

SEEN = 6
"""Moments of a path, in order: three up to the one before, three from the one after."""
BEFORE, AFTER = 2, 3
AGREE_PX, AGREE_SHARE = 0.5, 0.25  # two parabolas are one motion when halfway they are this near each other
MEET_PX, MEET_SHARE = 1.0, 0.1  # two paths meet when they come this near, in px and of the way between
REST_PX = (
    0.3  # from one moment to the next: less is not told from rest, and would grow where a path is gone on
)
INSTANTS = 65  # at which two paths are compared


def between(places: Points, times: Points, time: float) -> Points:
    """(N, 2), where N things are at ``time``.

    A thing in free fall is on a parabola, so that a straight line between two moments dt apart is off by
    acceleration * dt^2 / 8. The parabola through both and one more moment is taken: the mix of the earlier and
    the later one where they are the same motion; the one that its own side bears out where they are not; where
    neither is, the thing hit something: its path from before goes on until it meets the one from after.
    Where that is not so either, or too little was seen, the line.

    Args:
        places: (N, 6, 2) in px, at six moments; NaN where not seen. [2] and [3] must have been seen.
        times: (6,) those moments, rising.
        time: between times[2] and times[3].
    """
    share = (time - times[BEFORE]) / (times[AFTER] - times[BEFORE])
    line = (1.0 - share) * places[:, BEFORE] + share * places[:, AFTER]
    # Bends: acceleration / 2 of the parabola through three moments in a row, NaN where one was not seen.
    bends = np.stack([_bend(places[:, i : i + 3], times[i : i + 3]) for i in range(SEEN - 2)], axis=1)
    bow = 0.25 * (times[AFTER] - times[BEFORE]) ** 2
    earliest, earlier, later, latest = np.moveaxis(bends, 1, 0)
    one = _agree(earlier, later, bow)
    from_before = (
        ~one & _known(earlier) & (_agree(earliest, earlier, bow) | ~(_known(later) | _known(earliest)))
    )
    from_after = ~one & ~from_before & _known(later)
    from_after &= _agree(later, latest, bow) | ~(_known(earlier) | _known(latest))
    bend = np.zeros_like(line)
    bend[one] = ((1.0 - share) * earlier + share * later)[one]
    bend[from_before] = earlier[from_before]
    bend[from_after] = later[from_after]
    where = line + bend * ((time - times[BEFORE]) * (time - times[AFTER]))
    unsolved = ~(one | from_before | from_after)
    if unsolved.any():
        where[unsolved] = _after_a_hit(places[unsolved], times, time, where[unsolved])
    return np.asarray(where)


def _after_a_hit(places: Points, times: Points, time: float, otherwise: Points) -> Points:
    """The path from before until it meets the path from after, then that; ``otherwise`` where they never meet."""
    instants = np.linspace(times[BEFORE], times[AFTER], INSTANTS)
    came = _goes_on(places[:, BEFORE::-1], times[BEFORE::-1], np.append(instants, time))
    went = _goes_on(places[:, AFTER:], times[AFTER:], np.append(instants, time))
    gaps = np.linalg.norm(came[:, :-1] - went[:, :-1], axis=-1)
    nearest = np.argmin(np.where(np.isnan(gaps), np.inf, gaps), axis=1)
    least = gaps[np.arange(len(gaps)), nearest]
    way = np.linalg.norm(places[:, AFTER] - places[:, BEFORE], axis=-1)
    met = least < MEET_PX + MEET_SHARE * way
    path = np.where((time <= instants[nearest])[:, None], came[:, -1], went[:, -1])
    return np.asarray(np.where(met[:, None], path, otherwise))


def _goes_on(places: Points, times: Points, at: Points) -> Points:
    """(N, T, 2): the parabola through three moments, or the line through the first two, at other times."""
    first, second = places[:, 0, None], places[:, 1, None]
    steps = np.nan_to_num(np.linalg.norm(np.diff(places, axis=1), axis=-1))
    moves = np.asarray((steps >= REST_PX).any(axis=1), np.float64)[:, None, None]
    line = first + moves * (second - first) * ((at - times[0]) / (times[1] - times[0]))[None, :, None]
    bend = moves * np.nan_to_num(_bend(places, times))[:, None]
    return np.asarray(line + bend * ((at - times[0]) * (at - times[1]))[None, :, None])


def _bend(places: Points, times: Points) -> Points:
    """Second divided difference of (N, 3, 2)."""
    slopes = np.diff(places, axis=1) / np.diff(times)[:, None]
    return np.asarray((slopes[:, 1] - slopes[:, 0]) / (times[2] - times[0]))


def _known(bend: Points) -> NDArray[np.bool_]:
    return np.asarray(~np.isnan(bend[:, 0]))


def _agree(one: Points, other: Points, bow: float) -> NDArray[np.bool_]:
    """Whether two bends put the middle of the way at the same place; False where one is not known."""
    apart = bow * np.linalg.norm(one - other, axis=-1)
    size = 0.5 * bow * (np.linalg.norm(one, axis=-1) + np.linalg.norm(other, axis=-1))
    return np.asarray(apart < AGREE_PX + AGREE_SHARE * size)
