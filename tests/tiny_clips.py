"""The tiny model that is kept with the tests, and clips of noise for it."""

from pathlib import Path

import numpy as np

from void_server.engine.void import Decoded
from void_wire.messages import VoidSettings

MODEL = Path(__file__).parent / "golden" / "portable" / "model"
RASTER = (48, 64)


def shot(frames: int, raster: tuple[int, int] = RASTER) -> tuple[np.ndarray, np.ndarray]:
    plate = np.random.default_rng(1).random((frames, *raster, 3), dtype=np.float32) * 0.2 + 0.4
    quadmask = np.full((frames, *raster), 255, np.uint8)
    quadmask[:, 10:30, 20:40] = 0
    return plate, quadmask


def settings(**changes: object) -> VoidSettings:
    short = {"pass1_steps": 2, "pass2_steps": 3, "window_frames": 13, "warped_noise": "corrected"}
    return VoidSettings(raster_height_px=RASTER[0], raster_width_px=RASTER[1], **{**short, **changes})


def joined(decoded: list[Decoded], number: int) -> np.ndarray:
    return np.concatenate([one.frames for one in decoded if one.passes == number])
