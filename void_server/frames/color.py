"""Between the plate's colour space and what the model sees.

A plate in a scene-referred space (linear or camera log) goes through OpenColorIO to light (scene-linear, Rec.709
primaries), is multiplied by the exposure's gain and folded into 0..1 by an encoding (`encoding.py`). A plate that
is video already (sRGB, Rec.709, a gamma) passes the display encoding as it is. `ColorTransform.decode` undoes each.

Only the fill comes back through `decode`; the plate outside the matte never passes here.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable

import numpy as np

from void_server.frames.color_config import config_name, converted, names, space_named
from void_server.frames.encoding import CEILING, Display, Encoding, Log, Video
from void_server.frames.geometry import Floats
from void_wire.errors import SettingsError

_LINEAR_REC709 = (
    "Linear Rec.709 (sRGB)",
    "lin_rec709_scene",
    "lin_rec709",
    "lin_srgb",
    "Utility - Linear - sRGB",
)
_LOG_CODES = (-1.0, 2.0)  # no camera writes beyond; a stray pixel there would overflow to no number
_PART_PX = 32768
_PROBE = np.concatenate([np.eye(3), np.full((1, 3), 0.5), np.ones((1, 3))]).astype(np.float32)


class ColorTransform:
    """One plate's colour, there and back.

    Args:
        colorspace: a space, alias or role of the config.
        encoding: "display", the picture as video shows it, or "log", ACEScct.
        ceiling: light that becomes white in the display encoding, see `Display`.

    Raises:
        SettingsError: the config has no such space, or it holds data instead of colour.
    """

    def __init__(self, colorspace: str, encoding: str = "display", ceiling: float = CEILING):
        space = space_named(colorspace)
        if space is None:
            near = difflib.get_close_matches(colorspace, names(), n=3, cutoff=0.4)
            raise SettingsError(
                f"Colour space {colorspace!r} is not in {config_name()}: "
                + (
                    f"did you mean {' or '.join(repr(name) for name in near)}?"
                    if near
                    else "name one it holds."
                )
            )
        if space.isData():
            raise SettingsError(
                f"Colour space {colorspace!r} of {config_name()} holds data, not colour: name the space of the plate."
            )
        self.colorspace = colorspace
        linear = next((found for found in map(space_named, _LINEAR_REC709) if found is not None), None)
        if linear is None:
            raise SettingsError(
                f"{config_name()} has no linear Rec.709 space under a name we know: give it the alias 'lin_rec709'."
            )
        self._space, self._linear = str(space.getName()), str(linear.getName())
        seen = converted(_PROBE, self._space, self._linear)
        self._matrix = (
            seen[:3].astype(np.float64) if np.allclose(_PROBE @ seen[:3], seen, atol=1e-5) else None
        )
        self.is_video = self._matrix is None and 0.98 < float(seen[4].max()) < 1.02
        self.stops = 0.0
        self._passes = self.is_video and encoding == "display"
        self._encoding: Encoding = (
            Log() if encoding == "log" else Video() if self._passes else Display(ceiling)
        )

    def exposed(self, stops: float) -> ColorTransform:
        """The same with another exposure: light is multiplied by 2 ** ``stops`` before it is encoded.

        Raises:
            SettingsError: the plate is display-referred; there is no light to multiply.
        """
        if stops and self.is_video:
            raise SettingsError(
                f"Exposure {stops:+g} stops is for scene-referred plates and {self.colorspace!r} is display-referred: "
                "leave the exposure at auto, or name the space the plate is in."
            )
        other = copy.copy(self)
        other.stops = stops
        return other

    @property
    def white(self) -> float:
        """The brightest light that is not clipped on the way to the model."""
        return float(self._encoding.white / 2.0**self.stops)

    def light(self, values: Floats) -> Floats:
        """Light of the plate's values: float32 (..., 3), scene-linear, Rec.709 primaries.

        A video plate under the display encoding has none: its values, 0..1, are given back.
        """
        if self._passes:
            return values
        if self._matrix is not None:
            return values @ self._matrix.astype(np.float32)
        return converted(values, self._space, self._linear, _LOG_CODES)

    def fold(self, light: Floats) -> Floats:
        """What the model sees of light: 0..1. What is below the encoding's domain or above it clips."""
        return self._encoding.fold(light * np.float32(2.0**self.stops) if self.stops else light)

    def unfold(self, seen: Floats) -> Floats:
        """The inverse: light of 0..1; what leaves 0..1 is clipped first."""
        light = self._encoding.unfold(seen)
        return light * np.float32(2.0**-self.stops) if self.stops else light

    def encode(self, values: Floats) -> Floats:
        """What the model sees of the plate's values, float32 (..., 3): 0..1."""
        return _in_parts(lambda part: self.fold(self.light(part)), values)

    def decode(self, encoded: Floats) -> Floats:
        """The inverse: float32 (..., 3), 0..1, to the plate's space; what leaves 0..1 is clipped first."""
        return _in_parts(lambda part: self.values(self.unfold(part)), encoded)

    def values(self, light: Floats) -> Floats:
        """The inverse of `light`: the plate's values, float32 (..., 3)."""
        if self._passes:
            return light
        if self._matrix is not None:
            return light @ np.linalg.inv(self._matrix).astype(np.float32)
        return converted(light, self._linear, self._space)


def _in_parts(convert: Callable[[Floats], Floats], colours: Floats) -> Floats:
    """``convert`` of float32 (..., 3) a part at a time: what is made on the way stays in the processor's cache."""
    flat = colours.reshape(-1, 3)
    result = np.empty(flat.shape, np.float32)
    for at in range(0, len(flat), _PART_PX):
        result[at : at + _PART_PX] = convert(flat[at : at + _PART_PX])
    return result.reshape(colours.shape)
