"""Doing the same sums faster: what the transformers gain without another result, beside rounding.

``plain`` is diffusers as it comes: eager, three projections, torch's own choice of attention. ``exact`` has one
product for query, key and value, the attention and the VAE's memory layout that were the fastest on this device when
they were tried, blocks that are compiled once for every length of a window, and windows of one step in one batch where
there is memory for them (``together.py``). Nothing is quantised, cached over
steps or left out. ``fp8`` is exact with the blocks' products in float8 (``float8.py``): another result, near it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from diffusers.models.attention_dispatch import AttentionBackendName, dispatch_attention_fn
from diffusers.models.attention_processor import Attention
from diffusers.models.embeddings import apply_rotary_emb

from void_server.engine.float8 import CAPABILITY, multiplies_float8, use_float8
from void_server.engine.pipeline import VoidPipeline
from void_server.engine.together import Together
from void_server.engine.vae_decode import decode_chunks
from void_wire.errors import SettingsError

log = logging.getLogger(__name__)

SPEEDS = ("plain", "exact", "fp8")
WHOLE = ("resident", "offload")
"""Memory modes without hooks inside the transformers."""
ATTENTIONS = ("native", "_native_flash", "_native_cudnn", "_flash_3", "flash")
"""What is tried, by diffusers' names: torch's own choice first, and nothing that quantises."""
CLEARLY = 0.95
"""Share of the time of the best before it that a later one has to stay under: a tie always ends the same way."""
ROUNDING = 0.02
"""How far a bfloat16 attention may be from torch's own, of the largest value there: a few of its 8 bits."""
PROBED = (24, 42)
"""Height and width of the latents that the VAE is tried with: half the published raster's."""
BLOCK = "CogVideoXBlock"


@dataclass(frozen=True)
class Made:
    """What was made of a pipeline."""

    speed: str  # exact or fp8
    attention: str  # diffusers' name of it
    channels_last: bool  # the VAE's convolutions
    compiled: bool  # the transformers' blocks

    def __str__(self) -> str:
        """For the record of a result."""
        words = [self.speed, f"attention {self.attention.strip('_')}"]
        words += ["channels last"] * self.channels_last + ["compiled"] * self.compiled
        return ", ".join(words)


def hasten(pipe: VoidPipeline, device: torch.device, speed: str, memory_mode: str) -> str:
    """Bring a loaded pipeline to ``speed``, one of SPEEDS, in place and once; returns what a record says of it.

    To be called before there are hooks inside the transformers (group, low), and best after they are on the device.

    Raises SettingsError for a speed that there is not, or not here.
    """
    if speed not in SPEEDS:
        raise SettingsError(f"speed is {speed!r}; choose one of {', '.join(SPEEDS)}.")
    if speed == "plain":
        return speed
    if speed == "fp8" and not (multiplies_float8(device) and memory_mode in WHOLE):
        raise SettingsError(
            f"Speed fp8 needs a GPU of compute capability {'.'.join(map(str, CAPABILITY))} or above in memory mode "
            f"{' or '.join(WHOLE)}, and this is {device.type} in {memory_mode}: use speed exact."
        )
    made = make_exact(pipe, device, compiles=can_compile(device, memory_mode))
    return str(make_float8(pipe, made) if speed == "fp8" else made)


def make_float8(pipe: VoidPipeline, made: Made) -> Made:
    """Round the transformers of a pipeline that `make_exact` was given."""
    for transformer in (pipe.transformer, pipe.transformer_2):
        use_float8(transformer)
    return replace(made, speed="fp8")


def make_exact(
    pipe: VoidPipeline, device: torch.device, *, compiles: bool, backend: str = "inductor"
) -> Made:
    """Make transformers and VAE fast in place, and have windows of a step taken together; see `hasten`.

    Args:
        pipe: as it was loaded, on any device.
        device: where it is going to run.
        compiles: whether blocks are compiled, at their first use; not with hooks inside them (group, low).
        backend: of torch.compile.
    """
    transformers = (pipe.transformer, pipe.transformer_2)
    for transformer in transformers:
        _fuse(transformer)
    attention = fastest_attention(pipe.transformer, device)
    for transformer in transformers:
        transformer.set_attn_processor(Joined(attention))
        if compiles:
            transformer._repeated_blocks = [BLOCK]  # diffusers has not named CogVideoX's
            transformer.compile_repeated_blocks(backend=backend, dynamic=True)
    pipe.together = Together(device)
    return Made("exact", attention, faster_channels_last(pipe.vae, device), compiles)


def can_compile(device: torch.device, memory_mode: str) -> bool:
    """Whether torch can compile here, and the mode leaves the blocks alone."""
    from torch.utils._triton import has_triton

    return device.type == "cuda" and memory_mode in WHOLE and bool(has_triton())


