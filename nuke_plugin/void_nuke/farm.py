"""A job for the farm, as files: a copy of the script that renders the export, and the job that is sent after it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import List

from void_host.shot import Shot
from void_nuke import export, host
from void_wire import codec
from void_wire.errors import SettingsError
from void_wire.files import write_whole

FORMAT = 1
"""Of the record that ``void submit --like`` reads."""

SCRIPT, JOB, COMMANDS = "export.nk", "job.void.json", "commands.txt"


def write(shot: Shot) -> Path:
    """Write the job into a folder beside its result-to-be; on the main thread. Returns the file of its two commands.

    Nothing is rendered and nothing is sent. The first command renders plate and mattes into the folder, the second
    sends them and brings the result to the node's output path; ``void submit`` gives the job an id of its own.

    Raises SettingsError when there is a farm job of this version already, no place for it, or a licence whose scripts
    no farm opens.
    """
    licence = host.licence()
    if licence.encrypted:
        raise SettingsError(
            f"{licence.nuke} encrypts its scripts, so no farm can render the export: press Remove here."
        )
    folder = Path(shot.output).parent / f"farm_v{shot.version:03d}"
    try:
        folder.mkdir(parents=True)
        host.save_copy(shot.owner, folder.as_posix(), (folder / SCRIPT).as_posix())
        write_whole(folder / JOB, (json.dumps(_record(shot, folder), indent=2) + "\n").encode())
        lines = [_line(command) for command in _commands(shot, folder)]
        write_whole(folder / COMMANDS, ("\n".join(lines) + "\n").encode())
    except FileExistsError:
        raise SettingsError(
            f"{folder} holds a farm job of version {shot.version} already: send that, or remove the folder."
        ) from None
    except OSError as error:
        raise SettingsError(
            f"The farm job cannot be written to {folder} ({error.strerror}): choose another output path."
        ) from None
    return folder / COMMANDS


def _record(shot: Shot, folder: Path) -> "dict[str, object]":
    """As the server's command line writes it beside a result, which this job does not have yet."""
    return {
        "format": FORMAT,
        "job": codec.to_map(shot.spec),
        "source": {role.value: (folder / f"{role.value}.%04d.exr").as_posix() for role in shot.spec.roles},
        "record": {},
        "signs": {},
    }


def _commands(shot: Shot, folder: Path) -> List[List[str]]:
    submit = ["void", "submit", "--like", str(folder / JOB), "--server", shot.server, "--out", shot.output]
    return [export.background_command(host.executable(), shot, folder / SCRIPT), submit]


def _line(command: List[str]) -> str:
    return subprocess.list2cmdline(command) if os.name == "nt" else shlex.join(command)
