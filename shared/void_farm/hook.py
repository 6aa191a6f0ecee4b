"""The studio's own command that sends a bundle to its farm: VOID_FARM_SUBMIT."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import Mapping

from void_wire.errors import SettingsError

VARIABLE = "VOID_FARM_SUBMIT"
NOBODY = f"Nobody is told: {VARIABLE} names no command that sends it."
"""What is said of a bundle where the environment names none."""

PATIENCE_S = 300.0
_SHOWN = 300


def is_named(environment: Mapping[str, str]) -> bool:
    """Whether there is such a command."""
    return bool(environment.get(VARIABLE, "").strip())


def submit(bundle: Path, environment: Mapping[str, str]) -> str:
    """Give the bundle's folder to the command as its last argument; returns what it said, in one sentence.

    "" where ``environment`` names no command. It is split as a shell would, and no shell runs it.

    Raises SettingsError, with the end of what it said, when it fails, is not there, or does not end.
    """
    if not is_named(environment):
        return ""
    kept = f"The bundle stays in {bundle}"
    try:
        command = [*shlex.split(environment[VARIABLE]), str(bundle)]
    except ValueError as error:
        raise SettingsError(f"{VARIABLE} is no command ({error}): write it as in a shell. {kept}.") from None
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE_S,
            check=False,
            env=dict(environment),
        )
    except OSError as error:
        raise SettingsError(f"{command[0]} of {VARIABLE} cannot be run ({error.strerror}). {kept}.") from None
    except subprocess.TimeoutExpired:
        raise SettingsError(
            f"{command[0]} did not end within {PATIENCE_S:.0f} s, so it was stopped. {kept}."
        ) from None
    said = " ".join(done.stdout.decode(errors="replace").split())[-_SHOWN:] or "nothing"
    if done.returncode:
        raise SettingsError(f"{command[0]} failed with exit code {done.returncode} and said: {said}. {kept}.")
    return f"{command[0]} took the bundle and said: {said}"
