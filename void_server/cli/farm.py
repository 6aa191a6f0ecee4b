"""``void farm``: a night's shots on a farm's engine."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from void_farm.plan import LONGEST, OVERLAP
from void_server.cli import farm_engines, farm_night, shots
from void_server.cli.arguments import LOCAL, ServerAddress
from void_wire.connection import Connection, connection
from void_wire.errors import SettingsError, VoidError

if TYPE_CHECKING:
    from rich.progress import TaskID

    from void_server.farm.planning import Cutting, Wanted, Written
    from void_server.farm.sources import Asked

app = typer.Typer(no_args_is_help=True, help="A night's shots on a farm's engine.")
for group in (farm_engines, farm_night):
    app.add_typer(group.app)

PlanFile = Annotated[Path, typer.Option("--plan", help="The bundle's plan.json.")]
PathMapping = Annotated[
    Path | None,
    typer.Option(
        help="File of Open Job Description's path mapping rules, where paths differ from the writer's."
    ),
]
Session = Annotated[Path, typer.Option(help="Folder of the farm's session, for this user alone.")]
NodeWeights = Annotated[
    str,
    typer.Option("--weights", help="Folder of the model's weights; empty: VOID_WEIGHTS, or the usual place."),
]
OwnServer = Annotated[
    Connection | None,
    typer.Option(
        "--server",
        help="The server that does the work. Default: this node's own, started where none runs.",
        envvar="VOID_SERVER",
        parser=connection,
        metavar="ADDRESS",
    ),
]


@app.command()
def write(
    jobs: Annotated[
        list[str],
        typer.Argument(
            help="Records (.void.json), tables (.csv), OpenTimelineIO timelines; or jobs that the server has, by id."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the bundle; on storage that every node sees.")],
    segment_frames: Annotated[
        int, typer.Option(help="Frames of a segment at most; longer shots are cut.")
    ] = LONGEST,
    overlap: Annotated[int, typer.Option(help="Frames that neighbouring segments share.")] = OVERLAP,
    gpus: Annotated[
        int | None, typer.Option(help="A task needs so many; default 1, or 0 for engine draft.")
    ] = None,
    gpu_memory_mib: Annotated[int, typer.Option(help="And so much memory on each.")] = 40_960,
    memory_mib: Annotated[int, typer.Option(help="And so much beside.")] = 32_768,
    licence: Annotated[
        str, typer.Option(help="And this licence, by the farm's name: amount.licence.NAME")
    ] = "",
    weights: Annotated[
        str, typer.Option(help="Folder of the model on the nodes; default: each knows its own.")
    ] = "",
    export_command: Annotated[
        str, typer.Option(help="Renders plates and mattes first, as one step; they need not exist yet.")
    ] = "",
    export_licence: Annotated[str, typer.Option(help="Which that step needs: amount.licence.NAME")] = "",
    server: ServerAddress = LOCAL,
) -> None:
    """Write shots as a bundle: plan and Open Job Description template, and send it if VOID_FARM_SUBMIT says how.

    A server's job is written in full, also where it was a preview; its plate and mattes come into the bundle, and a
    second call brings what is lacking.
    """
    import os

    from void_farm import bundle, hook
    from void_farm.plan import Plan
    from void_server.farm.planning import Cutting, check_apart
    from void_server.farm.sources import is_job
    from void_server.following import console

    folder = out.absolute()
    bundle.check_free(folder)
    if export_licence and not export_command:
        raise SettingsError("--export-licence is for an --export-command: give that too.")
    names = dict.fromkeys(jobs)  # one that is named twice is meant once
    held = [one for one in names if is_job(one)]
    if held and export_command:
        raise SettingsError(f"Job {held[0]} has its plate and mattes: leave --export-command out.")
    cutting = Cutting(segment_frames, overlap)
    found = {name: removals(name, folder) for name in names if name not in held}
    found |= _brought(held, server, folder)
    wanted = [one for name in names for one in found[name]]
    written = [_planned(where, one, folder, cutting, exported=bool(export_command)) for where, one in wanted]
    check_apart(written)
    plan = Plan(folder.name, tuple(one.shot for one in written))
    needs = bundle.Needs.of(plan)
    path = bundle.write(
        folder,
        plan,
        needs=bundle.Needs(needs.gpus if gpus is None else gpus, gpu_memory_mib, memory_mib, licence),
        inputs=[file for one in written for file in one.files],
        outputs={(folder / shot.output).parent for shot in plan.shots},
        weights=weights,
        export=bundle.Export(tuple(shlex.split(export_command)), export_licence) if export_command else None,
    )
    console.print(f"{len(plan.tasks())} segments of {len(plan.shots)} shots: {path.parent}", soft_wrap=True)
    print(f"Here: openjd run {path.parent / bundle.TEMPLATE} --step finish --run-dependencies")
    if said := hook.submit(path.parent, os.environ):
        print(said)


@app.command()
def run(
    plan: PlanFile,
    index: Annotated[int, typer.Option(help="Of the segment, from 0.")],
    path_mapping: PathMapping = None,
    server: OwnServer = None,
    weights: NodeWeights = "",
) -> None:
    """Do one segment: what is there and right stays, the rest is done. For farm tasks."""
    from void_farm import plan as plans
    from void_server.farm.node_server import attach
    from void_server.farm.places import Places, read_rules
    from void_server.farm.progress_lines import ProgressLines
    from void_server.farm.task import Work, is_done
    from void_server.farm.task import run as run_task

    whole = plans.read(plan)
    work = Work(whole, whole.task(index), Places(plan.absolute().parent, read_rules(path_mapping)))
    if is_done(work):
        print(f"{str(work.task).capitalize()} is done already.")
        return
    done = run_task(work, lambda: server or attach(Path(weights) if weights else None), ProgressLines())
    print(f"{str(work.task).capitalize()} is done in {done.ended_s - done.began_s:.1f} s: {work.folder.path}")


@app.command()
def finish(plan: PlanFile, path_mapping: PathMapping = None) -> None:
    """Look at every frame, join segments, write results, contact sheets and report.html. For a farm's last task."""
    from void_farm import plan as plans
    from void_server.farm.finishing import finish as finish_all
    from void_server.farm.places import Places, read_rules
    from void_server.farm.progress_lines import ProgressLines
    from void_server.farm.report import write_report

    whole = plans.read(plan)
    places = Places(plan.absolute().parent, read_rules(path_mapping))
    finished = finish_all(whole, places, ProgressLines())
    for name, one in finished.items():
        look = one.record.get("worth a look")
        print(f"{name}: {len(one.frames)} frames.{f' Worth a look: {look}' if look else ''}")
    print(f"Report: {write_report(whole, places, finished)}")


