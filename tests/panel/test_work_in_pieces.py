"""Nothing takes the panel's thread long: work comes in pieces, and only what changed is drawn."""

from collections.abc import Iterator
from typing import Any

import pytest
from job_statuses import status

from void_panel import control
from void_panel.events import CHUNK, Found, Listed, Said
from void_wire.messages import PROTOCOL_VERSION, JobStatus, State, Welcome

MANY = 200


@pytest.fixture
def panel(app: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A panel that nothing is reported to but by the test."""
    from void_panel.panel import VoidPanel

    monkeypatch.setattr(VoidPanel, "connect_to", lambda self, address: None)
    panel = VoidPanel("tcp://box:7801")
    panel.resize(900, 700)
    panel.show()
    yield panel
    panel.close()


class Answers:
    """A Client of a server with jobs; stops the thread after ``rounds`` listings."""

    def __init__(self, thread: control.ControlThread, listings: list[list[JobStatus]]) -> None:
        self._thread, self._listings = thread, listings

    def connect(self) -> Welcome:
        return Welcome(PROTOCOL_VERSION, "1.2", 8, 1, {"draft": ""})

    def jobs(self) -> list[JobStatus]:
        if len(self._listings) == 1:
            self._thread.stop()
        return self._listings.pop(0)


def test_a_listing_is_reported_in_pieces_and_then_only_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Any] = []
    monkeypatch.setattr(control, "BUSY_S", 0.0)
    monkeypatch.setattr(control, "IDLE_S", 0.0)
    thread = control.ControlThread("tcp://box:7801", events.append)
    thread._tell = events.append  # type: ignore[method-assign]  # also after stop
    jobs = [status(number, State.DONE) for number in range(MANY)]
    later = [status(MANY), *jobs[:7], status(7, State.DONE, error="x"), *jobs[8:]]
    thread.serve(Answers(thread, [jobs, jobs, later]))  # type: ignore[arg-type]
    assert isinstance(events[0], Found)
    listings = [event for event in events if isinstance(event, Listed)]
    assert [len(event.changed) for event in listings] == [CHUNK] * (MANY // CHUNK) + [0, 2]
    assert [event.order is None for event in listings] == [True] * 3 + [False] * 3
    assert listings[3].order == tuple(job.job for job in jobs)
    assert [job.job for event in listings[:4] for job in event.changed] == [job.job for job in jobs]


def test_events_are_taken_for_so_long_and_the_rest_later(panel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from void_panel import panel as module

    now = iter(range(10_000))
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(now) * module.BUDGET_S / 4)
    for number in range(12):
        panel._events.put(Said(f"{number}"))
    panel.drain()
    assert [line.sentence for line in panel.state.log] == ["0", "1", "2"]
    for _ in range(3):
        panel.drain()
    assert panel.state.said == 12


def test_of_many_rows_only_the_changed_one_is_drawn(panel: Any) -> None:
    jobs = [status(number, State.DONE) for number in range(MANY)]
    panel.state.take(Found("1.2", {"draft": ""}))
    panel.state.take(Listed(tuple(jobs), 0.0, tuple(job.job for job in jobs)))
    panel.drain()
    model, drawn = panel.table.model(), []
    assert model.rowCount() == MANY
    model.modelReset.connect(lambda: drawn.append("all"))
    model.dataChanged.connect(lambda first, last: drawn.append((first.row(), last.row())))
    model.rowsInserted.connect(lambda parent, first, last: drawn.append(("new", first, last)))
    model.rowsRemoved.connect(lambda parent, first, last: drawn.append(("gone", first, last)))
    panel.state.take(Listed((status(7, State.FAILED),), 1.0))
    panel.drain()
    assert drawn == [(7, 7)]
    panel.drain()
    assert drawn == [(7, 7)]
    panel.table.selectRow(50)
    new = (status(MANY), *jobs[:60], *jobs[61:])
    panel.state.take(Listed((new[0],), 2.0, tuple(job.job for job in new)))
    panel.drain()
    assert drawn[1:3] == [("gone", 60, 60), ("new", 0, 0)]
    assert "all" not in drawn
    assert (panel.state.selected, panel.table.currentIndex().row()) == (jobs[50].job, 51)
    backwards = tuple(job.job for job in reversed(new))
    panel.state.take(Listed((), 3.0, backwards))
    panel.drain()
    assert panel.table.model().index(0, 0).data() == jobs[-1].shot
    assert panel.table.currentIndex().row() == backwards.index(jobs[50].job)


def test_a_click_on_a_row_looks_at_its_job(panel: Any) -> None:
    jobs = [status(number, State.DONE) for number in range(3)]
    panel.state.take(Found("1.2", {"draft": ""}))
    panel.state.take(Listed(tuple(jobs), 0.0, tuple(job.job for job in jobs)))
    panel.drain()
    assert panel.job.title.text() == "shot_000"
    panel.table.selectRow(2)
    assert panel.job.title.text() == "shot_002"


def test_several_rows_are_marked_together_and_stay_so(panel: Any) -> None:
    jobs = [status(number, State.DONE) for number in range(4)]
    panel.state.take(Found("1.2", {"draft": ""}))
    panel.state.take(Listed(tuple(jobs), 0.0, tuple(job.job for job in jobs)))
    panel.drain()
    assert (panel.job.farm.text(), panel.job.farm.isEnabled()) == ("Write farm job", True)
    table, qt = panel.table, pytest.importorskip("PySide6.QtCore").Qt
    test = pytest.importorskip("PySide6.QtTest").QTest

    def click(row: int, key: Any) -> None:
        where = table.visualRect(table.model().index(row, 0)).center()
        test.mouseClick(table.viewport(), qt.MouseButton.LeftButton, key, where)

    click(1, qt.KeyboardModifier.NoModifier)
    click(3, qt.KeyboardModifier.ControlModifier)
    assert panel.state.marked == (jobs[1].job, jobs[3].job)
    assert (panel.job.title.text(), panel.job.farm.text()) == (jobs[3].shot, "Write farm job (2)")
    new = [status(number, State.DONE) for number in range(8, 10)]
    everything = [*new, *jobs]
    panel.state.take(Listed(tuple(new), 1.0, tuple(job.job for job in everything)))
    panel.drain()
    marked = sorted(index.row() for index in table.selectionModel().selectedRows())
    assert (marked, panel.state.marked) == ([3, 5], (jobs[1].job, jobs[3].job))
    click(3, qt.KeyboardModifier.ControlModifier)
    assert panel.state.marked == (jobs[3].job,)
    test.keyClick(table, qt.Key.Key_Up, qt.KeyboardModifier.NoModifier)
    test.keyClick(table, qt.Key.Key_Up, qt.KeyboardModifier.ShiftModifier)
    assert len(panel.state.marked) == 2
    assert panel.state.selected in panel.state.marked


def test_narrow_panels_keep_shot_state_progress_and_time(panel: Any, app: Any) -> None:
    from void_panel.table import ENGINE, LEFT, PROGRESS, RANGE, SHOT, STATE

    jobs = [status(number, State.DONE) for number in range(3)]
    panel.state.take(Listed(tuple(jobs), 0.0, tuple(job.job for job in jobs)))
    panel.drain()

    def shown(width: int) -> set[int]:
        panel.resize(width, 700)
        app.processEvents()
        assert panel.width() == width
        return {column for column in range(6) if not panel.table.isColumnHidden(column)}

    assert shown(900) == {SHOT, RANGE, ENGINE, STATE, PROGRESS, LEFT}
    assert shown(480) == shown(420) == {SHOT, STATE, PROGRESS, LEFT}
    assert panel.table.columnWidth(SHOT) >= 80
