"""``void farm expect``: how long a night would take."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def expect(
    shots: Annotated[int, typer.Option(min=1, help="In the night.")] = 500,
    frames: Annotated[
        int, typer.Option(min=1, help="Of the middle one; lengths go from about a quarter to four times.")
    ] = 110,
    gpus: Annotated[int, typer.Option(min=1)] = 60,
    overlap: Annotated[int, typer.Option(min=1, help="As of void farm write.")] = 12,
    window_s: Annotated[
        float, typer.Option(min=0, help="Both passes over one full temporal window, with decoding.")
    ] = 75.0,
    frame_s: Annotated[float, typer.Option(min=0, help="Of a frame beside the model.")] = 1.0,
    task_s: Annotated[
        float,
        typer.Option(min=0, help="Of a task beside its frames: its process begins, asks, waits, notes."),
    ] = 3.0,
    in_mb: Annotated[float, typer.Option(min=0, help="Of a frame's plate and mattes.")] = 30.0,
    out_mb: Annotated[float, typer.Option(min=0, help="Of a frame's result.")] = 35.0,
    load_s: Annotated[float, typer.Option(min=0, help="For the model, once its files are in memory.")] = 10.0,
    model_mb: Annotated[float, typer.Option(min=0, help="That a node reads once.")] = 37_000.0,
    session_tasks: Annotated[
        int, typer.Option(min=0, help="Tasks of a farm's session; 0: one session a node.")
    ] = 0,
    storage_mb_s: Annotated[
        float, typer.Option(min=1, help="That the storage gives all nodes together.")
    ] = 5_000.0,
    link_mb_s: Annotated[float, typer.Option(min=1, help="That one node can take.")] = 1_100.0,
) -> None:
    """Simulate a night for several lengths of segment: hours, where the time goes, what storage and links carry."""
    from rich.console import Console
    from rich.table import Table

    from void_server.farm.night import Cost, Site, best, lengths, nights

    site = Site(gpus, storage_mb_s, link_mb_s, model_mb, load_s, session_tasks)
    cost = Cost(window_s=window_s, frame_s=frame_s, task_s=task_s, in_mb=in_mb, out_mb=out_mb)
    found = nights(lengths(shots, frames), overlap, site, cost)
    table = Table(
        "segment", "tasks", "hours", "working", "loading", "moving", "idle", "twice", "storage full", box=None
    )
    for one in found:
        name = f"{one.segment_frames} frames" if one.tasks > shots else "whole shots"
        shares = (one.working, one.loading, one.moving, one.idle, one.extra, one.storage)
        table.add_row(name, str(one.tasks), f"{one.hours:.2f}", *(f"{share:.0%}" for share in shares))
    Console().print(table)
    chosen = best(found)
    name = f"--segment-frames {chosen.segment_frames}" if chosen.tasks > shots else "whole shots"
    print(f"Best: {name}, {chosen.hours:.2f} hours.")
