"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from void_wire import sockets
from void_wire.connection import Connection, connection

ServerAddress = Annotated[
    Connection,
    typer.Option(
        "--server",
        help="Address of the VOID server, or the connection string you were given.",
        envvar=["VOID_SERVER", "VOID_KEY"],
        parser=connection,
        metavar="ADDRESS",
    ),
]
LOCAL = Connection(sockets.full_address(sockets.DEFAULT_ADDRESS))
WeightsFolder = Annotated[Path | None, typer.Option("--weights", help="Folder of the model's weights.")]
