"""From a removal that is wanted to a shot of a plan.

Its files are looked at once, and everything is found out that its segments must agree on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from void_farm.plan import LONGEST, OVERLAP, Segment, Shot, output_in, rendered_there, split
from void_farm.server_jobs import HeldJob
from void_server.frames.color import ColorTransform
from void_server.frames.crop import choose_fit, describe, halved
from void_server.frames.exposure import LightMeter
from void_server.frames.exr import Layout, read_header
from void_server.frames.geometry import Box, union
from void_server.frames.rate import frames_per_answer
from void_server.frames.sequence import output_path
from void_server.frames.shot_checks import Small
from void_server.options import frame_range, settings_of
from void_server.submission import Submission, check_crop, check_output, check_rate, gather, shot_name
from void_wire import codec
from void_wire.errors import EmptyMatte, SettingsError, VoidError
from void_wire.messages import FrameRange, JobSpec, PictureSettings, Role, VoidSettings, new_job_id
from void_wire.messages.noise_range import FRAMES_PER_PAIR

_ROLES = (Role.PLATE, Role.QUADMASK, Role.MATTES, Role.REMOVE, Role.AFFECTED)


@dataclass(frozen=True)
class Cutting:
    """How long shots become segments."""

    longest: int = LONGEST  # frames of one at most
    overlap: int = OVERLAP  # frames that neighbours share


@dataclass(frozen=True)
class Written:
    """A shot of the plan and the files it is made of, where they exist."""

    shot: Shot
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Wanted:
    """One removal: its files, and all that is asked of them."""

    shot: str
    patterns: dict[Role, str]  # absolute
    output: str  # pattern of the result, absolute
    frames: FrameRange | None  # None: what the plate has
    engine: str
    prompt: str
    picture: PictureSettings
    void: VoidSettings | None
    job: str | None = None  # that it was on a server
    notes: tuple[str, ...] = ()  # for the plan


def by_options(options: Mapping[str, Any], bundle: Path) -> Wanted:
    """What options of ``void submit`` ask for, by parameter name, each with its value or default.

    Without an ``out`` results go to the folder of the plan, ``bundle``. Raises SettingsError.
    """
    picture, void = settings_of(options)
    patterns = {role: _plain(str(options[role.value])) for role in _ROLES if options.get(role.value)}
    if Role.PLATE not in patterns or len(patterns) < 2:
        raise SettingsError("What to remove? Give plate with quadmask, mattes, or remove (and affected).")
    name = str(options["shot"] or shot_name(patterns[Role.PLATE]))
    output = _plain(str(options["out"] or bundle / output_in(name)))
    frames = frame_range(options["range_"], options["handles"])
    return Wanted(
        name, patterns, output, frames, str(options["engine"]), options["prompt"] or "", picture, void
    )


def by_job(held: HeldJob, bundle: Path) -> Wanted:
    """What a job of a server asks for, with its files in ``bundle``."""
    spec = held.spec
    patterns = {role: _plain(str(bundle / one)) for role, one in held.patterns().items()}
    output = _plain(str(bundle / output_in(spec.shot)))
    return Wanted(
        spec.shot, patterns, output, spec.frames, spec.engine, spec.prompt, spec.picture, spec.void,
        spec.job, held.notes,
    )  # fmt: skip


def plan_shot(
    wanted: Wanted,
    bundle: Path,
    cutting: Cutting,
    *,
    exported: bool,
    checked: Callable[[int, int], None] = lambda done, of: None,
) -> Written:
    """Look at every file of one removal and decide all that its segments share.

    Args:
        wanted: the removal.
        bundle: the folder the plan goes to.
        cutting: how long shots are cut.
        exported: the farm renders the files first: none is looked for.
        checked: called with (frames read, frames).

    Raises ShotError or SettingsError, which name the shot.
    """
    try:
        return _unseen(wanted, bundle) if exported else _seen(wanted, bundle, cutting, checked)
    except VoidError as error:
        raise type(error)(f"Shot {wanted.shot}: {error}") from None


def check_apart(written: Sequence[Written]) -> None:
    """Raise SettingsError when a shot would write over a result or a file of another."""
    owners: dict[Path, str] = {}
    files = {file.resolve(): one.shot.spec.shot for one in written for file in one.files}
    for one in written:
        name = one.shot.spec.shot
        for frame in one.shot.spec.frames.numbers():
            target = output_path(one.shot.output, frame).resolve()
            if target in files:
                raise SettingsError(
                    f"Shot {name} would write {target}, which shot {files[target]} is made of: choose another --out."
                )
            if target in owners:
                raise SettingsError(
                    f"Shots {owners[target]} and {name} would both write {target}: give each an --out of its own."
                )
            owners[target] = name


def _unseen(wanted: Wanted, bundle: Path) -> Written:
    """A shot whose files the farm makes first: nothing is known of them."""
    if wanted.frames is None:
        raise SettingsError("its files are rendered on the farm, so nobody knows its frames: give --range.")
    spec = JobSpec(
        job=new_job_id(wanted.shot),
        shot=wanted.shot,
        engine=wanted.engine,
        frames=wanted.frames,
        roles=tuple(wanted.patterns),
        prompt=wanted.prompt,
        picture=wanted.picture,
        void=wanted.void,
    )
    check_output(Role.RESULT, wanted.output, spec.frames, {})
    return Written(rendered_there(spec, _inputs(wanted, bundle), _placed(wanted.output, bundle)), ())


def _seen(wanted: Wanted, bundle: Path, cutting: Cutting, checked: Callable[[int, int], None]) -> Written:
    smalls: list[Small] = []

    def found(spec: JobSpec, files: Mapping[Role, Mapping[int, Path]]) -> None:
        check_output(Role.RESULT, wanted.output, spec.frames, files)
        check_crop(spec, files)
        check_rate(spec, files)

    submission = gather(
        wanted.patterns,
        frames=wanted.frames,
        engine=wanted.engine,
        prompt=wanted.prompt,
        picture=wanted.picture,
        void=wanted.void,
        job=wanted.job,
        shot=wanted.shot,
        checked=checked,
        found=found,
        see=smalls.append,
    )
    spec = submission.spec
    numbers = spec.frames.numbers()
    notes = [*wanted.notes, *submission.notes]
    segments = list(_segments(submission, smalls, cutting, notes))
    digests = {
        role: tuple(codec.digest(submission.files[role][number].read_bytes()) for number in numbers)
        for role in spec.roles
    }
    files = tuple(submission.files[role][number] for role in spec.roles for number in numbers)
    inputs, output = _inputs(wanted, bundle), _placed(wanted.output, bundle)
    return Written(Shot(spec, inputs, digests, output, tuple(segments), tuple(notes)), files)


def _inputs(wanted: Wanted, bundle: Path) -> dict[Role, str]:
    return {role: _placed(pattern, bundle) for role, pattern in wanted.patterns.items()}


def _plain(pattern: str) -> str:
    """Absolute and without ``..``, so that a farm's roots are found in it; links stay, since farms map those."""
    return os.path.abspath(pattern)  # noqa: PTH100 - resolve() follows links


