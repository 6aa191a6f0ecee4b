"""The table of jobs: a model that changes only what changed, and how its cells are drawn."""

from __future__ import annotations

from typing import Any, Collection, Dict, List, Mapping, Optional, Sequence

from void_panel import tints
from void_panel.qt import Qt, QtCore, QtGui, QtWidgets, Signal
from void_panel.rows import OPEN, JobRow

SHOT, RANGE, ENGINE, STATE, PROGRESS, LEFT = range(6)
TITLES = ("Shot", "Range", "Engine", "State", "Progress", "Left")
SHOT_LETTERS = 16
"""Where a shot's name would have less room, the engine leaves the table, then the range; the job below has them."""

_BAR_PX = 2
Index = QtCore.QModelIndex


class JobTable(QtWidgets.QTableView):
    """The jobs, one a line, newest first.

    ``chosen`` is emitted with a job's id when the artist goes to its row, ``marked`` when other rows are selected.
    """

    chosen = Signal(str)
    marked = Signal()

    def __init__(self, parent: Optional[QtWidgets.QWidget] = None) -> None:
        super().__init__(parent)
        self._jobs = _Jobs(self)
        self._quiet = False
        self._widths: Dict[int, int] = {}
        self.setModel(self._jobs)
        self.setItemDelegateForColumn(STATE, _StateDelegate(self))
        self.setItemDelegateForColumn(PROGRESS, _ProgressDelegate(self))
        self.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QtWidgets.QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        lines, titles = self.verticalHeader(), self.horizontalHeader()
        lines.hide()
        lines.setSectionResizeMode(QtWidgets.QHeaderView.ResizeMode.Fixed)  # no row is ever measured
        lines.setDefaultSectionSize(self.fontMetrics().height() + 8)
        titles.setHighlightSections(False)
        titles.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        titles.setSectionResizeMode(QtWidgets.QHeaderView.ResizeMode.Fixed)
        titles.setSectionResizeMode(SHOT, QtWidgets.QHeaderView.ResizeMode.Stretch)
        widest = {RANGE: "10001-10460", ENGINE: "Engine", STATE: "cancelled", PROGRESS: "decode 1000/1000"}
        for column, text in {**widest, LEFT: "a few seconds"}.items():
            room = 24 if column == STATE else 14
            self._widths[column] = self.fontMetrics().boundingRect(text).width() + room
            self.setColumnWidth(column, self._widths[column])
        self.selectionModel().currentRowChanged.connect(self._moved)
        self.selectionModel().selectionChanged.connect(self._marked)

    def show_rows(
        self, order: Optional[Sequence[str]], rows: Mapping[str, JobRow], changed: Collection[str]
    ) -> None:
        """Show ``rows`` in ``order`` (None: as before), of which ``changed`` look different."""
        self._quiet = True
        self._jobs.update(order, rows, changed)
        self._quiet = False

    def show_stale(self, stale: bool) -> None:
        """Whether what is shown is how the jobs were, not how they are: then the words step back."""
        palette = QtGui.QPalette()
        if stale:
            quiet = tints.quiet(self.window().palette())
            palette.setColor(QtGui.QPalette.ColorRole.Text, quiet)
            palette.setColor(QtGui.QPalette.ColorRole.HighlightedText, quiet)
        self.setPalette(palette)

    def selected_jobs(self) -> List[str]:
        """The ids of all rows that are selected, in their order."""
        rows = sorted(index.row() for index in self.selectionModel().selectedRows())
        return [self._jobs.job_at(row) for row in rows]

    def choose(self, job: Optional[str], marked: Sequence[str]) -> None:
        """Go to the job's row and select the ``marked`` ones, without telling anybody."""
        at = self._jobs.row_of(job)
        self._quiet = True
        if at is None:
            self.setCurrentIndex(Index())
        elif self.currentIndex().row() != at:
            self.setCurrentIndex(self._jobs.index(at, SHOT))
        if set(self.selected_jobs()) != set(marked):
            flags = QtCore.QItemSelectionModel.SelectionFlag
            chosen = QtCore.QItemSelection()
            for row in (self._jobs.row_of(one) for one in marked):
                if row is not None:
                    chosen.select(self._jobs.index(row, SHOT), self._jobs.index(row, LEFT))
            self.selectionModel().select(chosen, flags.ClearAndSelect | flags.Rows)
        self._quiet = False

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:  # noqa: N802
        """Leave out what has no room."""
        room = self.viewport().width() - SHOT_LETTERS * self.fontMetrics().averageCharWidth()
        room -= sum(self._widths[column] for column in (STATE, PROGRESS, LEFT))
        self.setColumnHidden(RANGE, room < self._widths[RANGE])
        self.setColumnHidden(ENGINE, room < self._widths[RANGE] + self._widths[ENGINE])
        super().resizeEvent(event)

    def _moved(self, current: Index, before: Index) -> None:
        if current.isValid() and not self._quiet:
            self.chosen.emit(self._jobs.job_at(current.row()))

    def _marked(self, *_: object) -> None:
        if not self._quiet:
            self.marked.emit()


