"""Warped noise: the noise Pass 2 starts from, moving along with what Pass 1 made.

Two ways, chosen in the request:

``as_reference``
    What the reference feeds the model: 72 nearest frames of the clip, the middle of the picture at 3:2, flow
    at 240x360, noise at 60x90 rounded to float16 and resized to the latent grid, which leaves a standard
    deviation of about 0.66 (0.50 to 0.88 by pixel).
``corrected``
    Every frame, the whole picture, flow at the model's raster, noise that lands exactly on the latent grid
    with unit variance, and motion of less than a pixel a step kept instead of rounded away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from void_server.engine.ahead import ahead
from void_server.engine.flow import Flow
from void_server.engine.noise_state import Moves, NoiseState, step
from void_server.progress import Progress
from void_wire.errors import SettingsError
from void_wire.messages import Stage
from void_wire.messages.noise_range import FRAMES_PER_LATENT

LATENT_CHANNELS = 16
"""Channels of the model's VAE; the axis of this size is the channel axis of a stored noise."""
REFERENCE_FRAMES = 72
"""Noise frames the reference makes of any clip."""
REFERENCE_SIZE = (480, 720)
"""Height and width the reference crops Pass 1 to; flow is taken at half of it."""
REFERENCE_UPSCALE = 8
"""State pixels of the reference along one pixel of its flow grid."""
POOL = 32
"""State pixels along one pixel of the noise: 32x32 independent ones, averaged and multiplied by 32."""
STATE_PIXELS = 6_000_000
"""A state beyond this (the reference's has 5.5 million, 64 bytes each) is pooled less, to keep memory bounded."""

Picture = NDArray[np.float32]


