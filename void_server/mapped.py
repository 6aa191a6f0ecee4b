"""Pictures that lie in files and are read as arrays: memory that the system takes back when it needs to."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

Picture = TypeVar("Picture", bound=NDArray[np.floating[Any]])


def mapped(pixels: Picture, folder: Path | None = None) -> Picture:
    """``pixels`` (...) again, only to be read, from a file without a name in ``folder`` or among temporary files.

    The file is gone with the last array that shows it. It is written and not filled through its mapping: a page that
    is touched first costs more than its copy, and a full disk would end the process.

    Raises OSError: the disk is full, or too many files are open.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(np.ascontiguousarray(pixels).data)
        file.flush()
        return cast("Picture", np.asarray(np.memmap(file, pixels.dtype, "r", shape=pixels.shape)))
