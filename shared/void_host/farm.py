"""Where a host's farm job goes: a folder beside the result-to-be."""

from __future__ import annotations

from pathlib import Path

from void_host.shot import Shot
from void_wire.errors import SettingsError


def new_folder(shot: Shot) -> Path:
    """Make the folder for the shot's farm job. Raises SettingsError when it is there already, or cannot be made."""
    folder = Path(shot.output).parent / f"farm_v{shot.version:03d}"
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise SettingsError(
            f"{folder} holds a farm job of version {shot.version} already: send that, or remove the folder."
        ) from None
    except OSError as error:
        raise unwritable(folder, error) from None
    return folder


def unwritable(folder: Path, error: OSError) -> SettingsError:
    """What is said when something in the folder cannot be written."""
    return SettingsError(
        f"The farm job cannot be written to {folder} ({error.strerror}): choose another output path."
    )
