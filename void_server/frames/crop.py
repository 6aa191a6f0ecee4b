"""Where the model looks: one box of the plate for the whole job, and the raster it is brought to.

The box holds everything that both mattes mark in all frames, the edge of the merge, and context around it. It has
the raster's shape, lies in the plate, and has at least the raster's pixels where the plate has them. One box for
all frames, because a box that moves makes the fill tremble.

Anamorphic plates are squared for the model by reducing their longer side of a pixel, so nothing is enlarged.
Boxes are in the coordinates of the display window; those an artist names begin at its upper left corner.
"""

from __future__ import annotations

import math

from void_server.frames.geometry import Box, Fit
from void_wire.errors import SettingsError
from void_wire.messages import PictureSettings

SNAP_PX = 16
"""Sides of an automatic box: a matte that changes a little keeps the box, and with it the fill."""

SMALLEST_RASTER_PX = 64
_SMALLEST_PREVIEW_PX = 32


def choose_fit(
    picture: PictureSettings,
    raster: tuple[int, int],
    display: Box,
    marked: Box,
    pixel_aspect: float = 1.0,
) -> Fit:
    """The box and the raster of a job.

    Args:
        picture: ``crop``, ``crop_context``, ``enlarge``, and the merge's ``grow_px`` and ``feather_px``.
        raster: height and width that were asked for. Where the box has fewer pixels, the raster takes the next
            smaller multiple of 16 (not below 64), unless ``enlarge`` says otherwise.
        display: the plate's display window.
        marked: around everything the mattes hold.
        pixel_aspect: width of a plate pixel over its height.

    Raises:
        SettingsError: see `named_box`.
    """
    box = named_box(picture, display, marked)
    if box is None:
        reach_px = picture.grow_px + picture.feather_px + 1
        box = auto_box(display, marked, raster, reach_px, picture.crop_context, pixel_aspect)
    if picture.enlarge:
        return Fit(box, raster)
    across, down = _squared(pixel_aspect)
    return Fit(box, (_within(raster[0], box.height * down), _within(raster[1], box.width * across)))


def halved(fit: Fit) -> Fit:
    """The same box at half the raster, in multiples of 16 and not below 32: what a preview looks at."""
    height, width = (min(side, max(_SMALLEST_PREVIEW_PX, side // 32 * 16)) for side in fit.raster)
    return Fit(fit.box, (height, width))


def named_box(picture: PictureSettings, display: Box, marked: Box | None = None) -> Box | None:
    """The box an artist named, "full" included; None for "auto".

    Raises:
        SettingsError: it leaves the plate, holds nothing of ``marked``, or the feather is wider than it is.
    """
    if picture.crop == "full":
        return display
    named = picture.crop_px()
    if named is None:
        return None
    x, y, width, height = named
    box = Box(x, y, width, height).moved(display.x, display.y)
    size = f"{display.width} x {display.height}"
    if box.within(display) != box:
        raise SettingsError(
            f"Crop {picture.crop} leaves the plate, which is {size}: name x,y,width,height inside it."
        )
    if picture.feather_px >= min(width, height) and box != display:
        raise SettingsError(
            f"A feather of {picture.feather_px} pixels is wider than the crop {picture.crop}: feather less, or "
            "name a larger crop."
        )
    if marked is not None and box.within(marked) is None:
        at = marked.moved(-display.x, -display.y)
        raise SettingsError(
            f"Crop {picture.crop} holds nothing of the mattes, which lie in {at.x},{at.y},{at.width},{at.height}: "
            "name a crop around them, or use auto."
        )
    return box


def auto_box(
    display: Box,
    marked: Box,
    raster: tuple[int, int],
    reach_px: int,
    context: float,
    pixel_aspect: float = 1.0,
) -> Box:
    """The box around what is marked.

    Its shape is the raster's; where the plate is too small for that shape around what is marked, the context goes
    first, then the shape. Sides are multiples of 16, or the plate's own.

    Args:
        display: the plate's display window.
        marked: around everything the mattes hold, inside ``display``.
        raster: height and width the model is to run at.
        reach_px: how far outside what is marked the fill is merged.
        context: on every side, as a share of what is marked.
        pixel_aspect: width of a plate pixel over its height.
    """
    across, down = _squared(pixel_aspect)
    shape = (raster[1] / across) / (raster[0] / down)  # plate pixels wide for one high
    must = marked.grown(reach_px).within(display) or display
    wanted = max(must.height, must.width / shape) * (1 + 2 * context)
    height = min(max(wanted, raster[0] / down), display.height, display.width / shape)
    width = _snapped(max(height * shape, must.width), display.width)
    height = _snapped(max(height, must.height), display.height)
    return Box(
        _placed(must.x + must.width / 2, width, display.x, display.width),
        _placed(must.y + must.height / 2, height, display.y, display.height),
        width,
        height,
    )


def describe(
    fit: Fit, asked: tuple[int, int], display: Box, marked: Box, preview: bool = False
) -> dict[str, str]:
    """What the job's record says of it: the box from the plate's upper left corner, the raster, the detail.

    And, when an artist's crop cuts through what is marked, that it does: beyond it nothing is removed.
    """
    box, mattes = (window.moved(-display.x, -display.y) for window in (fit.box, marked))
    raster = f"{fit.raster[0]}x{fit.raster[1]}"
    if preview:
        raster += " (halved: a preview)"
    elif fit.raster != asked:
        raster += f" (not {asked[0]}x{asked[1]}: the crop has no more pixels)"
    record = {
        "crop": f"{box.x},{box.y},{box.width},{box.height}",
        "raster": raster,
        "detail ratio": f"{fit.detail:.2f} raster pixels per plate pixel",
    }
    if box.within(mattes) != mattes:
        record["crop cuts"] = f"the mattes, which lie in {mattes.x},{mattes.y},{mattes.width},{mattes.height}"
    return record


def _squared(pixel_aspect: float) -> tuple[float, float]:
    """How much a plate's width and height shrink to make its pixels square. A header may say nonsense."""
    if not 0.1 <= pixel_aspect <= 10:
        return 1.0, 1.0
    return min(1.0, pixel_aspect), min(1.0, 1 / pixel_aspect)


def _within(asked: int, available: float) -> int:
    return min(asked, max(SMALLEST_RASTER_PX, int(available + 1e-3) // 16 * 16))


def _snapped(side: float, available: int) -> int:
    return min(available, math.ceil(side / SNAP_PX - 1e-6) * SNAP_PX)


def _placed(centre: float, side: int, first: int, available: int) -> int:
    """Where a side of this length begins: around ``centre``, inside first..first + available."""
    return min(max(round(centre - side / 2), first), first + available - side)
