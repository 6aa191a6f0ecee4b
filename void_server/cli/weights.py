"""``void weights``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The model's weights.")


@app.command()
def check(
    folder: Path,
    record: Annotated[
        bool, typer.Option("--record", help="Record the files as they are; a server then refuses others.")
    ] = False,
) -> None:
    """Check that the weights are there, whole, of the right layout, and the ones that were recorded."""
    from void_server.weights_report import print_check

    print_check(folder, record=record)


@app.command()
def pull(folder: Path) -> None:
    """Download the weights (37 GB, resumable; says the sizes first)."""
    from void_server.weights_report import pull_and_check

    pull_and_check(folder)
