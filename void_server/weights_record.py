"""The digests of a folder of weights, recorded once it was found right: what changes later is noticed. No torch here.

``void_digests.json`` in the folder holds each file's sha256, size and quick digest (weights.quick_digest). The server
compares size and quick digest before every job, ``void weights check`` every byte. That finds a file that was
exchanged, fine-tuned or damaged; against somebody who may write to the folder, and so to the record, it is no guard.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from void_server.engine.weights import FileReport, model_files, quick_digest
from void_wire.errors import CheckpointError, SettingsError
from void_wire.files import write_whole

NAME = "void_digests.json"
FORMAT = 1


@dataclass(frozen=True)
class Recorded:
    """One file as it was."""

    sha256: str
    size_bytes: int
    quick: str


def write(folder: Path, reports: Iterable[FileReport]) -> Path:
    """Record every file that was reported. Raises SettingsError when the folder cannot be written."""
    files = {
        _name(folder, report.file): asdict(
            Recorded(report.sha256, report.size_bytes, quick_digest(report.file))
        )
        for report in reports
    }
    path = folder / NAME
    try:
        write_whole(path, (json.dumps({"format": FORMAT, "files": files}, indent=2) + "\n").encode())
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error.strerror}).") from None
    return path


def read(folder: Path) -> dict[str, Recorded] | None:
    """File name, as seen from the folder, to what was recorded; None without a record.

    Raises CheckpointError for a record that is none of ours.
    """
    path = folder / NAME
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        if whole["format"] != FORMAT:
            raise ValueError(f"format {whole['format']}")
        files = {str(name): Recorded(**one) for name, one in whole["files"].items()}
        if not all(
            isinstance(one.sha256, str) and isinstance(one.quick, str) and type(one.size_bytes) is int
            for one in files.values()
        ):
            raise ValueError("other types")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{path} cannot be read ({type(error).__name__}: {error}): make it anew with void weights check --record "
            f"{folder}"
        ) from None
    return files


def changed(folder: Path) -> str:
    """Empty when the model's files are those of the record, or there is none; else the sentence that names one."""
    try:
        recorded = read(folder)
        files = [file for part in model_files(folder).values() for file in part]
    except CheckpointError as error:
        return str(error)
    for file in files if recorded is not None else ():
        found, known = file.stat(), (recorded or {}).get(_name(folder, file))
        if known is None:
            return f"{file} is not in {NAME} beside it: {_advice(folder)}"
        if known.size_bytes != found.st_size or known.quick != _quick(
            file, found.st_size, found.st_mtime_ns, found.st_ino
        ):
            return f"{file} is not the file that was recorded in {NAME}: {_advice(folder)}"
    return ""


def differing(folder: Path, reports: Iterable[FileReport]) -> list[str]:
    """A sentence for each file whose sha256 is not the recorded one; none without a record.

    Raises CheckpointError for a record that is none of ours.
    """
    recorded = read(folder)
    if recorded is None:
        return []
    sentences = []
    for report in reports:
        known = recorded.get(_name(folder, report.file))
        if known is None or known.sha256 != report.sha256:
            was = known.sha256[:16] if known else "not there"
            sentences.append(
                f"{report.file} has sha256 {report.sha256[:16]} and was {was} when it was recorded: {_advice(folder)}"
            )
    return sentences


def _advice(folder: Path) -> str:
    return f"pull it again, or if it is meant to be another, void weights check --record {folder}"


def _name(folder: Path, file: Path) -> str:
    return Path(os.path.relpath(file.absolute(), folder.absolute())).as_posix()


@lru_cache(maxsize=64)
def _quick(file: Path, _size: int, _mtime_ns: int, _inode: int) -> str:
    return quick_digest(file)
