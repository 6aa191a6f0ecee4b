"""The last step: every frame looked at, segments joined, results, contact sheets and records written.

Done again it writes nothing that is there already.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from void_farm.plan import Plan, Shot, Task
from void_server import sidecar
from void_server.contact_sheet import write_sheet
from void_server.farm.joint import joined, share_of_later
from void_server.farm.places import Places
from void_server.farm.segment_folder import Done, SegmentFolder
from void_server.frames.color import ColorTransform
from void_server.frames.exr import limit_decoder, read_plate, write_result
from void_server.frames.sequence import find_sequence, named_frames, output_path
from void_server.signs import summary
from void_wire import codec
from void_wire.errors import MissingFrames, ProtocolError, SettingsError, VoidError
from void_wire.files import write_whole
from void_wire.messages import Role, Signs

FOLDER = "finished"
"""In the bundle: a record and a contact sheet for each shot."""

SHARE = "void/joined"
"""Attribute of a frame that two segments made."""


@dataclass(frozen=True)
class Finished:
    """One shot as it was left: a frame's file stays while it and what it was made of are as noted."""

    plan: str  # digest
    frames: tuple[int, ...]
    sources: tuple[str, ...]  # by frame: the digests of what it was made of, with + between two
    digests: tuple[str, ...]  # by frame: of the result
    record: dict[str, str]
    signs: tuple[Signs, ...]  # by frame


@dataclass(frozen=True)
class _Part:
    """A segment of the shot that is whole."""

    task: Task
    folder: SegmentFolder
    done: Done

    def digest(self, frame: int) -> str:
        """Of the frame's file, as it was noted."""
        return self.done.digests[self._position(frame)]

    def signs(self, frame: int) -> Signs:
        """Of the frame, as they were noted."""
        return self.done.signs[self._position(frame)]

    def _position(self, frame: int) -> int:
        frames = self.task.segment.frames
        return (frame - frames.first) // frames.step


def finish(plan: Plan, places: Places, tell: Callable[[str, float], None]) -> dict[str, Finished]:
    """Finish every shot of the plan; returns what was noted of each by its name.

    A shot that cannot be finished keeps none of the others. Raises one MissingFrames that names, for each, its first
    missing or broken frames and the task to run again.
    """
    limit_decoder()
    finished: dict[str, Finished] = {}
    problems: list[str] = []
    tasks = plan.tasks()
    for at, shot in enumerate(plan.shots):
        name = shot.spec.shot
        tell(name, at / len(plan.shots))
        try:
            parts = [_part(plan, task, places) for task in tasks if task.shot is shot]
            finished[name] = _finish_shot(plan, shot, parts, places)
        except VoidError as error:
            problems.append(f"Shot {name}: {error}")
    if problems:
        raise MissingFrames(" ".join(problems))
    return finished


def read_finished(plan: Plan, bundle: Path, shot: str) -> Finished | None:
    """What is noted of a shot that was finished by this plan."""
    try:
        found = codec.from_map(json.loads(_note(bundle, shot).read_text(encoding="utf-8")), Finished)
    except (OSError, ValueError, ProtocolError, SettingsError):
        return None
    return found if found.plan == plan.digest else None


def sheet_path(bundle: Path, shot: str) -> Path:
    """Where a shot's contact sheet lies."""
    return bundle / FOLDER / f"{shot}.png"


def _note(bundle: Path, shot: str) -> Path:
    return bundle / FOLDER / f"{shot}.json"


def _part(plan: Plan, task: Task, places: Places) -> _Part:
    """The segment with what is noted of it, each of its frames compared with that."""
    folder = SegmentFolder.of(places.bundle, task.index)
    spec = plan.job(task)
    again = f"run it again: void farm run --plan {places.bundle / 'plan.json'} --index {task.index}"
    done, failed = folder.done(spec.job), folder.failed(spec.job)
    if done is None:
        missing = [frame for frame in spec.frames.numbers() if not folder.frame(frame).is_file()]
        lacking = f"{named_frames(missing)} of {task} {'is' if len(missing) == 1 else 'are'} missing"
        why = f" ({failed.sentence})" if failed else ""
        raise MissingFrames(f"{lacking if missing else f'{task} was not completed'}{why}; {again}.")
    part = _Part(task, folder, done)
    broken = [frame for frame in spec.frames.numbers() if _digest(folder.frame(frame)) != part.digest(frame)]
    if broken:
        raise MissingFrames(f"{named_frames(broken)} of {task} is not what was written there; {again}.")
    return part


