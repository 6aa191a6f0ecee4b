"""What is wrong with a shot, all of it at once: the client asks before it sends, the worker again.

Frame by frame functions look at one frame's files; `check_shot` runs them over the shot, each file read once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from void_server.frames.exr import Layout, PlateFrame, Read, read_plate, rgb_channels
from void_server.frames.geometry import Box, Floats, bounds, resize
from void_server.frames.layers import check_layers
from void_server.frames.matte_files import check_finite, finite, read_mattes, size_text
from void_server.frames.sequence import named_frames
from void_wire.errors import EmptyMatte, MissingFrames, ShotError, SizeMismatch
from void_wire.messages import JobSpec, Role

SHOWN = 5
"""Different problems that are spelled out; the rest is counted."""

SMALL_PX = 96
"""Width of a frame as cuts are looked for in it."""

NEVER_SEEN = 0.5
"""Share of what is marked that no frame shows without moving: from here on the artist is told."""

_SAMPLES = 16 * SMALL_PX
"""Pixels of a line that are enough for it."""

_THREADS = 2


@dataclass(frozen=True)
class Small:
    """A frame at `SMALL_PX` across its display window: float32, the plate (h, w, 3) in its own values."""

    plate: Floats
    marked: Floats  # (h, w), 0..1: share of the pixels that both mattes mark


@dataclass(frozen=True)
class FrameReport:
    """What one frame's files hold."""

    frame: int
    plate: Layout | None = None  # None when the plate cannot be read
    removes: bool = False  # the remove matte holds something
    marked: Box | None = None  # around everything both mattes hold, in the display window's coordinates
    filled: bool = False  # the mattes leave no pixel
    small: Small | None = None  # None when plate or mattes cannot be read
    plate_problem: ShotError | None = None
    matte_problem: ShotError | None = None  # not looked for when the plate cannot be read


@dataclass(frozen=True)
class ShotReport:
    """What a shot without problems holds."""

    notes: list[str]  # sentences the artist should read, though nothing is wrong
    marked: list[Box | None]  # by index: around all both mattes hold, in the display window's coordinates
    removes: list[bool]  # by index: the remove matte holds something


def check_frame(
    paths: Mapping[Role, Path], frame: int, layers: Collection[str] = (), read: Read = read_plate
) -> FrameReport:
    """Read one frame's files whole and report; ``layers`` are those the result is to have beside the plate's."""
    plate: PlateFrame | None = None
    plate_problem = matte_problem = None
    removes = filled = False
    marked: Box | None = None
    small: Small | None = None
    try:
        plate = read(paths[Role.PLATE], frame)
        check_plate(plate)
        check_layers(plate.layout, layers)
    except ShotError as problem:
        plate_problem = problem
    if plate is not None:
        try:
            mattes = read_mattes(paths, frame, plate.layout.display, read)
            inside = mattes.remove > 0
            removes = bool(inside.any())
            if mattes.affected is not None:
                inside |= mattes.affected > 0
            marked, filled = bounds(inside, plate.layout.display), bool(inside.all())
            small = None if plate_problem else _small(plate, inside)
        except ShotError as problem:
            matte_problem = problem
    layout = plate.layout if plate else None
    return FrameReport(frame, layout, removes, marked, filled, small, plate_problem, matte_problem)