def warped_noise(
    frames: NDArray[np.float32],
    *,
    latent_frames: int,
    latent_channels: int,
    latent_size: tuple[int, int],
    seed: int,
    mode: str,
    flow: Flow,
    progress: Progress,
    device: str = "cpu",
) -> NDArray[np.float32]:
    """Noise that moves with ``frames``, on the latent grid; the same arguments give the same bytes.

    Clips may have any length. ``corrected`` takes latent k from frame 4k, the last frame its latent covers and
    the time the reference's own sampling gives it; frames past the end are the clip's flip padding.
    ``as_reference`` spreads 72 frames over the whole clip, and as many as there are latents where that is more.

    Args:
        frames: (F, H, W, 3), 0..1, display-referred: Pass 1's result.
        latent_frames: latent frames wanted.
        latent_channels: channels wanted; each is warped the same way from its own draws.
        latent_size: (height, width) of a latent frame.
        seed: of every draw.
        mode: "as_reference" or "corrected".
        flow: between two frames.
        progress: called with Stage.NOISE after every warped frame; Cancelled passes through.
        device: where the noise lies on its way, flow and the finished latents alone go between; each kind of device
            has draws of its own.

    Returns:
        (latent_frames, latent_channels, height, width) float32.

    Raises:
        SettingsError: unknown mode.
    """
    generator = torch.Generator(device).manual_seed(seed)
    if mode == "as_reference":
        length = max(REFERENCE_FRAMES, latent_frames)
        shown = np.rint(np.linspace(0, len(frames) - 1, length)).astype(int)
        kept = _spread_index(length, latent_frames)
        pool = POOL
        size = (REFERENCE_SIZE[0] // 2 * REFERENCE_UPSCALE, REFERENCE_SIZE[1] // 2 * REFERENCE_UPSCALE)
        view, keep_rest = _reference_view, False
    elif mode == "corrected":
        kept = np.arange(latent_frames) * FRAMES_PER_LATENT
        length = int(kept[-1]) + 1
        shown = np.pad(np.arange(len(frames)), (0, max(0, length - len(frames))), "symmetric")[:length]
        pool = _pool_for(latent_size)
        size = (latent_size[0] * pool, latent_size[1] * pool)
        view, keep_rest = _whole_view, True
    else:
        raise SettingsError(f"warped_noise is {mode!r}; choose one of as_reference, corrected.")

    state = NoiseState.first(size, latent_channels, generator)
    fields = ahead(_fields(frames, shown, view, flow))
    progress(Stage.NOISE, 0, length - 1)
    noise = []
    wanted = set(kept.tolist())
    for index in range(length):
        if index:
            field = next(fields)
            if field is not None:
                state = advance(state, field, generator, keep_rest=keep_rest)
            progress(Stage.NOISE, index, length - 1)
        if index in wanted:
            noise.append(_pooled(state, pool))
    made = torch.stack(noise)
    return _fit(made.half().float(), latent_size) if mode == "as_reference" else made.cpu().numpy()


def fit_reference_noise(
    noise: NDArray[Any], *, latent_frames: int, latent_size: tuple[int, int]
) -> NDArray[np.float32]:
    """Noise as the reference stores it, brought to the model's latent grid the way the reference does it.

    Frames are the integer parts of ``linspace(0, T-1, latent_frames)``; height and width are resized
    bilinearly (half-pixel centres, no antialiasing). That averages neighbours, so the standard deviation
    falls below 1 (to 0.66 from 60x90 to 48x84).

    Args:
        noise: (T, H, W, 16) or (T, 16, H, W), any float type; when both read as channels, the last axis is.
        latent_frames: latent frames wanted.
        latent_size: (height, width) of a latent frame.

    Returns:
        (latent_frames, 16, height, width) float32.

    Raises:
        SettingsError: no axis has 16 channels.
    """
    if noise.ndim != 4 or LATENT_CHANNELS not in (noise.shape[1], noise.shape[3]):
        raise SettingsError(
            f"Warped noise has the shape {noise.shape}; store it as (frames, height, width, 16) "
            "or (frames, 16, height, width)."
        )
    chosen = torch.from_numpy(noise[_spread_index(len(noise), latent_frames)].astype(np.float32))
    return _fit(chosen.permute(0, 3, 1, 2) if noise.shape[3] == LATENT_CHANNELS else chosen, latent_size)


def advance(
    state: NoiseState, field: NDArray[np.float32], generator: torch.Generator, *, keep_rest: bool
) -> NoiseState:
    """The state one frame later.

    Args:
        state: (H, W) noise.
        field: (2, h, w), forward flow of the frame in its own pixels; brought to the state's size bilinearly.
        generator: of the step's draws.
        keep_rest: whether what rounding to whole state pixels leaves is carried to the next step.
    """
    _, height, width = state.rest.shape
    device = state.rest.device
    way = functional.interpolate(
        torch.from_numpy(field).to(device)[None], size=(height, width), mode="bilinear", align_corners=False
    )[0]
    way *= torch.tensor([width / field.shape[2], height / field.shape[1]], device=device)[:, None, None]
    way += state.rest
    moves = Moves.of(way)
    foreign = torch.randn(len(moves.drawn), state.noise.shape[1], generator=generator, device=device)
    return step(state, moves, foreign, way - way.round() if keep_rest else None)


def _fields(
    frames: NDArray[np.float32], shown: NDArray[np.int_], view: Callable[[Picture], Picture], flow: Flow
) -> Iterator[NDArray[np.float32] | None]:
    """Flow from each shown frame to the next; None where the same frame is shown again."""
    seen = view(frames[shown[0]])
    for before, now in pairwise(shown):
        if before == now:
            yield None
            continue
        last, seen = seen, view(frames[now])
        yield flow(last, seen)


def _spread_index(length: int, wanted: int) -> NDArray[np.int64]:
    index: NDArray[np.int64] = torch.linspace(0, length - 1, wanted).long().numpy()
    return index


def _fit(noise: torch.Tensor, size: tuple[int, int]) -> NDArray[np.float32]:
    fitted = functional.interpolate(noise, size=size, mode="bilinear", align_corners=False)
    return np.ascontiguousarray(fitted.cpu().numpy())


def _pooled(state: NoiseState, pool: int) -> torch.Tensor:
    """(C, H/pool, W/pool): sums of pool x pool independent unit normals over ``pool`` are unit normal."""
    _, height, width = state.rest.shape
    blocks = state.noise.view(height // pool, pool, width // pool, pool, -1)
    return (blocks.sum((1, 3)) / pool).permute(2, 0, 1).contiguous()


def _pool_for(latent_size: tuple[int, int]) -> int:
    """The largest pool whose state is not beyond STATE_PIXELS; 8, the raster's own pixels, at the least."""
    area = latent_size[0] * latent_size[1]
    return next((pool for pool in (POOL, 16) if area * pool * pool <= STATE_PIXELS), 8)


def _whole_view(frame: Picture) -> Picture:
    return frame


def _reference_view(frame: Picture) -> Picture:
    """240x360: the frame resized to cover 480x720, its middle, halved."""
    height, width = REFERENCE_SIZE
    scale = max(height / frame.shape[0], width / frame.shape[1])
    covering = (max(width, round(frame.shape[1] * scale)), max(height, round(frame.shape[0] * scale)))
    large = cv2.resize(frame, covering, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top, left = (large.shape[0] - height) // 2, (large.shape[1] - width) // 2
    middle = large[top : top + height, left : left + width]
    view: Picture = cv2.resize(middle, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return view
