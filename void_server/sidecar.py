"""The record beside a result: what was asked, of which files, and what made it. ``void submit --like`` reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from void_server.metadata import PROMPT_LEFT_OUT
from void_server.options import MODEL_PICTURE_OPTIONS, PICTURE_OPTIONS, VOID_OPTIONS
from void_wire import codec
from void_wire.errors import ProtocolError, SettingsError
from void_wire.files import write_whole
from void_wire.messages import JobSpec, Signs

FORMAT = 1


def path_for(out: str) -> Path:
    """Where the record of a result lies: ``result.%04d.exr`` has ``result.void.json`` beside it."""
    path = Path(out)
    stem = re.sub(r"[._-]?(%0?\d*d|#+|\$F\d*|-?\d+)?\.[^.]+$", "", path.name) or "result"
    return path.with_name(f"{stem}.void.json")


def write(
    out: str,
    spec: JobSpec,
    source: Mapping[str, str],
    record: Mapping[str, str],
    signs: Mapping[int, Signs],
) -> Path:
    """Write the record of a finished job beside its result, without the prompt where the server leaves it out.

    Args:
        out: the result's file pattern.
        spec: the job.
        source: option -> what it was given: file patterns, or ``sample``.
        record: what the server says made the result.
        signs: of each frame that was judged, by number.

    Raises SettingsError when it cannot be written.
    """
    path = path_for(out)
    job = codec.to_map(spec)
    if record.get("prompt") == PROMPT_LEFT_OUT:
        job["prompt"] = PROMPT_LEFT_OUT
    whole = {
        "format": FORMAT,
        "job": job,
        "source": {name: str(Path(value).absolute()) for name, value in source.items()},
        "record": dict(record),
        "signs": {str(frame): _told(one) for frame, one in sorted(signs.items())},
    }
    try:
        write_whole(path, (json.dumps(whole, indent=2) + "\n").encode())
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be written ({error.strerror}): make room, then fetch again."
        ) from None
    return path


def _told(signs: Signs) -> dict[str, float]:
    """What could be told of a frame."""
    return {name: round(value, 5) for name, value in codec.to_map(signs).items() if value is not None}


def read_options(path: Path) -> dict[str, Any]:
    """The options of ``void submit`` that ask for the very same job again, under another id.

    A record without its prompt gives none: ``--prompt`` stands beside ``--like`` then.

    Raises SettingsError when the file is none of ours.
    """
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        if whole["format"] != FORMAT:
            raise SettingsError(
                f"{path} is of format {whole['format']}, this program reads {FORMAT}: update it."
            )
        spec, source = codec.from_map(whole["job"], JobSpec), dict(whole["source"])
        private = dict(whole["record"]).get("prompt") == PROMPT_LEFT_OUT
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}).") from None
    except (ValueError, KeyError, TypeError, ProtocolError) as error:
        raise SettingsError(
            f"{path} is no record of a VOID job ({error}): give a result's .void.json."
        ) from None
    found = {**source, **options(spec)}
    if private:
        del found["prompt"]
    return found


def options(spec: JobSpec) -> dict[str, Any]:
    """Every setting of ``spec`` as ``void submit``'s options, files and job id aside."""
    picture, void = spec.picture, spec.void
    found: dict[str, Any] = {
        "engine": spec.engine,
        "prompt": spec.prompt,
        "shot": spec.shot,
        "range_": str(spec.frames),
        "colorspace": picture.colorspace,
        "layers": ",".join(picture.layers) or None,
        **{option: getattr(picture, name) for name, option in PICTURE_OPTIONS.items()},
    }
    if void is not None:
        found |= {option: getattr(picture, name) for name, option in MODEL_PICTURE_OPTIONS.items()}
        found |= {option: getattr(void, name) for name, option in VOID_OPTIONS.items()}
        found["rate"] = void.rate_fps or None
        found["noise_range"] = void.noise_range or None
        found["window_seeds"] = ",".join(f"{own.window}:{own.seed}" for own in void.window_seeds) or None
        found["steps"] = f"{void.pass1_steps},{void.pass2_steps}"
        found["guidance"] = f"{void.pass1_guidance},{void.pass2_guidance}"
        if picture.enlarge:
            found["raster"] = f"{void.raster_height_px}x{void.raster_width_px}"
    return {name: value for name, value in found.items() if value is not None}
