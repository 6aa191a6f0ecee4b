"""From the published files to a pipeline: safetensors only, strictly, without a second copy in memory.

Every module is built on the meta device and takes its tensors from the mapped files; the base model's own
transformer weights are never opened, because each VOID file replaces them whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from accelerate import init_empty_weights
from diffusers import (
    AutoencoderKLCogVideoX,
    CogVideoXDDIMScheduler,
    CogVideoXTransformer3DModel,
    DDIMScheduler,
)
from safetensors import safe_open
from sentencepiece import SentencePieceProcessor
from transformers import T5Config, T5EncoderModel, T5Tokenizer

from void_server.engine.pipeline import VoidPipeline
from void_server.engine.weights import Entry, header, missing_weights, model_files, read_json
from void_server.progress import Progress, unwatched
from void_wire.errors import CheckpointError
from void_wire.messages import Stage

VOID_CHANNELS = 48
"""What VOID's transformers take in: 16 noise, 16 mask and 16 video latents; the base has 33 (void.md 1)."""

TIED = {"encoder.embed_tokens.weight": "shared.weight"}
"""T5 has one table of embeddings under two names; files hold either or both."""


def _transformer(folder: Path) -> torch.nn.Module:
    config = read_json(folder / "transformer" / "config.json")
    config.pop(
        "add_noise_in_inpaint_model", None
    )  # VideoX-Fun's own key: what it asks for, conditioning.py does
    model: torch.nn.Module = CogVideoXTransformer3DModel.from_config({**config, "in_channels": VOID_CHANNELS})
    return model


def _vae(folder: Path) -> torch.nn.Module:
    model: torch.nn.Module = AutoencoderKLCogVideoX.from_config(read_json(folder / "vae" / "config.json"))
    return model


def _text_encoder(folder: Path) -> torch.nn.Module:
    model: torch.nn.Module = T5EncoderModel(
        T5Config.from_dict(read_json(folder / "text_encoder" / "config.json"))
    )
    return model


MODULES: dict[str, Callable[[Path], torch.nn.Module]] = {
    "text_encoder": _text_encoder,
    "vae": _vae,
    "transformer": _transformer,
    "transformer_2": _transformer,
}


def part_bytes(folder: Path, dtype: torch.dtype) -> dict[str, int]:
    """Bytes of each part's weights once they are loaded in ``dtype``; nothing of them is read.

    Raises CheckpointError when a file lacks, or a config makes no model.
    """
    if lacking := missing_weights(folder):
        raise CheckpointError(lacking)
    return {part: stored_bytes(part, folder, dtype) for part in MODULES}


def stored_bytes(part: str, folder: Path, dtype: torch.dtype) -> int:
    """The same of one part, for which its config alone has to be there."""
    wanted = _on_meta(MODULES[part], folder).state_dict()
    return int(sum(weight.numel() for key, weight in wanted.items() if key not in TIED) * dtype.itemsize)


def load_pipeline(
    folder: Path,
    *,
    dtype: torch.dtype,
    onto: Mapping[str, torch.device] | None = None,
    progress: Progress = unwatched,
) -> VoidPipeline:
    """The pipeline of a folder in the published layout, in ``dtype``.

    Args:
        folder: of the weights.
        dtype: of the modules.
        onto: part -> the device that its weights are read onto; those not named are on the CPU, where they stay in
            the mapped files until they are used.
        progress: told of Stage.LOAD part by part.

    Raises CheckpointError when a file lacks, is no safetensors, or does not hold exactly the model's tensors.
    """
    if lacking := missing_weights(folder):
        raise CheckpointError(lacking)
    files, onto = model_files(folder), onto or {}
    modules = {}
    progress(Stage.LOAD, 0, len(MODULES))
    for step, (part, build) in enumerate(MODULES.items(), start=1):
        device = onto.get(part, torch.device("cpu"))
        modules[part] = _load(_on_meta(build, folder), files[part], dtype, device)
        progress(Stage.LOAD, step, len(MODULES))
    scheduler = read_json(folder / "scheduler" / "scheduler_config.json")
    return VoidPipeline(
        tokenizer=_tokenizer(folder / "tokenizer"),
        scheduler=DDIMScheduler.from_config(scheduler),
        scheduler_2=CogVideoXDDIMScheduler.from_config(scheduler),
        **modules,
    )


