"""Decoding latents chunk by chunk: L latents become 4L-3 frames, in order, with bounded memory.

diffusers' own ``decode`` makes 4L frames of an even number of latents, because it takes the clip's first two
latents together. The network was trained with the first latent standing for one frame alone, so it is decoded
alone here, then two at a time with the convolution cache; with an even L the last one is alone again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from diffusers.models.upsampling import CogVideoXUpsample3D
from diffusers.utils.accelerate_utils import apply_forward_hook


@apply_forward_hook  # type: ignore[untyped-decorator]
@torch.no_grad()
def decode_chunks(vae: Any, latents: torch.Tensor) -> Iterator[torch.Tensor]:
    """Frames [B,3,f,h,w] of ``latents`` [B,16,L,h/8,w/8] (the VAE's own scale), as the VAE gives them (-1..1).

    The first chunk has one frame, the others eight, the last four or eight.
    """
    cache = None
    for start in [0, *range(1, latents.shape[2], 2)]:
        chunk = latents[:, :, start : start + 2 if start else 1]
        with _late_latent(vae) if start and chunk.shape[2] == 1 else nullcontext():
            frames, cache = vae.decoder(
                chunk if vae.post_quant_conv is None else vae.post_quant_conv(chunk), conv_cache=cache
            )
        yield frames


@contextmanager
def _late_latent(vae: Any) -> Iterator[None]:
    """Let a latent that comes alone and is not the clip's first become four frames, not one.

    diffusers' upsampler takes every lone latent for the clip's first and leaves its time alone. It upsamples by
    repetition and then convolves each frame for itself, so repeating its output in time is what it would have done.
    """

    def double(
        _module: torch.nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor
    ) -> torch.Tensor:
        return output.repeat_interleave(2, dim=2) if inputs[0].shape[2] == 1 else output

    hooks = [
        module.register_forward_hook(double)
        for module in vae.decoder.modules()
        if isinstance(module, CogVideoXUpsample3D) and module.compress_time
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
