"""``void bench trust``: try the rows, one after the other, and print what was wanted and what was seen."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from void_server.bench.trust.ground import Ground
from void_server.bench.trust.rows import ROWS, Row
from void_server.bench.trust.verdict import Verdict
from void_wire.errors import SettingsError

TINY_MODEL = Path(__file__).parents[3] / "tests" / "golden" / "portable" / "model"
"""Of a checkout."""


def run_trust(numbers: str | None, *, quick: bool, as_json: bool, weights: Path | None) -> bool:
    """Try the rows of ``numbers``, all without, and print; False when one does not hold.

    Args:
        numbers: "1,4,13".
        quick: a few times each instead of as often as was promised.
        as_json: print a list of maps instead of a table.
        weights: of the model; without, a checkout's tiny one, and rows that need one are not measured elsewhere.

    Raises SettingsError for a row that is none.
    """
    chosen = _chosen(numbers)
    if weights is None and TINY_MODEL.is_dir():
        weights = TINY_MODEL
    told = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="void-trust-") as folder:
        ground, verdicts = Ground(Path(folder), weights), []
        for row in chosen:
            with told.status(f"row {row.number}: {row.wanted}"):
                verdicts.append(row.verdict(ground, row.quick if quick else row.full))
    if as_json:
        print(json.dumps([_as_map(verdict) for verdict in verdicts], indent=2))
    else:
        Console(width=max(Console().width, 160)).print(_table(verdicts))
    return not any(verdict.holds is False for verdict in verdicts)


def _chosen(numbers: str | None) -> Sequence[Row]:
    if numbers is None:
        return ROWS
    known = {str(row.number): row for row in ROWS}
    wanted = [number.strip() for number in numbers.split(",")]
    if wrong := [number for number in wanted if number not in known]:
        raise SettingsError(
            f"There is no row {wrong[0]}: they go from 1 to {len(ROWS)}, as in --rows 1,4,13."
        )
    return [known[number] for number in wanted]


def _table(verdicts: Sequence[Verdict]) -> Table:
    table = Table("row", "N", "wanted", "seen", "holds", box=None, padding=(0, 1, 1, 0))
    for one in verdicts:
        table.add_row(str(one.row), f"{one.count:,}", one.wanted, one.seen, _word(one))
    return table


def _word(verdict: Verdict) -> str:
    if verdict.holds is None:
        return "not measured" if all(one.holds is None for one in verdict.findings) else "in part"
    return "yes" if verdict.holds else "NO"


def _as_map(verdict: Verdict) -> dict[str, object]:
    findings = [{"says": one.says, "holds": one.holds, "timed": one.timed} for one in verdict.findings]
    return {
        "row": verdict.row,
        "count": verdict.count,
        "wanted": verdict.wanted,
        "seen": verdict.seen,
        "holds": verdict.holds,
        "findings": findings,
    }
