"""Memory modes: what lies on the GPU while the model works, through diffusers' own hooks but for offload.

========  ================================================================================================
resident  everything on the GPU but T5, whose layers stream in for a prompt that is new: the fastest
offload   one part at a time (VAE, a transformer), whole, T5's layers as above; the others wait in locked host
          memory, and a pass's transformer comes while its noise is made (``swap.py``)
group     layers stream in while others compute; only the VAE stays
low       as group, the transformers' weights kept as float8 (e4m3): 11 GB less host memory and half the
          transfer, and another result, because the weights are rounded
========  ================================================================================================

Resident, offload and group give the same bits, so where the GPU runs out in one the next is tried (`mode_at`, used by
``residence.py``). At speed exact that goes for the first two, whose blocks are compiled; group's round otherwise. Low
is never fallen back to: that the weights may be rounded is for somebody to say.

The decoder's chunks stay as they are where memory is short: its norms take their mean over all frames and pixels of a
chunk, so smaller ones, in time or in tiles, make other pictures.

In offload it is the transformer that takes the most, at the default raster; in group and low the VAE's decoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import psutil
import torch
from diffusers.hooks import apply_group_offloading

from void_server.engine.swap import Swap
from void_wire.errors import GpuMemory, SettingsError

if TYPE_CHECKING:
    from void_server.engine.pipeline import VoidPipeline

MODES = ("resident", "offload", "group", "low")
"""From the fastest to the slowest; none needs more GPU memory than the one before it."""

MODES_OF = {"cpu": ("resident",), "cuda": MODES}
"""By the type of the device; the CPU has nowhere else to keep weights."""

SWAPPED = ("vae", "transformer", "transformer_2")
"""The parts that come to the GPU whole."""

VAE_BYTES_PER_PIXEL = 21_600
"""The VAE's live tensors at their most, for each pixel of the raster.

Counted, not measured: bfloat16 shapes at 384 x 672 on the meta device, 5.2 GiB of one decoder chunk (two latents) as
``vae_decode.py`` goes through it; diffusers' own way takes 10.8 GiB, the encoder 4.9 GiB.
"""

DENOISE_BYTES_PER_PIXEL = 8_500
"""The same for a guided step of the transformer over a window of `COUNTED_LATENTS`: 2.0 GiB."""

COUNTED_LATENTS, COUNTED_ROWS = 22, 2

MARGIN = 1.25
"""For what the count leaves out: the convolutions' workspace and the allocator's gaps."""


def vae_bytes(pixels: int) -> float:
    """What the VAE takes beside its weights at a raster of ``pixels``, estimated."""
    return pixels * VAE_BYTES_PER_PIXEL * MARGIN


def denoise_bytes(pixels: int, latents: int = COUNTED_LATENTS, rows: int = COUNTED_ROWS) -> float:
    """The same of a forward of the transformer over ``rows`` (a guided window is two) of so many latents."""
    share = latents * rows / (COUNTED_LATENTS * COUNTED_ROWS)
    return pixels * DENOISE_BYTES_PER_PIXEL * MARGIN * share


def free_bytes(device: torch.device) -> int:
    """What can be had: the device's free memory and what torch holds of it unused."""
    if device.type == "cpu":
        return int(psutil.virtual_memory().available)
    cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0]) + cached


def needed_bytes(mode: str, sizes: Mapping[str, int], raster: tuple[int, int]) -> int:
    """GPU memory a mode takes at its most, estimated: weights on the GPU plus the work on them.

    Args:
        mode: one of MODES.
        sizes: bytes of each part's weights, from ``checkpoints.part_bytes``.
        raster: height and width the model runs at.
    """
    pixels = raster[0] * raster[1]
    vae_work, denoise_work = vae_bytes(pixels), denoise_bytes(pixels)
    if mode == "resident":
        return int(sum(sizes.values()) - sizes["text_encoder"] + vae_work)
    if mode == "offload":
        return int(max(max(sizes[name] for name in SWAPPED) + denoise_work, sizes["vae"] + vae_work))
    return int(sizes["vae"] + max(vae_work, denoise_work))


