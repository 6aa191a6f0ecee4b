"""Every row of void bench trust, a few times each: what holds on a busy machine too must hold."""

from pathlib import Path

import pytest
from real_shots import TINY_MODEL

from void_server.bench.trust.ground import Ground
from void_server.bench.trust.rows import ROWS, Row
from void_server.bench.trust.table import run_trust
from void_server.bench.trust.verdict import Finding, NotMeasured, Verdict
from void_wire.errors import SettingsError


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground(tmp_path_factory.mktemp("trust"), TINY_MODEL)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.number))
def test_what_a_busy_machine_cannot_spoil_holds(row: Row, ground: Ground) -> None:
    verdict = row.verdict(ground, row.quick)
    assert verdict.sound is not False, verdict.seen


def test_every_row_is_there_once_and_more_often_in_full() -> None:
    assert [row.number for row in ROWS] == list(range(1, 21))
    assert all(0 < row.quick <= row.full for row in ROWS)


def no_gpu(ground: Ground, count: int) -> list[Finding]:
    raise NotMeasured("no GPU here")


def breaks(ground: Ground, count: int) -> list[Finding]:
    raise OSError("gone")


def test_what_was_not_measured_is_never_held(tmp_path: Path) -> None:
    ground = Ground(tmp_path, None)
    lacking, broken = (Row(1, "", 1, 1, one).verdict(ground, 1) for one in (no_gpu, breaks))
    assert (lacking.holds, lacking.seen) == (None, "not measured: no GPU here")
    assert (broken.holds, broken.sound, broken.seen) == (False, False, "NOT: broke off: OSError: gone")
    fine, part, slow = Finding("a", True), Finding("b", None), Finding("c", False, timed=True)
    assert [Verdict(1, "", 1, found).holds for found in ((fine,), (fine, part), (part, slow))] == [
        True,
        None,
        False,
    ]
    assert [Verdict(1, "", 1, found).sound for found in ((fine, slow), (part, slow))] == [True, None]
    assert Verdict(1, "", 1, ()).holds is None


def test_a_row_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="no row 21"):
        run_trust("1,21", quick=True, as_json=True, weights=None)
