"""``void keys``: who a server lets in."""

from __future__ import annotations

import os
import shlex
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from void_wire import keys, sockets
from void_wire.connection import remember

if TYPE_CHECKING:
    from void_server.config import Config
    from void_server.key_folder import KeyFolder

app = typer.Typer(no_args_is_help=True, help="Who a server lets in from other machines.")

ConfigFile = Annotated[Path | None, typer.Option("--config", help="The TOML file that void serve is given.")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="The data folder that void serve is given.")]
Folder = Annotated[
    Path | None, typer.Option("--keys", help="The folder of keys; default: keys in the data folder.")
]


@app.command()
def make(config: ConfigFile = None, data_dir: DataDir = None, folder: Folder = None) -> None:
    """Make the server's own key, once. void serve then may listen beyond this machine."""
    there = _folder(_config(config, data_dir, folder))
    public = there.make_server()
    print(f"Made the server's key in {there.path}; its public half is {keys.to_text(public)}")
    where = (
        ""
        if there.path == _folder(_config(None, None, None)).path
        else f" --keys {shlex.quote(str(there.path))}"
    )
    print(
        f"Next: void keys add NAME{where} for each artist and farm node, then void serve --address "
        f"tcp://0.0.0.0:7801{where}"
    )


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Of an artist or a farm node.")],
    at: Annotated[
        str | None, typer.Option(help="Address at which they reach the server; default: this machine's name.")
    ] = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    folder: Folder = None,
) -> None:
    """Let somebody in. Prints the connection string they paste once; it is shown now and kept nowhere."""
    settings = _config(config, data_dir, folder)
    made = _folder(settings).add(name, sockets.full_address(at) if at else _reached_at(settings.address))
    typer.echo(
        f"For {name}, and nobody else: put this into VOID_KEY, or paste it into void keys use or the panel.",
        err=True,
    )
    print(made.secret_text())


@app.command("list")
def list_(config: ConfigFile = None, data_dir: DataDir = None, folder: Folder = None) -> None:
    """List who is let in."""
    from rich.console import Console
    from rich.table import Table

    there = _folder(_config(config, data_dir, folder))
    table = Table("name", "since", "public key", box=None)
    for key in there.listed():
        table.add_row(
            key.name, time.strftime("%Y-%m-%d %H:%M", time.localtime(key.since_s)), keys.to_text(key.public)
        )
    Console().print(table)


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(help="Who is let in no more.")],
    config: ConfigFile = None,
    data_dir: DataDir = None,
    folder: Folder = None,
) -> None:
    """Let somebody in no more, from their next message on and without a restart. Nobody reads their jobs then."""
    _folder(_config(config, data_dir, folder)).revoke(name)
    print(f"{name} is let in no more.")


@app.command()
def use(
    text: Annotated[
        str | None, typer.Argument(metavar="[STRING]", help="The connection string; asked for when left out.")
    ] = None,
) -> None:
    """Keep a connection string that you were given, for every command, panel and plugin of this user."""
    kept = remember(text or typer.prompt("Connection string", hide_input=True))
    print(f"{kept} is opened with that key from now on: --server {kept}, or VOID_SERVER={kept}")


def _config(file: Path | None, data_dir: Path | None, folder: Path | None) -> Config:
    from void_server.config import load

    return load(file, os.environ, {"data_dir": data_dir, "keys": folder})


def _folder(config: Config) -> KeyFolder:
    from void_server.key_folder import KeyFolder

    return KeyFolder(Path(config.keys))


def _reached_at(address: str) -> str:
    """The server's address as others know it: this machine's name where it listens on every interface, or at home."""
    if address.startswith("ipc://"):
        return address
    host, port = sockets.host_and_port(address)
    every = host == "*" or not host.strip("[]0:.")  # 0.0.0.0, ::
    return f"tcp://{socket.getfqdn() if every or sockets.is_loopback(address) else host}:{port}"
