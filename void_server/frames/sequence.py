"""Image sequences on disk: a pattern and its frames.

Patterns are those of the field, read by fileseq: ``plate.%04d.exr``, ``plate.####.exr`` (one # a digit),
``plate.$F4.exr``, ``plate.1001.exr`` or a file without a number for a shot of one frame. Numbers longer than
the padding and negative ones are written as printf does: 10000, -007.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import fileseq

from void_wire.errors import MissingFrames, SettingsError
from void_wire.messages import MAX_FRAMES, FrameRange

SHOWN = 8
"""Stretches of frames that a sentence spells out."""


def find_sequence(pattern: str, frames: FrameRange | None = None) -> dict[int, Path]:
    """Every frame of the range and its file, in order; without a range, all that is on disk.

    A pattern without a place for the number is one file, which stands for a range of one frame (frame 1 when
    neither names it).

    Raises:
        MissingFrames: frames of the range are not there, or the files on disk have holes.
        SettingsError: the pattern cannot be read.
    """
    sequence = _parse(pattern)
    if not sequence.padding():
        return _single(pattern, sequence, frames)
    literal = sequence.frameSet()
    if literal is not None and frames is None and len(literal) == 1:
        return _single(pattern, sequence, FrameRange(literal.start(), literal.start()))
    there = _on_disk(sequence)
    if not there:
        raise MissingFrames(f"No file matches {pattern}: check the path.")
    wanted = frames.numbers() if frames else _regular(sorted(there), pattern)
    missing = [number for number in wanted if number not in there]
    if missing:
        held = f"the folder holds {ranges(sorted(there))}"
        if len(missing) == len(wanted):
            raise MissingFrames(f"No frame of {frames} is in {pattern}: {held}, name a range within that.")
        lacking = f"{named_frames(missing).capitalize()} of {pattern} {'is' if len(missing) == 1 else 'are'} missing"
        raise MissingFrames(f"{lacking}, {held}: render what is missing, or name a range without it.")
    return {number: there[number] for number in wanted}


def frames_on_disk(pattern: str) -> list[int]:
    """Frame numbers of every file there is, holes and all, in order.

    Raises:
        MissingFrames: the folder cannot be listed.
        SettingsError: the pattern cannot be read.
    """
    sequence = _parse(pattern)
    return sorted(_on_disk(sequence)) if sequence.padding() else []


def output_path(pattern: str, frame: int) -> Path:
    """The file of this frame; a pattern without a place for the number gives the same file for all.

    Raises:
        SettingsError: the pattern cannot be read.
    """
    return Path(_parse(pattern).frame(frame))


def ranges(frames: Sequence[int]) -> str:
    """Frame numbers for a sentence: ``1005-1007, 1010``; of many stretches the first ones and the last."""
    parts = str(fileseq.framesToFrameRange(frames, sort=True)).split(",")
    if len(parts) > SHOWN:
        parts[SHOWN - 1 : -1] = ["..."]
    return ", ".join(parts)


def named_frames(numbers: Sequence[int]) -> str:
    """``frame 1005`` or ``frames 1005-1007, 1010``."""
    return ("frame " if len(numbers) == 1 else "frames ") + ranges(numbers)


def _parse(pattern: str) -> fileseq.FileSequence:
    try:
        return fileseq.FileSequence(pattern, pad_style=fileseq.PAD_STYLE_HASH1)
    except (fileseq.FileSeqException, ValueError):
        raise SettingsError(
            f"{pattern!r} is no image sequence: write it as plate.%04d.exr, with the number in the file's name."
        ) from None


def _on_disk(sequence: fileseq.FileSequence) -> dict[int, Path]:
    """Files whose name is the one this sequence gives to their number."""
    folder = Path(sequence.dirname() or ".")
    start, end = sequence.basename(), sequence.extension()
    found = {}
    try:
        for path in folder.iterdir():
            digits = path.name[len(start) : len(path.name) - len(end)]
            if not (digits.removeprefix("-").isdecimal() and digits.isascii()):
                continue
            number = int(digits)
            if path.name == Path(sequence.frame(number)).name:
                found[number] = path
    except OSError as error:
        raise MissingFrames(f"{folder} cannot be listed ({error.strerror}): check the path.") from None
    return found


def _regular(numbers: list[int], pattern: str) -> list[int]:
    """What ``numbers`` would be without holes: every one, or every n-th when that fits them all."""
    gaps = {after - before for before, after in pairwise(numbers)}
    step = gaps.pop() if len(gaps) == 1 else 1
    if (numbers[-1] - numbers[0]) // step >= MAX_FRAMES:  # a date or a time in a file's name reads as a frame
        raise MissingFrames(
            f"The folder holds {ranges(numbers)} of {pattern}, too far apart for one shot: name the range of the shot, "
            "or move the files that are none of its frames."
        )
    return list(range(numbers[0], numbers[-1] + 1, step))


def _single(pattern: str, sequence: fileseq.FileSequence, frames: FrameRange | None) -> dict[int, Path]:
    path = Path(pattern)
    if frames is not None and len(frames) > 1:
        raise SettingsError(
            f"{pattern} names one file and the range {frames} holds {len(frames)} frames: write it as plate.%04d.exr."
        )
    if path.is_dir():
        raise SettingsError(
            f"{pattern} is a folder: name the files in it, for example {path / 'plate.%04d.exr'}."
        )
    if not path.is_file():
        raise MissingFrames(f"{pattern} is missing: check the path.")
    return {frames.first if frames else 1: path}
