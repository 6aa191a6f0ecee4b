"""The shortcuts of a preview on a small untrained model: what each saves, and how far it leads from the final job.

How far, of such a model, says that the measure works and no more: with the published weights it is another figure.
``void bench gpu`` has the same rows at full size.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from void_server.bench.gpu.passes import Shot
from void_server.bench.gpu.random_model import random_pipeline, write_layout
from void_server.bench.gpu.shortcuts import measure_shortcuts
from void_server.bench.gpu.sizes import TEXT_ENCODER, TRANSFORMER, VAE, Sizes
from void_server.bench.row import Row

CPU = torch.device("cpu")
SMALL = Sizes(
    transformer={
        **TRANSFORMER,
        "num_attention_heads": 4,
        "num_layers": 4,
        "time_embed_dim": 64,
        "text_embed_dim": 32,
    },
    vae={**VAE, "block_out_channels": [8, 8, 8, 8], "layers_per_block": 1, "norm_num_groups": 4},
    text_encoder={
        **TEXT_ENCODER,
        "d_model": 32,
        "d_ff": 64,
        "d_kv": 8,
        "num_heads": 4,
        "num_layers": 2,
        "vocab_size": 160,
    },
    raster=(96, 160),
    frames=13,
    window_frames=13,
)


def rows(sizes: Sizes = SMALL) -> list[Row]:
    """Of each shortcut its seconds over the final job's, and its deviation over that of another seed."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # threads that wait for a busy machine would be what is measured
    try:
        return list(_rows(sizes))
    finally:
        torch.set_num_threads(threads)


def _rows(sizes: Sizes) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="void-preview-") as folder:
        write_layout(Path(folder), sizes)
        pipe = random_pipeline(Path(folder), CPU, CPU, torch.float32)
        height, width = sizes.raster
        where = f"pass 1, {sizes.frames} frames at {height} x {width}, CPU float32, random weights"
        for one in measure_shortcuts(pipe, Shot(sizes, sizes.frames, CPU)):
            name = f"preview, {one.name.replace('_', ' ')}"
            ratio = one.seconds / one.final_s
            note = f"{one.note}; {where}; baseline: the final job"
            yield Row(name, one.seconds, "s", one.final_s, ratio, "", None, note)
            ratio = one.off / one.other_seed
            note = "root mean square inside the matte, of 255, from the final job; baseline: another seed's"
            yield Row(f"{name}, off", one.off, "levels", one.other_seed, ratio, "", None, note)
