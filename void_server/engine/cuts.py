"""Where one shot ends and the next begins, inside a range of frames.

Two frames are of one shot if a camera could have gone from the one to the other in the time between them: brought
onto each other they show the same structure, and the way is no further than the camera goes around that moment.
Structure is judged after light is taken out, so that flashes, exposure and lamps do not count. A new shot begins
where no frame before is of one shot with any frame after, while each side holds together; so a flash is bridged by
the frames around it, a whip pan that is nothing but blur does not hold together, and a dissolve has no such place.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

from void_server.engine.camera import camera_motion
from void_server.engine.motion import Mask, Pixels, grow, identity, inside, sample
from void_server.engine.proxy import Tone

WIDTH_PX = 96
SIDE = 3  # frames on each side of a cut that are asked
APART = 4  # frames further apart are not compared
HOLDS = 0.3  # least correlation of structure that makes frames a shot
ALIKE = 0.6  # of the correlation around it, which grain lowers: less is another shot
JUMP = 0.05  # of the width: this much further than around that moment a camera may go
NEAR_PX = 3.0  # structure is what differs from its surroundings: Gaussian
FAINT = 0.012  # of 0..1: less structure than this is grain
WHITE = 0.99  # this and above tells nothing
OVERLAP = 0.25  # share of what is known that both must show
LEAST_KNOWN = 0.04  # share of the picture: from less nothing can be told


class Cuts:
    """Finds cuts while frames come by. Holds a few small pictures."""

    def __init__(self) -> None:
        self._seen = 0
        self._tone: Tone | None = None
        self._recent: deque[_Look] = deque(maxlen=2 * SIDE)
        self._links: dict[tuple[int, int], _Link] = {}  # among the recent
        self._doubtful: list[int] = []  # where it takes the frames after to tell
        self._cuts: list[int] = []

    def see_plate(self, plate: Pixels, marked: Pixels) -> None:
        """Take the next frame: (H, W, 3) in a plate's own values, of any encoding, and (H, W) of its mattes."""
        self._tone = self._tone or Tone.of(plate)
        self.see(self._tone.encode(plate), marked)

    def see(self, picture: Pixels, hole: Mask | Pixels | None = None) -> None:
        """Take the next frame.

        Args:
            picture: (H, W, 3), 0..1, display-referred; of any size, the same for all frames.
            hole: (H, W), above 0 where what moves says nothing of the shot.
        """
        index = self._seen
        self._recent.append(_look(picture, hole))
        self._seen += 1
        if index and not self._link(index - 1, index).within(ALIKE, JUMP * WIDTH_PX):
            self._doubtful.append(index)
        if self._doubtful and self._doubtful[0] + SIDE == self._seen:
            doubtful = self._doubtful.pop(0)
            self._cuts += [doubtful] if self._begins(doubtful) else []
        oldest = self._seen - 2 * SIDE
        self._links = {pair: link for pair, link in self._links.items() if pair[0] > oldest}

    @property
    def found(self) -> list[int]:
        """Indices at which a new shot begins, rising, of the frames seen so far; 0 is not named.

        About the last ``SIDE`` - 1 frames it may change its mind when more are seen.
        """
        return self._cuts + [index for index in self._doubtful if self._begins(index)]

    def _begins(self, index: int) -> bool:
        before = range(index - 1, max(index - 1 - SIDE, -1), -1)
        after = range(index, min(index + SIDE, self._seen))
        sides = [[self._link(side[0], other) for other in side[1:]] for side in (before, after)]
        if any(max(link.alike for link in side) < HOLDS for side in sides if side):
            return False
        usual = min((sum(link.alike for link in side) / len(side) for side in sides if side), default=1.0)
        alike = ALIKE * usual
        paces = [link.way_px / link.apart for side in sides for link in side if link.alike > alike]
        pace = max(paces, default=0.0)
        pairs = [(one, other) for one in before for other in after if other - one <= APART]
        return not any(
            self._link(*pair).within(alike, JUMP * WIDTH_PX + pace * (pair[1] - pair[0])) for pair in pairs
        )

    def _link(self, one: int, other: int) -> _Link:
        first, second = pair = (min(one, other), max(one, other))
        if pair not in self._links:
            oldest = self._seen - len(self._recent)
            looks = self._recent[first - oldest], self._recent[second - oldest]
            self._links[pair] = _link(*looks, second - first)
        return self._links[pair]


