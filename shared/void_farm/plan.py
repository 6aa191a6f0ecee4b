"""The plan of a night: shots, the segments they are cut into, and everything that decides a pixel.

It is made once, where the job is written, and only read from then on. Which machine does a segment, when, and beside
what others, changes no pixel.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Dict, List, Mapping, Tuple

from void_wire import codec
from void_wire.errors import ProtocolError, SettingsError
from void_wire.files import write_whole
from void_wire.messages import FrameRange, JobSpec, PictureSettings, Role

FORMAT = 2
NAME = "plan.json"

LONGEST, OVERLAP = 240, 12
"""Frames of a segment at most, and that neighbours share, unless somebody says otherwise.

Half a second of film is enough for the eye to follow the change from one to the next.
"""


@dataclass(frozen=True)
class Segment:
    """A stretch of a shot: what one task does, as one job of a server."""

    frames: FrameRange  # those that it shares with its neighbours are among them
    take: FrameRange  # what it is cut from: the shot, or a part of it between two cuts. Segments of one share noise
    picture: PictureSettings  # the shot's, with what is one for a take found out
    untouched: bool = False  # nothing is marked: its frames are the plate's


@dataclass(frozen=True)
class Shot:
    """One removal: the whole job as it was asked for, its files, and its segments in order."""

    spec: JobSpec
    inputs: Dict[Role, str]  # file patterns; a relative one lies beside the plan
    digests: Dict[Role, Tuple[str, ...]]  # of each input file in order, of the roles that were there
    output: str  # file pattern of the result
    segments: Tuple[Segment, ...]
    notes: Tuple[str, ...] = ()  # sentences for whoever writes or reads it

    def __post_init__(self) -> None:
        for role, pattern in self.inputs.items():
            if role not in self.spec.roles or not pattern:
                raise SettingsError(
                    f"Shot {self.spec.shot} has files of {role.label} that its job does not name."
                )
        for role, digests in self.digests.items():
            if role not in self.inputs or len(digests) != len(self.spec.frames):
                raise SettingsError(f"Shot {self.spec.shot} has digests of {role.label} that fit no frames.")
        covered = [frame for segment in self.segments for frame in segment.frames.numbers()]
        if set(covered) != set(self.spec.frames.numbers()) or max(Counter(covered).values()) > 2:
            raise SettingsError(
                f"The segments of shot {self.spec.shot} do not cover {self.spec.frames} once or twice."
            )

    def covering(self, frame: int) -> List[int]:
        """Positions of the segments that have this frame: one, or two where one goes over into the next."""
        return [at for at, segment in enumerate(self.segments) if frame in _members(segment.frames)]


@dataclass(frozen=True)
class Task:
    """A segment with what it is called by: the farm's task of this index."""

    index: int  # in the plan, from 0
    shot: Shot
    segment: Segment

    def __str__(self) -> str:
        return f"segment {self.index} (shot {self.shot.spec.shot}, {self.segment.frames})"


