"""Temporal windows: how a clip longer than the model's reach is cut, and how the pieces are blended (MultiDiffusion).

All lengths here are in latents; one latent is four frames, the clip's first latent one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from void_wire.errors import SettingsError

OVERLAP_LATENTS = 4
RAMP = (0.2, 0.4, 0.6, 0.8)
"""Weights of a window's first latents, and backwards of its last; upstream's constants (void.md 2.8)."""


@dataclass(frozen=True)
class Window:
    """Latents ``start``..``stop`` (exclusive) of the clip."""

    start: int
    stop: int


def latent_frames(frames: int) -> int:
    """Latents of ``frames`` frames: 85 -> 22."""
    return (frames - 1) // 4 + 1


def cut_windows(clip_frames: int, padded_frames: int, window_frames: int) -> list[Window]:
    """The windows of a clip of ``clip_frames`` that was padded to ``padded_frames``.

    A clip that fits ``window_frames`` is one window, whatever the padding added. A longer one is cut into
    windows of an even number of latents that overlap by 4; the last may be shorter.

    Raises SettingsError when the window does not exceed the overlap.
    """
    total = latent_frames(padded_frames)
    length = latent_frames(window_frames) // 2 * 2
    if clip_frames <= window_frames or length >= total:
        return [Window(0, total)]
    if length <= OVERLAP_LATENTS:
        raise SettingsError(
            f"A temporal window of {window_frames} frames does not exceed the overlap of 16 that {clip_frames} "
            "frames need: use 21 or more."
        )
    starts = range(0, total - OVERLAP_LATENTS, length - OVERLAP_LATENTS)
    return [Window(start, min(start + length, total)) for start in starts]


def window_weights(windows: Sequence[Window]) -> list[torch.Tensor]:
    """Each window's weight per latent, float32 [its length]: ramps towards its neighbours, 1 elsewhere.

    The down-ramp is set after the up-ramp and wins where a short window has both (as upstream does).
    """
    weights = []
    for place, window in enumerate(windows):
        weight = torch.ones(window.stop - window.start)
        if place > 0:
            weight[:OVERLAP_LATENTS] = torch.tensor(RAMP)
        if place < len(windows) - 1:
            weight[-OVERLAP_LATENTS:] = torch.tensor(RAMP[::-1])
        weights.append(weight)
    return weights


def blend(pieces: Sequence[torch.Tensor], windows: Sequence[Window]) -> torch.Tensor:
    """One clip [B,T,C,h,w] from its windows' latents [B,t,C,h,w]: the weighted mean wherever windows overlap."""
    if len(windows) == 1:
        return pieces[0]
    batch, _, *rest = pieces[0].shape
    summed = pieces[0].new_zeros(batch, windows[-1].stop, *rest)
    weighed = pieces[0].new_zeros(windows[-1].stop)
    for piece, window, weight in zip(pieces, windows, window_weights(windows), strict=True):
        on_device = weight.to(piece)
        summed[:, window.start : window.stop] += piece * on_device[:, None, None, None]
        weighed[window.start : window.stop] += on_device
    return summed / weighed[:, None, None, None]
