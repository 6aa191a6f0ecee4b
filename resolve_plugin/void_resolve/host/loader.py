"""A Loader and its trims, which a new file takes away."""

from __future__ import annotations

from typing import Any, Dict, Mapping

from void_resolve.fusion_api import Tool

TRIMS = (
    "GlobalIn",
    "GlobalOut",
    "ClipTimeStart",
    "ClipTimeEnd",
    "HoldFirstFrame",
    "HoldLastFrame",
    "Reverse",
    "Loop",
    "Depth",
    "TimeCodeOffset",
    "MissingFrames",
)
"""Of a Loader, that a new Clip resets."""

_SPAN = TRIMS[:2]
_IN_TIME = TRIMS[2:6]
"""These belong to certain frames."""


def trims_of(loader: Tool) -> Dict[str, Any]:
    """As they are now, by name."""
    return {name: loader.GetInput(name) for name in TRIMS}


def put_back(loader: Tool, trims: Mapping[str, Any], in_time: bool) -> None:
    """Set them again after a new Clip; those that belong to certain frames only with ``in_time``."""
    if in_time:
        span(loader, *(int(trims[name]) for name in _SPAN))
    for name in TRIMS[len(_SPAN) :]:
        if trims.get(name) is not None and (in_time or name not in _IN_TIME):
            loader.SetInput(name, trims[name])


def span(loader: Tool, first: int, last: int) -> None:
    """Set where a Loader begins and ends. Neither may pass the other on the way."""
    order = [("GlobalOut", last), ("GlobalIn", first)]
    if first <= int(loader.GetInput("GlobalOut") or 0):
        order.reverse()
    for name, value in order:
        loader.SetInput(name, value)