@app.command()
def status(
    bundle: Annotated[Path, typer.Argument(help="The bundle's folder.")],
) -> None:
    """Tell how a bundle stands, from its files alone; exit code 1 where a segment failed."""
    from void_server.farm.status_table import tell_status

    if not tell_status(bundle):
        raise typer.Exit(1)


@app.command()
def serve(
    session: Session,
    weights: NodeWeights = "",
    exit_with: Annotated[
        int | None,
        typer.Option(help="Process that it leaves with; default: the farm's runner above this one."),
    ] = None,
) -> None:
    """Start the server of a farm session, which is shared by its tasks. For a step environment's onEnter."""
    from void_server.farm.session_server import serve as serve_session

    address = serve_session(session.absolute(), Path(weights) if weights else None, exit_with)
    print(f"openjd_env: VOID_SERVER={address}\nopenjd_status: VOID server at {address}", flush=True)


@app.command()
def leave(session: Session) -> None:
    """Stop the server of a farm session. For a step environment's onExit."""
    from void_server.farm.session_server import leave as leave_session

    print(leave_session(session.absolute()))


Found = tuple[str, "Wanted"]
"""Where a removal is asked for, for sentences, and what it is."""


def removals(name: str, bundle: Path) -> list[Found]:
    """Every removal that a file asks for, of a plan in ``bundle``. Raises VoidError, which says where in the file."""
    from void_server.farm.planning import by_options
    from void_server.farm.sources import read_jobs

    found = []
    for asked in read_jobs(Path(name)):
        options = typed(asked)
        try:
            found.append((asked.where, by_options(options, bundle)))
        except VoidError as error:
            raise type(error)(f"{asked.where}: {error}") from None
    return found


def _brought(jobs: list[str], server: Connection, bundle: Path) -> dict[str, list[Found]]:
    """Jobs of a server by their ids, with their files brought into the bundle."""
    if not jobs:
        return {}
    from void_farm import server_jobs
    from void_server.farm.planning import by_job
    from void_server.following import bars, console
    from void_wire.client import Client

    found: dict[str, list[Found]] = {}
    with Client(server, patience_s=5.0) as client, bars() as display:
        client.connect()
        for held in server_jobs.ask(client, jobs):
            if held.going_on:
                console.print(f"Note: {held.going_on}", soft_wrap=True)
            bar = display.add_task(f"fetch {held.spec.shot}", total=held.spec.sent_frames())

            def told(shot: str, here: int, of: int, bar: TaskID = bar) -> None:
                display.update(bar, completed=here)

            server_jobs.bring(client, held, bundle, told)
            found[held.spec.job] = [(f"job {held.spec.job}", by_job(held, bundle))]
    return found


def _planned(where: str, wanted: Wanted, bundle: Path, cutting: Cutting, *, exported: bool) -> Written:
    """One removal's part of the plan, and what it is told as."""
    from void_server.farm.planning import plan_shot
    from void_server.following import bars, console

    with bars() as display:
        task = display.add_task("check", total=None)
        try:
            written = plan_shot(
                wanted,
                bundle,
                cutting,
                exported=exported,
                checked=lambda done, of: display.update(task, completed=done, total=of),
            )
        except VoidError as error:
            raise type(error)(f"{where}: {error}") from None
    shot, count = written.shot, len(written.shot.segments)
    console.print(f"{shot.spec.shot}: {shot.spec.frames}, {count} segment{'s' * (count != 1)}")
    for note in shot.notes:
        console.print(f"Note: {note}", soft_wrap=True)
    return written


def typed(asked: Asked) -> dict[str, Any]:
    """The options as ``void submit`` would have them. Raises SettingsError for one it does not have or take."""
    group = typer.main.get_command(shots.app)
    command = group.commands["submit"]  # type: ignore[attr-defined]
    known = {parameter.name for parameter in command.params} - {"like"}
    for name in asked.options:
        if name not in known:
            names = ", ".join(sorted(str(name).rstrip("_").replace("_", "-") for name in known))
            raise SettingsError(f"{asked.where}: void submit has no option {name!r}; it has {names}.")
    try:
        return dict(command.make_context("submit", [], default_map=asked.options).params)
    except typer.BadParameter as error:
        raise SettingsError(f"{asked.where}: {error.format_message()}") from None
