"""Products in float8: linear layers that round weights and tokens to 8 bits, each row by a scale of its own.

Twice the operations a second of bfloat16 on GPUs that have them (compute capability 8.9 and above), half the memory of
the weights, and another result. Memory mode ``low`` stores weights in float8 as well, but multiplies in bfloat16 and is
no faster for it.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXBlock

STORED = torch.float8_e4m3fn
LARGEST = torch.finfo(STORED).max
LEAST_SCALE = 1e-12
"""So that a row of zeros stays one."""
CAPABILITY = (8, 9)
"""Of the first GPUs that multiply float8 (Ada Lovelace; NVIDIA's table of compute capabilities)."""


class Float8Linear(torch.nn.Module):
    """A linear layer whose weights [out,in] were rounded once and whose tokens [...,in] are rounded as they come.

    Both are e4m3, with the scale of a row that makes its largest value the largest there is; sums are float32 or what
    the GPU's tensor cores accumulate in. In and out are of the layer's own type.
    """

    def __init__(self, layer: torch.nn.Linear) -> None:
        super().__init__()
        weight, scale = rounded(layer.weight.detach())
        self.weight = torch.nn.Parameter(weight, requires_grad=False)
        self.scale = torch.nn.Parameter(scale.T.contiguous(), requires_grad=False)
        self.bias = (
            None if layer.bias is None else torch.nn.Parameter(layer.bias.detach(), requires_grad=False)
        )

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """[...,in] to [...,out]."""
        rows, scale = rounded(tokens.flatten(0, -2))
        made: torch.Tensor = torch._scaled_mm(
            rows,
            self.weight.T,
            scale_a=scale,
            scale_b=self.scale,
            bias=self.bias,
            out_dtype=tokens.dtype,
            use_fast_accum=True,
        )
        return made.view(*tokens.shape[:-1], -1)


def rounded(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows [n,width] as e4m3, and the float32 scales [n,1] that give them back."""
    rows = rows.float()
    scale = (rows.abs().amax(dim=-1, keepdim=True) / LARGEST).clamp(min=LEAST_SCALE)
    return (rows / scale).clamp(-LARGEST, LARGEST).to(STORED), scale


def use_float8(transformer: Any) -> None:
    """Exchange the large linear layers of the blocks, in place: projections and feed-forward.

    What is small or decides much stays as it is: modulations, embeddings, norms, and the way out of the last block.
    """
    for block in transformer.transformer_blocks:
        if not isinstance(block, CogVideoXBlock):
            raise TypeError(f"{type(block).__name__} is no block of CogVideoX's")
        for parent in (block.attn1, block.attn1.to_out, *block.ff.modules()):
            for name, layer in list(parent.named_children()):
                if isinstance(layer, torch.nn.Linear):
                    setattr(parent, name, Float8Linear(layer))


def multiplies_float8(device: torch.device) -> bool:
    """Whether a device is a GPU that can."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= CAPABILITY
