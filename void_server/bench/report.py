"""``void bench NAME``: run one benchmark and show its rows."""

from __future__ import annotations

import importlib

from rich.console import Console
from rich.table import Table

from void_server.bench.measured import Measured
from void_server.bench.row import Row
from void_wire.errors import SettingsError

NAMES = (
    "transport",
    "exr",
    "warp",
    "step",
    "draft",
    "delivery",
    "falling",
    "long",
    "overlap",
    "panel",
    "farm",
    "night",
    "split",
    "preview",
    "gpu",
)

HOLDS = {None: "", True: "yes", False: "NO"}


def run_bench(name: str, *, as_json: bool) -> None:
    """Measure and print. Raises SettingsError for a name that is none, or when a package is missing."""
    if name not in NAMES:
        raise SettingsError(f"There is no benchmark {name!r}; choose one of {', '.join(NAMES)}.")
    try:
        module = importlib.import_module(f"void_server.bench.{name}")
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"Benchmark {name} needs {error.name}: install the whole project with pip install 'void-compositor[all]'."
        ) from None
    rows: list[Row] = module.rows()
    if as_json:
        print(Measured.here(name, rows).json())
    else:
        Console(width=max(Console().width, 160)).print(_table(rows))


def _table(rows: list[Row]) -> Table:
    table = Table("name", "value", "baseline", "ratio", "goal", "holds", "note", box=None)
    for row in rows:
        holds = "not measured here" if row.value is None else HOLDS[row.holds]
        table.add_row(
            row.name,
            number(row.value, row.unit),
            number(row.baseline, row.unit),
            number(row.ratio, ""),
            row.goal,
            holds,
            row.note,
        )
    return table


def number(value: float | None, unit: str) -> str:
    """A figure of a row as it is shown; empty for none."""
    return "" if value is None else f"{value:.4g} {unit}".strip()
