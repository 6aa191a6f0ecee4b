"""Encoding frames chunk by chunk: what diffusers' own ``encode`` makes, without the whole clip in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from diffusers.utils.accelerate_utils import apply_forward_hook


@apply_forward_hook  # type: ignore[untyped-decorator]
@torch.no_grad()
def encode_chunks(vae: Any, count: int, chunk: Callable[[slice], torch.Tensor]) -> torch.Tensor:
    """The posterior's mode [1,16,T,h/8,w/8] of a clip of ``count`` frames, at the VAE's own scale.

    ``chunk`` gives the frames of a slice, [1,3,n,h,w], -1..1, in order. What does not fill a batch of the VAE's goes
    first, with the first batch.
    """
    batch = vae.num_sample_frames_batch_size
    starts = [0, *range(batch + count % batch, count, batch)]
    cache, moments = None, []
    for start, stop in zip(starts, [*starts[1:], count], strict=True):
        encoded, cache = vae.encoder(chunk(slice(start, stop)), conv_cache=cache)
        moments.append(encoded if vae.quant_conv is None else vae.quant_conv(encoded))
    mode: torch.Tensor = DiagonalGaussianDistribution(torch.cat(moments, dim=2)).mode()
    return mode
