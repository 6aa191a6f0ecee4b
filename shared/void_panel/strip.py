"""The frames of a job side by side in one narrow strip: made, to be made, worth a look. A click looks at one."""

from __future__ import annotations

from typing import Collection, Mapping, Optional, Sequence

from void_panel import tints
from void_panel.qt import QtCore, QtGui, QtWidgets, Signal, x_of

HEIGHT_PX = 14
_FAULT = 2


class FrameStrip(QtWidgets.QWidget):
    """``picked`` is emitted with a frame's number when it is clicked or dragged over."""

    picked = Signal(int)

    def __init__(self, parent: Optional[QtWidgets.QWidget] = None) -> None:
        super().__init__(parent)
        self._frames: Sequence[int] = ()
        self._made: Collection[int] = frozenset()
        self._faults: Mapping[int, str] = {}
        self._shown: Optional[int] = None
        self._kinds = b""  # of each frame: to be made, made, a fault
        self.setFixedHeight(HEIGHT_PX)
        self.setMouseTracking(True)

    def show_frames(
        self, frames: Sequence[int], made: Collection[int], faults: Mapping[int, str], shown: Optional[int]
    ) -> None:
        """Show ``frames``; which are ``made``, which stand out (number to words), which is looked at."""
        now = (frames, made, faults, shown)
        if now != (self._frames, self._made, self._faults, self._shown):
            self._frames, self._made, self._faults, self._shown = now
            self._kinds = bytes(_FAULT if frame in faults else frame in made for frame in frames)
            self.update()

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:  # noqa: N802
        """Look at the frame under the mouse."""
        self._pick(event)

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:  # noqa: N802
        """Say which frame is under the mouse; look at it while the button is held."""
        frame = self._under(event)
        self.setToolTip("" if frame is None else f"{frame} {self._faults.get(frame, '')}".strip())
        if event.buttons() != QtCore.Qt.MouseButton.NoButton:
            self._pick(event)

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:  # noqa: N802
        """A cell a frame; where there are more frames than pixels, a pixel shows the worst of its own."""
        painter, palette = QtGui.QPainter(self), self.palette()
        base = palette.color(QtGui.QPalette.ColorRole.Base)
        text = palette.color(QtGui.QPalette.ColorRole.Text)
        warn = tints.accent(tints.WARN, palette)
        colours = (tints.mixed(base, text, 0.12), tints.mixed(base, text, 0.42), warn)
        count = len(self._frames)
        cells = min(count, self.width())
        gap = 1 if self.width() >= 4 * cells else 0
        for cell in range(cells):
            kind = max(self._kinds[cell * count // cells : (cell + 1) * count // cells])
            left = self._edge(cell, cells)
            painter.fillRect(left, 3, self._edge(cell + 1, cells) - left - gap, HEIGHT_PX - 6, colours[kind])
        if self._shown in self._frames:
            cell = self._frames.index(self._shown) * cells // count
            left = self._edge(cell, cells)
            width = max(3, self._edge(cell + 1, cells) - left - gap)
            painter.fillRect(left, 0, width, HEIGHT_PX, warn if self._shown in self._faults else text)

    def _edge(self, cell: int, cells: int) -> int:
        return round(cell * self.width() / cells)

    def _under(self, event: QtGui.QMouseEvent) -> Optional[int]:
        if not self._frames:
            return None
        at = x_of(event) * len(self._frames) // max(1, self.width())
        return self._frames[min(len(self._frames) - 1, max(0, at))]

    def _pick(self, event: QtGui.QMouseEvent) -> None:
        frame = self._under(event)
        if frame in self._made:
            self.picked.emit(frame)
