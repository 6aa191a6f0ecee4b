"""How far the model has come with a clip, on disk: a run of the same request takes up from there, to the same bits.

A milestone is what a pass has between two steps: its latents, and those of the windows that are done anew. The
samplers keep nothing else from one step to the next (DDIM without noise of its own). After its last step a pass leaves
its decoded frames too.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import xxhash
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from void_server.engine import kept_frames
from void_server.engine.kept_frames import Chunks

log = logging.getLogger(__name__)

SHARE = 0.005
"""Of a pass's time that may go into saving."""


@dataclass(frozen=True)
class Milestone:
    """What a pass has after ``step`` (1..N) of its steps."""

    step: int
    latents: torch.Tensor  # [1,T,16,h,w], in the type that the pass keeps them in
    redone: tuple[torch.Tensor, ...]  # [1,t,16,h,w] each, of the windows done anew


class Milestones:
    """The last one of each pass of one clip. For one thread.

    Args:
        folder: where they lie; made when the first is saved.
        key: names the request; what another one left is not taken up.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._folder, self._key = folder, key
        self._rest_until = 0.0

    def last(self, pass_number: int) -> Milestone | None:
        """What was reached of a pass; None for nothing, or nothing that can be read."""
        try:
            with safe_open(self._file(pass_number), framework="pt") as file:
                says = file.metadata() or {}
                if says.get("key") != self._key:
                    return None
                tensors = [file.get_tensor(str(place)) for place in range(len(file.keys()))]
                found = Milestone(int(says["step"]), tensors[0], tuple(tensors[1:]))
                log.info("pass %d goes on after step %d", pass_number, found.step)
                return found
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, LookupError, ValueError) as error:
            log.warning("what pass %d had reached cannot be read (%s): it begins anew", pass_number, error)
            return None

    def reached(self, pass_number: int, steps: int, milestone: Milestone) -> None:
        """`keep` it where saving has rested long enough to stay within `SHARE`; always after the last of ``steps``."""
        began = time.monotonic()
        if milestone.step < steps and began < self._rest_until:
            return
        self.keep(pass_number, milestone)
        now = time.monotonic()
        self._rest_until = now + (now - began) / SHARE

    def keep(self, pass_number: int, milestone: Milestone) -> None:
        """Save it. A disk that takes nothing costs the milestone alone."""
        part = self._file(pass_number).with_suffix(".part")
        kept = (milestone.latents, *milestone.redone)
        tensors = {str(place): one.cpu().contiguous() for place, one in enumerate(kept)}
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            save_file(tensors, part, {"key": self._key, "step": str(milestone.step)})
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.replace(self._file(pass_number))
        except (OSError, SafetensorError) as error:
            log.warning("step %d of pass %d is not kept (%s)", milestone.step, pass_number, error)

    def frames(self, pass_number: int) -> Chunks | None:
        """All frames of a pass that was decoded; None where it was not."""
        kept = kept_frames.read(self._frames_file(pass_number))
        if kept is not None:
            log.info("pass %d was decoded: its frames are there", pass_number)
        return kept

    def keep_frames(self, pass_number: int, chunks: Chunks, length: int) -> Chunks:
        """``chunks`` as they come, kept for `frames` when all of their ``length`` frames have come."""
        for of_another in self._folder.glob(f"pass{pass_number}-*"):
            of_another.unlink(missing_ok=True)
        return kept_frames.keeping(chunks, self._frames_file(pass_number), length)

    def _file(self, pass_number: int) -> Path:
        return self._folder / f"pass{pass_number}.safetensors"

    def _frames_file(self, pass_number: int) -> Path:
        return self._folder / f"pass{pass_number}-{self._key}.npy"


def request_key(said: Iterable[str], pictures: Iterable[NDArray[np.generic]]) -> str:
    """A digest of all that decides the pixels: settings and versions as text, and the frames themselves."""
    digest = xxhash.xxh3_128()  # of a third of a gigabyte, before the first step
    for text in said:
        digest.update(text.encode() + b"\0")
    for frames in pictures:
        for frame in frames:
            digest.update(np.ascontiguousarray(frame).data)
    return digest.hexdigest()