def _small(plate: PlateFrame, inside: npt.NDArray[np.bool_]) -> Small:
    display = plate.layout.display
    scale = min(1.0, SMALL_PX / display.width)
    size = (max(1, round(display.height * scale)), round(display.width * scale))
    every = max(1, display.width // _SAMPLES)
    picture = plate.over(display, every)
    return Small(resize(picture, size), resize(inside[::every, ::every].astype(np.float32), size))


def check_plate(plate: PlateFrame) -> None:
    """Raise UnsupportedImage without red, green and blue, BadPixels when one holds NaN or infinite pixels."""
    channels = rgb_channels(plate.layout)
    if finite(plate.pixels):
        return
    rgb = plate.rgb
    for position, channel in enumerate(channels):
        check_finite(rgb[..., position], plate.layout, Role.PLATE, plate.layout.channels[channel])


def check_shot(
    spec: JobSpec,
    files: Mapping[Role, Mapping[int, Path]],
    checked: Callable[[int, int], None] = lambda done, of: None,
    see: Callable[[Small], None] = lambda small: None,
    read: Read = read_plate,
) -> ShotReport:
    """Read every file of the shot.

    Args:
        spec: names the frames and the roles.
        files: role to frame number to file.
        checked: called with (frames read, frames) after each.
        see: called with each frame in order, at a small size; not with one that cannot be read or has another
            size than the first.
        read: called for each file, on any of two threads.

    Raises:
        ShotError: of the first problem's class; problems that differ in numbers alone are told once, with
            the frames they are in.
    """
    numbers = spec.frames.numbers()
    lacking = {role: [number for number in numbers if number not in files[role]] for role in spec.roles}
    if any(lacking.values()):
        raise MissingFrames(
            " ".join(
                f"The {role.label} has no {named_frames(frames)}: render what is missing, or leave it out of the "
                "range."
                for role, frames in lacking.items()
                if frames
            )
        )

    def check(number: int) -> FrameReport:
        paths = {role: files[role][number] for role in spec.roles}
        return check_frame(paths, number, spec.picture.layers, read)

    reports: list[FrameReport] = []
    hidden = _Hidden()
    with ThreadPoolExecutor(_THREADS) as pool:
        for report in pool.map(check, numbers):
            reports.append(replace(report, small=None))
            if report.small is not None and hidden.add(report.small.marked):
                see(report.small)
            checked(len(reports), len(numbers))
    problems = list(_problems(reports))
    if problems:
        _raise(problems)
    empty = [report.frame for report in reports if not report.removes]
    filled = [report.frame for report in reports if report.filled]
    marked = [report.marked for report in reports]
    nothing = (
        "The quadmask has nothing to remove (0)"
        if Role.QUADMASK in spec.roles
        else "The remove matte is empty"
    )
    if not any(marked) or len(empty) == len(reports):
        where = f"all {len(reports)} frames" if len(reports) > 1 else named_frames(empty)
        raise EmptyMatte(f"{nothing} on {where}: mark what is to go, then send again.")
    notes = []
    if empty:
        notes.append(f"{nothing} on {named_frames(empty)}: nothing is removed there.")
    if filled:
        notes.append(
            f"The mattes leave nothing of the plate on {named_frames(filled)}: the whole picture is made anew there."
        )
    if hidden.share >= NEVER_SEEN:
        notes.append(
            f"{hidden.share:.0%} of what the mattes mark is marked on every frame: unless the camera moves, no frame "
            "shows what is behind it, so nothing can be borrowed there and it is made up."
        )
    return ShotReport(notes, marked, [report.removes for report in reports])


class _Hidden:
    """How much of what is marked anywhere is marked on every frame."""

    def __init__(self) -> None:
        self._always: npt.NDArray[np.bool_] | None = None
        self._ever: npt.NDArray[np.bool_] | None = None

    def add(self, marked: Floats) -> bool:
        """Take in a frame's small matte (h, w); False for one of another size."""
        here = marked > 0.5
        if self._always is None or self._ever is None:
            self._always, self._ever = here, here
            return True
        if here.shape != self._ever.shape:
            return False
        self._always, self._ever = self._always & here, self._ever | here
        return True

    @property
    def share(self) -> float:
        """0..1."""
        if self._always is None or self._ever is None or not self._ever.any():
            return 0.0
        return float(self._always.sum() / self._ever.sum())


def _problems(reports: list[FrameReport]) -> Iterator[tuple[int, ShotError]]:
    """Each frame's problems; a plate of another size than most is one, and its matte's size then is none."""
    layouts = [report.plate for report in reports if report.plate is not None]
    usual = Counter(layout.display for layout in layouts).most_common(1)[0][0] if layouts else None
    example = next((layout.frame for layout in layouts if layout.display == usual), 0)
    for report in reports:
        odd = report.plate is not None and report.plate.display != usual
        if report.plate_problem is not None:
            yield report.frame, report.plate_problem
        if odd and report.plate is not None and usual is not None:
            yield (
                report.frame,
                SizeMismatch(
                    f"{report.plate} is {size_text(report.plate.display)} and frame {example} is {size_text(usual)}: "
                    "write the plate in one format."
                ),
            )
        if report.matte_problem is not None and not (odd and isinstance(report.matte_problem, SizeMismatch)):
            yield report.frame, report.matte_problem


def _raise(problems: list[tuple[int, ShotError]]) -> None:
    """One error that tells of all, of the class of the first."""
    alike: dict[str, list[tuple[int, ShotError]]] = {}
    for frame, problem in problems:
        alike.setdefault(re.sub(r"[\d.]+", "", str(problem)), []).append((frame, problem))
    sentences = []
    for group in list(alike.values())[:SHOWN]:
        sentences.append(str(group[0][1]))
        if len(group) > 1:
            sentences.append(f"The same goes for {named_frames([frame for frame, _ in group[1:]])}.")
    if len(alike) > SHOWN:
        others = sum(map(len, list(alike.values())[SHOWN:]))
        sentences.append(f"And {others} more problem{'s' * (others != 1)} of other kinds.")
    raise type(problems[0][1])(" ".join(sentences))
