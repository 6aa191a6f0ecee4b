"""A part of the plate in cells of whole pixels: where pictures of different sharpness are compared."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from void_server.engine.borrow import Box
from void_server.engine.motion import Pixels, identity


@dataclass(frozen=True)
class Grid:
    """Cells of ``cell_px`` x ``cell_px`` over ``box``; the last row and column may hang over its edge."""

    box: Box
    cell_px: int

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        height, width = self.box.bottom - self.box.top, self.box.right - self.box.left
        return -(-height // self.cell_px), -(-width // self.cell_px)

    def down(self, picture: Pixels) -> Pixels:
        """The mean of ``picture`` (h, w) or (h, w, C), which covers the box, in each cell."""
        if self.cell_px == 1:
            return picture
        (rows, columns), (height, width) = self.size, picture.shape[:2]
        below, beside = rows * self.cell_px - height, columns * self.cell_px - width
        whole = cv2.copyMakeBorder(picture, 0, below, 0, beside, cv2.BORDER_REPLICATE)
        cells = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)
        return np.asarray(cells, dtype=np.float32).reshape(rows, columns, *picture.shape[2:])

    def up(self, cells: Pixels) -> Pixels:
        """``cells`` (rows, columns) or (rows, columns, C) as a smooth picture of the box."""
        if self.cell_px == 1:
            return cells
        (rows, columns), (height, width) = self.size, (self.box.bottom, self.box.right)
        whole = (columns * self.cell_px, rows * self.cell_px)
        picture = cv2.resize(cells, whole, interpolation=cv2.INTER_LINEAR)
        picture = picture[: height - self.box.top, : width - self.box.left]
        return np.asarray(picture, dtype=np.float32).reshape(*picture.shape[:2], *cells.shape[2:])

    def places(self) -> Pixels:
        """Where the middles of the cells lie in the plate: (rows, columns, 2), [x, y] in pixels."""
        corner = np.asarray([self.box.left, self.box.top], np.float32)
        return np.asarray((identity(*self.size) + 0.5) * self.cell_px - 0.5 + corner, dtype=np.float32)

    def cells(self, places: Pixels) -> Pixels:
        """Inverse of `places`: pixels of the plate (..., 2) in cells of this grid."""
        corner = np.asarray([self.box.left, self.box.top], np.float32)
        return np.asarray((places - corner + 0.5) / self.cell_px - 0.5, dtype=np.float32)
