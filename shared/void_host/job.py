"""A job made of the values that an artist gave the settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple

from void_host.box import Box, crop_of
from void_host.problems import Problems
from void_host.settings import LAYER_SETTINGS, SETTINGS
from void_wire.errors import SettingsError
from void_wire.messages import (
    DRAFT_HAS_NO,
    FrameRange,
    JobSpec,
    PictureSettings,
    Role,
    VoidSettings,
    new_job_id,
)


def job_spec(values: Mapping[str, Any], shot: str, box: Box, size: Optional[Tuple[int, int]]) -> JobSpec:
    """The job, under an id of its own.

    Args:
        values: of `SETTINGS` by name; a choice as it is shown, the range in the job's frame numbers.
        shot: the shot's name, see `shot_name`.
        box: where the model looks while crop says box.
        size: the plate's width and height; None while it is not known, and then the box is not looked at.

    Raises one VoidError that names everything that is wrong with the values.
    """
    problems = Problems()
    engine, prompt = str(values["engine"]), str(values["prompt"])
    void = None
    with problems.noted():
        frames = _frames(values)
    with problems.noted():
        picture = PictureSettings(**_picture(values, box, size))
    if engine == "void":
        with problems.noted():
            void = VoidSettings(**_void(values))
        if not prompt.strip():
            problems.add(
                SettingsError(
                    "The prompt is empty: write what the empty scene looks like, for example "
                    '"a wooden table by a window".'
                )
            )
    problems.say()
    return JobSpec(
        job=new_job_id(shot),
        shot=shot,
        engine=engine,
        frames=frames,
        roles=(Role.PLATE, Role.MATTES),
        prompt=prompt,
        picture=picture,
        void=void,
    )


def shot_name(script: str, owner: str) -> str:
    """A shot's name as jobs may have it, of a saved script's path and of what in it asked for the removal."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", f"{Path(script).stem}_{owner}").lstrip("_-")[:64] or "shot"


def _frames(values: Mapping[str, Any]) -> FrameRange:
    first, last, handles = (int(values[name]) for name in ("first", "last", "handles"))
    if handles < 0:
        raise SettingsError(f"Handles are {handles}: they begin at 0.")
    return FrameRange(first - handles, last + handles)


def _picture(values: Mapping[str, Any], box: Box, size: Optional[Tuple[int, int]]) -> Dict[str, Any]:
    """Fields of PictureSettings. Of engine draft only those it has: hosts grey the others out."""
    found = _fields(values, "picture")
    found["layers"] = tuple(layer for name, layer in LAYER_SETTINGS.items() if values[name])
    if values["engine"] == "draft":
        found = {name: value for name, value in found.items() if name not in DRAFT_HAS_NO}
    if found.get("crop") == "box":
        found["crop"] = crop_of(box, size) if size is not None else "full"
    return found


def _void(values: Mapping[str, Any]) -> Dict[str, Any]:
    """Fields of VoidSettings."""
    found = _fields(values, "void")
    if found["time_base"] == "native":
        found["rate_fps"] = 0.0
    return {**found, "show_pass1": True}


def _fields(values: Mapping[str, Any], part: str) -> Dict[str, Any]:
    """Field -> value of the settings that set one by themselves."""
    found: Dict[str, Any] = {}
    for setting in SETTINGS:
        owner, _, name = setting.sets.partition(".")
        if owner == part and setting.name not in LAYER_SETTINGS:
            value = values[setting.name]
            found[name] = setting.choices.get(value, value) if setting.choices else value
    return found
