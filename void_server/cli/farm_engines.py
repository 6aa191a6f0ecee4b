"""``void farm opencue``, ``deadline``, ``tractor``: a bundle as engines other than Open Job Description's take it."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from void_wire.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from void_server.farm.engines.work import Handed, Work

app = typer.Typer()

Bundle = Annotated[Path, typer.Argument(help="The bundle's folder, by the path that the nodes see it at.")]


@app.command()
def opencue(
    bundle: Bundle,
    show: Annotated[str, typer.Option(help="A show that Cuebot knows.")],
    shot: Annotated[str, typer.Option(help="Any name.")] = "night",
    facility: Annotated[str, typer.Option(help="One that Cuebot knows.")] = "local",
    user: Annotated[str | None, typer.Option(help="Who it runs as; default: you.")] = None,
    uid: Annotated[int | None, typer.Option(help="That user's number; default: yours.")] = None,
) -> None:
    """Write the bundle's job for OpenCue, and print the command that launches it."""
    from void_server.farm.engines import opencue as engine

    who, number = user or getpass.getuser(), _own_uid() if uid is None else uid
    if not number:
        raise SettingsError(
            "RQD runs nothing as root (uid 0): name who it is to run as with --user and --uid."
        )
    _hand(
        bundle,
        lambda work: engine.handed(work, show=show, shot=shot, user=who, uid=number, facility=facility),
    )


@app.command()
def deadline(
    bundle: Bundle,
    pool: Annotated[str, typer.Option(help="Of every job.")] = "none",
    group: Annotated[str, typer.Option(help="Of nodes for the steps without a GPU.")] = "none",
    gpu_group: Annotated[
        str, typer.Option(help="Of nodes with a GPU that has the memory; default: --group.")
    ] = "",
    priority: Annotated[int, typer.Option(min=0, max=100)] = 50,
) -> None:
    """Write the bundle's jobs for Deadline 10, and print the command that submits them."""
    from void_server.farm.engines import deadline as engine

    _hand(
        bundle,
        lambda work: engine.handed(work, pool=pool, group=group, gpu_group=gpu_group, priority=priority),
    )


@app.command()
def tractor(
    bundle: Bundle,
    gpu_service: Annotated[
        str, typer.Option(help="Service key of blades with a GPU that has the memory.")
    ] = "gpu",
    service: Annotated[str, typer.Option(help="Of blades for the other steps.")] = "PixarRender",
) -> None:
    """Write the bundle's job for Tractor, and print the command that spools it."""
    from void_server.farm.engines import tractor as engine

    _hand(bundle, lambda work: engine.handed(work, gpu_service=gpu_service, service=service))


def _own_uid() -> int:
    if sys.platform == "win32":
        raise SettingsError("This machine has no user numbers: give the farm's with --uid.")
    return os.getuid()


def _hand(bundle: Path, engine: Callable[[Work], Handed]) -> None:
    from void_server.farm.handing import hand

    folder = bundle.absolute()
    print(f"In {folder}: {hand(folder, engine)}")
