"""Where the model looks, as hosts have it and as a job has it.

Hosts count from the lower left corner, in numbers with a fraction; a job from the upper left one, in whole pixels.
"""

from __future__ import annotations

import math
import re
from typing import Optional, Tuple

from void_wire.errors import SettingsError

Box = Tuple[float, float, float, float]
"""Left, bottom, right, top in plate pixels from the lower left."""

_CROP = re.compile(r"\d+,\d+,\d+,\d+")


def crop_of(box: Box, size: Tuple[int, int]) -> str:
    """The job's ``x,y,width,height`` of a box in a plate of this width and height, rounded outwards.

    Raises SettingsError for a box that leaves the plate or is empty.
    """
    left, bottom, right, top = box
    width, height = size
    x, y = math.floor(left), math.floor(height - top)
    across, down = math.ceil(right) - x, math.ceil(height - bottom) - y
    if x < 0 or y < 0 or across < 1 or down < 1 or x + across > width or y + down > height:
        raise SettingsError(
            f"The box {left:g}, {bottom:g}, {right:g}, {top:g} leaves the plate, which is {width} x {height}: draw it "
            "inside, or choose crop auto."
        )
    return f"{x},{y},{across},{down}"


def box_of(crop: str, height: int) -> Optional[Box]:
    """The inverse, in a plate of this height: the box that a server chose, None where it chose no single one."""
    if not _CROP.fullmatch(crop):
        return None
    x, y, width, down = (int(part) for part in crop.split(","))
    return float(x), float(height - y - down), float(x + width), float(height - y)
