"""The frames of a pass that was decoded, in a file: a run that is taken up after that need not decode again.

All of them or none: the decoder remembers what it made before, so there is no going on in its middle.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Generator
from contextlib import closing, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch

log = logging.getLogger(__name__)

AT_ONCE = 8
"""Frames that are given out together after the first, as the decoder does."""

Chunks = Generator[list[torch.Tensor], None, None]
"""Frames float32 [n,3,h,w], in order: of the clip, and of it with each window that is done anew."""


def read(path: Path) -> Chunks | None:
    """What `keeping` kept there; None where it did not come to its end, or nothing that can be read is there."""
    try:
        frames = torch.from_numpy(np.lib.format.open_memmap(path, mode="c"))  # [N,stages,3,h,w]
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.warning("%s cannot be read (%s): its frames are decoded again", path.name, error)
        return None
    starts = [0, *range(1, len(frames), AT_ONCE)]
    return (
        list(frames[start:stop].unbind(1))
        for start, stop in zip(starts, [*starts[1:], len(frames)], strict=True)
    )


def keeping(chunks: Chunks, path: Path, length: int) -> Chunks:
    """``chunks`` as they come; once all ``length`` frames have, they lie in ``path``.

    A disk that takes nothing costs that alone.
    """
    file = _Growing(path, length)
    try:
        with closing(chunks):
            for chunk in chunks:
                file.add(torch.stack(chunk, dim=1))
                yield chunk
        file.finish()
    finally:
        file.drop()


class _Growing:
    """An array of ``length`` rows on its way to disk."""

    def __init__(self, path: Path, length: int) -> None:
        self._path, self._length = path, length
        self._part = path.with_suffix(".part")
        self._file: BinaryIO | None = None
        self._given_up = False

    def add(self, rows: torch.Tensor) -> None:
        if self._given_up:
            return
        try:
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._file = self._part.open("wb")
                shape = (self._length, *rows.shape[1:])
                header = {"descr": "<f4", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(self._file, header)
            self._file.write(rows.contiguous().numpy().data)
        except OSError as error:
            self._give_up(error)

    def finish(self) -> None:
        if self._file is None:
            return
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._part.replace(self._path)
        except OSError as error:
            self._give_up(error)
        self._file = None

    def drop(self) -> None:
        """What did not come to its end is of no use."""
        if self._file is not None:
            with suppress(OSError):  # what it still held has no room either
                self._file.close()
            self._part.unlink(missing_ok=True)
            self._file = None

    def _give_up(self, error: OSError) -> None:
        log.warning("the frames of %s are not kept (%s)", self._path.stem, error)
        self.drop()
        self._given_up = True
