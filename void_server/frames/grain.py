"""Film grain: measured on the plate outside the matte, put back where the fill lost it.

What is measured: for each channel the standard deviation as a function of the level, how alike neighbouring
pixels are (the autocorrelation, from which the synthesis has its kernel), and how alike the channels are.

How: two frames of a shot differ by their grain, by what moved and by their exposure. Frames are compared in
blocks, each block with the one of the other frame that it moved to by whole pixels (interpolation would blur the
grain), and what the picture's own gradients, a plane and a change of exposure explain is taken off the
difference. A block's *sum* says how much texture is in it; sum and difference of independent grain of one
strength are independent, so choosing the blocks with the flattest sum does not bias the difference.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from void_server.frames.geometry import Floats

BLOCK_PX, STRIDE_PX = 32, 16
MOST_BLOCKS = 2500  # compared in a pair of frames: a bound on memory, reached at 1080 lines
REACH_PX = 8  # how far grain is correlated at most
LEVELS = 10  # of the curve, from the darkest to the brightest tenth of the plate
FLATTEST = 0.3  # share of a level's blocks that is measured
FEWEST_BLOCKS = 6  # at a level, for it to be measured
SHIFT_PX = 8  # a shot of one frame is compared with itself, this far to the side
FLOW_WIDTH_PX = 640  # blocks are followed at about this width
REFINEMENTS = 2
_REGRESSORS = 6
_SIDE = 8 * REACH_PX  # of a spectrum
_SEED_BITS = 2**64 - 1

Wide = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Grain:
    """What was measured, in the plate's own values.

    Attributes:
        levels: float64 (3, L), rising: the levels of the curve, red, green, blue.
        sigmas: float64 (3, L): the standard deviation at each.
        kernel: float64 (k, k), k odd, of unit energy: white noise through it is correlated as the plate's grain.
        mix: float64 (3, 3): independent unit noises times its transpose are correlated as the plate's channels.
    """

    levels: Wide
    sigmas: Wide
    kernel: Wide
    mix: Wide

    def sigma(self, level: Floats) -> Floats:
        """Standard deviation at ``level``, float32 (..., 3): between the levels of the curve linear.

        Below the darkest level as there; above the brightest it grows with the root of the light.
        """
        found = np.empty(level.shape, np.float32)
        for channel in range(3):
            levels, sigmas, light = self.levels[channel], self.sigmas[channel], level[..., channel]
            curve = np.interp(light, levels, sigmas)
            over = np.sqrt(np.maximum(light, levels[-1]) / levels[-1]) if levels[-1] > 0 else 1.0
            found[..., channel] = curve * over
        return found

    def without(self, present: Grain) -> Grain:
        """What a fill still lacks that has ``present`` grain already, as the model's enlarged answer may.

        The difference of both spectra, so that coarse grain that is there and fine grain that is added make up the
        plate's. ``present`` is measured on the fill around the matte, in the plate's values.
        """
        kept = float(np.median(present.sigmas / np.maximum(self.sigma(_rows(present.levels)).T, 1e-12)))
        whole = _power(self.kernel)
        lacking = np.maximum(whole - kept**2 * _power(present.kernel), 0)
        share = float(np.sqrt(lacking.sum() / whole.sum()))
        return Grain(self.levels, self.sigmas * share, _of_power(lacking), self.mix)

    def record(self) -> dict[str, str]:
        """The strength at the plate's middle level of each channel, and how far grain reaches, for the result."""
        middle = self.levels.shape[1] // 2
        return {
            f"grain {name}": f"{self.sigmas[channel, middle]:.2g} at {self.levels[channel, middle]:.2g}"
            for channel, name in enumerate(("red", "green", "blue"))
        } | {"grain correlation": f"{_neighbour(self.kernel):.2f}"}


NONE = Grain(np.zeros((3, 1)), np.zeros((3, 1)), np.ones((1, 1)), np.eye(3))
"""A plate without grain."""


