"""``void bench report``: what was measured comes out as it went in, and is drawn where it can be."""

from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from void_server.bench.chart import WIDTH_PX, chart
from void_server.bench.measured import Measured
from void_server.bench.page import write_report
from void_server.bench.row import Row
from void_wire.errors import SettingsError

FASTER = Row("gpu.pass1", 10.0, "s", 20.0, 0.5, "ratio <= 0.625", True, "exact <fast>")
HEAVY = Row("gpu.memory_low", 12.0, "GiB", None, None, "value <= 10 GiB", False, "")
LONG = Row("gpu.frames_197_over_85", 48.0, "s", 20.0, 2.4, "ratio <= 2.4", True, "")
MISSING = Row("gpu.load", None, "s", None, None, "value <= 5 s", None, "not measured: no GPU")


class Cells(HTMLParser):
    """The cells of a page's tables, and where its pictures come from."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "td":
            self.cells.append("")
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data


def saved(folder: Path, *rows: Row) -> Path:
    file = folder / "gpu.json"
    file.write_text(Measured.here("gpu", list(rows)).json())
    return file


def test_rows_come_back_with_machine_and_date(tmp_path: Path) -> None:
    run = Measured.read(saved(tmp_path, FASTER, MISSING))
    assert run.rows == [FASTER, MISSING]
    assert (run.bench, len(run.date)) == ("gpu", 10)
    assert "cores" in run.machine


def test_the_page_needs_nothing_beside_itself_and_shows_every_row(tmp_path: Path) -> None:
    out = tmp_path / "bench.html"
    write_report([saved(tmp_path, FASTER, HEAVY, MISSING)], out)
    page = Cells()
    page.feed(out.read_text())
    assert page.cells[:7] == ["gpu.pass1", "10 s", "20 s", "0.5", "ratio <= 0.625", "yes", "exact <fast>"]
    assert page.cells[7 + 5] == "NO"
    assert page.cells[14 + 5 :] == ["not measured", "not measured: no GPU\n"]
    assert [source.partition(",")[0] for source in page.sources] == ["data:image/png;base64"]
    assert cv2.imread(str(out.with_suffix(".png"))).shape[1] == WIDTH_PX


def shows(picture: np.ndarray, color: tuple[int, int, int]) -> bool:
    return bool((picture == color).all(axis=-1).any())


def test_a_missed_goal_is_drawn_otherwise_than_one_that_holds() -> None:
    held, missed = chart([FASTER]), chart([HEAVY])
    assert shows(held, (46, 125, 90))
    assert not shows(held, (190, 70, 50))
    assert shows(missed, (190, 70, 50))


def test_lengths_have_a_graph_of_their_own() -> None:
    assert chart([LONG]).shape[0] > chart([FASTER]).shape[0] + 300
    assert chart([MISSING]).shape[1] == WIDTH_PX


@pytest.mark.parametrize("held", ["[]", "{}", '{"rows": [{}]}', "no"])
def test_another_file_is_refused_by_name(tmp_path: Path, held: str) -> None:
    (tmp_path / "x.json").write_text(held)
    with pytest.raises(SettingsError, match=r"x\.json is not what void bench NAME --json prints"):
        write_report([tmp_path / "x.json"], tmp_path / "bench.html")
    with pytest.raises(SettingsError, match="needs what was measured"):
        write_report([], tmp_path / "bench.html")
