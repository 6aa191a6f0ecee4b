"""VOID for compositors: takes an object and what it did to the scene out of a film shot."""

# Each command imports what it needs when it runs: `void serve` never loads an image library or torch.

from __future__ import annotations

import signal
import sys

import typer

from void_server.cli import farm, jobs, keys, server, shots, trials, weights
from void_wire.errors import VoidError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
for group in (server, shots, jobs, trials):
    app.add_typer(group.app)
app.add_typer(weights.app, name="weights")
app.add_typer(keys.app, name="keys")
app.add_typer(farm.app, name="farm")


def main() -> None:
    """The console command. What a user can fix is one sentence on stderr and exit code 1."""
    # What a command started is stopped with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        app()
    except VoidError as error:
        print(f"void: {error}", file=sys.stderr)
        sys.exit(1)
