"""What no frame ever shows, made up from patches of what is around it.

Patches are matched by PatchMatch (Barnes et al., SIGGRAPH 2009) from coarse to fine, in the loop of Wexler et
al. ("Space-Time Completion of Video", 2007): every unknown pixel looks for the known patch most like its own
surroundings, and becomes the mean of what the patches over it say. The matches, not the means, are then applied
at full size, so that texture stays as sharp as it is around the hole.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.engine.motion import Mask, Pixels, identity, sample
from void_server.engine.pyramid import push_pull

Places = NDArray[np.int32]

RADIUS_PX = 3
ROUNDS = 4
THIN_PX = 5  # a rim narrower than this needs no texture
MOST_UNKNOWN_PX = 6000  # at the finest level that is matched
LEAST_SIDE_PX = 24
SHRINK = 0.6
CONTEXT = 0.8  # of the hole's own extent, on every side


def inpaint(picture: Pixels, unknown: Mask, known: Mask) -> Pixels:
    """``picture`` (H, W, 3), 0..1, with ``unknown`` (H, W) made up from ``known`` (H, W); the rest as it is.

    Deterministic. Where nothing is known at all the result is 0.
    """
    result = picture.copy()
    rows, columns = np.nonzero(unknown.any(axis=1))[0], np.nonzero(unknown.any(axis=0))[0]
    height, width = rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0]
    margin = int(CONTEXT * max(height, width)) + 4 * RADIUS_PX
    part = (
        slice(max(rows[0] - margin, 0), rows[-1] + 1 + margin),
        slice(max(columns[0] - margin, 0), columns[-1] + 1 + margin),
    )
    filled = _fill(picture[part], unknown[part], known[part])
    result[part] = np.where(unknown[part][..., None], filled, picture[part])
    return result


def _fill(picture: Pixels, unknown: Mask, known: Mask) -> Pixels:
    smooth = push_pull(picture, known.astype(np.float32))
    if not cv2.erode(unknown.astype(np.uint8), np.ones((THIN_PX, THIN_PX), np.uint8)).any():
        return smooth
    scale = min(1.0, float(np.sqrt(MOST_UNKNOWN_PX / unknown.sum())))
    sizes = _sizes(unknown.shape[0], unknown.shape[1], scale)
    matches: Places | None = None
    guess = smooth
    for height, width in sizes:
        shape = (width, height)
        image = cv2.resize(smooth, shape, interpolation=cv2.INTER_AREA).reshape(height, width, 3)
        hole = cv2.resize(1.0 - known.astype(np.float32), shape, interpolation=cv2.INTER_AREA) > 0
        hole = hole.reshape(height, width)
        level = _Level(image, hole)
        if not level.possible:
            continue
        matches, guess = level.complete(matches, guess)
    return smooth if matches is None else _apply(matches, guess, smooth, known)


def _sizes(height: int, width: int, scale: float) -> list[tuple[int, int]]:
    """Sizes to match at, coarse to fine."""
    sizes = []
    while True:
        size = (max(round(height * scale), 1), max(round(width * scale), 1))
        sizes.append(size)
        if min(size) * SHRINK < LEAST_SIDE_PX:
            return sizes[::-1]
        scale *= SHRINK


class _Level:
    """One size of the picture: its known patches, and the unknown pixels that look for theirs."""

    def __init__(self, image: Pixels, hole: Mask) -> None:
        self.image, self.hole = image, hole
        height, width = hole.shape
        side = 2 * RADIUS_PX + 1
        near = cv2.dilate(hole.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
        inner = np.zeros_like(hole)
        inner[RADIUS_PX : height - RADIUS_PX, RADIUS_PX : width - RADIUS_PX] = True
        self.whole = inner & ~near  # centres of patches that are known throughout
        sure = np.pad(np.where(hole, 0.3, 1.0).astype(np.float32), RADIUS_PX, "edge")
        self.possible = bool(self.whole.any()) and bool(hole.any())
        self.rows, self.columns = np.nonzero(near)
        self.own = np.stack([self.rows, self.columns], axis=-1).astype(np.int32)
        self.weight = np.repeat(_patches(sure[..., None], self.own), 3, axis=1)  # a made-up pixel counts less
        self.number = np.full(hole.shape, -1, np.int32)
        self.number[self.rows, self.columns] = np.arange(len(self.rows))
        offset = np.arange(-RADIUS_PX, RADIUS_PX + 1)
        self.around = [(int(y), int(x)) for y in offset for x in offset]

    def complete(self, before: Places | None, guess: Pixels) -> tuple[Places, Pixels]:
        """Matches (h, w, 2), [row, column], of this size, and the picture they make; from those of the coarser."""
        height, width = self.hole.shape
        random = np.random.default_rng(height * 65537 + width)
        centres = np.argwhere(self.whole).astype(np.int32)
        guess = cv2.resize(guess, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, 3)
        image = np.where(self.hole[..., None], guess, self.image).astype(np.float32)
        if before is None:
            found = centres[random.integers(len(centres), size=len(self.own))]
        else:
            ratio = np.asarray([height / before.shape[0], width / before.shape[1]])
            coarse = np.minimum((self.own / ratio).astype(np.intp), np.asarray(before.shape[:2]) - 1)
            shift = before[coarse[:, 0], coarse[:, 1]] - coarse
            found = self._legal(self.own + np.rint(shift * ratio).astype(np.int32), centres, random)
        for _ in range(ROUNDS):
            found = self._search(image, found, random)
            image = self._vote(image, found)
        matches = identity(height, width)[..., ::-1].astype(np.int32)
        matches[self.rows, self.columns] = found
        return matches, image

    def _legal(self, found: Places, centres: Places, random: np.random.Generator) -> Places:
        inside: Mask = np.asarray(((found >= 0) & (found < self.hole.shape)).all(axis=1))
        good: Mask = np.array(inside)
        good[inside] = self.whole[found[inside, 0], found[inside, 1]]
        return np.where(good[:, None], found, centres[random.integers(len(centres), size=len(found))])

    def _search(self, image: Pixels, found: Places, random: np.random.Generator) -> Places:
        """Better matches: what the neighbours found, shifted along, then tries ever nearer to the best."""
        image = np.pad(image, ((RADIUS_PX,) * 2, (RADIUS_PX,) * 2, (0, 0)), "edge")
        own, mine = self.own, _patches(image, self.own)
        cost = _difference(mine, _patches(image, found), self.weight)
        height, width = self.hole.shape
        for reach in (4, 2, 1):
            for step in ((0, reach), (0, -reach), (reach, 0), (-reach, 0)):
                there = own + np.asarray(step, np.int32)
                there = np.clip(there, 0, [height - 1, width - 1])
                neighbour = self.number[there[:, 0], there[:, 1]]
                tried = np.where((neighbour >= 0)[:, None], found[neighbour] - (there - own), found)
                found, cost = self._better(image, mine, found, cost, tried.astype(np.int32))
        reach = max(height, width)
        while reach >= 1:
            tried = found + random.integers(-reach, reach + 1, size=found.shape).astype(np.int32)
            found, cost = self._better(image, mine, found, cost, tried)
            reach //= 2
        return found

    def _better(
        self, image: Pixels, mine: Pixels, found: Places, cost: Pixels, tried: Places
    ) -> tuple[Places, Pixels]:
        tried = np.clip(tried, 0, np.asarray(self.hole.shape, np.int32) - 1).astype(np.int32)
        worth = np.nonzero(self.whole[tried[:, 0], tried[:, 1]] & (tried != found).any(axis=1))[0]
        if len(worth):
            costs = _difference(mine[worth], _patches(image, tried[worth]), self.weight[worth])
            wins = costs < cost[worth]
            found, cost = found.copy(), cost.copy()
            found[worth[wins]] = tried[worth[wins]]
            cost[worth[wins]] = costs[wins]
        return found, cost

    def _vote(self, image: Pixels, found: Places) -> Pixels:
        """Every unknown pixel as the mean of what the patches that cover it say."""
        height, width = self.hole.shape
        inside = self.hole[self.rows, self.columns]
        rows, columns = self.rows[inside], self.columns[inside]
        sums = np.zeros((len(rows), 3), np.float32)
        count = np.zeros(len(rows), np.float32)
        for y, x in self.around:
            row, column = rows + y, columns + x
            legal = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            number = self.number[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
            weight = np.float32(1.0 / (1 + y * y + x * x)) * (legal & (number >= 0))
            match = found[number]
            sums += weight[:, None] * image[match[:, 0] - y, match[:, 1] - x]
            count += weight
        voted = image.copy()
        voted[rows, columns] = sums / count[:, None]
        return voted


def _patches(image: Pixels, places: Places) -> Pixels:
    """The patches around n ``places`` of an image that has a rim of RADIUS_PX more: (n, pixels * channels)."""
    side, (_, stride, channels) = 2 * RADIUS_PX + 1, image.shape
    lines = np.lib.stride_tricks.sliding_window_view(image.reshape(-1), side * channels)
    first = places[:, 0].astype(np.intp) * stride + places[:, 1]
    found: Pixels = lines[(first[:, None] + np.arange(side) * stride) * channels]
    return found.reshape(len(places), -1)


def _difference(one: Pixels, other: Pixels, weight: Pixels) -> Pixels:
    """Of patches (n, k): their squared differences, weighted and summed, (n,)."""
    squared = other - one
    squared *= squared
    total: Pixels = np.einsum("nk,nk->n", squared, weight)
    return total


def _apply(matches: Places, voted: Pixels, smooth: Pixels, known: Mask) -> Pixels:
    """The full-size picture the ``matches`` (h, w, 2) of a smaller size make, in the colours of ``voted``."""
    height, width = known.shape
    small = matches.shape[:2]
    ratio = np.asarray([width / small[1], height / small[0]], np.float32)
    own = identity(height, width)
    coarse = (own + 0.5) / ratio - 0.5
    base = np.floor(coarse).astype(np.intp)
    part = coarse - base
    shifts = (matches[..., ::-1] - identity(*small)) * ratio
    copied = np.zeros_like(smooth)
    for y in (0, 1):
        for x in (0, 1):
            column = np.clip(base[..., 0] + x, 0, small[1] - 1)
            row = np.clip(base[..., 1] + y, 0, small[0] - 1)
            share = np.abs(1 - x - part[..., 0]) * np.abs(1 - y - part[..., 1])
            copied += share[..., None] * sample(smooth, (own + shifts[row, column]).astype(np.float32))
    below = cv2.resize(copied, small[::-1], interpolation=cv2.INTER_AREA).reshape(voted.shape)
    tint = cv2.GaussianBlur(voted - below, (0, 0), 2.0)
    tint = cv2.resize(tint, (width, height), interpolation=cv2.INTER_LINEAR).reshape(smooth.shape)
    return np.where(known[..., None], smooth, copied + tint).astype(np.float32)