def _tokenizer(folder: Path) -> T5Tokenizer:
    """T5's tokenizer; transformers makes one of hardly any words when the vocabulary cannot be read."""
    vocabulary = folder / "spiece.model"
    try:
        pieces = SentencePieceProcessor(model_file=str(vocabulary)).get_piece_size()
    except (OSError, RuntimeError) as error:
        raise CheckpointError(f"{vocabulary} is no SentencePiece vocabulary: pull it again.") from error
    tokenizer = T5Tokenizer.from_pretrained(folder, local_files_only=True)
    if len(tokenizer) < pieces:
        raise CheckpointError(
            f"{folder} gives {len(tokenizer)} tokens where its vocabulary has {pieces}: pull it again."
        )
    return tokenizer


def mismatches(folder: Path) -> dict[Path, str]:
    """For each file that does not hold exactly its part of the model: the sentence that says how it differs."""
    found = {}
    for part, files in model_files(folder).items():
        module = _on_meta(MODULES[part], folder)
        if difference := _difference(module, _read_headers(files)):
            found[files[0]] = f"{files[0]} does not fit the model: {difference}."
    return found


def _on_meta(build: Callable[[Path], torch.nn.Module], folder: Path) -> torch.nn.Module:
    try:
        with init_empty_weights():
            return build(folder)
    except (
        TypeError,
        ValueError,
        RuntimeError,
    ) as error:  # configs are data: a wrong value is the user's to fix
        raise CheckpointError(
            f"A config.json in {folder} makes no model ({error}): pull the weights again."
        ) from error


def _read_headers(files: list[Path]) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for file in files:
        entries.update(header(file))
    for alias, name in TIED.items():
        if alias in entries:
            entries.setdefault(name, entries[alias])
            del entries[alias]
    return entries


def _difference(module: torch.nn.Module, entries: dict[str, Entry]) -> str:
    """How the tensors of the files differ from the module's; empty when they are the same."""
    wanted = {key: tuple(value.shape) for key, value in module.state_dict().items() if key not in TIED}
    wrong = {
        "missing": [key for key in wanted if key not in entries],
        "unexpected": [key for key in entries if key not in wanted],
        "of another shape": [
            f"{key} {list(entries[key].shape)} instead of {list(shape)}"
            for key, shape in wanted.items()
            if key in entries and entries[key].shape != shape
        ],
    }
    return "; ".join(
        f"{len(keys)} {kind} ({', '.join(sorted(keys)[:5])}{', ...' if len(keys) > 5 else ''})"
        for kind, keys in wrong.items()
        if keys
    )


def _load(
    module: torch.nn.Module, files: list[Path], dtype: torch.dtype, device: torch.device
) -> torch.nn.Module:
    """``module``, until now on the meta device, with the tensors of ``files``: exactly its own, or CheckpointError."""
    if difference := _difference(module, _read_headers(files)):
        raise CheckpointError(f"{files[0]} does not fit the model: {difference}. Pull the weights again.")
    tensors: dict[str, torch.Tensor] = {}
    for file in files:
        with safe_open(file, framework="pt", device=str(device)) as stored:
            for key in stored.keys():  # noqa: SIM118 - not a mapping
                tensors[TIED.get(key, key)] = stored.get_tensor(key).to(dtype)
    for alias, name in TIED.items():
        if alias in module.state_dict():
            tensors[alias] = tensors[name]
    module.load_state_dict(tensors, strict=True, assign=True)
    if isinstance(module, T5EncoderModel):
        module.tie_weights()
    return module.requires_grad_(False).eval()
