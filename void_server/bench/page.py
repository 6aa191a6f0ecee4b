"""``void bench report``: what benchmarks measured, as one page that needs nothing beside itself, and its picture."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

from void_server.bench.chart import chart
from void_server.bench.measured import Measured
from void_server.bench.report import HOLDS, number
from void_server.bench.row import Row
from void_server.frames.overlay import write_png
from void_wire.errors import SettingsError
from void_wire.files import write_whole

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #202020; background: #fafaf8; }
body { max-width: 1400px; margin: 2em auto; }
table { border-collapse: collapse; width: 100%; margin-bottom: 2em; }
td, th { text-align: left; vertical-align: top; padding: .3em .8em .3em 0; border-bottom: 1px solid #ddd; }
td.figure { white-space: nowrap; } td.yes { color: #2e7d5a; } td.no { color: #be4632; font-weight: 600; }
td.note, p.where { color: #666; } img { max-width: 100%; }
"""


def write_report(files: Sequence[Path], out: Path) -> None:
    """Draw what ``files`` hold (each what ``void bench NAME --json`` printed) to ``out`` and to a PNG beside it.

    Raises SettingsError for no file, one that holds something else, or a place that cannot be written.
    """
    if not files:
        raise SettingsError("void bench report needs what was measured: void bench report gpu.json step.json")
    runs = [Measured.read(file) for file in files]
    picture = out.with_suffix(".png")
    write_png(picture, chart([row for run in runs for row in run.rows]))
    try:
        write_whole(out, page(runs, picture.read_bytes()).encode())
    except OSError as error:
        raise SettingsError(f"{out} cannot be written ({error.strerror}): choose another folder.") from None


def page(runs: Sequence[Measured], picture: bytes) -> str:
    """HTML of the runs' tables under a PNG, which is in it."""
    tables = "".join(
        f"<h2>void bench {escape(run.bench)}</h2><p class=where>{escape(run.date)}, {escape(run.machine)}, "
        f"void {escape(run.version)}</p>{_table(run.rows)}"
        for run in runs
    )
    image = base64.b64encode(picture).decode()
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>void bench</title><style>{_STYLE}</style>"
        f'<h1>void bench</h1><img alt="The rows below, drawn" src="data:image/png;base64,{image}">{tables}</html>\n'
    )


def _table(rows: Sequence[Row]) -> str:
    heads = "".join(f"<th>{name}" for name in ("", "measured", "baseline", "ratio", "goal", "holds", ""))
    return f"<table><tr>{heads}{''.join(map(_row, rows))}</table>"


def _row(row: Row) -> str:
    holds = "not measured" if row.value is None else HOLDS[row.holds]
    figures = (number(row.value, row.unit), number(row.baseline, row.unit), number(row.ratio, ""), row.goal)
    cells = "".join(f"<td class=figure>{escape(figure)}" for figure in figures)
    judged = {True: "yes", False: "no", None: ""}[row.holds]
    return f'<tr><td>{escape(row.name)}{cells}<td class="{judged}">{holds}<td class=note>{escape(row.note)}'
