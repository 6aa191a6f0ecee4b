"""Where results go: the path with its tokens, and the next version that nothing stands in."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Mapping, Tuple

from void_wire.errors import SettingsError

_NUMBER = re.compile(r"%0?(\d*)d|(#+)")


def tokens(script: str, owner: str, environment: Mapping[str, str]) -> Mapping[str, str]:
    """What the tokens of a path stand for, the version aside.

    Args:
        script: path of the saved script or project; results lie beside it.
        owner: full name of what in it asks for the removal.
        environment: where VOID_OUTPUT may name the folder for all results.
    """
    path = Path(script)
    return {
        "<folder>": environment.get("VOID_OUTPUT") or path.parent.as_posix(),
        "<script>": path.stem,
        "<node>": owner.replace(".", "_"),
    }


def next_path(pattern: str, named: Mapping[str, str]) -> Tuple[str, int]:
    """The path of the next version, with a place for the frame's number still in it, and that version.

    Args:
        pattern: as the artist wrote it; ``<version>`` stands for the version.
        named: tokens, and what each stands for.

    Raises SettingsError for a path without a version or a number, one that is not absolute, with tokens there are
    not, or in a folder that cannot be written.
    """
    filled = pattern.strip().replace("\\", "/")
    for mark, value in named.items():
        filled = filled.replace(mark, value)
    if "<version>" not in filled:
        raise SettingsError(
            f"The output path {pattern!r} has no <version>: put it in, so that no result is written over another."
        )
    if re.search(r"%v", filled, re.IGNORECASE):
        raise SettingsError(
            f"The output path {pattern!r} has %V: a job is made of one view, so write its name."
        )
    unknown = [mark for mark in re.findall(r"<[^<>/]*>", filled) if mark != "<version>"]
    if unknown:
        raise SettingsError(
            f"The output path has {unknown[0]}; the tokens are {', '.join([*named, '<version>'])}."
        )
    if not filled.endswith(".exr") or not _NUMBER.search(Path(filled).name):
        raise SettingsError(
            f"The output path {pattern!r} must end in the frame's number and .exr: write name.%04d.exr."
        )
    if not Path(filled).is_absolute():
        raise SettingsError(
            f"The output path {filled} is not absolute: begin it with <folder> or a folder's full path."
        )
    version = _newest(filled) + 1
    path = filled.replace("<version>", f"v{version:03d}")
    _check_writable(Path(path).parent)
    return path, version


def frame_path(path: str, frame: int) -> Path:
    """The file of this frame, numbered as printf does: 1001, 10000, -007."""

    def number(match: "re.Match[str]") -> str:
        digits = int(match[1] or 0) if match[2] is None else len(match[2])
        return f"{frame:0{digits}d}"

    folder, _, name = path.rpartition("/")
    return Path(folder) / _NUMBER.sub(number, name)


def pass1_path(path: str) -> str:
    """Where Pass 1 of a result goes, which shows while Pass 2 is made: a folder beside its frames."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/pass1/{name}"


def version_in(path: str) -> int:
    """The version in a path that `next_path` made, 0 when there is none."""
    found = re.findall(r"v(\d{3,})", path)
    return int(found[-1]) if found else 0


def _newest(filled: str) -> int:
    """The highest version there is a file or folder of, 0 when there is none."""
    parts = filled.split("/")
    at = next(i for i, part in enumerate(parts) if "<version>" in part)
    folder = Path("/".join(parts[:at]) or "/")
    shape = re.escape(parts[at]).replace(re.escape("<version>"), r"v(\d{3,})", 1)
    shape = re.sub(r"(%0?\d*d|(?:\\#)+)", r"-?\\d+", shape).replace(re.escape("<version>"), r"v\d{3,}")
    try:
        found = [re.fullmatch(shape, entry.name) for entry in folder.iterdir()]
    except OSError:
        return 0
    return max((int(match[1]) for match in found if match), default=0)


def _check_writable(folder: Path) -> None:
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise SettingsError(
            f"Results cannot be written to {folder}: choose another output path, or ask for access to {there}."
        )
