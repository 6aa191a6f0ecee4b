"""Where two segments meet: each has made the same frame, and one goes over into the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from void_server.frames.color import ColorTransform
from void_server.frames.exr import PlateFrame, rgb_channels
from void_server.frames.geometry import Floats
from void_server.pixels import Pixels
from void_wire.errors import SizeMismatch


def share_of_later(frame: int, first: int, last: int, step: int = 1) -> float:
    """How much the later segment counts at ``frame`` of those shared, ``first``..``last``.

    Rises evenly; neither end is wholly the one's or the other's.
    """
    return ((frame - first) // step + 1) / ((last - first) // step + 2)


def joined(
    earlier: PlateFrame, later: PlateFrame, share: float, color: ColorTransform
) -> tuple[PlateFrame, Floats, npt.NDArray[np.bool_]]:
    """One frame of two that differ only where a model has answered.

    Red, green and blue are mixed as light (scene-linear; values of a video plate as they are); other channels that
    differ, layers beside the picture, as the numbers they are. Where both have the same bits, those stay.

    Args:
        earlier: the frame as the segment before made it.
        later: the same frame by the segment after.
        share: of ``later``, 0..1.
        color: of the plates.

    Returns:
        ``later`` with its other channels mixed, the mixed picture, float32 (h, w, 3) of the data window in the plate's
        values, and where it takes the place of ``later``'s, bool (h, w): what `exr.write_result` takes.

    Raises SizeMismatch when the two are not of one size and the same channels.
    """
    one, other = earlier.layout, later.layout
    if (one.data, one.display, one.channels, one.types) != (
        other.data,
        other.display,
        other.channels,
        other.types,
    ):
        raise SizeMismatch(f"{other} differs in size or channels between two segments: do both anew.")
    picture = sorted(set(rgb_channels(other)))
    differs = _bits(earlier.pixels) != _bits(later.pixels)
    changed: npt.NDArray[np.bool_] = differs[..., picture].any(axis=-1)
    rgb = later.rgb
    before, after = color.light(earlier.rgb[changed]), color.light(rgb[changed])
    rgb[changed] = color.values(before + (after - before) * np.float32(share))
    pixels = later.pixels.copy()
    for channel in range(pixels.shape[-1]):
        where = differs[..., channel]
        if channel not in picture and where.any():
            ends = [made.pixels[..., channel][where].astype(np.float32) for made in (earlier, later)]
            pixels[..., channel][where] = ends[0] + (ends[1] - ends[0]) * np.float32(share)
    return replace(later, pixels=pixels), rgb, changed


def _bits(pixels: Pixels) -> npt.NDArray[np.uint16] | npt.NDArray[np.uint32]:
    return pixels.view(np.uint16) if pixels.dtype == np.float16 else pixels.view(np.uint32)