@dataclass(frozen=True)
class _Link:
    """What two frames have to do with each other."""

    apart: int  # frames
    alike: float  # correlation of structure once brought onto each other; 1 where nothing can be told
    way_px: float  # that the camera went, of the small picture

    def within(self, alike: float, way_px: float) -> bool:
        """Whether they may be of one shot."""
        return self.alike > alike and self.way_px <= way_px


@dataclass(frozen=True)
class _Look:
    """A frame, small and without its light."""

    structure: Pixels  # (h, w, 3), what differs from its surroundings
    even: Pixels  # (h, w, 3), the same as strong everywhere
    known: Mask  # (h, w), 0 there in both


def _look(picture: Pixels, hole: Mask | Pixels | None) -> _Look:
    size = (WIDTH_PX, max(round(WIDTH_PX * picture.shape[0] / picture.shape[1]), 1))
    small = cv2.resize(np.asarray(picture, np.float32), size, interpolation=cv2.INTER_AREA)
    known = np.asarray(small.max(axis=-1) < WHITE, bool)
    if hole is not None:
        in_it = np.asarray(hole > 0, np.float32)
        known &= ~grow(np.asarray(cv2.resize(in_it, size, interpolation=cv2.INTER_AREA) > 0, bool), 1)
    seen = known.astype(np.float32)[..., None]
    structure = (small - _around(small, seen)) * seen
    strength = np.sqrt(_around(np.square(structure).mean(axis=-1, keepdims=True), seen))
    return _Look(structure, structure / (strength + FAINT), known)


def _link(before: _Look, after: _Look, apart: int) -> _Link:
    here = identity(*before.known.shape)
    grey, other = (look.even.mean(axis=-1, dtype=np.float64) for look in (before, after))
    shift, _ = cv2.phaseCorrelate(grey, other, cv2.createHanningWindow(grey.shape[::-1], cv2.CV_64F))
    starts = [np.zeros_like(here), np.zeros_like(here) + np.asarray(shift, np.float32)]
    start = max(starts, key=lambda motion: _alike(before, after, here + motion))
    turned = camera_motion(before.even, after.even, before.known, after.known, start)
    motion = max(start, turned, key=lambda motion: _alike(before, after, here + motion))
    way_px = math.sqrt(float(np.square(motion).sum(axis=-1).mean()))
    return _Link(apart, _alike(before, after, here + motion), way_px)


def _alike(before: _Look, after: _Look, places: Pixels) -> float:
    """Correlation of structure, -1..1, weighed by its strength; 1 where nothing can be told.

    ``places`` (h, w, 2) is the map of the one into the other.
    """
    both = before.known & (sample(after.known.astype(np.float32), places) > 0.99)
    both &= inside(places, *both.shape)
    known = min(before.known.mean(), after.known.mean())
    if known < LEAST_KNOWN:
        return 1.0
    if both.mean() < OVERLAP * known:
        return -1.0
    seen = both.astype(np.float32)[..., None]
    one, other = before.structure, sample(after.structure, places)
    products = np.stack([(one * one).sum(-1), (other * other).sum(-1), (one * other).sum(-1)], axis=-1)
    one_2, other_2, shared = np.moveaxis(_around(products, seen), -1, 0)
    alike = shared / (np.sqrt(one_2 * other_2) + FAINT**2)
    weight = np.maximum(np.sqrt(np.maximum(one_2, other_2)) - FAINT, 0) * both
    return float((weight * alike).sum() / weight.sum()) if weight.mean() > 0.1 * FAINT else 1.0


def _around(picture: Pixels, seen: Pixels) -> Pixels:
    """The mean around every pixel of ``picture`` (h, w, C), of what is ``seen`` (h, w, 1)."""
    total, part = (cv2.GaussianBlur(each, (0, 0), NEAR_PX) for each in (picture * seen, seen))
    return np.asarray(total.reshape(picture.shape) / (part[..., None] + 1e-6), np.float32)
