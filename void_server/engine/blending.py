"""How the pieces of overlapping temporal windows become one clip (MultiDiffusion), and whose a latent is."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from void_server.engine.windows import OVERLAP_LATENTS, Window

RAMP = (0.2, 0.4, 0.6, 0.8)
"""Weights of a window's first latents, and backwards of its last; upstream's constants (void.md 2.8)."""


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
        summed[:, window.latents] += piece * on_device[:, None, None, None]
        weighed[window.latents] += on_device
    return summed / weighed[:, None, None, None]


def renewed(
    latents: torch.Tensor, fresh: torch.Tensor, windows: Sequence[Window], place: int
) -> torch.Tensor:
    """``latents`` [B,T,C,h,w] with the own ones of window ``place`` from ``fresh``, of the same shape.

    A window's own latents are those where its weight is the greatest: all but the halves of the overlaps that are
    its neighbours'.
    """
    greatest, owner = torch.zeros(windows[-1].stop), torch.zeros(windows[-1].stop, dtype=torch.int64)
    for number, (window, weight) in enumerate(zip(windows, window_weights(windows), strict=True)):
        wins = weight > greatest[window.latents]
        owner[window.latents][wins] = number
        greatest[window.latents][wins] = weight[wins]
    own = (owner == place).to(latents.device)
    return torch.where(own[:, None, None, None], fresh.to(latents), latents)
