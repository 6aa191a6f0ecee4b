"""A model of the published layout with random weights: nothing to download, and as fast as the real one."""

from __future__ import annotations

import io
import json
import os
import shutil
from pathlib import Path

import torch
from accelerate import init_empty_weights
from diffusers import CogVideoXDDIMScheduler, DDIMScheduler
from safetensors.torch import save_file
from sentencepiece import SentencePieceTrainer
from transformers import T5EncoderModel, T5Tokenizer

from void_server.bench.gpu.clock import NotMeasured
from void_server.bench.gpu.sizes import SCHEDULER, Sizes
from void_server.engine.checkpoints import MODULES, TIED, stored_bytes
from void_server.engine.pipeline import VoidPipeline
from void_server.engine.weights import STEMS

PROMPT = "An empty room with a wooden floor and a window."
ROOM = 1.1
"""Disk to be free, of what is written."""


def write_layout(folder: Path, sizes: Sizes) -> None:
    """Configs and a small vocabulary, in the published layout; no weights yet."""
    files = {
        "transformer/config.json": sizes.transformer,
        "vae/config.json": sizes.vae,
        "text_encoder/config.json": sizes.text_encoder,
        "scheduler/scheduler_config.json": SCHEDULER,
        "tokenizer/tokenizer_config.json": {
            "tokenizer_class": "T5Tokenizer",
            "extra_ids": 100,
            "legacy": True,
        },
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(dict(content)))
    pieces = io.BytesIO()
    SentencePieceTrainer.train(sentence_iterator=iter([PROMPT] * 50), model_writer=pieces, vocab_size=40, pad_id=0,
                               eos_id=1, unk_id=2, bos_id=-1, hard_vocab_limit=False, minloglevel=2)  # fmt: skip
    (folder / "tokenizer" / "spiece.model").write_bytes(pieces.getvalue())


def random_pipeline(
    folder: Path, drawn_on: torch.device, kept_on: torch.device, dtype: torch.dtype
) -> VoidPipeline:
    """The pipeline of a layout's configs; a part at a time is drawn on one device and kept on another."""
    modules = {part: random_part(part, folder, drawn_on, dtype).to(kept_on) for part in MODULES}
    pipe = VoidPipeline(
        tokenizer=T5Tokenizer.from_pretrained(folder / "tokenizer", local_files_only=True),
        scheduler=DDIMScheduler.from_config(dict(SCHEDULER)),
        scheduler_2=CogVideoXDDIMScheduler.from_config(dict(SCHEDULER)),
        **modules,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def random_part(part: str, folder: Path, device: torch.device, dtype: torch.dtype) -> torch.nn.Module:
    """One of the model's four parts, the same weights every time.

    Norms leave what they get, biases are 0, and every product keeps the variance of what it is given.
    """
    module = empty_part(part, folder)
    draws = torch.Generator(device).manual_seed(sorted(MODULES).index(part))
    tensors: dict[str, torch.Tensor] = {}
    for key, like in module.state_dict().items():
        if key in TIED:
            continue
        if like.dim() < 2:
            tensors[key] = torch.full(like.shape, float(key.endswith("weight")), device=device, dtype=dtype)
        else:
            drawn = torch.randn(like.shape, generator=draws, device=device, dtype=dtype)
            tensors[key] = drawn.mul_(like[0].numel() ** -0.5)
    tensors |= {alias: tensors[name] for alias, name in TIED.items() if alias in module.state_dict()}
    module.load_state_dict(tensors, strict=True, assign=True)
    if isinstance(module, T5EncoderModel):
        module.tie_weights()
    return module.requires_grad_(False).eval()


def empty_part(part: str, folder: Path) -> torch.nn.Module:
    """One of the model's four parts without memory for its weights."""
    with init_empty_weights():
        return MODULES[part](folder)


def write_weights(folder: Path, device: torch.device, dtype: torch.dtype) -> int:
    """Random weights beside the configs; both passes are one file. Returns the bytes that a load of them reads.

    Raises NotMeasured when the disk has no room for them.
    """
    files = {
        "text_encoder": folder / "text_encoder" / f"{STEMS['text_encoder']}.safetensors",
        "vae": folder / "vae" / f"{STEMS['vae']}.safetensors",
        "transformer": folder / "void_pass1.safetensors",
    }
    sizes = {part: stored_bytes(part, folder, dtype) for part in files}
    needed, free = ROOM * sum(sizes.values()), shutil.disk_usage(folder).free
    if needed > free:
        raise NotMeasured(
            f"random weights take {needed / 1e9:.0f} GB of disk and {free / 1e9:.0f} GB are free (TMPDIR)"
        )
    for part, file in files.items():
        tensors = random_part(part, folder, device, dtype).state_dict()
        save_file(
            {key: tensor.cpu().contiguous() for key, tensor in tensors.items() if key not in TIED}, file
        )
    os.link(files["transformer"], folder / "void_pass2.safetensors")
    return sum(sizes.values()) + sizes["transformer"]
