"""What the network is shown: sizes, flip padding, the classes each pass sees, the noisy plate, and every draw's seed.

Pure functions of tensors. Frames are F C h w here, quadmasks F h w.
"""

from __future__ import annotations

import hashlib
import tempfile
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as functional

REMOVE, OVERLAP, AFFECTED, KEEP = 0, 63, 127, 255
PLATE_NOISE = 0.0563
"""Standard deviation of the noise on the conditioning plate; upstream's constant (void.md 2.5)."""


class Clip(Protocol):
    """Frames that are had a few at a time, in order: a tensor [F, ...], or something that makes them."""

    @property
    def shape(self) -> torch.Size:
        """Frames first."""

    def __len__(self) -> int:
        """Frames."""

    def __getitem__(self, frames: slice) -> torch.Tensor:
        """Some of them."""


def flip_order(count: int, length: int) -> torch.Tensor:
    """Which of ``count`` frames stands at each of ``length`` places, back and forth: 0 1 2 2 1 0 0 1."""
    place = torch.arange(length) % (2 * count)
    return torch.minimum(place, 2 * count - 1 - place)


def pad_by_flip(clip: torch.Tensor, length: int) -> torch.Tensor:
    """``clip`` [F, ...] continued to ``length`` frames by running back and forth, ends repeated."""
    return clip[flip_order(len(clip), length)]


class FlipPadded:
    """What `pad_by_flip` makes, without holding it: of a long clip only what is asked for is in memory."""

    def __init__(self, clip: torch.Tensor, length: int) -> None:
        self._clip, self._order = clip, flip_order(len(clip), length)
        self.shape = torch.Size((length, *clip.shape[1:]))

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, frames: slice) -> torch.Tensor:
        return self._clip[self._order[frames]]


class Drawn:
    """Unit normal float32 of ``shape`` [F, ...], what `draw` makes, frame by frame and so in order only.

    Those after the first ``skipped``: frame n of a clip has the same numbers whatever the clip's length, so that a
    part of it can have them too. Frames of a multiple of 16 numbers: torch's generator makes 16 at a time.
    """

    def __init__(self, shape: torch.Size, seed: int, skipped: int = 0) -> None:
        if shape[1:].numel() % 16:
            raise ValueError(f"frames of {tuple(shape[1:])} are no multiple of 16 numbers")
        self.shape = shape
        self._generator = torch.Generator().manual_seed(seed)
        self._next = 0
        for _ in range(skipped):
            torch.randn(shape[1:], generator=self._generator)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, frames: slice) -> torch.Tensor:
        first, stop, step = frames.indices(len(self))
        if first != self._next or step != 1:
            raise ValueError(f"frame {self._next} is drawn next, not {frames}")
        self._next = stop
        return torch.randn((stop - first, *self.shape[1:]), generator=self._generator)


def in_a_file(shape: tuple[int, ...]) -> torch.Tensor:
    """A float32 tensor of zeros whose memory is a temporary file's: gone with the tensor."""
    with tempfile.TemporaryFile(prefix="void-clip-") as file:
        return torch.from_numpy(np.memmap(file, np.float32, "w+", shape=shape))


def resize_plate(plate: torch.Tensor, raster: tuple[int, int]) -> torch.Tensor:
    """Plate [F,C,H,W] area-averaged to ``raster`` (h, w); a plate that has it already comes back as it is."""
    return plate if plate.shape[-2:] == raster else functional.interpolate(plate, size=raster, mode="area")


def resize_quadmask(quadmask: torch.Tensor, raster: tuple[int, int]) -> torch.Tensor:
    """Quadmask uint8 [F,H,W] at ``raster``, as the reference does it: area-averaged, then put back on four values.

    Where keep meets remove the averages pass through 63 and 127, so rings of false overlap and affected arise.
    A quadmask that has the raster already is unchanged: compose the classes after the resize to avoid the rings.
    """
    if quadmask.shape[-2:] == raster:
        return quadmask
    mean = functional.interpolate(quadmask[:, None].float(), size=raster, mode="area")[:, 0]
    levels = torch.tensor([REMOVE, OVERLAP, AFFECTED, KEEP], dtype=torch.uint8, device=quadmask.device)
    return levels[torch.bucketize(mean, torch.tensor([31.0, 95.0, 191.0], device=quadmask.device))]


def hole(quadmask: torch.Tensor, pass_number: int) -> torch.Tensor:
    """What a pass takes out of a quadmask uint8 [...]: float32, 1 hole, 0 keep.

    Pass 1 sees three levels (overlap becomes remove, affected 127/255), Pass 2 two (affected becomes remove too).
    The model's inversion of the quadmask happens here and nowhere else. Source: void.md 2.4.
    """
    taken = (255 - quadmask.float()) / 255
    if pass_number == 2:
        return (taken > 0.5).float()
    return torch.where(taken > 0.75, 1.0, torch.where(taken >= 0.25, 127 / 255, 0.0))


def noisy_plate(plate: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Plate 0..1 as the network is conditioned on it: -1..1 with a little noise, none on pure black (bars)."""
    signed = plate * 2 - 1
    return torch.where(signed == -1, signed, signed + noise * PLATE_NOISE)


def sub_seed(seed: int, name: str) -> int:
    """A seed of its own for the draw called ``name``, so that no draw depends on how many came before it."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest(), "big") >> 1


def draw(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    """Unit normal float32, drawn on the CPU so that every device gets the same numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
