"""What the options of ``void submit`` say, as settings: which is which, ranges, pairs, and what they cost."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from void_wire.errors import SettingsError
from void_wire.messages import FrameRange, PictureSettings, VoidSettings, WindowSeed

PICTURE_OPTIONS = {
    "affected_shape": "affected_shape",
    "affected_first_frame": "affected_first_frame",
    "grow_px": "grow",
    "feather_px": "feather",
    "segments": "segments",
    "compression": "compression",
}
"""Field of PictureSettings -> option of ``void submit``, for every engine.

Besides: ``colorspace``, whose default depends on the source, ``layers``, a list; ``overlay`` is --save-quadmask's, and
``show_pass1`` of VoidSettings --save-pass1's.
"""

MODEL_PICTURE_OPTIONS = {
    "crop": "crop",
    "crop_context": "crop_context",
    "encoding": "encoding",
    "exposure": "exposure",
    "model_grow_px": "model_grow",
    "detail": "detail",
    "regrain": "regrain",
}
"""The same, for engine void alone. ``enlarge`` is said by naming --raster."""

VOID_OPTIONS = {
    "passes": "passes",
    "seed": "seed",
    "window_frames": "window",
    "warped_noise": "warped_noise",
    "flow": "flow",
    "latents": "latents",
    "time_base": "time_base",
    "rate_fps": "rate",
    "preview": "preview",
    "noise_range": "noise_range",
}
"""Field of VoidSettings -> option; steps, guidance and raster are pairs, ``window_seeds`` a list."""

_COMPOUND_OPTIONS = ("steps", "guidance", "raster", "window_seeds")

_VAE_BYTES_PER_PIXEL = 21_600 * 1.25
"""Of the raster, beside the weights: what void_server.engine.memory counts, which this process does not import."""

_ATTENTION_SHARE = 0.38
"""Of a step at 384 x 672; it grows with the square of the pixels, the rest with the pixels. By count of FLOPs."""


def settings_of(given: Mapping[str, Any]) -> tuple[PictureSettings, VoidSettings | None]:
    """The settings of a job.

    Args:
        given: option of ``void submit`` -> its value, None where it was not given.

    Raises SettingsError for a value out of its range, and for options the engine does not have.
    """
    void, seen = _named(VOID_OPTIONS, given), _named(MODEL_PICTURE_OPTIONS, given)
    if given["engine"] == "draft":
        options = [*VOID_OPTIONS.values(), *MODEL_PICTURE_OPTIONS.values(), *_COMPOUND_OPTIONS]
        idle = sorted(f"--{name.replace('_', '-')}" for name in options if given[name] is not None)
        if idle:
            raise SettingsError(
                f"Engine draft has no {', '.join(idle)}: leave that out, or use --engine void."
            )
    picture = PictureSettings(
        colorspace=given["colorspace"] or ("sRGB" if given["sample"] else "scene_linear"),
        layers=tuple(given["layers"].split(",")) if given["layers"] else (),
        overlay=bool(given["save_quadmask"]),
        enlarge=given["raster"] is not None,
        **_named(PICTURE_OPTIONS, given),
        **seen,
    )
    if given["engine"] != "void":
        return picture, None
    return picture, VoidSettings(
        **void,
        **pair("steps", given["steps"], int),
        **pair("guidance", given["guidance"], float),
        **raster_size(given["raster"]),
        window_seeds=window_seeds(given["window_seeds"]),
        show_pass1=bool(given["save_pass1"]),
    )


def _named(options: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    return {field: given[option] for field, option in options.items() if given[option] is not None}


def frame_range(text: str | None, handles: int = 0) -> FrameRange | None:
    """``1001-1046x2`` as a range, with ``handles`` frames more at either end. Raises SettingsError."""
    if handles < 0:
        raise SettingsError(f"--handles is {handles}: give the frames to add at either end, 0 or more.")
    if text is None:
        if handles:
            raise SettingsError(
                "--handles goes around a range and none is given: add --range, or leave both out for all of the plate."
            )
        return None
    found = FrameRange.of_text(text, "--range")
    more = handles * found.step
    return FrameRange(found.first - more, found.last + more, found.step)


def pair(name: str, text: str | None, kind: type[int] | type[float]) -> dict[str, Any]:
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


def raster_size(text: str | None) -> dict[str, Any]:
    """``384x672`` as settings, height first. Raises SettingsError."""
    if text is None:
        return {}
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match:
        raise SettingsError(f"--raster {text!r} is not height x width: write 384x672.")
    return {"raster_height_px": int(match[1]), "raster_width_px": int(match[2])}


def window_seeds(text: str | None) -> tuple[WindowSeed, ...]:
    """``2:77,4:9``: window 2 from seed 77, then window 4 from seed 9. Raises SettingsError."""
    if text is None:
        return ()
    pairs = [re.fullmatch(r"(\d{1,9}):(\d{1,19})", part.strip()) for part in text.split(",")]
    if not all(pairs):
        raise SettingsError(
            f"--window-seeds {text!r} are not window:seed, with commas between several: 2:77,4:9."
        )
    return tuple(WindowSeed(int(found[1]), int(found[2])) for found in pairs if found)


def cost_note(void: VoidSettings) -> str:
    """What a raster larger than the model's own costs; "" when it is none."""
    times = void.raster_height_px * void.raster_width_px / (384 * 672)
    if times <= 1 or void.preview:
        return ""
    memory_gib = void.raster_height_px * void.raster_width_px * _VAE_BYTES_PER_PIXEL / 2**30
    slower = times * (1 - _ATTENTION_SHARE) + times**2 * _ATTENTION_SHARE
    return (
        f"Raster {void.raster_height_px}x{void.raster_width_px} has {times:.1f} times the pixels of 384x672: by "
        f"estimate a step takes {slower:.1f} times as long and the work {memory_gib:.0f} GiB beside the weights."
    )
