"""How light becomes what the model sees: 0..1, and back. The gain of the exposure comes before, in light.

Light is scene-linear, Rec.709 primaries, float32 (..., 3). Two encodings, each with its inverse:

===========  ==========================================  =============================================
encoding     domain, in light after the gain             what it looks like
===========  ==========================================  =============================================
`Display`    0..``ceiling`` (64); outside it clips       sRGB video with the highlights folded in
`Log`        -0.0069..222.9 in AP1; outside it clips     ACEScct, flat and grey
===========  ==========================================  =============================================

The model was trained on video, so display is the default. Log spends its codes evenly over the stops.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from void_server.frames.geometry import Floats

CEILING = 64.0
"""Light that becomes the model's white in the display encoding: 8.5 stops over middle grey."""

KNEE = 0.5
"""Light up to which the shoulder changes nothing: one and a half stops over middle grey."""

_AP1_OF_REC709 = np.array(
    [
        [0.6130974, 0.3395231, 0.0473795],
        [0.0701937, 0.9163539, 0.0134524],
        [0.0206156, 0.1095697, 0.8698148],
    ]
)
"""Rec.709 (ITU-R BT.709-6, D65) to AP1 (S-2014-004, white x 0.32168, y 0.33767), Bradford between the whites."""

_CUT, _SLOPE, _OFFSET = 0.0078125, 10.5402377416545, 0.0729055341958355
"""Of ACEScct, S-2016-001: up to the cut it is a straight line."""


class Encoding(Protocol):
    """Light to 0..1 and back."""

    white: float  # light that becomes 1; nothing brighter can come back

    def fold(self, light: Floats) -> Floats:
        """Light, any value, to 0..1."""

    def unfold(self, seen: Floats) -> Floats:
        """The inverse; what leaves 0..1 is clipped first."""


class Video:
    """Values that are display-referred already: they pass, within 0..1."""

    white = 1.0

    def fold(self, light: Floats) -> Floats:
        """0..1 as it is."""
        return np.clip(light, 0, 1)

    def unfold(self, seen: Floats) -> Floats:
        """0..1 as it is."""
        return np.clip(seen, 0, 1)


class Display:
    """A shoulder that folds highlights into 0..1, then the sRGB curve (IEC 61966-2-1).

    Up to the knee the shoulder changes nothing; from there it is ``KNEE + a ln(1 + (x - KNEE) / a)``, which goes
    on with slope 1 and reaches 1 at the ceiling. Negative light becomes 0.

    Args:
        ceiling: the light that becomes white, 1 or more. 1 leaves out the shoulder: a linear plate made from
            video then gives the model the video's own values.
    """

    def __init__(self, ceiling: float = CEILING) -> None:
        self.white = max(1.0, ceiling)
        self._scale = _shoulder_scale(self.white)

    def fold(self, light: Floats) -> Floats:
        """Light to 0..1: middle grey 0.18 to 0.4613561, 64 to 1."""
        return _srgb(self._bent(light, self.white, np.log1p, 1))

    def unfold(self, seen: Floats) -> Floats:
        """0..1 to light, 0..ceiling."""
        return self._bent(_srgb_inverse(np.clip(seen, 0, 1)), 1, np.expm1, self.white)

    def _bent(self, values: Floats, brightest: float, curve: np.ufunc, most: float) -> Floats:
        """``values``, clipped to 0..``brightest``, with what is over the knee along ``curve``; ``most`` at most.

        Without a mask, which costs more than the curve, and with clip alone, which is the fastest of numpy's bounds.
        """
        over: Floats = np.clip(values, np.float32(KNEE), np.float32(brightest))
        over -= np.float32(KNEE)
        over /= np.float32(self._scale)
        curve(over, out=over)
        over *= np.float32(self._scale)
        over += np.clip(values, np.float32(0), np.float32(KNEE))
        np.clip(over, np.float32(0), np.float32(most), out=over)
        return over


class Log:
    """ACEScct, Academy S-2016-001: AP1 primaries, a logarithm with a straight toe.

    Domain: AP1 light of -0.0069 (code 0) to 222.86 (code 1). Range: 0..1; middle grey 0.18 at 0.4135884.
    """

    white = 2.0 ** (17.52 - 9.72)

    def fold(self, light: Floats) -> Floats:
        """Light to 0..1."""
        wide = light @ _AP1_OF_REC709.T.astype(np.float32)
        codes: Floats = (np.log2(np.maximum(wide, _CUT)) + np.float32(9.72)) / np.float32(17.52)
        toe = wide <= _CUT
        codes[toe] = np.float32(_SLOPE) * wide[toe] + np.float32(_OFFSET)
        np.clip(codes, 0, 1, out=codes)
        return codes

    def unfold(self, seen: Floats) -> Floats:
        """0..1 to light."""
        codes = np.clip(seen, 0, 1)
        wide: Floats = np.exp2(codes * np.float32(17.52) - np.float32(9.72))
        toe = codes <= _SLOPE * _CUT + _OFFSET
        wide[toe] = (codes[toe] - np.float32(_OFFSET)) / np.float32(_SLOPE)
        light: Floats = wide @ np.linalg.inv(_AP1_OF_REC709).T.astype(np.float32)
        return light


def _shoulder_scale(ceiling: float) -> float:
    """The ``a`` for which the shoulder reaches 1 at ``ceiling``."""
    low, high = 1e-6, 1e6
    for _ in range(200):
        middle = math.sqrt(low * high)
        low, high = (
            (middle, high) if KNEE + middle * math.log1p((ceiling - KNEE) / middle) < 1 else (low, middle)
        )
    return high


def _srgb(linear: Floats) -> Floats:
    """IEC 61966-2-1, linear 0..1 to encoded 0..1."""
    curve: Floats = np.power(linear, np.float32(1 / 2.4))
    curve *= np.float32(1.055)
    curve -= np.float32(0.055)
    np.copyto(curve, np.float32(12.92) * linear, where=linear <= 0.0031308)
    return curve


def _srgb_inverse(encoded: Floats) -> Floats:
    curve: Floats = np.power((encoded + np.float32(0.055)) / np.float32(1.055), np.float32(2.4))
    np.copyto(curve, encoded / np.float32(12.92), where=encoded <= 0.04045)
    return curve
