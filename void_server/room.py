"""Whether the disk of a data folder takes more."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from void_wire.errors import ServerBusy

RESERVE_BYTES = 8 * 2**20
"""Left free by uploads, for the database."""

_PROBE_BYTES = 4 * 2**20
"""More would be written out byte by byte where a file system cannot allocate."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

GOES_ON = (
    "The job goes on by itself, and what is there is kept; void jobs --purge deletes jobs that have ended."
)


class Room:
    """The disk under ``folder``, which is there. For any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def free_bytes(self) -> int:
        """What a user may still write."""
        return shutil.disk_usage(self._folder).free

    def check(self, need_bytes: int) -> None:
        """Refuse what would leave less than the reserve. Raises ServerBusy."""
        free = self.free_bytes()
        if free < need_bytes + RESERVE_BYTES:
            spare = max(0, free - RESERVE_BYTES) / 1e6
            raise no_room(f"{spare:.1f} MB are to spare there and {need_bytes / 1e6:.1f} MB are needed")

    def probe(self, need_bytes: int) -> None:
        """`check`, and have the disk give some for a moment: it alone knows of quotas and of being read-only.

        Raises ServerBusy.
        """
        self.check(need_bytes)
        try:
            with tempfile.TemporaryFile(dir=self._folder) as file:
                if hasattr(os, "posix_fallocate"):
                    _allocate(file.fileno(), min(max(1, need_bytes), _PROBE_BYTES))
                else:
                    file.write(b"\0")
        except OSError as error:
            raise no_room(error.strerror) from None


@contextlib.contextmanager
def told_when_full() -> Iterator[None]:
    """What the disk does not take any more is told as ServerBusy, and not as a bug."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise no_room(error.strerror) from error
        raise


def no_room(reason: str | None) -> ServerBusy:
    """What is said when the data folder takes no more."""
    return ServerBusy(
        f"The server cannot write to its data folder ({reason}): make room on its disk, or have it writable. {GOES_ON}"
    )


def _allocate(descriptor: int, size_bytes: int) -> None:
    with contextlib.suppress(ValueError):
        try:
            os.posix_fallocate(descriptor, 0, size_bytes)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # a file system that cannot
                raise
