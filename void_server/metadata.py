"""What each frame that leaves says of its making, as EXR attributes beside the plate's own."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from void_wire.messages import (
    DRAFT_HAS_NO,
    PROTOCOL_VERSION,
    JobSpec,
    PictureSettings,
    Role,
    VoidSettings,
    WindowSeed,
)

LEFT_OUT = {
    "overlay": "asks for another sequence, and changes nothing here",
    "show_pass1": "asks for another sequence, and changes nothing here",
    "compression": "is the file's own",
    "layers": "are the file's own channels",
    "raster_height_px": "the raster that ran is in the record",
    "raster_width_px": "the raster that ran is in the record",
    "rate_fps": "the time base that ran is in the record",
}
"""Fields of PictureSettings and VoidSettings that have no attribute, and why."""

PROMPT_LEFT_OUT = "left out"
"""What a private server's record says in the prompt's place."""

_PASS2_ALONE = ("pass2_steps", "pass2_guidance", "warped_noise", "flow")


def metadata(spec: JobSpec, role: Role, record: Mapping[str, str]) -> dict[str, str]:
    """The attributes ``void/*`` of a frame of ``role``, RESULT or PASS1.

    Every setting, then what made the frame: what ``record`` found out takes the place of what was asked. It holds no
    path of the server.
    """
    found = dict(_asked(spec.picture, left_out=() if spec.void is not None else DRAFT_HAS_NO))
    if spec.void is not None:
        ran = spec.void.as_run()
        found |= _asked(ran, left_out=_PASS2_ALONE if ran.passes == 1 else ())
    found |= {"job": spec.job, "shot": spec.shot, "prompt": spec.prompt, "sequence": role.value}
    found |= {"protocol": str(PROTOCOL_VERSION), **record}
    return {f"void/{name.replace(' ', '_')}": value for name, value in found.items()}


def _asked(settings: PictureSettings | VoidSettings, left_out: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for field in dataclasses.fields(settings):
        if field.name not in LEFT_OUT and field.name not in left_out:
            yield field.name, _text(getattr(settings, field.name))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(_text, value)) or "none"
    if isinstance(value, WindowSeed):
        return f"{value.window}: {value.seed}"
    return str(value) or "none"
