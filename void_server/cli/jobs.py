"""``void jobs``, ``fetch``, ``cancel`` and ``panel``: jobs that the server has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from void_server.cli.arguments import LOCAL, ServerAddress
from void_server.cli.endings import tell_end
from void_wire.errors import SettingsError
from void_wire.messages import JobStatus, Role, State

app = typer.Typer()


@app.command()
def jobs(
    server: ServerAddress = LOCAL,
    purge: Annotated[
        bool, typer.Option("--purge", help="Delete your jobs that have ended, with all their frames.")
    ] = False,
) -> None:
    """List your jobs on the server, newest first; those of others where it tells of them."""
    from rich.console import Console
    from rich.table import Column, Table

    from void_wire.client import ENDED, Client

    with Client(server, patience_s=5.0) as client:
        client.connect()
        statuses, others = client.jobs(), client.others()
        if purge:
            ended = [status.job for status in statuses if status.state in ENDED]
            freed = sum(client.purge(job) for job in ended)
            print(f"{len(ended)} jobs that had ended are deleted, with {freed / 1e6:.1f} MB.")
            return
    job = Column("job", no_wrap=True)  # whole: void fetch asks for it
    table = Table(job, "shot", "range", "engine", "state", "progress", box=None)
    for status in statuses:
        table.add_row(
            status.job,
            status.shot,
            str(status.frames),
            status.engine,
            status.state.value,
            _progress_text(status),
        )
    Console().print(table)
    if others:
        table = Table("owner", job, "shot", "range", "engine", "state", "place", box=None)
        for other in others:
            place = str(other.queue_place or "")
            table.add_row(
                other.owner, other.job, other.shot, str(other.frames), other.engine, other.state.value, place
            )
        Console().print("\nOf others:", table, sep="\n")


@app.command()
def panel(server: ServerAddress = LOCAL) -> None:
    """Open the hosts' panel by itself: every job of the server, watched and steered. Needs the extra panel."""
    from void_server.panel import open_panel

    raise typer.Exit(open_panel(server))


@app.command()
def fetch(
    job: str,
    out: Annotated[str | None, typer.Option(help="result.%04d.exr")] = None,
    save_pass1: Annotated[str | None, typer.Option(help="pass1.%04d.exr")] = None,
    save_quadmask: Annotated[str | None, typer.Option(help="quadmask.%04d.png")] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="Also draw a contact sheet with each frame's signs: sheet.png")
    ] = None,
    now: Annotated[bool, typer.Option(help="Bring what is ready, do not wait for the end.")] = False,
    server: ServerAddress = LOCAL,
) -> None:
    """Bring a job's frames home; waits for the end unless --now."""
    from void_server.following import check_made, console, fetch_all, follow, outputs_of
    from void_server.submission import check_output
    from void_wire.client import Client

    outputs = outputs_of(out, save_pass1, save_quadmask)
    if not outputs:
        raise SettingsError("Where to? Give --out result.%04d.exr.")
    if sheet and not out:
        raise SettingsError("--sheet is drawn from the result: give --out result.%04d.exr too.")
    with Client(server, patience_s=5.0) as client:
        client.connect()
        status = client.watch(job)
        check_made(client.spec(job), outputs)
        for role, pattern in outputs.items():
            check_output(role, pattern, status.frames, {})
        if now or status.state is State.CANCELLED:
            count = fetch_all(client, status, outputs)
            console.print(f"{count} frames of {job} are home; the job is {status.state.value}.")
            return
        status = follow(client, job, outputs)
        if sheet and out:
            from void_server.contact_sheet import fetch_sheet

            fetch_sheet(sheet, client, status, out)
    tell_end(status, out)


@app.command()
def cancel(job: str, server: ServerAddress = LOCAL) -> None:
    """Stop a job at its next step; finished frames stay fetchable."""
    from void_wire.client import Client

    with Client(server, patience_s=5.0) as client:
        client.connect()
        status = client.cancel(job)
    print(f"Job {job} is {status.state.value}.")


def _progress_text(status: JobStatus) -> str:
    if status.state is State.RECEIVING:
        return f"{status.received}/{status.expected} files"
    if status.state is State.QUEUED:
        return f"place {status.queue_place}"
    if status.stage is not None:
        return f"{status.stage.value} {status.step}/{status.steps}"
    return status.error or f"{len(status.ready.get(Role.RESULT, []))} frames"
