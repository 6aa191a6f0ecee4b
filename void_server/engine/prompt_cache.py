"""What the text encoder made of prompts, on disk: a prompt that came before needs no text encoder.

A file is named by the digest of the prompt and of what encoded it, and holds the numbers alone. They are not the
prompt, but whoever has a prompt can tell whether it was used: a private server keeps none.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

log = logging.getLogger(__name__)

LIMIT_BYTES = 500_000_000
"""What all files may take together: some 260 prompts of the published model, 1.9 MB each."""


class PromptCache:
    """Embeddings by prompt. Several processes may have one folder.

    Args:
        folder: where they lie; made when the first is kept.
        encoder: names what encodes, weights, type and device included: what another made is not found.
        limit_bytes: of all files; those that were not used for the longest go first.
    """

    def __init__(self, folder: Path, encoder: str, limit_bytes: int = LIMIT_BYTES) -> None:
        self._folder, self._encoder, self._limit_bytes = folder, encoder, limit_bytes

    def find(self, prompt: str) -> torch.Tensor | None:
        """The embeddings [1,tokens,D] on the CPU, as they were kept; None for a prompt that is new."""
        file = self._file(prompt)
        try:
            embeddings: torch.Tensor = load_file(file)["embeddings"]
            os.utime(file)
            return embeddings
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, LookupError) as error:
            log.warning("what was kept of a prompt cannot be read (%s): it is encoded anew", error)
            return None

    def keep(self, prompt: str, embeddings: torch.Tensor) -> None:
        """Keep embeddings for `find`. A disk that takes nothing costs the time of the next one alone."""
        file = self._file(prompt)
        part = file.with_suffix(f".{os.getpid()}.part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            save_file({"embeddings": embeddings.cpu().contiguous()}, part)
            part.replace(file)
            self._shrink(file)
        except (OSError, SafetensorError) as error:
            log.warning("a prompt's embeddings are not kept (%s)", error)

    def _shrink(self, newest: Path) -> None:
        held = []
        for file in self._folder.glob("*.safetensors"):
            with contextlib.suppress(FileNotFoundError):
                held.append((file, file.stat()))
        total = sum(stat.st_size for _, stat in held)
        for file, stat in sorted(held, key=lambda one: (one[0] == newest, one[1].st_mtime_ns)):
            if total <= self._limit_bytes:
                return
            with contextlib.suppress(FileNotFoundError):
                file.unlink()
            total -= stat.st_size

    def _file(self, prompt: str) -> Path:
        digest = hashlib.blake2b(digest_size=16)
        for text in (self._encoder, prompt):
            digest.update(len(text.encode()).to_bytes(8, "big") + text.encode())
        return self._folder / f"{digest.hexdigest()}.safetensors"
