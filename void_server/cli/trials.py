"""``void demo`` and ``bench``: VOID shown and measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from void_server.cli.arguments import WeightsFolder
from void_wire.errors import SettingsError

app = typer.Typer()


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for frames, contact sheet and report.")] = Path(
        "demo_out"
    ),
    camera: Annotated[str, typer.Option(help="static or pan.")] = "pan",
    engine: Annotated[str, typer.Option(help="draft, or void with --weights.")] = "draft",
    weights: WeightsFolder = None,
    frames: Annotated[int, typer.Option(help="Length of the shot.")] = 24,
    height: Annotated[int, typer.Option(help="Of the plate, in pixels; width is 16:9.")] = 540,
    seed: Annotated[int, typer.Option(help="Of the scene.")] = 1,
) -> None:
    """Make a small shot with known truth, run it through a real server, show and measure the result."""
    from void_server.demo import run_demo

    run_demo(out, camera=camera, engine=engine, weights=weights, frames=frames, height_px=height, seed=seed)


@app.command()
def bench(
    name: Annotated[
        str,
        typer.Argument(
            help="transport, exr, warp, step, draft, delivery, falling, long, overlap, panel, farm, night, split, "
            "preview or gpu; trust; or report, which draws what the first of these measured."
        ),
    ],
    files: Annotated[
        list[Path] | None, typer.Argument(help="Of report: what void bench NAME --json printed.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
    rows: Annotated[str | None, typer.Option(help="Of trust: which, for example 1,4,13.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Of trust: a few times each, minutes.")] = False,
    weights: WeightsFolder = None,
    out: Annotated[
        Path | None, typer.Option(help="Of report: the page; a PNG of the same name goes beside it.")
    ] = None,
) -> None:
    """Measure one thing beside what you would otherwise use; trust: what a server promises, tried on real ones."""
    if name != "trust" and (rows or quick or weights):
        raise SettingsError(
            f"--rows, --quick and --weights are of void bench trust: leave them out of {name}."
        )
    if name != "report" and (files or out):
        raise SettingsError(f"Files and --out are of void bench report: leave them out of {name}.")
    if name == "trust":
        from void_server.bench.trust.table import run_trust

        held = run_trust(rows, quick=quick, as_json=json_, weights=weights)
        raise typer.Exit(0 if held else 1)
    if name == "report":
        from void_server.bench.page import write_report

        if json_:
            raise SettingsError("void bench report draws a page: leave --json out.")
        write_report(files or [], out or Path("bench.html"))
        return
    from void_server.bench.report import run_bench

    run_bench(name, as_json=json_)
