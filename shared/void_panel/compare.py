"""Two pictures in one place: the plate, the result, or a wipe between them that the mouse drags."""

from __future__ import annotations

from enum import Enum
from typing import Optional, Tuple

from void_panel import tints
from void_panel.pictures import Picture
from void_panel.qt import Qt, QtCore, QtGui, QtWidgets, Signal, x_of


class Side(Enum):
    """What is shown."""

    PLATE = "Plate"
    WIPE = "Wipe"
    MADE = "Result"


class Compare(QtWidgets.QWidget):
    """Shows a `Picture`, or a sentence where there is none."""

    def __init__(self, parent: Optional[QtWidgets.QWidget] = None) -> None:
        super().__init__(parent)
        self._picture: Optional[Picture] = None
        self._halves: Optional[Tuple[QtGui.QImage, QtGui.QImage]] = None  # plate, made
        self._sentence = ""
        self._made = "result"
        self._side = Side.WIPE
        self._at = 0.5  # of the picture's width: plate to the left
        self.setMinimumSize(160, 40)  # it gives way to words that wrap
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Expanding)

    def show_picture(self, picture: Optional[Picture], made: str, sentence: str) -> None:
        """Show ``picture``, whose made side is called ``made``; without one, the sentence."""
        if picture is not self._picture:
            self._picture = picture
            self._halves = _halves(picture) if picture is not None else None
            self.update()
        if (made, sentence) != (self._made, self._sentence):
            self._made, self._sentence = made, sentence
            self.update()

    def show_side(self, side: Side) -> None:
        """Show that side, or the wipe."""
        self._side = side
        wipes = side is Side.WIPE
        self.setCursor(Qt.CursorShape.SplitHCursor if wipes else Qt.CursorShape.ArrowCursor)
        self.update()

    def sizeHint(self) -> QtCore.QSize:  # noqa: N802
        """16:9, of a size that leaves the table its place."""
        return QtCore.QSize(320, 180)

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:  # noqa: N802
        """Bring the wipe here."""
        self._wipe_to(x_of(event))

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:  # noqa: N802
        """Drag the wipe."""
        self._wipe_to(x_of(event))

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:  # noqa: N802
        """The picture as large as it fits."""
        painter = QtGui.QPainter(self)
        palette = self.palette()
        painter.fillRect(self.rect(), tints.mixed(palette.color(QtGui.QPalette.ColorRole.Base), _BLACK, 0.35))
        if self._halves is None:
            painter.setPen(tints.quiet(palette))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(12, 6, -12, -6), int(flags), self._sentence)
            return
        plate, made = self._halves
        frame = self._frame(made)
        painter.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(frame, plate if self._side is Side.PLATE else made)
        if self._side is Side.WIPE:
            left = QtCore.QRect(frame)
            left.setWidth(round(frame.width() * self._at))
            painter.save()
            painter.setClipRect(left)
            painter.drawImage(frame, plate)
            painter.restore()
            painter.setPen(QtGui.QPen(QtGui.QColor(255, 255, 255, 200), 1))
            painter.drawLine(left.right() + 1, frame.top(), left.right() + 1, frame.bottom())
        if self._side is not Side.MADE:
            _tag(painter, frame, "plate", at_right=False)
        if self._side is not Side.PLATE:
            _tag(painter, frame, self._made, at_right=True)

    def _wipe_to(self, x: int) -> None:
        if self._halves is not None and self._side is Side.WIPE:
            frame = self._frame(self._halves[1])
            self._at = min(1.0, max(0.0, (x - frame.left()) / max(1, frame.width())))
            self.update()

    def _frame(self, image: QtGui.QImage) -> QtCore.QRect:
        size = image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        frame = QtCore.QRect(QtCore.QPoint(0, 0), size)
        frame.moveCenter(self.rect().center())
        return frame


class SideButtons(QtWidgets.QWidget):
    """Plate, wipe or result: ``turned`` is emitted with the `Side`."""

    turned = Signal(object)

    def __init__(self, parent: Optional[QtWidgets.QWidget] = None) -> None:
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        group = QtWidgets.QButtonGroup(self)
        for side in Side:
            button = QtWidgets.QToolButton(self)
            button.setText(side.value)
            button.setCheckable(True)
            button.setAutoRaise(True)
            button.setChecked(side is Side.WIPE)
            button.clicked.connect(lambda checked=False, turned=side: self.turned.emit(turned))
            group.addButton(button)
            layout.addWidget(button)


_BLACK = QtGui.QColor(0, 0, 0)


def _halves(picture: Picture) -> Optional[Tuple[QtGui.QImage, QtGui.QImage]]:
    """Plate and what was made; None when this Qt cannot read it. A thumbnail takes it a few milliseconds."""
    both = QtGui.QImage.fromData(picture.png)
    width, height = both.width() // 2, both.height()
    if both.isNull() or not width:
        return None
    return both.copy(0, 0, width, height), both.copy(width, 0, width, height)


def _tag(painter: QtGui.QPainter, frame: QtCore.QRect, text: str, at_right: bool) -> None:
    metrics = painter.fontMetrics()
    box = metrics.boundingRect(text).adjusted(-5, -2, 5, 2)
    box.moveBottom(frame.bottom() - 4)
    if at_right:
        box.moveRight(frame.right() - 4)
    else:
        box.moveLeft(frame.left() + 4)
    painter.fillRect(box, QtGui.QColor(0, 0, 0, 140))
    painter.setPen(QtGui.QColor(235, 235, 235))
    painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), text)
