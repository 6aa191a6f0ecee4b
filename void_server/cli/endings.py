"""How commands that bring a result begin and end."""

from __future__ import annotations

from typing import NoReturn

import typer

from void_wire.errors import SettingsError
from void_wire.messages import JobStatus, Role, State


def check_destination(out: str | None, detach: bool) -> None:
    """Raise SettingsError unless the result goes to ``out``, or is left behind on purpose."""
    if not out and not detach:
        raise SettingsError("Where to? Give --out result.%04d.exr, or --detach and fetch later.")
    if out and detach:
        raise SettingsError("--detach leaves before there is a result: leave --out to void fetch.")


def tell_left(job: str, out: str | None) -> NoReturn:
    """Say how to go on with a job that was left with Ctrl-C, and exit."""
    from void_server.following import console

    console.print(
        f"\nLeft. The job stays on the server: void fetch {job} --out {out or 'result.%04d.exr'} "
        f"brings it, void cancel {job} ends it."
    )
    raise typer.Exit(130)


def tell_end(status: JobStatus, out: str | None) -> None:
    """Say what a job that has ended made; exit code 1 when it was cancelled."""
    from void_server.following import console

    count = len(status.ready.get(Role.RESULT, []))
    if status.state is State.CANCELLED:
        console.print(f"Job {status.job} was cancelled; {count} frames were done.")
        raise typer.Exit(1)
    record = dict(status.record)
    if "worth a look" in record:
        console.print(f"Worth a look: {record.pop('worth a look')}")
    made = ", ".join(f"{name} {value}" for name, value in sorted(record.items()))
    console.print(f"{count} frame{'s' * (count != 1)}{f' at {out}' if out else ''} ({made})")