def measure(frames: Iterable[tuple[Floats, Floats]]) -> Grain:
    """The grain of a shot.

    Args:
        frames: plate and matte of a handful of frames, float32 (h, w, 3) and (h, w); pixels whose matte is over 0
            are left out. Each frame is compared with the next one given: neighbours in time are best, since
            what moves between two frames has to be followed. A single frame is compared with itself,
            ``SHIFT_PX`` to the side, which only flat areas survive.

    Returns:
        The measurement; `NONE` when the matte leaves no room for it.
    """
    shots = list(frames)
    pairs = list(pairwise(shots)) or [(shot, shot) for shot in shots]
    compared = [_compare(one, other) for one, other in pairs if min(one[1].shape) >= BLOCK_PX]
    if not compared:
        return NONE
    levels, textures, differences = (np.concatenate(parts) for parts in zip(*compared, strict=True))
    if len(levels) < FEWEST_BLOCKS:
        return NONE
    curves = [_curve(levels[:, c], textures[:, c], differences[..., c].var(axis=(1, 2))) for c in range(3)]
    grain = Grain(
        np.array([level for level, _ in curves]),
        np.array([sigma for _, sigma in curves]),
        np.ones((1, 1)),
        np.eye(3),
    )
    # One shape for all levels: it comes from where texture is least beside the grain.
    textured = (textures / np.maximum(np.square(grain.sigma(levels)), 1e-20)).max(axis=1)
    flattest = np.argsort(textured, kind="stable")[: max(round(FLATTEST * len(levels) / 2), FEWEST_BLOCKS)]
    deviations = differences[flattest].std(axis=(1, 2), keepdims=True)
    if not deviations.all():  # the same bits twice: no film
        return NONE
    unit = differences[flattest] / deviations
    kernel = _kernel(_autocorrelation(unit))
    # What the regressors took with them: a plane takes as much as grain has at the lowest frequencies.
    taken = (3 * float(kernel.sum()) ** 2 + _REGRESSORS - 3) / BLOCK_PX**2
    correlation = np.einsum("nyxc,nyxd->cd", unit, unit) * 3 / unit.size
    return replace(
        grain,
        sigmas=grain.sigmas / np.sqrt(1 - min(taken, 0.5)),
        kernel=kernel,
        mix=np.linalg.cholesky(0.999 * correlation + 0.001 * np.eye(3)),
    )


def regrain(fill: Floats, share: Floats, grain: Grain, seed: int, frame: int) -> Floats:
    """Give ``fill`` back the grain it lost.

    Args:
        fill: float32 (h, w, 3), in the plate's values.
        share: float32 (h, w), 0..1: how much of each pixel was generated or averaged. A pixel still has 1 -
            share of its grain's amplitude, and gets what makes the variance whole. After the composite that is
            exactly the matte (times the share of the fill that was generated), so regrain last.
        grain: what `measure` found.
        seed: of the job.
        frame: its number; every frame has grain of its own.

    Returns:
        float32 (h, w, 3); where ``share`` is 0 the bits of ``fill``.
    """
    rows, columns = np.flatnonzero(share.any(axis=1)), np.flatnonzero(share.any(axis=0))
    result = fill.copy()
    if not len(rows):
        return result
    where = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    near, lost = result[where], share[where]
    reach = grain.kernel.shape[0] // 2
    random = np.random.default_rng([seed & _SEED_BITS, frame & _SEED_BITS])
    white = random.standard_normal(
        (near.shape[0] + 2 * reach, near.shape[1] + 2 * reach, 3), dtype=np.float32
    )
    noise = cv2.filter2D(white, -1, grain.kernel.astype(np.float32))
    noise = noise[reach : reach + near.shape[0], reach : reach + near.shape[1]] @ grain.mix.T.astype(
        np.float32
    )
    made = np.nonzero(lost > 0)
    amplitude = np.sqrt(lost[made] * (2 - lost[made]))[:, None] * grain.sigma(near[made])
    near[made] += noise[made] * amplitude
    return result


# --- blocks ---------------------------------------------------------------------------------------------

Shot = tuple[Floats, Floats]


def _compare(one: Shot, other: Shot) -> tuple[Floats, Floats, Floats]:
    """Every free block of ``one`` with its own in ``other``.

    Returns:
        Level (n, 3) of each block, how much of its texture a comparison may leave (n, 3), and the grain in the
        difference (n, BLOCK_PX, BLOCK_PX, 3), as strong as one frame's.
    """
    corners = _corners(one[0].shape[:2])
    if one is other:
        motion = np.broadcast_to(np.array([0.0, SHIFT_PX]), corners.shape)
    else:
        motion = _motion(one[0], other[0], corners)
    moved = corners + np.rint(motion).astype(np.intp)
    free = _within(moved, other[0])
    free[free] = ~(
        _cut(one[1], corners[free]).any(axis=(1, 2)) | _cut(other[1], moved[free]).any(axis=(1, 2))
    )
    here, there = _cut(one[0], corners[free]), _cut(other[0], moved[free])
    mean: Floats = (here + there) / np.float32(2)
    difference: Floats = (here - there) / np.float32(np.sqrt(2))
    texture, grain = np.empty_like(mean), np.empty_like(mean)
    for channel in range(3):
        texture[..., channel] = _unexplained(mean[..., channel], _plane())[0]
        grain[..., channel] = _unexplained(difference[..., channel], _explaining(mean[..., channel]))[0]
    between = np.square(motion - np.rint(motion)).sum(axis=1)[free]  # 0 where the motion is by whole pixels
    left = texture.var(axis=(1, 2)) * (0.02 + between)[:, None]
    level: Floats = mean.mean(axis=(1, 2))
    return level, left.astype(np.float32), grain