def _digest(path: Path) -> str:
    try:
        return codec.digest(path.read_bytes())
    except OSError:
        return ""


def _finish_shot(plan: Plan, shot: Shot, parts: list[_Part], places: Places) -> Finished:
    numbers = shot.spec.frames.numbers()
    output = places.pattern(shot.output)
    color = ColorTransform(shot.spec.picture.colorspace)
    before = read_finished(plan, places.bundle, shot.spec.shot)
    known = (
        dict(zip(before.frames, zip(before.sources, before.digests, strict=True), strict=True))
        if before
        else {}
    )
    sources, digests, signs = [], [], []
    output_path(output, numbers[0]).parent.mkdir(parents=True, exist_ok=True)
    for frame in numbers:
        made = [parts[at] for at in shot.covering(frame)]
        target = output_path(output, frame)
        source = "+".join(part.digest(frame) for part in made)
        digest = _digest(target)
        if known.get(frame) != (source, digest):
            digest = _write(target, frame, made, color)
        sources.append(source)
        digests.append(digest)
        signs.append(_nearest(frame, made).signs(frame))
    told = dict(zip(numbers, signs, strict=True))
    now = Finished(
        plan.digest, tuple(numbers), tuple(sources), tuple(digests), _record(parts, told), tuple(signs)
    )
    if (
        now != before
        or not sheet_path(places.bundle, shot.spec.shot).is_file()
        or not sidecar.path_for(output).is_file()
    ):
        _write_beside(shot, output, now, told, places)
    return now


def _write(target: Path, frame: int, made: list[_Part], color: ColorTransform) -> str:
    """The frame as its segment made it, or joined of two; returns its digest. Written only where it is another."""
    files = [part.folder.frame(frame) for part in made]
    if len(files) == 1:
        payload = files[0].read_bytes()
        digest = codec.digest(payload)
        if _digest(target) != digest:
            _whole(target, payload)
        return digest
    shared = [part.task.segment.frames for part in made]
    share = share_of_later(frame, shared[1].first, shared[0].last, shared[0].step)
    plate, rgb, changed = joined(read_plate(files[0], frame), read_plate(files[1], frame), share, color)
    says = f"{share:.4f} of {shared[1]} over {shared[0]}"
    write_result(target, plate, rgb, changed, extra_metadata={SHARE: says})
    return _digest(target)


def _whole(path: Path, payload: bytes) -> None:
    try:
        write_whole(path, payload)
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be written ({error.strerror}): make room there, then finish again."
        ) from None


def _nearest(frame: int, made: list[_Part]) -> _Part:
    """Of two segments the one that counts for more in this frame."""
    if len(made) == 1:
        return made[0]
    shared = [part.task.segment.frames for part in made]
    return made[share_of_later(frame, shared[1].first, shared[0].last, shared[0].step) >= 0.5]


def _record(parts: list[_Part], signs: dict[int, Signs]) -> dict[str, str]:
    """What made the shot: once what is the same in every segment, else with its frames."""
    found: dict[str, str] = {}
    for name in dict.fromkeys(name for part in parts for name in part.done.record):
        values = [(part.task.segment.frames, part.done.record.get(name, "")) for part in parts]
        alike = len({value for _, value in values}) == 1
        found[name] = (
            values[0][1] if alike else "; ".join(f"{frames}: {value}" for frames, value in values if value)
        )
    return {
        **found,
        "seconds": f"{sum(part.done.ended_s - part.done.began_s for part in parts):.1f}",
        **summary(signs),
    }


def _write_beside(shot: Shot, output: str, now: Finished, signs: dict[int, Signs], places: Places) -> None:
    """The record beside the result, the contact sheet, and at last the note that all of it is there."""
    patterns = {role: places.pattern(pattern) for role, pattern in shot.inputs.items()}
    sidecar.write(output, shot.spec, {role.value: one for role, one in patterns.items()}, now.record, signs)
    files = {role: find_sequence(pattern, shot.spec.frames) for role, pattern in patterns.items()}
    sheet = sheet_path(places.bundle, shot.spec.shot)
    sheet.parent.mkdir(parents=True, exist_ok=True)
    result = {frame: output_path(output, frame) for frame in now.frames}
    write_sheet(sheet, shot.spec, {**files, Role.RESULT: result}, signs)
    _whole(_note(places.bundle, shot.spec.shot), (json.dumps(codec.to_map(now), indent=1) + "\n").encode())
