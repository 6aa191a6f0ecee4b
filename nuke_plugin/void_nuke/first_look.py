"""A first look at the remove matte, before anything is exported.

A few frames of it are rendered in this Nuke, each in a turn of its own of the event loop, and no more once one is
marked. The frame that is on screen comes first: its matte is mostly rendered already. What is found black is said at
once; that all of a shot is black is only known when every frame was looked at, here or as it is exported.
"""

from __future__ import annotations

from typing import Callable, List, Optional

from void_host.shot import Shot
from void_nuke import host
from void_wire.errors import EmptyMatte

LOOKS = 5
"""Frames at most: a roto is rendered for each."""


def look(shot: Shot, stopped: Callable[[], bool]) -> Optional[str]:
    """What to ask the artist of a matte that seems black; None where a frame is marked or nothing can be told.

    Raises EmptyMatte when every frame of the shot was looked at and is black.
    """
    if shot.view:
        return None  # what is sampled is of the view on screen
    frames = shot.spec.frames.numbers()
    chosen = frames_to_look_at(frames, host.on_main(host.current_frame))
    for frame in chosen:
        if stopped():
            return None
        try:
            if host.on_main(host.matte_level, shot.owner, frame) != 0:
                return None
        except RuntimeError:  # it cannot be rendered: the export says which frame and why
            return None
    if len(chosen) == len(frames):
        raise EmptyMatte(
            f"Input remove is black in every frame of {shot.spec.frames}, so there is nothing to remove: draw what "
            "goes, or choose another channel in the Picture tab."
        )
    seen = ", ".join(map(str, sorted(chosen)))
    return (
        f"Input remove is black in the {len(chosen)} frames that were looked at: {seen}. Is it the right channel "
        "(Picture tab)? If something is marked between them, go on: the others are looked at as they are exported, and "
        "nothing is sent before one of them is marked. Go on?"
    )


def frames_to_look_at(frames: List[int], now: int) -> List[int]:
    """`LOOKS` of them at most: the one on screen, then those spread evenly from the middle outwards."""
    last = len(frames) - 1
    spread = [frames[round(last * share)] for share in (0.5, 0.0, 1.0, 0.25, 0.75)]
    wanted = [now, *spread] if now in frames else spread
    return list(dict.fromkeys(wanted))[:LOOKS]
