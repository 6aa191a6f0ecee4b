"""Layers beside the picture: what was merged and how, for a compositor who looks closer or merges it again.

They are named ``layer.channel``, as Nuke and the others read them, and have the type of the plate's red. Numbers are
raw: the plate's colour space for `fill` and `difference`, no colour at all for `matte` and `quadmask`.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from void_server.frames.exr import MAX_CHANNELS, MAX_IMAGE_MB, Layout, PlateFrame, luminance, rgb_channels
from void_server.frames.geometry import Floats
from void_server.frames.matte import Classes
from void_wire.errors import UnsupportedImage

CHANNELS = {"fill": "RGB", "matte": "A", "quadmask": "A", "difference": "RGB"}
"""Layer -> its channels, in the order they are written. RGB becomes Y where the plate is luminance alone."""

_BYTES = {"half": 2, "float": 4}


def check_layers(layout: Layout, names: Collection[str]) -> None:
    """Raise UnsupportedImage when the plate has a layer of one of ``names``, or no room for them."""
    taken = {channel.rpartition(".")[0].lower() for channel in layout.channels}
    clash = [name for name in CHANNELS if name in names and name in taken]
    if clash:
        raise UnsupportedImage(
            f"{layout} has a layer {clash[0]} already, which would be replaced: leave {clash[0]} out of the layers, "
            "or write the plate without it."
        )
    added = sum(len(channels) for name, channels in CHANNELS.items() if name in names)
    count = len(layout.channels) + added
    size_mb = (
        layout.data.width * layout.data.height * count * max(map(_BYTES.__getitem__, layout.types)) / 2**20
    )
    if names and (count > MAX_CHANNELS or size_mb > MAX_IMAGE_MB):
        raise UnsupportedImage(
            f"{layout} with {added} channels more would have {count} and {size_mb:.0f} MB; up to {MAX_CHANNELS} and "
            f"{MAX_IMAGE_MB} MB work: ask for fewer layers, or write the plate with fewer channels."
        )


def make_layers(
    names: Collection[str],
    plate: PlateFrame,
    rgb: Floats,
    changed: npt.NDArray[np.bool_],
    fill: Floats | None,
    matte: Floats,
    quadmask: Classes,
) -> dict[str, Floats]:
    """Whole channel name ("fill.R") -> float32 (h, w), of the layers of ``names``.

    Every image covers the plate's data window.

    Args:
        names: of `CHANNELS`.
        plate: the frame as it came.
        rgb: float32 (h, w, 3), the result where ``changed``, in the plate's values.
        changed: bool (h, w).
        fill: float32 (h, w, 3), what was there to be merged, 0 where there was nothing; needed for "fill" alone.
        matte: float32 (h, w), 0..1, what was merged.
        quadmask: uint8 (h, w), what the engine saw.
    """
    made: dict[str, Floats] = {}
    pixels: Floats
    grey = len(set(rgb_channels(plate.layout))) == 1
    for name, channels in CHANNELS.items():
        if name not in names:
            continue
        if name == "fill" and fill is not None:
            pixels = fill
        elif name == "difference":
            pixels = np.zeros_like(rgb)
            pixels[changed] = rgb[changed] - plate.rgb[changed]
        else:
            pixels = (matte if name == "matte" else quadmask.astype(np.float32) / np.float32(255))[..., None]
        if grey and channels == "RGB":
            channels, pixels = "Y", luminance(pixels)[..., None]
        made |= {f"{name}.{channel}": pixels[..., place] for place, channel in enumerate(channels)}
    return made