class _Jobs(QtCore.QAbstractTableModel):
    def __init__(self, parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self._order: List[str] = []
        self._at: Dict[str, int] = {}
        self._rows: Dict[str, JobRow] = {}

    def update(
        self, order: Optional[Sequence[str]], rows: Mapping[str, JobRow], changed: Collection[str]
    ) -> None:
        if order is not None:
            self._reorder(order, rows)
        for job in changed:
            if job in self._at and job in rows:
                self._rows[job] = rows[job]
                at = self._at[job]
                self.dataChanged.emit(self.index(at, SHOT), self.index(at, LEFT))

    def row_of(self, job: Optional[str]) -> Optional[int]:
        return self._at.get(job or "")

    def job_at(self, row: int) -> str:
        return self._order[row]

    def rowCount(self, parent: Any = None) -> int:  # noqa: N802
        return 0 if parent is not None and parent.isValid() else len(self._order)

    def columnCount(self, parent: Any = None) -> int:  # noqa: N802
        return 0 if parent is not None and parent.isValid() else len(TITLES)

    def headerData(self, section: int, orientation: Any, role: int = 0) -> Any:  # noqa: N802
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return TITLES[section]
        if section == LEFT and role == Qt.ItemDataRole.ToolTipRole:
            return "Time left of the stage that runs, from the steps that were seen."
        return None

    def data(self, index: Any, role: int = 0) -> Any:
        if not index.isValid():
            return None
        row = self._rows[self._order[index.row()]]
        if role == Qt.ItemDataRole.DisplayRole:
            texts = (row.shot, row.frames, row.engine, row.standing, row.doing, row.left)
            return texts[index.column()]
        if role == Qt.ItemDataRole.UserRole:
            return row
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{row.shot} {row.frames}, engine {row.engine}\njob {row.job}"
        return None

    def _reorder(self, order: Sequence[str], rows: Mapping[str, JobRow]) -> None:
        """Take out what is gone and put in what is new; only a true reordering resets the view."""
        staying = set(order)
        for at in range(len(self._order) - 1, -1, -1):
            if self._order[at] not in staying:
                self.beginRemoveRows(Index(), at, at)
                del self._order[at]
                self.endRemoveRows()
        new = [job for job in order if job not in self._at]
        if [job for job in order if job in self._at] != self._order or len(new) > 1:
            self.beginResetModel()
            self._order, self._rows = list(order), {job: rows[job] for job in order}
            self._place()
            self.endResetModel()
            return
        for job in new:
            at = order.index(job)
            self.beginInsertRows(Index(), at, at)
            self._order.insert(at, job)
            self._rows[job] = rows[job]
            self.endInsertRows()
        self._place()

    def _place(self) -> None:
        self._at = {job: at for at, job in enumerate(self._order)}
        self._rows = {job: self._rows[job] for job in self._order}


def _ground(
    delegate: QtWidgets.QStyledItemDelegate, painter: QtGui.QPainter, option: Any, index: Any
) -> JobRow:
    """Draw a cell as the style has it, without words; gives what it is about."""
    row: JobRow = index.data(Qt.ItemDataRole.UserRole)
    delegate.initStyleOption(option, index)
    option.text = ""
    style = option.widget.style()
    style.drawControl(QtWidgets.QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
    return row


class _StateDelegate(QtWidgets.QStyledItemDelegate):
    """A dot in the state's colour before its words."""

    def paint(self, painter: QtGui.QPainter, option: Any, index: Any) -> None:
        row = _ground(self, painter, option, index)
        colour = tints.on_row(tints.STATES[row.state], option.palette, _selected(option))
        painter.save()
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawEllipse(QtCore.QPointF(option.rect.left() + 7, option.rect.center().y() + 1), 3, 3)
        painter.restore()
        _write(painter, option, row.standing, option.rect.adjusted(16, 0, -2, 0), row.state in OPEN)


class _ProgressDelegate(QtWidgets.QStyledItemDelegate):
    """What a job does, over a thin line of how much of that is done."""

    def paint(self, painter: QtGui.QPainter, option: Any, index: Any) -> None:
        row = _ground(self, painter, option, index)
        _write(painter, option, row.doing, option.rect.adjusted(4, 0, -6, 0), row.state in OPEN)
        if row.share is None or row.state not in OPEN:
            return
        track = QtCore.QRect(option.rect)
        track.adjust(4, track.height() - _BAR_PX - 1, -10, -1)
        text = option.palette.color(QtGui.QPalette.ColorRole.Text)
        base = option.palette.color(QtGui.QPalette.ColorRole.Base)
        painter.fillRect(track, tints.mixed(base, text, 0.2))
        track.setWidth(round(track.width() * row.share))
        painter.fillRect(track, tints.on_row(tints.BUSY, option.palette, _selected(option)))


def _selected(option: Any) -> bool:
    return bool(option.state & QtWidgets.QStyle.StateFlag.State_Selected)


def _write(painter: QtGui.QPainter, option: Any, text: str, rect: QtCore.QRect, loud: bool) -> None:
    selected = _selected(option)
    role = QtGui.QPalette.ColorRole.HighlightedText if selected else QtGui.QPalette.ColorRole.Text
    painter.setPen(option.palette.color(role) if loud or selected else tints.quiet(option.palette))
    elided = option.fontMetrics.elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
    painter.drawText(rect, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, elided)
