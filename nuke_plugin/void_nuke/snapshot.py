"""A node as it is at one moment, and the removal that it asks for. Pure: everything of Nuke was read before.

After this nothing is read from Nuke again, so an artist may go on working while the job is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, Mapping, Optional, Tuple

from void_host.address import server_address
from void_host.inputs import INPUTS, unconnected
from void_host.job import job_spec, shot_name
from void_host.output import next_path, tokens
from void_host.problems import Problems
from void_host.shot import Shot
from void_wire.errors import EmptyMatte, SettingsError, ShotError, SizeMismatch, VoidError


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
    problems = Problems(_wrong_inputs(state))
    left, bottom, right, top = (float(side) for side in state.values["box"])
    with problems.noted():
        _check_range(state)
    with problems.noted():
        view = _view(state)
    with problems.noted():
        address = server_address(str(state.values["server"]), environment)
    with problems.noted():
        path, version = output_path(state, environment)
    with problems.noted():
        shot = shot_name(state.script, state.name)
        spec = job_spec(state.values, shot, (left, bottom, right, top), state.formats.get("plate"))
    problems.say()
    return Shot(state.name, address, path, version, spec, view, state.formats["plate"])


def output_path(state: NodeState, environment: Mapping[str, str]) -> Tuple[str, int]:
    """Where the next result goes, and its version. Raises SettingsError."""
    if not state.script:
        raise SettingsError(
            "The script was never saved, so there is no place for results yet: save it, then press Remove again."
        )
    return next_path(str(state.values["output"]), tokens(state.script, state.name, environment))


def _wrong_inputs(state: NodeState) -> Iterator[VoidError]:
    yield from unconnected(state.formats)
    for name, channel in state.matte_channels.items():
        if name in state.channels and channel not in state.channels[name]:
            yield EmptyMatte(
                f"Input {name} has no channel {channel}, so its matte is empty: choose another channel in the Picture "
                "tab, or write the roto into that one."
            )
    plate = state.formats.get("plate")
    for name in INPUTS[1:]:
        if plate and state.formats.get(name, plate) != plate:
            yield SizeMismatch(
                f"Input {name} is {_size(state.formats[name])} and the plate is {_size(plate)}: bring both to one "
                "format."
            )


def _check_range(state: NodeState) -> None:
    """The plate must have every frame of it."""
    first, last, handles = (int(state.values[name]) for name in ("first", "last", "handles"))
    begin, end = state.plate_range or (first - handles, last + handles)
    if first - handles < begin or last + handles > end:
        with_handles = f" with {handles} frames of handles" if handles else ""
        raise ShotError(
            f"The range {first - handles}-{last + handles}{with_handles} leaves the plate, which goes from {begin} to "
            f"{end}: press from input, or shorten it."
        )


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


def _size(size: Tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
