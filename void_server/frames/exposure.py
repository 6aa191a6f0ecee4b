"""One gain for a whole job, so that an underexposed plate is not answered in the mud.

The meter looks at light (scene-linear) inside the crop and outside the mattes, over all frames. The middle of
what it saw, the median over pixels, says how the plate is exposed: no highlight and no black bar moves it. Within
two stops of middle grey the plate is normal and stays as it is; beyond, it is brought to that border, by at most
four stops.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from void_server.frames.geometry import Floats

MIDDLE_GREY = 0.18
NORMAL_STOPS = 2.0
LIMIT_STOPS = 4.0

BLACK = 2.0**-13
"""Light up to which a pixel counts as bar or hole, not as picture: 10.5 stops under middle grey."""

METERED_PIXELS = 250_000
"""Of a frame, at most, on a regular grid."""

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)  # of linear Rec.709, ITU-R BT.709-6
_EDGES = np.arange(-13.0, 17.0, 0.125)  # stops; light of 2 ** edge


class LightMeter:
    """Gathers frames; memory does not grow with them."""

    def __init__(self) -> None:
        self._middle = np.zeros(len(_EDGES) + 1, np.int64)  # pixels by luminance
        self._peak = np.zeros(len(_EDGES) + 1, np.int64)  # pixels by their brightest channel
        self._negative = 0

    def see(self, light: Floats, counts: npt.NDArray[np.bool_]) -> None:
        """Add a frame.

        Args:
            light: float32 (h, w, 3), scene-linear Rec.709 or the values of a video plate.
            counts: bool (h, w): the pixels to look at.
        """
        step = max(1, int(np.sqrt(counts.size / METERED_PIXELS)))
        pixels = light[::step, ::step][counts[::step, ::step]]
        self._middle += _histogram(pixels @ _LUMINANCE)
        brightest = pixels.max(axis=1, initial=-np.inf) * np.float32(0.9999)  # what is white is not above it
        self._peak += _histogram(brightest)
        self._negative += int(np.count_nonzero((pixels < 0).any(axis=1)))

    def stops(self) -> float:
        """What brings the plate to a normal exposure, -4..4, in tenths; 0 for a normal one."""
        picture = self._middle[1:]
        if not picture.any():
            return 0.0
        seen = np.cumsum(picture)
        half = int(np.searchsorted(seen, seen[-1] / 2))
        off = _EDGES[half] + 0.0625 - np.log2(MIDDLE_GREY)
        beyond = off - np.clip(off, -NORMAL_STOPS, NORMAL_STOPS)
        return round(float(np.clip(-beyond, -LIMIT_STOPS, LIMIT_STOPS)), 1) + 0.0  # no -0

    def describe(self, white: float) -> dict[str, str]:
        """What the job's record says of light that the model cannot make, in per cent of the pixels seen.

        Args:
            white: the brightest light it can make; counted in steps of an eighth of a stop.
        """
        pixels = max(1, int(self._peak.sum()))
        above = int(self._peak[int(np.searchsorted(_EDGES, np.log2(white) - 1e-6)) + 1 :].sum())
        return {
            "plate above white": f"{100 * above / pixels:.2f} % (white is {white:.4g})",
            "plate below zero": f"{100 * self._negative / pixels:.2f} %",
        }


def _histogram(values: Floats) -> npt.NDArray[np.int64]:
    """How many lie below the first edge, between each two, and above the last."""
    stops = np.log2(np.maximum(values, BLACK / 2))
    return np.bincount(np.digitize(stops, _EDGES), minlength=len(_EDGES) + 1)
