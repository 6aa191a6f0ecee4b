"""How close a filled frame is to the truth, and what one gets without any of this.

For scenes whose truth is known; what needs none is in `signs.py`. Pictures are scene-linear float32 (H, W, 3), clipped
to 0..1 and judged by their luma: gradients sRGB encoded, levels in proportion. A measure is NaN where there is
nothing to compare.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]
Places = NDArray[np.bool_]

INPAINT_RADIUS_PX = 5.0
DARK = 0.01  # light below which a step is not seen in proportion any more
BAND_PX = 12  # on both sides of an edge
PATCH_PX = 16  # half the side of the squares in which a seam is looked for
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # ITU-R BT.709-6


def psnr_db(result: Pixels, truth: Pixels, matte: Pixels) -> float:
    """Peak signal-to-noise ratio of ``result`` against ``truth`` inside ``matte``, display-referred.

    Both pictures are scene-linear (H, W, 3); each is clipped to 0..1 and encoded as sRGB, the peak is 1. A
    pixel counts as much as ``matte`` (H, W), 0..1, says. NaN where the matte is empty, infinite where nothing
    differs.
    """
    return decibels(squared_error(result, truth, matte))


def squared_error(result: Pixels, truth: Pixels, matte: Pixels) -> tuple[float, float]:
    """Sum of the squared differences and the weight they carry: add these up over a shot's frames."""
    difference = encode_srgb(result) - encode_srgb(truth)
    weight = matte.astype(np.float64)
    return float((np.square(difference, dtype=np.float64) * weight[..., None]).sum()), float(
        3.0 * weight.sum()
    )


def decibels(error: tuple[float, float]) -> float:
    """PSNR of what `squared_error` measured, one frame's or the sum of many."""
    total, weight = error
    if weight == 0.0:
        return math.nan
    return math.inf if total == 0.0 else 10.0 * math.log10(weight / total)


def sharpness_ratio(result: Pixels, matte: Pixels, truth: Pixels) -> float:
    """Gradient energy where ``matte`` is 1 over that of the truth there: below 1 the fill is softer."""
    return _ratio(gradient_energy(result, matte == 1), gradient_energy(truth, matte == 1))


def gradient_energy(picture: Pixels, where: Places) -> float:
    """Mean squared gradient of the luma over the pixels ``where`` (H, W): add these up over a shot's frames."""
    luma = _luma(picture)
    down, along = cv2.Sobel(luma, -1, 0, 1, scale=1 / 8), cv2.Sobel(luma, -1, 1, 0, scale=1 / 8)
    inside = cv2.erode(where.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return float((down[inside] ** 2 + along[inside] ** 2).mean()) if inside.any() else math.nan


def seam_score(result: Pixels, matte: Pixels, truth: Pixels) -> float:
    """How much of a step the matte's edge adds to the steps the truth has there by itself; 1 is no seam.

    The root of the sum of the truth's own step's square and of the step in what differs, over its own.
    """
    own = seam_step(_log_luma(truth), matte)
    return _ratio(math.hypot(own, seam_step(_log_luma(result) - _log_luma(truth), matte)), own)


def seam_step(level: Pixels, matte: Pixels) -> float:
    """Root mean square of the step of ``level`` (H, W) between where ``matte`` is 1 and where it is 0, along its edge.

    In squares along the edge a plane and a step are fitted to a band on both sides, so that a gradient
    is no step. Squares count as much as their step is certain: where texture is strong, the eye sees no seam.
    """
    inside, outside = matte == 1, matte == 0
    band = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * BAND_PX + 1,) * 2)
    edge = ((matte > 0) & (matte < 1)) | (
        cv2.dilate(outside.astype(np.uint8), np.ones((3, 3), np.uint8)) * inside > 0
    )
    near = cv2.dilate(edge.astype(np.uint8), band) > 0
    inside, outside = inside & near, outside & near
    steps, doubts = [], []
    for y in range(0, max(level.shape[0] - 2 * PATCH_PX, 0) + 1, PATCH_PX):
        for x in range(0, max(level.shape[1] - 2 * PATCH_PX, 0) + 1, PATCH_PX):
            square = np.s_[y : y + 2 * PATCH_PX, x : x + 2 * PATCH_PX]
            within, without = inside[square], outside[square]
            if min(int(within.sum()), int(without.sum())) >= 4 * PATCH_PX:
                step, doubt = _step(level[square], within, without)
                steps.append(step)
                doubts.append(doubt)
    if not steps:
        return math.nan
    weights = 1 / (np.array(doubts) + 1e-8)
    return float(np.sqrt((weights * np.square(steps)).sum() / weights.sum()))


def inpaint_baseline(plate: Pixels, hole: Pixels) -> Pixels:
    """One frame filled by OpenCV alone: TELEA, radius 5 px, on 8-bit sRGB; (H, W, 3) scene-linear.

    Replaces every pixel whose ``hole`` (H, W) is above 0; the others are the plate's own.
    """
    covered = hole > 0
    painted = cv2.inpaint(
        np.rint(encode_srgb(plate) * 255.0).astype(np.uint8),
        covered.astype(np.uint8),
        INPAINT_RADIUS_PX,
        cv2.INPAINT_TELEA,
    )
    linear = decode_srgb(painted.astype(np.float32) / np.float32(255.0))
    return np.where(covered[..., None], linear, plate).astype(np.float32)


def encode_srgb(linear: Pixels) -> Pixels:
    """Scene-linear, clipped to 0..1, to sRGB 0..1 (IEC 61966-2-1)."""
    clipped = np.clip(linear, 0.0, 1.0).astype(np.float32)
    return np.where(clipped <= 0.0031308, clipped * 12.92, 1.055 * clipped ** (1 / 2.4) - 0.055).astype(
        np.float32
    )


def decode_srgb(encoded: Pixels) -> Pixels:
    """Inverse of `encode_srgb` on 0..1."""
    curve = ((encoded + 0.055) / 1.055) ** 2.4
    return np.where(encoded <= 0.04045, encoded / 12.92, curve).astype(np.float32)


def _luma(picture: Pixels) -> Pixels:
    return np.asarray(encode_srgb(picture) @ _LUMA, dtype=np.float32)


def _log_luma(picture: Pixels) -> Pixels:
    """Luma in proportion, as an eye sees steps of it."""
    return np.asarray(np.log(np.clip(picture, 0.0, 1.0) @ _LUMA + DARK), dtype=np.float32)


def _step(level: Pixels, within: Places, without: Places) -> tuple[float, float]:
    """The step between both of the square that fits best beside a plane, and its variance."""
    both = within | without
    y, x = np.nonzero(both)
    columns = np.stack([np.ones(len(y)), y - y.mean(), x - x.mean(), within[both]], axis=1)
    inverse = np.linalg.inv(columns.T @ columns + 1e-6 * np.eye(4))
    shares = inverse @ columns.T @ level[both]
    left = level[both] - columns @ shares
    return float(shares[3]), float(inverse[3, 3] * np.square(left).mean())


def _ratio(one: float, other: float) -> float:
    return one / other if other > 0 else math.nan if one == 0 or math.isnan(other) else math.inf
