"""Time base: the model sees every n-th frame, and the frames between are rebuilt at the plate's rate.

Its physics is that of 12 frames a second; a film plate has 24. A frame between two answers is made of three
things, in this order: outside the hole it is the plate; what stands still in the scene moves as the plate's
background does, which every frame shows; what moves on its own follows its path through up to six answers, so
that a thing in free fall is where it would be, not on the line between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.engine import trajectory
from void_server.engine.camera import background
from void_server.engine.flow import Flow
from void_server.engine.motion import Mask, Pixels, grow, identity, inside, sample
from void_server.engine.own_motion import OwnMotion, own_motion, rigid
from void_server.engine.pyramid import push_pull
from void_server.engine.trajectory import Points
from void_server.progress import Progress, unwatched
from void_wire.messages import Stage

KEEP = 255
EDGE_PX = 2  # a thing's soft edge beyond its own pixels
NEAR_PX = 9
HOLE_MARGIN_PX = 16  # beyond the hole, where things that come and go are still followed
FRONT = 30.0  # of things that meet, the one that stands out more from the background is in front


def sampled(count: int, every: int) -> list[int]:
    """Indices 0, n, 2n, ... of ``count`` frames that the model sees, and always the last."""
    return sorted({*range(0, count, every), count - 1}) if count else []


def rebuild(
    answers: NDArray[np.float32],
    at: Sequence[int],
    plates: NDArray[np.float32],
    quadmasks: NDArray[np.uint8],
    *,
    flow: Flow,
    progress: Progress = unwatched,
) -> Iterator[Pixels]:
    """All frames in order, (h, w, 3) float32 0..1 each, display-referred: answers as they are, and those between.

    Holds a few frames; the four inputs are read one frame at a time and may lie on disk (np.memmap).

    Args:
        answers: (K, h, w, 3) 0..1, what the model made of the frames ``at``.
        at: their indices, rising from 0 to F - 1, as `sampled` gives them.
        plates: (F, h, w, 3) 0..1, every frame of the shot at the raster, encoded as the answers are.
        quadmasks: (F, h, w): 255 where the plate is kept.
        flow: between two frames.
        progress: told every frame of Stage.FILL; may raise Cancelled.
    """
    shot = _Shot(answers, list(at), plates, quadmasks, flow)
    count = len(plates)
    progress(Stage.FILL, 0, count)
    span = 0
    for index in range(count):
        while at[span] < index and at[span + 1] <= index:
            span += 1
        if at[span] == index:
            yield np.asarray(answers[span], np.float32)
        else:
            yield shot.frame(span, index)
        progress(Stage.FILL, index + 1, count)


@dataclass(frozen=True)
class _Span:
    """From one answer to the next, in the pixels of the first."""

    there: Pixels  # (h, w, 2): where its background lies in the next
    own: OwnMotion


class _Shot:
    """Frames between answers, made on demand; remembers the spans around the last one."""

    def __init__(
        self,
        answers: NDArray[np.float32],
        at: list[int],
        plates: NDArray[np.float32],
        quadmasks: NDArray[np.uint8],
        flow: Flow,
    ) -> None:
        self._answers, self._at, self._plates, self._quadmasks, self._flow = (
            answers,
            at,
            plates,
            quadmasks,
            flow,
        )
        self._spans: dict[int, _Span] = {}

    def frame(self, number: int, index: int) -> Pixels:
        """Frame ``index`` between answers ``number`` and ``number`` + 1."""
        plate, hole = self._plate(index), self._hole(index)
        if not hole.any():
            return plate
        share = (index - self._at[number]) / (self._at[number + 1] - self._at[number])
        span = self._span(number)
        to_first, to_second = (self._background(index, self._at[n]) for n in (number, number + 1))
        first = sample(self._answer(number), to_first, cv2.INTER_CUBIC)
        second = sample(self._answer(number + 1), to_second, cv2.INTER_CUBIC)
        hidden = [
            _hidden(mover, to_first) + 3 * ~inside(there, *hole.shape)
            for mover, there in ((span.own.leaving, to_first), (span.own.arriving, to_second))
        ]
        picture = _scenery(first, second, share, *hidden)
        if span.own.leaving.any():
            picture = self._things(picture, number, index, share, to_first)
        return np.where(hole[..., None], np.clip(picture, 0.0, 1.0), plate).astype(np.float32)

    def _things(self, picture: Pixels, number: int, index: int, share: float, to_first: Pixels) -> Pixels:
        """``picture`` (h, w, 3) with what moves on its own laid over it."""
        span = self._span(number)
        here = identity(*to_first.shape[:2])
        answers = self._answer(number), self._answer(number + 1)
        contrast = np.abs(answers[0] - sample(answers[1], span.there)).max(axis=-1)
        layers = []
        for step, mover in ((0, span.own.leaving), (1, span.own.arriving)):
            moved = np.zeros_like(here)
            moved[mover] = trajectory.between(self._path(number, step), self._times(number), float(index))
            moved[mover] -= here[mover]
            for thing in _parts(mover):  # at its rim a thing's path is the least sure
                moved[thing] = rigid(moved, thing)[thing]
            moved = push_pull(moved, mover.astype(np.float32))
            wide = grow(mover, EDGE_PX)
            source = (here, span.there)[step]
            landed = _inverse(to_first, (here + moved)[wide])
            front = np.exp(FRONT * contrast[wide])
            offset, covered = _splat(landed, source[wide] - landed, front, mover.shape)
            alpha = cv2.blur(grow(mover, 1).astype(np.float32), (3, 3))
            if step == 1:
                alpha = sample(alpha, _inverse_map(span.there))
            covered *= (1.0 - share, share)[step]
            layers.append(
                (covered, sample(alpha, here + offset), sample(answers[step], here + offset, cv2.INTER_CUBIC))
            )
        (covered, alpha, colour), (covered_2, alpha_2, colour_2) = layers
        total = np.maximum(covered + covered_2, np.float32(1e-6))
        alpha, alpha_2 = covered * alpha / total, covered_2 * alpha_2 / total
        laid = alpha[..., None] * (colour - picture) + alpha_2[..., None] * (colour_2 - picture)
        return np.asarray(picture + laid, np.float32)

    def _times(self, number: int) -> Points:
        """When the six answers around a span are; those beyond the shot go on at the pace of its ends."""
        around = np.arange(number - trajectory.BEFORE, number + trajectory.SEEN - trajectory.BEFORE)
        known = np.clip(around, 0, len(self._at) - 1)
        return np.asarray(np.take(self._at, known) + (around - known), np.float64)

    def _path(self, number: int, step: int) -> Points:
        """(N, 6, 2): where the things of answer ``number`` + ``step`` are in the six answers around the span.

        All in the pixels of answer ``number`` as if the camera had not moved since. NaN where lost.
        """
        span = self._span(number)
        mover = (span.own.leaving, span.own.arriving)[step]
        start = identity(*mover.shape)[mover].astype(np.float64)
        path = np.full((len(start), trajectory.SEEN, 2), np.nan)
        path[:, trajectory.BEFORE + step] = start
        place = start if step == 0 else _look_up(span.there, start)
        moved, there = np.zeros_like(start), place
        for ahead in range(step, trajectory.SEEN - trajectory.BEFORE - 1):
            if number + ahead + 1 >= len(self._at):
                break
            span = self._span(number + ahead)
            own = _own_step(span.own.forward, span.own.leaving, span.own.changed, there)
            moved, there = moved + own, _look_up(span.there, there + own)
            path[:, trajectory.BEFORE + ahead + 1] = start + _shared(moved, mover)
        moved, there = np.zeros_like(start), place
        for behind in range(step - 1, -trajectory.BEFORE - 1, -1):
            if number + behind < 0:
                break
            span = self._span(number + behind)
            there = _inverse(span.there, there)
            own = _own_step(span.own.backward, span.own.arriving, span.own.changed, there)
            moved, there = moved + own, there + own
            path[:, trajectory.BEFORE + behind] = start + _shared(moved, mover)
        return path

    def _span(self, number: int) -> _Span:
        if number not in self._spans:
            first, second = self._at[number], self._at[number + 1]
            there = self._background(first, second)
            holes = self._hole(first) | (sample(self._hole(second).astype(np.float32), there) > 0)
            brought = sample(self._answer(number + 1), there, cv2.INTER_CUBIC)
            area = grow(holes, HOLE_MARGIN_PX) & inside(there, *holes.shape)
            own = own_motion(self._flow, self._answer(number), brought, area)
            self._spans = {n: span for n, span in self._spans.items() if n > number - trajectory.SEEN}
            self._spans[number] = _Span(there, own)
        return self._spans[number]

    def _background(self, first: int, second: int) -> Pixels:
        """The map from plate ``first`` into plate ``second``, holes included."""
        frames = [(self._plate(index), self._hole(index)) for index in (first, second)]
        (plate, hole), (plate_2, hole_2) = frames
        return background(self._flow, plate, plate_2, hole, hole_2)

    def _answer(self, number: int) -> Pixels:
        return np.asarray(self._answers[number], np.float32)

    def _plate(self, index: int) -> Pixels:
        return np.asarray(self._plates[index], np.float32)

    def _hole(self, index: int) -> Mask:
        return np.asarray(self._quadmasks[index] != KEEP, bool)


def _hidden(mover: Mask, places: Pixels) -> NDArray[np.int64]:
    """How well a thing hides what is behind it at ``places`` (h, w, 2): 0 not, 1 by its soft edge, 2 by itself."""
    areas = grow(mover, EDGE_PX), mover
    return np.asarray(
        np.sum([sample(area.astype(np.float32), places) > 0 for area in areas], axis=0), np.int64
    )


def _scenery(
    first: Pixels,
    second: Pixels,
    share: float,
    hidden_first: NDArray[np.int64],
    hidden_second: NDArray[np.int64],
) -> Pixels:
    """What lies behind the things: both answers where both show it as well, else the one where it is hidden less.

    One answer alone would step in light where the other begins, so the difference between the two is
    continued to where only one is seen.
    """
    both = (hidden_first == 0) & (hidden_second == 0)
    change = push_pull(second - first, both.astype(np.float32))
    from_first, from_second = first + share * change, second - (1.0 - share) * change
    mixed = (1.0 - share) * first + share * second
    chosen = np.sign(hidden_first - hidden_second)[..., None]
    return np.select([chosen < 0, chosen > 0], [from_first, from_second], mixed).astype(np.float32)


def _parts(area: Mask) -> list[Mask]:
    """The connected parts of ``area`` (h, w)."""
    count, labels = cv2.connectedComponents(area.astype(np.uint8))
    return [labels == number for number in range(1, count)]


def _own_step(motion: Pixels, mover: Mask, changed: Mask, places: Points) -> Points:
    """(N, 2): how far what is at ``places`` goes; 0 where nothing changed, NaN where it cannot be told."""
    known = ~np.isnan(places[:, 0])
    step = np.full_like(places, np.nan)
    at = places[known]
    part = _look_up(mover.astype(np.float32)[..., None], at)
    own = _look_up(motion * mover[..., None].astype(np.float32), at) / np.maximum(part, 1e-6)
    rests = _look_up(changed.astype(np.float32)[..., None], at) < 0.5
    step[known] = np.where(part > 0.5, own, np.where(rests, 0.0, np.nan))
    return step


def _shared(moved: Points, mover: Mask) -> Points:
    """``moved`` (N, 2) of the N pixels of ``mover`` (h, w); a lost pixel goes with those near it, if most know."""
    known = np.zeros(mover.shape, np.float32)
    known[mover] = ~np.isnan(moved[:, 0])
    field = np.zeros((*mover.shape, 2), np.float32)
    field[mover] = np.nan_to_num(moved)
    part = [cv2.blur(one, (NEAR_PX, NEAR_PX))[mover] for one in (known, mover.astype(np.float32))]
    near = cv2.blur(field, (NEAR_PX, NEAR_PX))[mover] / np.maximum(part[0], 1e-6)[:, None]
    near[part[0] < 0.5 * part[1]] = np.nan
    return np.where(known[mover][:, None] > 0, moved, near)


def _look_up(picture: Pixels, places: Points) -> Points:
    """``picture`` (h, w, C) at ``places`` (N, 2): (N, C). NaN where a place is."""
    known = ~np.isnan(places[:, 0])
    found = np.full((len(places), picture.shape[-1]), np.nan)
    if known.any():
        found[known] = _columns(picture, places[known])
    return found


def _columns(picture: Pixels, places: Points) -> Pixels:
    """As `_look_up`, in rows that OpenCV takes: it wants fewer than 32768 in one."""
    wide = places.astype(np.float32)
    parts = [sample(picture, wide[None, i : i + 16384])[0] for i in range(0, len(wide), 16384)]
    return np.concatenate(parts)


def _inverse(there: Pixels, places: Points) -> Points:
    """(N, 2): what the smooth map ``there`` (h, w, 2) brings to ``places`` (N, 2)."""
    displacement = there - identity(*there.shape[:2])
    found = places
    for _ in range(6):
        found = places - _look_up(displacement, found)
    return found


def _inverse_map(there: Pixels) -> Pixels:
    """The whole inverse of a smooth map (h, w, 2)."""
    here = identity(*there.shape[:2])
    displacement, found = there - here, here
    for _ in range(6):
        found = here - sample(displacement, found)
    return found


def _splat(
    places: Points,
    values: Points,
    weight: Points,
    size: tuple[int, int],
) -> tuple[Pixels, Pixels]:
    """``values`` (N, 2) put down at ``places`` (N, 2): a mean by weight, (h, w, 2), and where any came, (h, w)."""
    height, width = size
    corner = np.floor(places).astype(np.int64)
    part = places - corner
    sums = np.zeros((3, height * width))
    for x, y in ((0, 0), (1, 0), (0, 1), (1, 1)):
        column, row = corner[:, 0] + x, corner[:, 1] + y
        on = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        share = np.abs(1 - x - part[:, 0]) * np.abs(1 - y - part[:, 1]) * weight
        cell = (row * width + column)[on]
        for layer, value in enumerate((values[:, 0], values[:, 1], np.ones(len(values)))):
            sums[layer] += np.bincount(cell, (share * value)[on], minlength=height * width)
    total = sums[2].reshape(size)
    covered = total > 1e-6
    mean = sums[:2].reshape(2, *size) / np.where(covered, total, 1.0)
    return np.moveaxis(mean, 0, -1).astype(np.float32), covered.astype(np.float32)
