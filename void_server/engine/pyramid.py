"""Filling gaps smoothly: known values are averaged down a pyramid and handed back up where there are none."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]


def push_pull(values: Pixels, weight: Pixels) -> Pixels:
    """``values`` (H, W, C) where ``weight`` (H, W), 0..1, is 1, and a smooth continuation where it is 0.

    Between the two the value is a mix. With no weight anywhere the result is 0. The scheme is the pull-push
    of Gortler et al., "The Lumigraph", SIGGRAPH 1996, section 3.4, on a Gaussian pyramid.
    """
    height, width = weight.shape
    weighted = values * weight[..., None]
    if min(height, width) <= 2:
        total = float(weight.sum())
        mean = weighted.sum(axis=(0, 1)) / total if total > 0 else np.zeros(values.shape[2], np.float32)
        return np.asarray(weighted + (1.0 - weight[..., None]) * mean, dtype=np.float32)
    half = ((width + 1) // 2, (height + 1) // 2)
    shares = cv2.pyrDown(weight, dstsize=half)
    sums = cv2.pyrDown(weighted, dstsize=half).reshape(*shares.shape, values.shape[2])
    coarse = sums / np.maximum(shares, np.float32(1e-12))[..., None]
    # A coarse pixel is known as soon as a quarter of what lies under it is.
    below = push_pull(coarse.astype(np.float32), np.minimum(shares * 4.0, 1.0).astype(np.float32))
    up = cv2.resize(below, (width, height), interpolation=cv2.INTER_LINEAR).reshape(values.shape)
    return np.asarray(weighted + (1.0 - weight[..., None]) * up, dtype=np.float32)
