"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ServerAddress = Annotated[
    str, typer.Option("--server", help="Address of the VOID server.", envvar="VOID_SERVER")
]
WeightsFolder = Annotated[Path | None, typer.Option("--weights", help="Folder of the model's weights.")]