def choose_mode(
    wanted: str,
    *,
    device: str,
    sizes: Mapping[str, int],
    free_bytes: int,
    host_free_bytes: int,
    raster: tuple[int, int] = (384, 672),
) -> str:
    """The mode to run in: ``wanted``, or under "auto" the fastest that fits.

    Args:
        wanted: "auto" or one of MODES.
        device: "cpu" or a CUDA device; the CPU knows resident alone.
        sizes: bytes of each part's weights, from ``checkpoints.part_bytes``.
        free_bytes: of the GPU, before anything is loaded.
        host_free_bytes: of host memory, where offload and group keep all weights.
        raster: the largest the model is to run at.

    Raises:
        SettingsError: the mode does not exist, or not on this device.
    """
    if wanted not in ("auto", *MODES):
        raise SettingsError(f"Memory mode is {wanted!r}; choose one of auto, {', '.join(MODES)}.")
    if wanted not in ("auto", *MODES_OF[device]):
        raise SettingsError(f"Memory mode {wanted} moves weights to a GPU and this is the CPU: use auto.")
    if wanted != "auto":
        return wanted
    if device == "cpu":
        return "resident"
    if needed_bytes("resident", sizes, raster) <= free_bytes:
        return "resident"
    if sum(sizes.values()) > host_free_bytes:
        return "low"
    return "offload" if needed_bytes("offload", sizes, raster) <= free_bytes else "group"


def mode_at(
    begin: str, ran_out: Mapping[str, int], raster: tuple[int, int], device: str = "cuda"
) -> str | None:
    """The first mode from ``begin`` on, of those with its bits, that has not run out at the raster; None: each has.

    Args:
        begin: the mode of choice.
        ran_out: mode -> pixels of the smallest raster at which it ran out of memory; 0: with the weights alone.
        raster: height and width the model is to run at.
        device: "cpu" or "cuda".
    """
    modes = MODES_OF[device]
    same = modes[modes.index(begin) :] if begin == "low" else [mode for mode in modes if mode != "low"]
    pixels = raster[0] * raster[1]
    return next(
        (mode for mode in same[same.index(begin) :] if mode not in ran_out or pixels < ran_out[mode]),
        None,
    )


def place(pipe: VoidPipeline, mode: str, device: torch.device) -> None:
    """Put the pipeline where ``mode`` says, with the hooks that keep it so."""
    streams = device.type == "cuda"
    if mode in ("resident", "offload"):
        apply_group_offloading(
            pipe.text_encoder,
            device,
            offload_type="leaf_level",
            use_stream=streams,
            record_stream=streams,
            low_cpu_mem_usage=True,  # it is needed too seldom to have host memory locked for it
        )
        if mode == "offload":
            pipe.swap = Swap({name: getattr(pipe, name) for name in SWAPPED}, device)
            return
        for name in SWAPPED:
            getattr(pipe, name).to(device)
        return
    if mode == "low":
        for transformer in (pipe.transformer, pipe.transformer_2):
            compute = transformer.dtype
            transformer.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=compute)
    pipe.enable_group_offload(
        device, offload_type="leaf_level", use_stream=streams, record_stream=streams, exclude_modules=["vae"]
    )


def out_of_memory(mode: str, sizes: Mapping[str, int], raster: tuple[int, int], free_bytes: int) -> GpuMemory:
    """The error for a GPU that ran out: what the job needs by estimate, what was free, and the next step."""
    needed = needed_bytes(mode, sizes, raster)
    leaner = next((one for one in MODES if needed_bytes(one, sizes, raster) < needed), None)
    advice = f"use memory mode {leaner}, or a smaller raster" if leaner else "use a smaller raster"
    return GpuMemory(
        f"The GPU ran out of memory at raster {raster[0]} x {raster[1]} in memory mode {mode}: about "
        f"{needed / 2**30:.1f} GiB are needed and {free_bytes / 2**30:.1f} GiB were free; "
        f"{advice}."
    )
