"""What the floor of a step is made of: counted work of the transformer, measured peak of the device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from void_server.bench.gpu.clock import seconds

RUNS = 20


def forward_flops(
    config: Mapping[str, Any], latents: int, latent_size: tuple[int, int], batch: int = 1
) -> int:
    """Floating point operations of one forward of a transformer with VOID's 48 channels: products alone, 2 an entry.

    With V tokens of the picture (latents / 2 x h/2 x w/2), T of the text, S = V + T, width D, L blocks and a time
    embedding of E, for each row of the batch:

    - a block: query, key, value and output 4 D^2, feed-forward 8 D^2, by S; attention 2 S^2 D; modulations of both
      norms 2 x 6 E D
    - before: patches V D (48 x 8), text T D D_text, time D E + E^2
    - after: modulation 2 E D, patches V D (16 x 8)

    Twice their sum, as each entry is a product and a sum. Norms, rotary positions and activations are not counted.
    """
    patch = config["patch_size"] ** 2 * config["patch_size_t"]
    seen = latents // config["patch_size_t"] * (latent_size[0] * latent_size[1] // config["patch_size"] ** 2)
    text, embed = config["max_text_seq_length"], config["time_embed_dim"]
    tokens = seen + text
    width = config["num_attention_heads"] * config["attention_head_dim"]
    block = 12 * width**2 * tokens + 2 * tokens**2 * width + 12 * embed * width
    before = seen * width * 48 * patch + text * width * config["text_embed_dim"] + width * embed + embed**2
    after = 2 * embed * width + seen * width * config["out_channels"] * patch
    return int(2 * batch * (config["num_layers"] * block + before + after))


def peak_flops(device: torch.device, dtype: torch.dtype, side: int) -> float:
    """Operations a second of a square product of matrices of ``side``, the best of some."""
    one, other = (torch.randn(side, side, device=device, dtype=torch.float32).to(dtype) for _ in range(2))
    out = torch.empty_like(one)
    torch.mm(one, other, out=out)
    return 2 * side**3 / min(seconds(lambda: torch.mm(one, other, out=out), device) for _ in range(RUNS))
