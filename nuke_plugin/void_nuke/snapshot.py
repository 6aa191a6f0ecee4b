"""A node as it is at one moment, and the job that it asks for. Pure: everything of Nuke was read before.

After this nothing is read from Nuke again, so an artist may go on working while the job is made.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple

from void_host.address import server_address
from void_host.output import next_path
from void_host.shot import Shot
from void_nuke.knobs import KNOBS, LAYER_KNOBS
from void_wire.errors import EmptyMatte, SettingsError, ShotError, SizeMismatch, VoidError
from void_wire.messages import (
    DRAFT_HAS_NO,
    FrameRange,
    JobSpec,
    PictureSettings,
    Role,
    VoidSettings,
    new_job_id,
)

INPUTS = ("plate", "remove", "affected")


@dataclass(frozen=True)
class NodeState:
    """What `void_nuke.host` reads of a node, on the main thread, without rendering anything."""

    name: str  # full name
    script: str  # path, "" while it was never saved
    values: Mapping[str, Any]  # knob -> value, links and buttons aside
    formats: Mapping[str, Tuple[int, int]]  # connected input -> width and height
    channels: Mapping[str, Tuple[str, ...]]  # connected input -> its channels
    matte_channels: Mapping[str, str]  # "remove", "affected" -> the channel the node takes the matte from
    plate_range: Optional[Tuple[int, int]]  # first and last frame of what is connected there
    views: Tuple[str, ...]  # of the script


def take(state: NodeState, environment: Mapping[str, str]) -> Shot:
    """The removal that a node asks for, under a job id of its own.

    Raises one VoidError that names everything the artist has to mend; nothing was rendered or sent by then.
    """
    problems: List[VoidError] = list(_wrong_inputs(state))

    def attempt(make: Callable[[], Any]) -> Any:
        try:
            return make()
        except VoidError as error:
            problems.append(error)
            return None

    frames = attempt(lambda: _frames(state))
    view = attempt(lambda: _view(state))
    address = attempt(lambda: server_address(str(state.values["server"]), environment))
    where = attempt(lambda: output_path(state, environment))
    picture = attempt(lambda: PictureSettings(**_picture(state)))
    engine = str(state.values["engine"])
    void = (
        attempt(lambda: VoidSettings(**_fields(state, "void"), show_pass1=True)) if engine == "void" else None
    )
    if engine == "void" and not str(state.values["prompt"]).strip():
        problems.append(
            SettingsError(
                'The prompt is empty: write what the empty scene looks like, for example "a wooden table by a window".'
            )
        )
    if problems:
        raise _together(problems)
    path, version = where
    shot = _shot_name(state)
    spec = JobSpec(
        job=new_job_id(shot),
        shot=shot,
        engine=engine,
        frames=frames,
        roles=(Role.PLATE, Role.MATTES),
        prompt=str(state.values["prompt"]),
        picture=picture,
        void=void,
    )
    return Shot(state.name, address, path, version, spec, view, state.formats["plate"])


def output_path(state: NodeState, environment: Mapping[str, str]) -> Tuple[str, int]:
    """Where the next result goes, and its version. Raises SettingsError."""
    if not state.script:
        raise SettingsError(
            "The script was never saved, so there is no place for results yet: save it, then press Remove again."
        )
    return next_path(str(state.values["output"]), tokens(state.script, state.name, environment))


def tokens(script: str, node: str, environment: Mapping[str, str]) -> Mapping[str, str]:
    """What the tokens of a path stand for, the version aside.

    Args:
        script: the saved script's path.
        node: the node's full name.
        environment: where VOID_OUTPUT may name the folder for all results.
    """
    path = Path(script)
    return {
        "<folder>": environment.get("VOID_OUTPUT") or path.parent.as_posix(),
        "<script>": path.stem,
        "<node>": node.replace(".", "_"),
    }


def _wrong_inputs(state: NodeState) -> Iterator[VoidError]:
    for name, what in (("plate", "the shot"), ("remove", "the roto of what goes")):
        if name not in state.formats:
            yield ShotError(f"Input {name} is not connected: connect {what}.")
    for name, channel in state.matte_channels.items():
        if name in state.channels and channel not in state.channels[name]:
            yield EmptyMatte(
                f"Input {name} has no channel {channel}, so its matte is empty: choose another "
                "channel in the Picture tab, "
                "or write the roto into that one."
            )
    plate = state.formats.get("plate")
    for name in INPUTS[1:]:
        if plate and state.formats.get(name, plate) != plate:
            yield SizeMismatch(
                f"Input {name} is {_size(state.formats[name])} and the plate is {_size(plate)}: bring "
                "both to one format."
            )


def _frames(state: NodeState) -> FrameRange:
    first, last, handles = (int(state.values[name]) for name in ("first", "last", "handles"))
    if handles < 0:
        raise SettingsError(f"Handles are {handles}: they begin at 0.")
    frames = FrameRange(first - handles, last + handles)
    begin, end = state.plate_range or (frames.first, frames.last)
    if frames.first < begin or frames.last > end:
        with_handles = f" with {handles} frames of handles" if handles else ""
        raise ShotError(
            f"The range {frames}{with_handles} leaves the plate, which goes from {begin} to {end}: "
            "press from input, or "
            "shorten it."
        )
    return frames


def _view(state: NodeState) -> str:
    """The one the job is made of; "" in a script that has one alone."""
    view, views = str(state.values["view"]).strip(), ", ".join(state.views)
    if view and view not in state.views:
        raise SettingsError(
            f"The script has no view {view}: write one of {views} into view in the Picture tab."
        )
    if len(state.views) > 1 and not view:
        raise SettingsError(
            f"The script has the views {views} and a job is made of one: write which into view in the Picture tab, "
            "and use another node for the other."
        )
    return view if len(state.views) > 1 else ""


def _picture(state: NodeState) -> Dict[str, Any]:
    """Fields of PictureSettings. Of engine draft only those it has: its node greys the others out."""
    found = _fields(state, "picture")
    found["layers"] = tuple(layer for knob, layer in LAYER_KNOBS.items() if state.values[knob])
    if state.values["crop"] == "box":
        found["crop"] = _box(state)
    if state.values["engine"] == "draft":
        found = {name: value for name, value in found.items() if name not in DRAFT_HAS_NO}
    return found


def _fields(state: NodeState, part: str) -> Dict[str, Any]:
    """Field -> value of the knobs that set one by themselves."""
    found: Dict[str, Any] = {}
    for knob in KNOBS:
        owner, _, name = knob.sets.partition(".")
        if owner == part and knob.name not in LAYER_KNOBS and knob.name != "box":
            value = state.values[knob.name]
            found[name] = knob.choices.get(value, value) if knob.choices else value
    if part == "void" and found["time_base"] == "native":
        found["rate_fps"] = 0.0
    return found


def _box(state: NodeState) -> str:
    """Knob box, from the lower left, as the job has it: x,y,width,height from the upper left, whole pixels."""
    left, bottom, right, top = (float(side) for side in state.values["box"])
    if "plate" not in state.formats:
        return "full"
    width, height = state.formats["plate"]
    x, y = math.floor(left), math.floor(height - top)
    across, down = math.ceil(right) - x, math.ceil(height - bottom) - y
    if x < 0 or y < 0 or across < 1 or down < 1 or x + across > width or y + down > height:
        raise SettingsError(
            f"The box {left:g}, {bottom:g}, {right:g}, {top:g} leaves the plate, which is "
            f"{_size((width, height))}: draw "
            "it inside, or choose crop auto."
        )
    return f"{x},{y},{across},{down}"


def box_of(crop: str, height: int) -> Tuple[float, float, float, float]:
    """The inverse: what a server says it chose, ``x,y,width,height``, as the knob's x, y, right, top."""
    x, y, width, down = (int(part) for part in crop.split(","))
    return float(x), float(height - y - down), float(x + width), float(height - y)


def _shot_name(state: NodeState) -> str:
    stem = re.sub(r"\.nk(nc|ind)?$", "", state.script.replace("\\", "/").rpartition("/")[2])
    return re.sub(r"[^A-Za-z0-9_-]", "_", f"{stem}_{state.name}").lstrip("_-")[:64] or "shot"


def _size(size: Tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def _together(problems: List[VoidError]) -> VoidError:
    """One error of the first one's class that says all of it."""
    return type(problems[0])("\n".join(str(problem) for problem in problems))
