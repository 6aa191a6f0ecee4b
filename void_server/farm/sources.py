"""Where a night's jobs come from: records of jobs, tables with a shot a line, timelines with a shot a clip, servers."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from void_server import sidecar
from void_wire.errors import SettingsError
from void_wire.messages import check_job_id

TIMELINE_KEY = "void"
"""In a clip's metadata: its options, and the sign that it is a shot at all."""

PLACES = ("plate", "quadmask", "mattes", "remove", "affected", "sample", "out", "like")
"""Options that are paths: in a table or timeline they may be relative to its folder."""


NOT_HERE = {
    "sample": "plates and mattes as EXR",
    "server": "VOID_SERVER on the nodes, or nothing: they start servers of their own",
    "weights": "void farm write --weights",
    "job": "nothing: segments have ids of their own",
    "detach": "nothing: nobody waits for a farm",
    "sheet": "nothing: every shot gets a contact sheet",
    "noise_range": "nothing: the segments of a shot share its noise",
    "save_pass1": "void submit for that shot",
    "save_quadmask": "void submit for that shot",
}
"""Options of ``void submit`` that no farm job has -> what to give instead."""


@dataclass(frozen=True)
class Asked:
    """One removal: where it is asked for, for sentences, and options of ``void submit`` with what they are given."""

    where: str
    options: dict[str, Any]

    def __post_init__(self) -> None:
        for name in self.options:
            if name in NOT_HERE:
                raise SettingsError(
                    f"{self.where}: --{name.replace('_', '-')} is not for a farm: give {NOT_HERE[name]}."
                )


def is_job(text: str) -> bool:
    """Whether this names a job of a server, and no file: ids have no dot, and files of jobs have one."""
    try:
        check_job_id(text)
    except SettingsError:
        return False
    return not Path(text).exists()


def read_jobs(path: Path) -> list[Asked]:
    """Every removal that a file asks for. Raises SettingsError when there is none, or it cannot be read."""
    suffix = path.suffix.lower()
    if not path.is_file():
        raise SettingsError(
            f"There is no file {path}: give a .void.json, a .csv or an OpenTimelineIO timeline, or a server's job "
            "by its id."
        )
    if suffix == ".json":
        found = [Asked(path.name, sidecar.read_options(path))]
    elif suffix == ".csv":
        found = list(_of_table(path))
    else:
        found = list(_of_timeline(path))
    if not found:
        raise SettingsError(f"{path} asks for no removal: {_lacking(suffix)}.")
    return found


def _lacking(suffix: str) -> str:
    if suffix == ".csv":
        return "below the header it has no line"
    return f'none of its clips has metadata "{TIMELINE_KEY}"'


def _of_table(path: Path) -> Iterator[Asked]:
    """A header of option names, a shot a line; an empty cell is an option that is not given."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.DictReader(file, restkey="", strict=True)
            for line in lines:
                where = f"{path.name}, line {lines.line_num}"
                if "" in line:
                    raise SettingsError(f"{where} has more cells than the header has options.")
                given = {str(name): text.strip() for name, text in line.items() if text and text.strip()}
                if given:
                    yield _asked(where, given, path.parent)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(
            f"{path} cannot be read as a table ({error}): write it as CSV, in UTF-8."
        ) from None


def _of_timeline(path: Path) -> Iterator[Asked]:
    """A clip with options is a shot: its media is the plate, the part that is used the range."""
    try:
        import opentimelineio as otio
    except ImportError:
        raise SettingsError(
            f"{path} is read with OpenTimelineIO, which is not installed: pip install 'void-compositor[farm]', or "
            "write a .csv."
        ) from None
    try:
        timeline = otio.adapters.read_from_file(str(path))
        clips = list(timeline.find_clips())
    except Exception as error:  # each adapter raises its own
        raise SettingsError(f"{path} is no timeline that OpenTimelineIO reads ({error}).") from None
    for clip in clips:
        if TIMELINE_KEY not in clip.metadata:
            continue
        where = f"{path.name}, clip {clip.name!r}"
        options = clip.metadata[TIMELINE_KEY]
        if not isinstance(options, Mapping):
            raise SettingsError(f'{where}: metadata "{TIMELINE_KEY}" must be a map of option to value.')
        try:
            plate, frames = _media(clip.media_reference, clip.source_range, otio)
        except ValueError as error:
            raise SettingsError(f"{where}: {error}") from None
        of_clip = {"plate": plate, "range": frames, "shot": _name(clip.name)}
        given = {
            name: value for name, value in {**of_clip, **dict(options)}.items() if value not in ("", None)
        }
        yield _asked(where, given, path.parent)


def _media(media: Any, used: Any, otio: Any) -> tuple[str, str]:
    """The plate's pattern and the range that is used of it, "" for all. Raises ValueError."""
    if isinstance(media, otio.schema.ImageSequenceReference):
        folder = _path(media.target_url_base).rstrip("/")
        digits = f"%0{media.frame_zero_padding}d"
        pattern = f"{folder}/{media.name_prefix}{digits}{media.name_suffix}"
        if media.frame_step != 1:
            raise ValueError(
                f"its media has every {media.frame_step}th frame; name plate and range in its metadata"
            )
        if used is None:
            return pattern, f"{media.start_frame}-{media.end_frame()}"
        there = media.available_range
        offset = (used.start_time - there.start_time).rescaled_to(media.rate).to_frames()
        first = media.start_frame + offset
        return pattern, f"{first}-{first + used.duration.rescaled_to(media.rate).to_frames() - 1}"
    if isinstance(media, otio.schema.ExternalReference):
        return _path(
            media.target_url
        ), "" if used is None else f"{used.start_time.to_frames()}-{used.end_time_inclusive().to_frames()}"
    return "", ""


def _path(url: str) -> str:
    return unquote(urlparse(url).path) if url.startswith("file:") else url


def _name(clip: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "_.-" else "_" for letter in clip).lstrip(".-")


def _asked(where: str, given: Mapping[str, Any], folder: Path) -> Asked:
    """Options by ``void submit``'s parameter names; those of a record under ``like`` stand where none is given."""
    options = {name.strip().removeprefix("--").replace("-", "_"): value for name, value in given.items()}
    if "range" in options:
        options["range_"] = options.pop("range")
    for name in PLACES:
        if isinstance(options.get(name), str):
            options[name] = str(folder.absolute() / options[name])
    like = options.pop("like", None)
    return Asked(where, {**(sidecar.read_options(Path(like)) if like else {}), **options})