def _placed(pattern: str, bundle: Path) -> str:
    """Of what lies in the bundle as seen from there, so that the bundle may be moved; else as it is."""
    path, home = Path(pattern), Path(_plain(str(bundle)))
    return path.relative_to(home).as_posix() if path.is_relative_to(home) else pattern


def _segments(
    submission: Submission, smalls: Sequence[Small], cutting: Cutting, notes: list[str]
) -> Iterator[Segment]:
    """The whole shot where it is short enough: then it is the very job of ``void submit``. Else parts of its takes."""
    spec = submission.spec
    numbers, every = spec.frames.numbers(), 1
    first = read_header(submission.files[Role.PLATE][numbers[0]], numbers[0])
    if spec.void is not None:
        every = FRAMES_PER_PAIR * frames_per_answer(spec.void, first)
    if len(split(spec.frames, cutting.longest, cutting.overlap, every)) == 1:
        yield Segment(spec.frames, spec.frames, spec.picture)
        return
    if spec.void is not None and spec.void.window_seeds:
        raise SettingsError(
            "--window-seeds number the windows of the whole shot, which is cut into segments here: leave it out, or "
            f"give --segment-frames {len(numbers)} or more."
        )
    if spec.void is not None and spec.void.noise_range:
        raise SettingsError(
            f"its noise is its part of {spec.void.noise_range}, and segments would share one of their own: give "
            f"--segment-frames {len(numbers)} or more."
        )
    starts = [0, *(submission.cuts if spec.picture.segments == "auto" else []), len(numbers)]
    for start, stop in pairwise(starts):
        take = FrameRange(numbers[start], numbers[stop - 1], spec.frames.step)
        marked = union(submission.report.marked[start:stop])
        picture = replace(spec.picture, segments="one")
        if marked is not None and spec.void is not None:
            picture = _one_look(picture, spec.void, first, marked, smalls[start:stop], take, notes)
        for frames in split(take, cutting.longest, cutting.overlap, every):
            indices = [numbers.index(frames.first), numbers.index(frames.last) + 1]
            untouched = not any(submission.report.marked[slice(*indices)])
            if not untouched and not any(submission.report.removes[slice(*indices)]):
                raise EmptyMatte(
                    f"the segment {frames} has something affected and nothing to remove, which is no job of its own: "
                    "choose other --segment-frames."
                )
            later = frames.first != take.first
            own = replace(picture, affected_first_frame="keep") if later else picture
            yield Segment(frames, take, own, untouched)


def _one_look(
    picture: PictureSettings,
    void: VoidSettings,
    first: Layout,
    marked: Box,
    smalls: Sequence[Small],
    take: FrameRange,
    notes: list[str],
) -> PictureSettings:
    """Where all segments of a take look, and how bright: what each would find alone would differ."""
    asked, display = (void.raster_height_px, void.raster_width_px), first.display
    fit = choose_fit(picture, asked, display, marked, first.pixel_aspect)
    if picture.crop == "auto":
        box = fit.box.moved(-display.x, -display.y)
        picture = replace(picture, crop=f"{box.x},{box.y},{box.width},{box.height}")
        told = describe(halved(fit) if void.preview else fit, asked, display, marked, void.preview)
        notes.append(f"{take} look through one crop, {picture.crop}: {told['detail ratio']}.")
    color = ColorTransform(picture.colorspace, picture.encoding)
    if picture.exposure == "auto" and not color.is_video:
        meter = LightMeter()
        for small in smalls:
            rows, columns = _part(fit.box, display, small)
            free = small.marked[rows, columns] == 0
            meter.see(color.light(small.plate[rows, columns]), free if free.any() else ~free)
        picture = replace(picture, exposure=f"{meter.stops():.1f}")
    return picture


def _part(box: Box, display: Box, small: Small) -> tuple[slice, slice]:
    """Where a box lies in a small picture of the display window."""
    height, width = small.marked.shape
    x, y = box.x - display.x, box.y - display.y
    edges = np.array([y / display.height, (y + box.height) / display.height]) * height
    sides = np.array([x / display.width, (x + box.width) / display.width]) * width
    return _slice(edges), _slice(sides)


def _slice(ends: np.ndarray[Any, np.dtype[np.float64]]) -> slice:
    first = int(ends[0])
    return slice(first, max(first + 1, round(float(ends[1]))))
