"""``void weights``."""

from __future__ import annotations

from pathlib import Path

import typer

app = typer.Typer(no_args_is_help=True, help="The model's weights.")


@app.command()
def check(folder: Path) -> None:
    """Check that the weights are there, whole, and of the right layout."""
    from void_server.weights_report import print_check

    print_check(folder)


@app.command()
def pull(folder: Path) -> None:
    """Download the weights (37 GB, resumable; says the sizes first)."""
    from void_server.weights_report import pull_and_check

    pull_and_check(folder)
