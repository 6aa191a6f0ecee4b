"""From files on disk to a job: what ``void submit`` sends, checked whole before the first byte travels."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from void_server.engine.cuts import Cuts
from void_server.frames.clip import unpack_sample
from void_server.frames.crop import named_box
from void_server.frames.exr import limit_decoder, read_header
from void_server.frames.geometry import Box, union
from void_server.frames.rate import frames_per_answer
from void_server.frames.sequence import find_sequence, frames_on_disk, named_frames, output_path
from void_server.frames.shot_checks import ShotReport, Small, check_shot
from void_wire.errors import SettingsError
from void_wire.messages import FrameRange, JobSpec, PictureSettings, Role, VoidSettings, new_job_id

Files = Mapping[Role, Mapping[int, Path]]
"""What a job is made of: role -> frame number -> file."""


@dataclass(frozen=True)
class Submission:
    """A job and the files it is made of; ``notes`` are sentences the artist should read."""

    spec: JobSpec
    files: Files
    notes: list[str]
    report: ShotReport
    cuts: list[int]  # indices at which another take begins


def gather(
    patterns: Mapping[Role, str],
    *,
    frames: FrameRange | None,
    engine: str,
    prompt: str,
    picture: PictureSettings,
    void: VoidSettings | None,
    job: str | None,
    shot: str | None,
    checked: Callable[[int, int], None],
    found: Callable[[JobSpec, Files], None] = lambda spec, files: None,
    see: Callable[[Small], None] = lambda small: None,
) -> Submission:
    """Find and check every file of the shot.

    ``frames`` None takes the range the plate has on disk. ``found`` is called once every file is there and
    before the first is read: it may raise what can be known by then. ``checked`` is called with (frames read,
    frames), ``see`` with each frame in order at a small size. Raises ShotError or SettingsError naming everything
    that is wrong, at most a few of each kind.
    """
    limit_decoder()  # as the server's worker does: what it would not read is not sent
    plate = find_sequence(patterns[Role.PLATE], frames)
    notes = []
    if frames is None:
        numbers = list(plate)
        step = numbers[1] - numbers[0] if len(numbers) > 1 else 1
        frames = FrameRange(numbers[0], numbers[-1], step)
        notes = list(_left_out(patterns, frames))
    files = {
        role: find_sequence(patterns[role], frames) if role is not Role.PLATE else plate for role in patterns
    }
    spec = JobSpec(
        job=job or new_job_id(shot or shot_name(patterns[Role.PLATE])),
        shot=shot or shot_name(patterns[Role.PLATE]),
        engine=engine,
        frames=frames,
        roles=tuple(patterns),
        prompt=prompt,
        picture=picture,
        void=void,
    )
    found(spec, files)
    cuts = Cuts()

    def seen(small: Small) -> None:
        cuts.see_plate(small.plate, small.marked)
        see(small)

    report = check_shot(spec, files, checked, seen)
    notes += report.notes
    if picture.segments == "auto" and cuts.found:
        first = [str(frames.numbers()[index]) for index in cuts.found]
        notes.append(
            f"A cut before frame {', '.join(first)}: each part is done on its own (--segments one: no cut)."
        )
    check_crop(spec, files, union(report.marked))
    return Submission(spec, files, notes, report, cuts.found)


@contextmanager
def source_of(sample: Path | None, given: Mapping[Role, str | None]) -> Iterator[tuple[dict[Role, str], str]]:
    """The file patterns of the shot and the prompt that comes with it ("" when none does).

    A sample folder is unpacked to EXR in a temporary folder that lives as long as the context. Raises
    SettingsError when what is given makes no shot.
    """
    patterns = {role: pattern for role, pattern in given.items() if pattern}
    if sample is None:
        if Role.PLATE not in patterns or len(patterns) < 2:
            raise SettingsError(
                "What to remove? Give --plate with --quadmask, --mattes or --remove (and --affected), "
                "or --sample FOLDER."
            )
        yield patterns, ""
        return
    if patterns:
        raise SettingsError(
            f"--sample brings its own plate and quadmask: leave --{next(iter(patterns)).value} out."
        )
    if not sample.is_dir():
        raise SettingsError(
            f"There is no folder {sample}: --sample takes one as the model's authors make it."
        )
    with tempfile.TemporaryDirectory(prefix="void_sample_") as folder:
        unpacked = unpack_sample(sample, Path(folder))
        yield {Role.PLATE: unpacked.plate, Role.QUADMASK: unpacked.quadmask}, unpacked.prompt


def check_output(role: Role, pattern: str, frames: FrameRange, sent: Files) -> None:
    """Raise SettingsError unless every frame of ``role`` can be written and none would replace what was sent."""
    suffix = ".png" if role is Role.OVERLAY else ".exr"
    if not pattern.lower().endswith(suffix):
        raise SettingsError(f"{pattern} does not end in {suffix}, which is what is written: name it so.")
    inputs = {path.resolve() for sequence in sent.values() for path in sequence.values()}
    targets = [output_path(pattern, frame) for frame in frames.numbers()]
    if len(set(targets)) < len(targets):
        raise SettingsError(f"{pattern} has no place for the frame number: write it as name.%04d{suffix}.")
    for target in targets:
        if target.resolve() in inputs:
            raise SettingsError(f"{target} would replace a file of the shot: choose another name.")
        if target.is_dir():
            raise SettingsError(f"{target} is a folder: remove it, or choose another name.")
    folder = targets[0].parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (FileExistsError, NotADirectoryError):
        raise SettingsError(f"{folder} leads through a file, not a folder: choose another place.") from None
    except OSError as error:
        raise SettingsError(
            f"{folder} cannot be written ({os.strerror(error.errno or 0)}): choose another place."
        ) from None


def check_crop(spec: JobSpec, files: Files, marked: Box | None = None) -> None:
    """Raise SettingsError when a crop in pixels does not fit the plate, whose first frame says its size.

    Nor, once it is known, what the mattes have ``marked``.
    """
    if spec.picture.crop_px() is not None:
        first = spec.frames.first
        named_box(spec.picture, read_header(files[Role.PLATE][first], first).display, marked)


def check_rate(spec: JobSpec, files: Files) -> None:
    """Raise SettingsError when the job needs the plate's rate and nobody says it, or its noise's range has no place."""
    if spec.void is not None:
        first = spec.frames.first
        spec.check_noise_range(frames_per_answer(spec.void, read_header(files[Role.PLATE][first], first)))


def _left_out(patterns: Mapping[Role, str], frames: FrameRange) -> Iterator[str]:
    """A note for each matte that has frames before the plate begins or after it ends."""
    plate = set(frames_on_disk(patterns[Role.PLATE]))
    for role, pattern in patterns.items() if plate else ():
        extra = [
            n for n in frames_on_disk(pattern) if not frames.first <= n <= frames.last and n not in plate
        ]
        if extra:
            yield (
                f"The {role.label} has {named_frames(extra)} too and the plate is {frames}: only what the plate "
                "has is sent. Is the plate all there?"
            )


def shot_name(pattern: str) -> str:
    """A shot's name by its plate's file pattern."""
    stem = re.sub(r"[.#%].*", "", Path(pattern).name) or Path(pattern).parent.name
    return re.sub(r"[^A-Za-z0-9_.-]", "_", stem).lstrip(".-") or "shot"
