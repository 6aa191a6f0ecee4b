"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Union

PART_SUFFIX = ".part"


def write_whole(path: Path, payload: Union[bytes, memoryview], *, private: bool = False) -> None:
    """Write ``path`` through a ``.part`` beside it: synced to disk, then renamed. Raises OSError.

    A ``.part`` that could not be finished is removed. What is ``private`` only this user can read, at any moment.
    """
    part = path.with_name(path.name + PART_SUFFIX)
    try:
        if private:
            part.unlink(missing_ok=True)  # whose mode may be another
            part.touch(mode=0o600, exist_ok=False)
        with part.open("wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
