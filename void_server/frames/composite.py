"""The fill over the plate, inside the matte only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from void_server.frames.geometry import Floats


def composite(plate: Floats, fill: Floats, matte: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """``plate * (1 - matte) + fill * matte`` where the matte is not 0; elsewhere the plate, untouched.

    Args:
        plate: float32 (h, w, 3), scene-linear (a mix of two lights is only right there).
        fill: float32 (h, w, 3) in the same values.
        matte: float32 (h, w), 0..1.

    Returns:
        The result, float32 (h, w, 3), and where it may differ from the plate, bool (h, w).
    """
    changed = matte > 0
    where = np.flatnonzero(changed)
    share = matte.reshape(-1, 1)[where]
    below, above = plate.reshape(-1, 3)[where], fill.reshape(-1, 3)[where]
    with np.errstate(invalid="ignore"):
        mixed = below * (1 - share) + above * share
    result = plate.copy()
    # Where the matte is full the fill stands alone: an infinite plate pixel times 0 is no number.
    result.reshape(-1, 3)[where] = np.where(share == 1, above, mixed)
    return result, changed
