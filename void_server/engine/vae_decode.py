"""Decoding latents chunk by chunk: L latents become 4L-3 frames, in order, with bounded memory.

diffusers' own ``decode`` makes 4L frames of an even number of latents, because it takes the clip's first two
latents together. The network was trained with the first latent standing for one frame alone, so it is decoded
alone here, then two at a time with the convolution cache; with an even L the last one is alone again.

The weights are diffusers' decoder's, and so are the sums. The way through them is its own, since nothing takes more
memory: what was read for the last time is freed, norms and activations are made in place, and what depends on a latent
alone is worked out for it, not for each of the pixels it stands for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from diffusers.utils.accelerate_utils import apply_forward_hook

Cache = dict[torch.nn.Module, torch.Tensor]
"""Convolution -> the frames it looks back at in the next chunk, those it was given last."""


@apply_forward_hook  # type: ignore[untyped-decorator]
@torch.no_grad()
def decode_chunks(vae: Any, latents: torch.Tensor) -> Iterator[torch.Tensor]:
    """Frames [B,3,f,h,w] of ``latents`` [B,16,L,h/8,w/8] (the VAE's own scale), as the VAE gives them (-1..1).

    The first chunk has one frame, the others eight, the last four or eight.
    """
    cache: Cache = {}
    for start in [0, *range(1, latents.shape[2], 2)]:
        chunk = latents[:, :, start : start + 2 if start else 1]
        if vae.post_quant_conv is not None:
            chunk = vae.post_quant_conv(chunk)
        yield _Chunk(chunk, cache).decoded(vae.decoder)


class _Chunk:
    """A chunk on its way through the decoder: each step puts what it makes in the place of what it read.

    Args:
        latents: [B,16,n,h/8,w/8]; without a cache before it the clip's first, which is one frame.
        cache: of the chunk before; it is of this one afterwards.
    """

    def __init__(self, latents: torch.Tensor, cache: Cache) -> None:
        self._latents, self._cache = latents, cache
        self._first = not cache
        self._hidden = latents

    def decoded(self, decoder: Any) -> torch.Tensor:
        """Its frames."""
        self._convolve(decoder.conv_in)
        for block in (decoder.mid_block, *decoder.up_blocks):
            for resnet in block.resnets:
                self._resnet(resnet)
            for upsampler in getattr(block, "upsamplers", None) or ():
                self._enlarge(upsampler)
        self._normalise(decoder.norm_out)
        self._convolve(decoder.conv_out)
        return self._hidden

    def _resnet(self, resnet: Any) -> None:
        inputs = self._hidden
        self._normalise(resnet.norm1)
        self._convolve(resnet.conv1)
        self._normalise(resnet.norm2)
        self._convolve(resnet.conv2)
        if resnet.in_channels != resnet.out_channels:
            inputs = resnet.conv_shortcut(inputs)
        self._hidden += inputs

    def _normalise(self, norm: Any) -> None:
        """Group norm, scaled and shifted by what the latent under each pixel says, then SiLU."""
        self._hidden = norm.norm_layer(self._hidden)
        self._by_latent().mul_(self._of_latent(norm.conv_y))
        self._by_latent().add_(self._of_latent(norm.conv_b))
        torch.nn.functional.silu(self._hidden, inplace=True)

    def _by_latent(self) -> torch.Tensor:
        """What there is as a view [B,C,n,frames,h/8,rows,w/8,columns]: nearest neighbours are those of one latent."""
        count, height, width = self._latents.shape[2:]
        view: torch.Tensor = self._hidden.unflatten(4, (width, -1))  # type: ignore[no-untyped-call]
        view = view.unflatten(3, (height, -1))  # type: ignore[no-untyped-call]
        return view.unflatten(2, (count, -1))  # type: ignore[no-untyped-call, no-any-return]

    def _of_latent(self, conv: Any) -> torch.Tensor:
        """What ``conv``, of one pixel, makes of the latents, to go with `_by_latent`."""
        made: torch.Tensor = conv.conv(self._latents)
        return made[:, :, :, None, :, None, :, None]

    def _convolve(self, conv: Any) -> None:
        """Causal in time: after the frames that were kept, at the beginning after the first one repeated."""
        back = conv.time_kernel_size - 1
        before = self._cache.pop(conv, None)
        if before is None:
            before = self._hidden[:, :, :1].expand(-1, -1, back, -1, -1)
        self._hidden = torch.cat([before, self._hidden], dim=2)
        self._cache[conv] = self._hidden[:, :, -back:].clone()
        del before
        self._hidden = conv.conv(self._hidden)

    def _enlarge(self, upsampler: Any) -> None:
        """Twice as wide and high, and of twice as many frames where time is compressed.

        Frames are repeated in time after they were convolved, each for itself: diffusers does it before, to the same
        frames. It also takes every lone latent for the clip's first, whose time stays as it is.
        """
        batch = len(self._hidden)
        self._hidden = self._hidden.transpose(1, 2).flatten(0, 1)
        self._hidden = torch.nn.functional.interpolate(self._hidden, scale_factor=2.0)
        self._hidden = upsampler.conv(self._hidden)
        self._hidden = self._hidden.unflatten(0, (batch, -1)).transpose(1, 2)  # type: ignore[no-untyped-call]
        if upsampler.compress_time and not self._first:
            self._hidden = self._hidden.repeat_interleave(2, dim=2)
        if not self._hidden.is_contiguous(memory_format=torch.channels_last_3d):
            self._hidden = self._hidden.contiguous()
