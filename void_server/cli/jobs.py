"""``void jobs``, ``fetch``, ``cancel`` and ``panel``: jobs that the server has."""

from __future__ import annotations

import contextlib
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from void_panel.pace import outlook
from void_server.cli.arguments import LOCAL, ServerAddress
from void_server.cli.endings import tell_end
from void_wire.errors import SettingsError
from void_wire.messages import JobStatus, OthersJob, Role, State

if TYPE_CHECKING:
    from rich.console import Group

app = typer.Typer()

SHOWN_ENDED = 5
"""Jobs that have ended, in void top."""


@app.command()
def jobs(
    server: ServerAddress = LOCAL,
    purge: Annotated[
        bool, typer.Option("--purge", help="Delete your jobs that have ended, with all their frames.")
    ] = False,
) -> None:
    """List your jobs on the server, newest first; those of others where it tells of them."""
    from rich.console import Console

    from void_wire.client import ENDED, Client

    with Client(server, patience_s=5.0) as client:
        client.connect()
        statuses, others = client.jobs(), client.others()
        if purge:
            ended = [status.job for status in statuses if status.state in ENDED]
            freed = sum(client.purge(job) for job in ended)
            print(f"{len(ended)} jobs that had ended are deleted, with {freed / 1e6:.1f} MB.")
            return
    Console().print(_tables(statuses, others))


@app.command()
def top(
    server: ServerAddress = LOCAL,
    every_s: Annotated[float, typer.Option("--every", help="Seconds between looks.", min=0.2)] = 1.0,
) -> None:
    """Watch the queue: jobs that have not ended, and the last that have. Ctrl-C leaves."""
    from rich.console import Console, Group
    from rich.live import Live

    from void_wire.client import ENDED, Client

    console = Console()
    with Client(server, patience_s=5.0) as client, contextlib.suppress(KeyboardInterrupt):
        devices = client.connect().devices
        head = f"{len(devices)} worker{'s' * (len(devices) != 1)} at {client.address}: {', '.join(devices)}"
        leave = threading.Event()
        signal.signal(
            signal.SIGINT, lambda *_: leave.set()
        )  # an exception may fall where Python passes over it
        with Live(console=console, auto_refresh=False, screen=console.is_terminal) as live:
            while not leave.is_set():
                mine, others = client.jobs(), client.others()
                going = [status for status in mine if status.state not in ENDED]
                ended = [status for status in mine if status.state in ENDED]
                live.update(Group(head, _tables([*going, *ended[:SHOWN_ENDED]], others)), refresh=True)
                leave.wait(every_s)


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
    """What the job does and when it is done, or why it does nothing."""
    if status.waits:
        return f"waits: {status.waits}"
    if status.state is State.RECEIVING:
        return f"{status.received}/{status.expected} files"
    told = outlook(status.begins_in_s, status.ends_in_s)
    if status.state is State.QUEUED:
        doing = f"place {status.queue_place}"
    elif status.stage is not None:
        on = f" on {status.device}" if status.device else ""
        doing = f"{status.stage.value} {status.step}/{status.steps}{on}"
    else:
        return status.error or f"{len(status.ready.get(Role.RESULT, []))} frames"
    return f"{doing}, {told}" if told else doing


def _tables(statuses: list[JobStatus], others: list[OthersJob]) -> Group:
    """One's own jobs as a table, their ids whole since void fetch asks for them; under it those of others, if any."""
    from rich.console import Group
    from rich.table import Column, Table

    mine = Table(Column("job", no_wrap=True), "shot", "range", "engine", "state", "progress", box=None)
    for status in statuses:
        mine.add_row(
            status.job,
            status.shot,
            str(status.frames),
            status.engine,
            status.state.value,
            _progress_text(status),
        )
    if not others:
        return Group(mine)
    theirs = Table(
        "owner", Column("job", no_wrap=True), "shot", "range", "engine", "state", "place", box=None
    )
    for other in others:
        place = str(other.queue_place or "")
        theirs.add_row(
            other.owner, other.job, other.shot, str(other.frames), other.engine, other.state.value, place
        )
    return Group(mine, "\nOf others:", theirs)