@dataclass(frozen=True)
class Plan:
    """Every shot of a bundle. Tasks are its segments, counted through all shots."""

    name: str
    shots: Tuple[Shot, ...]

    def __post_init__(self) -> None:
        names = [shot.spec.shot for shot in self.shots]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise SettingsError(f"Two shots are called {twice[0]}: give each a name of its own (--shot).")
        if not self.shots:
            raise SettingsError("There is no shot to write: name a job.")

    @property
    def digest(self) -> str:
        """Of all of it, 32 hex digits."""
        text = json.dumps(codec.to_map(self), sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def tasks(self) -> List[Task]:
        """Every segment of every shot, in order."""
        segments = [(shot, segment) for shot in self.shots for segment in shot.segments]
        return [Task(index, shot, segment) for index, (shot, segment) in enumerate(segments)]

    def task(self, index: int) -> Task:
        """The task of this index. Raises SettingsError when there is none."""
        tasks = self.tasks()
        if not 0 <= index < len(tasks):
            raise SettingsError(f"Index {index} is none of the plan's: it has segments 0-{len(tasks) - 1}.")
        return tasks[index]

    def job(self, task: Task) -> JobSpec:
        """What a server is asked for a task: the same id every time, and another of another plan."""
        spec, segment = task.shot.spec, task.segment
        void = spec.void
        if void is not None and segment.frames != segment.take:
            void = replace(void, noise_range=str(segment.take))
        stem = re.sub(r"[^A-Za-z0-9]+", "_", spec.shot).strip("_")[:24] or "shot"
        return replace(
            spec,
            job=f"{stem}-{self.digest[:24]}-{task.index}",
            frames=segment.frames,
            picture=segment.picture,
            void=void,
        )


def rendered_there(spec: JobSpec, inputs: Mapping[Role, str], output: str) -> Shot:
    """A shot whose files the farm renders first. What its segments would share is not known, so it is one."""
    note = "Its files are rendered on the farm: it is one segment, and no file is compared with what was planned."
    segment = Segment(spec.frames, spec.frames, spec.picture)
    return Shot(spec, dict(inputs), {}, output, (segment,), (note,))


def whole(
    spec: JobSpec,
    inputs: Mapping[Role, str],
    digests: Mapping[Role, Tuple[str, ...]],
    output: str,
    notes: Tuple[str, ...] = (),
) -> Shot:
    """A shot that is not cut: one segment, the very job that ``spec`` asks for. No pixel is looked at for that."""
    if len(spec.frames) > LONGEST:
        count = len(spec.frames)
        notes = (
            *notes,
            f"It is one segment of {count} frames: void farm write cuts what is longer than {LONGEST}.",
        )
    segment = Segment(spec.frames, spec.frames, spec.picture)
    return Shot(spec, dict(inputs), dict(digests), output, (segment,), notes)


def unattended(spec: JobSpec) -> JobSpec:
    """``spec`` without what only somebody who watches would look at: Pass 1, and what the model sees."""
    void = None if spec.void is None else replace(spec.void, show_pass1=False)
    return replace(spec, void=void, picture=replace(spec.picture, overlay=False))


def input_in(shot: str, role: Role) -> str:
    """Where the files of a shot go that come into the bundle, as seen from the plan."""
    return f"inputs/{shot}/{role.value}.%04d.exr"


def output_in(shot: str) -> str:
    """Where the results of a shot go that nobody named a place for, as seen from the plan."""
    return f"results/{shot}/{shot}.%04d.exr"


def split(frames: FrameRange, longest: int, overlap: int, multiple: int = 1) -> Tuple[FrameRange, ...]:
    """``frames`` as segments of about equal length, each but the first beginning within the one before.

    Args:
        frames: of a take.
        longest: frames of a segment at most.
        overlap: frames that neighbours share at least, over which one goes over into the next.
        multiple: segments begin at multiples of so many frames from the first.

    Raises SettingsError for lengths that leave three segments over one frame, or none that fits.
    """
    if overlap < 1 or longest < 3 * overlap or longest < overlap + multiple:
        least = max(3 * overlap, overlap + multiple)
        raise SettingsError(
            f"Segments of {longest} frames cannot share {overlap}: give at least {least} frames (--segment-frames), or "
            "a smaller overlap of 1 or more (--overlap)."
        )
    numbers = frames.numbers()
    if len(numbers) <= longest:
        return (frames,)
    left = len(numbers) - overlap
    most = (longest - overlap) // multiple * multiple
    stride = ceil(left / ceil(left / most) / multiple) * multiple
    starts = range(0, left, stride)
    return tuple(
        FrameRange(numbers[start], numbers[min(start + stride + overlap, len(numbers)) - 1], frames.step)
        for start in starts
    )


def write(path: Path, plan: Plan) -> None:
    """Write ``plan`` with its digest. Raises OSError."""
    whole = {"format": FORMAT, "digest": plan.digest, "plan": codec.to_map(plan)}
    write_whole(path, (json.dumps(whole, indent=1) + "\n").encode())


def read(path: Path) -> Plan:
    """The plan in a file. Raises SettingsError for a file that is none, or was changed since it was written."""
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        if whole["format"] != FORMAT:
            raise SettingsError(
                f"{path} is a plan of format {whole['format']}, this program reads {FORMAT}: update it, or write the "
                "bundle anew."
            )
        plan, digest = codec.from_map(whole["plan"], Plan), whole["digest"]
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}): give a bundle's {NAME}.") from None
    except (ValueError, KeyError, TypeError, ProtocolError) as error:
        raise SettingsError(f"{path} is no plan ({error}): give a bundle's {NAME}.") from None
    if plan.digest != digest:
        raise SettingsError(
            f"{path} was changed after it was written: its digest is {plan.digest[:12]} and was {str(digest)[:12]}. "
            "Write the bundle anew, so that no two nodes work by different plans."
        )
    return plan


def _members(frames: FrameRange) -> range:
    return range(frames.first, frames.last + 1, frames.step)