def _within(corners: npt.NDArray[np.intp], image: Floats) -> npt.NDArray[np.bool_]:
    height, width = image.shape[:2]
    inside: npt.NDArray[np.bool_] = (corners >= 0) & (corners <= (height - BLOCK_PX, width - BLOCK_PX))
    return inside[:, 0] & inside[:, 1]


def _corners(size: tuple[int, int]) -> npt.NDArray[np.intp]:
    """Upper left corners (n, 2) as y, x of the blocks to look at, spread evenly."""
    rows, columns = (np.arange(0, max(side - BLOCK_PX, -1) + 1, STRIDE_PX) for side in size)
    corners = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)
    order = np.random.default_rng(0).permutation(len(corners))[:MOST_BLOCKS]
    return corners[np.sort(order)]


def _cut(image: Floats, corners: npt.NDArray[np.intp]) -> Floats:
    """float32 (n, BLOCK_PX, BLOCK_PX[, 3])."""
    if not len(corners):
        return np.empty((0, BLOCK_PX, BLOCK_PX, *image.shape[2:]), np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(image, (BLOCK_PX, BLOCK_PX), axis=(0, 1))
    found = windows[corners[:, 0], corners[:, 1]]
    return np.moveaxis(found, 1, -1) if image.ndim == 3 else found


def _motion(one: Floats, other: Floats, corners: npt.NDArray[np.intp]) -> Wide:
    """How far (y, x) each block moves from ``one`` to ``other``: flow, then least squares on the blocks."""
    height, width = one.shape[:2]
    lights = [
        cv2.GaussianBlur(np.sqrt(np.clip(image.mean(axis=2), 0, 1)), (0, 0), 1.5) for image in (one, other)
    ]
    scale = min(1.0, FLOW_WIDTH_PX / width)
    size = (max(round(width * scale), 16), max(round(height * scale), 16))
    small = [
        (cv2.resize(light, size, interpolation=cv2.INTER_AREA) * 255).astype(np.uint8) for light in lights
    ]
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(small[0], small[1], None)
    flow = cv2.medianBlur(flow, 5)
    centres = (corners + BLOCK_PX // 2) * (size[1] / height, size[0] / width)
    y, x = (
        np.clip(axis.astype(np.intp), 0, side - 1) for axis, side in zip(centres.T, size[::-1], strict=True)
    )
    motion: Wide = flow[y, x][:, ::-1] * (height / size[1], width / size[0])
    for _ in range(REFINEMENTS):
        whole = np.rint(motion).astype(np.intp)
        near = _within(corners + whole, other)
        here, there = _cut(lights[0], corners[near]), _cut(lights[1], (corners + whole)[near])
        _, shares = _unexplained(here - there, _explaining((here + there) / np.float32(2)))
        motion[near] = whole[near] + np.clip(shares[:, -2:], -2, 2)
    return motion


def _plane() -> Floats:
    """(BLOCK_PX, BLOCK_PX, 3): a constant and both slopes."""
    ramp = np.linspace(-1, 1, BLOCK_PX, dtype=np.float32)
    return np.stack([np.ones((BLOCK_PX, BLOCK_PX), np.float32), *np.meshgrid(ramp, ramp)], axis=-1)


def _explaining(mean: Floats) -> Floats:
    """What a difference that is no grain looks like: (n, B, B, 6) of blocks (n, B, B).

    A plane, the picture (a change of exposure) and its slopes (a motion by less than a pixel).
    """
    wide = np.pad(mean, ((0, 0), (1, 1), (1, 1)), mode="edge")
    down = (wide[:, 2:, 1:-1] - wide[:, :-2, 1:-1]) / 2
    along = (wide[:, 1:-1, 2:] - wide[:, 1:-1, :-2]) / 2
    flat = np.broadcast_to(_plane(), (*mean.shape, 3))
    return np.concatenate([flat, np.stack([mean, down, along], axis=-1)], axis=-1)


def _unexplained(values: Floats, regressors: Floats) -> tuple[Floats, Floats]:
    """What least squares leave of blocks (n, B, B), each on its own, and the shares (n, k) of what they took.

    ``regressors`` are (n, B, B, k), or (B, B, k) for all blocks.
    """
    columns = regressors.reshape(*regressors.shape[:-3], BLOCK_PX**2, regressors.shape[-1])
    wanted = values.reshape(len(values), BLOCK_PX**2, 1)
    turned = np.swapaxes(columns, -1, -2)
    products = (turned @ columns).astype(np.float64)
    norms = np.maximum(np.sqrt(np.diagonal(products, axis1=-2, axis2=-1)), 1e-12)
    normal = products / (norms[..., :, None] * norms[..., None, :]) + 1e-6 * np.eye(columns.shape[-1])
    shares = np.linalg.solve(normal, (turned @ wanted) / norms[..., None])[..., 0] / norms
    left: Floats = wanted - columns @ shares[..., None].astype(np.float32)
    return left.reshape(values.shape), shares.astype(np.float32)


# --- curve and kernel -------------------------------------------------------------------------------------


def _curve(level: Floats, texture: Floats, variance: Floats) -> tuple[Wide, Wide]:
    """Levels and deviations of one channel."""
    groups = max(min(LEVELS, len(level) // FEWEST_BLOCKS), 1)
    points = []
    for group in np.array_split(np.argsort(level, kind="stable"), groups):
        count = max(round(FLATTEST * len(group)), min(FEWEST_BLOCKS, len(group)))
        flattest = group[np.argsort(texture[group], kind="stable")[:count]]
        points.append((np.median(level[flattest]), np.sqrt(np.median(variance[flattest]))))
    levels, sigmas = np.array(sorted(points), np.float64).T
    return levels, sigmas


def _autocorrelation(unit: Floats) -> Wide:
    """Mean product of pixels up to ``REACH_PX`` apart: (2 r + 1, 2 r + 1), 1 in the middle."""
    side = 2 * BLOCK_PX
    spectrum = np.zeros((side, side // 2 + 1))
    for channel in range(3):
        spectrum += np.square(np.abs(np.fft.rfft2(unit[..., channel], (side, side)))).sum(axis=0)
    products = np.fft.fftshift(np.fft.irfft2(spectrum, (side, side)))
    lags = BLOCK_PX - np.abs(np.arange(side) - BLOCK_PX)  # how many pixels of a block have a partner
    near = slice(BLOCK_PX - REACH_PX, BLOCK_PX + REACH_PX + 1)
    means = products[near, near] / np.outer(lags[near], lags[near])
    # A block without its plane has a little less in common at every distance: what is there at the rim is nothing.
    y, x = np.mgrid[-REACH_PX : REACH_PX + 1, -REACH_PX : REACH_PX + 1]
    far = np.hypot(y, x) / REACH_PX
    means -= means[far >= 0.9].mean()
    # To 0 at the rim, round and softly: a corner would be a pattern of lines in the synthesis.
    fade = np.square(np.cos(np.pi * np.clip(far - 0.5, 0, 0.5)))
    alike: Wide = fade * means / means[REACH_PX, REACH_PX]
    return alike


def _kernel(autocorrelation: Wide) -> Wide:
    """The symmetric kernel of unit energy that gives white noise this autocorrelation."""
    return _of_power(np.maximum(np.fft.fft2(np.fft.ifftshift(_padded(autocorrelation))).real, 0))


def _of_power(power: Wide) -> Wide:
    """The symmetric kernel of unit energy with this power spectrum; one pixel where there is none."""
    shape = np.fft.fftshift(np.fft.ifft2(np.sqrt(power)).real)
    middle = slice(_SIDE // 2 - REACH_PX, _SIDE // 2 + REACH_PX + 1)
    kernel: Wide = shape[middle, middle]
    energy = np.linalg.norm(kernel)
    return kernel / energy if energy else np.ones((1, 1))


def _power(kernel: Wide) -> Wide:
    power: Wide = np.square(np.abs(np.fft.fft2(_padded(kernel))))
    return power


def _padded(middle: Wide) -> Wide:
    """(_SIDE, _SIDE) with ``middle`` around its centre."""
    before = _SIDE // 2 - middle.shape[0] // 2
    return np.pad(middle, (before, _SIDE - before - middle.shape[0]))


def _rows(columns: Wide) -> Floats:
    return np.asarray(columns.T, dtype=np.float32)


def _neighbour(kernel: Wide) -> float:
    """Correlation of pixels side by side of noise through ``kernel``."""
    return float((kernel[:, 1:] * kernel[:, :-1]).sum())
