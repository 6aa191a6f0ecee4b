"""Film grain: as strong as the light asks, as coarse as the stock, another in every frame."""

from __future__ import annotations

import math

import cv2
import numpy as np

from void_server.scene.camera import Pixels

CHANNELS = (1.15, 1.0, 1.6)  # strength in red, green and blue: blue layers are the grainiest
SHARED = 0.25  # share of the variance that the three channels have in common
GREY, FOG = 0.18, 0.01  # strength is as given at 18 % grey, follows the root of the light, and never ends


def grain_sigma(level: Pixels, strength: float) -> Pixels:
    """Standard deviation of the grain of scene-linear ``level`` (..., 3); ``strength`` is that of green at 18 %."""
    light = np.sqrt((np.maximum(level, 0.0) + FOG) / (GREY + FOG))
    return np.asarray(light * (strength * np.asarray(CHANNELS)), dtype=np.float32)


def grain(picture: Pixels, strength: float, radius_px: float, seed: int, index: int) -> Pixels:
    """``picture`` (H, W, 3) with the grain of frame ``index``: Gaussian, correlated over ``radius_px``."""
    random = np.random.default_rng([seed, 5, index])
    height, width = picture.shape[:2]
    reach = math.ceil(4.0 * radius_px)
    kernel = cv2.getGaussianKernel(2 * reach + 1, radius_px) if reach else np.ones((1, 1))
    kernel = (kernel / np.linalg.norm(kernel)).astype(np.float32)
    white = random.standard_normal((height + 2 * reach, width + 2 * reach, 4), dtype=np.float32)
    noise = cv2.sepFilter2D(white, -1, kernel, kernel)[reach : reach + height, reach : reach + width]
    noise = math.sqrt(1.0 - SHARED) * noise[..., :3] + math.sqrt(SHARED) * noise[..., 3:]
    return np.asarray(picture + noise * grain_sigma(picture, strength), dtype=np.float32)
