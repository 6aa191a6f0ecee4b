"""Plate and mattes of a macro as files, by one render of all frames: Resolve may want its window closed after each."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator

from void_host import exr_header
from void_host.removal import Exported
from void_resolve.host.macro import Macro
from void_resolve.host.savers import files
from void_resolve.shot import Asked
from void_wire.errors import MissingFrames
from void_wire.messages import Role

Told = Callable[[str], None]
"""Hears in a sentence what is being done."""

_STILL_S = 3.0
"""All files of an export are there and did not change for so long: the render waits for something else."""


def export(macro: Macro, asked: Asked, folder: Path, say: Told, told: Told) -> Iterator[Exported]:
    """Render into ``folder``; then each frame's number, as the job counts, and its files.

    Args:
        macro: which.
        asked: what of it.
        folder: for the files, which have the comp's numbers.
        say: hears what is being done, before it is.
        told: hears, on another thread, of a window that has to be closed.

    Raises SettingsError when Fusion does not render, MissingFrames when it left frames out.
    """
    frames = range(asked.first, asked.last + 1)
    expected = [path for frame in frames for path in files(folder, frame).values()]
    say("Fusion renders plate and mattes; cancel in its own window")
    with _window_watched(expected[-1], told):
        macro.export(folder, asked.first, asked.last, asked.depth)
    lacking = [frame for frame in frames if not all(map(exr_header.read, files(folder, frame).values()))]
    if lacking:
        named = ", ".join(str(frame) for frame in lacking[:8])
        raise MissingFrames(
            f"Fusion rendered no picture of {len(lacking)} frames, the first {named} as the Fusion page counts: "
            "is there one at the macro's inputs for each of them?"
        )
    for number in asked.shot.spec.frames.numbers():
        made = files(folder, asked.timing.to_comp(number))
        yield number, {Role(name): path for name, path in made.items()}


@contextmanager
def _window_watched(last: Path, told: Told) -> Iterator[None]:
    """While a render blocks this thread, look at its last file: where that stays as it is, a window waits for OK."""
    over = threading.Event()

    def watch() -> None:
        seen = -1
        while not over.wait(_STILL_S):
            size = last.stat().st_size if last.is_file() else -1
            if size > 0 and size == seen:
                told(
                    "Every frame is rendered; Resolve waits for its window Render completed: press OK there."
                )
                return
            seen = size

    thread = threading.Thread(target=watch, name="void export", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
