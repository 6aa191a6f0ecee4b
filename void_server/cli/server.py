"""``void serve`` and ``void doctor``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from void_server.cli.arguments import WeightsFolder
from void_wire.files import write_whole

app = typer.Typer()


@app.command()
def serve(
    config: Annotated[Path | None, typer.Option(help="TOML file with any of these settings.")] = None,
    address: Annotated[str | None, typer.Option(help="tcp://127.0.0.1:7801, or ipc:///path.")] = None,
    keys: Annotated[Path | None, typer.Option(help="Folder of the keys that are let in.")] = None,
    require_keys: Annotated[
        bool | None, typer.Option("--require-keys", help="Ask for keys on loopback and ipc too.")
    ] = None,
    list_others: Annotated[
        bool | None, typer.Option("--list-others", help="Let a key see which jobs of other keys there are.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Jobs, logs, weights.")] = None,
    weights: WeightsFolder = None,
    raft_weights: Annotated[Path | None, typer.Option(help="RAFT's weights file, for --flow raft.")] = None,
    device: Annotated[
        str | None,
        typer.Option(
            help="auto: every GPU; cpu, cuda, cuda:1; cuda:0,cuda:1: a worker on each; cuda:0+cuda:1: one on both."
        ),
    ] = None,
    memory: Annotated[str | None, typer.Option(help="auto, resident, offload, group, low")] = None,
    speed: Annotated[
        str | None,
        typer.Option(
            help="plain; exact: the same sums done faster on a GPU; fp8: rounded to 8 bits, faster yet."
        ),
    ] = None,
    credit: Annotated[int | None, typer.Option(help="Frames a client may have on the way.")] = None,
    max_frame_mb: Annotated[int | None, typer.Option(help="Largest file taken for a frame.")] = None,
    frames_per_job: Annotated[int | None, typer.Option(help="Frames of a job at most.")] = None,
    jobs_per_key: Annotated[int | None, typer.Option(help="Unfinished jobs of one key at once.")] = None,
    queue_limit: Annotated[int | None, typer.Option(help="Unfinished jobs of everybody at once.")] = None,
    priorities: Annotated[
        str | None, typer.Option(help="Of keys by name, higher ones' jobs first: anna=10,farm=-5; else 0.")
    ] = None,
    quota_gb: Annotated[
        int | None, typer.Option(help="What one key's jobs may have on disk; 0: no limit.")
    ] = None,
    max_connections: Annotated[int | None, typer.Option(help="Connections to either port at once.")] = None,
    jobs_per_worker: Annotated[
        int | None,
        typer.Option(help="2: while one has the model the next is read, the one before written; or 1."),
    ] = None,
    worker_memory_gb: Annotated[
        int | None, typer.Option(help="Memory of each worker's process; 0: what the machine has.")
    ] = None,
    keep_days: Annotated[
        int | None, typer.Option(help="Jobs that have ended are deleted after this; 0: never.")
    ] = None,
    keep_gb: Annotated[
        int | None,
        typer.Option(help="Jobs that have ended keep this at most, the oldest go first; 0: no limit."),
    ] = None,
    receive_hours: Annotated[
        int | None, typer.Option(help="A job that gets no frame for so long is given up; 0: never.")
    ] = None,
    private: Annotated[
        bool | None,
        typer.Option("--private", help="Leave prompts out of the results' metadata and sidecars."),
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option(help="Tell Prometheus at http://127.0.0.1:PORT/metrics; 0: do not.")
    ] = None,
    log_format: Annotated[
        str | None, typer.Option(help="text, or json: an object a line, with job and key.")
    ] = None,
    exit_with: Annotated[
        int | None, typer.Option(help="Leave when the process of this id is gone, as a farm's runner.")
    ] = None,
    idle_exit_s: Annotated[int | None, typer.Option(help="Leave after this long with nothing to do.")] = None,
    ready: Annotated[
        Path | None, typer.Option(help="Write the address to this file once it listens.")
    ] = None,
) -> None:
    """Run the server. On loopback and ipc anybody on this machine is let in, elsewhere keys alone (void keys)."""
    from void_server import logs
    from void_server.config import load
    from void_server.server import serve as run_server

    flags = {
        "address": address,
        "keys": keys,
        "require_keys": require_keys,
        "list_others": list_others,
        "data_dir": data_dir,
        "weights": weights,
        "raft_weights": raft_weights,
        "device": device,
        "memory": memory,
        "speed": speed,
        "credit": credit,
        "max_frame_mb": max_frame_mb,
        "frames_per_job": frames_per_job,
        "jobs_per_key": jobs_per_key,
        "queue_limit": queue_limit,
        "priorities": priorities,
        "quota_gb": quota_gb,
        "max_connections": max_connections,
        "jobs_per_worker": jobs_per_worker,
        "worker_memory_gb": worker_memory_gb,
        "keep_days": keep_days,
        "keep_gb": keep_gb,
        "receive_hours": receive_hours,
        "private": private,
        "metrics_port": metrics_port,
        "log_format": log_format,
        "exit_with": exit_with,
        "idle_exit_s": idle_exit_s,
    }
    settings = load(config, os.environ, flags)
    logs.start(settings.log_format)

    def listens(at: str) -> None:
        print(f"VOID server listens at {at}", flush=True)
        if ready is not None:
            write_whole(ready, at.encode())

    run_server(settings, ready=listens)


@app.command()
def doctor(
    config: Annotated[Path | None, typer.Option(help="The TOML file that void serve is given.")] = None,
    address: Annotated[str | None, typer.Option(help="As of void serve.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="As of void serve.")] = None,
    weights: WeightsFolder = None,
) -> None:
    """Look whether a server can run here: versions, GPU, disk, clock, keys, port, weights, and a job over loopback."""
    from rich.console import Console

    from void_server.config import load
    from void_server.doctor import examine

    flags = {"address": address, "data_dir": data_dir, "weights": weights}
    console, fine = Console(highlight=False, soft_wrap=True), True
    for found in examine(load(config, os.environ, flags)):
        console.print(f"{'ok ' if found.fine else 'FIX'}  {found.name:9} {found.says}", markup=False)
        fine &= found.fine
    raise typer.Exit(0 if fine else 1)