class Joined:
    """CogVideoX's attention over text and picture: one projection, and diffusers' dispatcher for the rest.

    Equal to diffusers' `CogVideoXAttnProcessor2_0`, which neither joins the projections without keeping them twice nor
    lets the attention be chosen.
    """

    def __init__(self, backend: str) -> None:
        self._backend = AttentionBackendName(backend)

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        attention_mask: None,  # diffusers hands it to every processor; CogVideoX has none
        image_rotary_emb: tuple[torch.Tensor, torch.Tensor],
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Picture [B,V,D] and text [B,T,D] attend to both; the picture has rotary positions (cos, sin) [V,head]."""
        text = encoder_hidden_states.shape[1]
        joined = attn.to_qkv(torch.cat([encoder_hidden_states, hidden_states], dim=1))
        query, key, value = (part.unflatten(-1, (attn.heads, -1)) for part in joined.chunk(3, dim=-1))
        turned = [
            torch.cat(
                [one[:, :text], apply_rotary_emb(one[:, text:], image_rotary_emb, sequence_dim=1)], dim=1
            )
            for one in (attn.norm_q(query), attn.norm_k(key))
        ]
        attended = dispatch_attention_fn(turned[0], turned[1], value, backend=self._backend)
        out = attn.to_out[0](attended.flatten(2))
        return out[:, text:], out[:, :text]


def fastest_attention(transformer: Any, device: torch.device) -> str:
    """The one of `ATTENTIONS` that takes the least for a whole window; on the CPU, where there is one, that.

    One that is not installed, does not take these sizes or is further from torch's own than rounding is passed over.
    """
    if device.type == "cpu":
        return ATTENTIONS[0]
    config = transformer.config
    size = (1, window_tokens(config), config.num_attention_heads, config.attention_head_dim)
    draws = torch.Generator(device).manual_seed(0)
    parts = [torch.randn(size, generator=draws, device=device, dtype=transformer.dtype) for _ in range(3)]
    best, least_s, own = ATTENTIONS[0], float("inf"), None
    for name in ATTENTIONS:
        try:
            made = dispatch_attention_fn(*parts, backend=name).float()
            taken_s = min(_seconds(parts, name, device) for _ in range(5))
        except Exception as error:  # each says in its own way that it is not installed or not for this GPU
            log.info("attention %s is not for this machine: %s", name, error)
            continue
        own = made if own is None else own
        off = float((made - own).abs().max() / own.abs().max())
        log.info("attention %s takes %.2f ms", name, taken_s * 1e3)
        if off <= ROUNDING and taken_s < CLEARLY * least_s:
            best, least_s = name, taken_s
    return best


def window_tokens(config: Any) -> int:
    """Tokens of a whole window at the size a transformer was trained at, the text's included."""
    latents = (config.sample_frames - 1) // config.temporal_compression_ratio + 1
    unit = 8 * config.patch_size  # pixels; the VAE's eight
    rows, columns = config.sample_height // unit, config.sample_width // unit
    return int(latents // config.patch_size_t * rows * columns + config.max_text_seq_length)


def faster_channels_last(vae: Any, device: torch.device) -> bool:
    """Whether the VAE decodes faster with its channels side by side; it is left as is the faster."""
    if device.type == "cpu":
        return False
    home = vae.device
    vae.to(device)
    taken_s = []
    for layout in (torch.contiguous_format, torch.channels_last_3d):
        set_layout(vae, layout)
        taken_s.append(min(_decode_seconds(vae, device) for _ in range(3)))
    log.info("the VAE decodes in %.0f ms, channels last %.0f ms", *(taken * 1e3 for taken in taken_s))
    gains = taken_s[1] < CLEARLY * taken_s[0]
    if not gains:
        set_layout(vae, torch.contiguous_format)
    vae.to(home)
    return gains


def set_layout(vae: Any, layout: torch.memory_format) -> None:
    """The order in which the weights of all 3D convolutions lie in memory; what they get and make follows them."""
    for module in vae.modules():
        if isinstance(module, torch.nn.Conv3d):
            module.weight.data = module.weight.data.contiguous(memory_format=layout)


def _fuse(transformer: Any) -> None:
    """Diffusers' own joint projection, without the three that it keeps beside it."""
    for module in transformer.modules():
        if isinstance(module, Attention):
            module.fuse_projections()
            del module.to_q, module.to_k, module.to_v
            module.to_qkv.requires_grad_(False)


def _seconds(parts: list[torch.Tensor], name: str, device: torch.device) -> float:
    return _timed(lambda: dispatch_attention_fn(*parts, backend=name), device)


@torch.no_grad()
def _decode_seconds(vae: Any, device: torch.device) -> float:
    """Of a frame and a chunk of two latents."""
    latents = torch.zeros(1, vae.config.latent_channels, 3, *PROBED, device=device, dtype=vae.dtype)
    return _timed(lambda: list(decode_chunks(vae, latents)), device)


def _timed(work: Callable[[], object], device: torch.device) -> float:
    torch.cuda.synchronize(device)
    began = time.perf_counter()
    work()
    torch.cuda.synchronize(device)
    return time.perf_counter() - began
