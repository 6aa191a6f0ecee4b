"""What the options of ``void submit`` say, as settings: ranges, pairs, rasters, and what they cost."""

from __future__ import annotations

import re

from void_wire.errors import SettingsError
from void_wire.messages import FrameRange, VoidSettings

OPTION_NAMES = {
    "window_frames": "--window",
    "model_grow_px": "--model-grow",
    "rate_fps": "--rate",
    **{f"pass{n}_{name}": f"--{name}" for n in (1, 2) for name in ("steps", "guidance")},
    **{f"raster_{side}_px": "--raster" for side in ("height", "width")},
}
"""Settings whose option has another name."""

_VAE_BYTES_PER_PIXEL = 43_300 * 1.25
"""Of the raster, beside the weights: what void_server.engine.memory counts, which this process does not import."""

_ATTENTION_SHARE = 0.38
"""Of a step at 384 x 672; it grows with the square of the pixels, the rest with the pixels. By count of FLOPs."""


def frame_range(text: str | None) -> FrameRange | None:
    """``1001-1046x2`` as a range. Raises SettingsError."""
    if text is None:
        return None
    match = re.fullmatch(r"(-?\d{1,9})(?:-(-?\d{1,9})(?:x(\d{1,9}))?)?", text.strip())
    if not match:
        raise SettingsError(
            f"--range {text!r} is no range: write 1001-1046, or 1001-1046x2 for every second frame."
        )
    first, last, step = match.groups()
    return FrameRange(int(first), int(last if last is not None else first), int(step or 1))


def pair(name: str, text: str | None, kind: type[int] | type[float]) -> dict[str, int | float | None]:
    """``30,50`` as the settings of pass 1 and pass 2; one number stands for both. Raises SettingsError."""
    if text is None:
        return {}
    try:
        values = [kind(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in (1, 2):
        raise SettingsError(f"--{name} {text!r} is not one number, or two with a comma: pass 1, pass 2.")
    return {f"pass1_{name}": values[0], f"pass2_{name}": values[-1]}


def raster_size(text: str | None) -> dict[str, int | None]:
    """``384x672`` as settings, height first. Raises SettingsError."""
    if text is None:
        return {}
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match:
        raise SettingsError(f"--raster {text!r} is not height x width: write 384x672.")
    return {"raster_height_px": int(match[1]), "raster_width_px": int(match[2])}


def cost_note(void: VoidSettings) -> str:
    """What a raster larger than the model's own costs; "" when it is none."""
    times = void.raster_height_px * void.raster_width_px / (384 * 672)
    if times <= 1:
        return ""
    memory_gib = void.raster_height_px * void.raster_width_px * _VAE_BYTES_PER_PIXEL / 2**30
    slower = times * (1 - _ATTENTION_SHARE) + times**2 * _ATTENTION_SHARE
    return (
        f"Raster {void.raster_height_px}x{void.raster_width_px} has {times:.1f} times the pixels of 384x672: by "
        f"estimate a step takes {slower:.1f} times as long and the work {memory_gib:.0f} GiB beside the weights."
    )
