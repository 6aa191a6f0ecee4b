"""A removal for the farm: a bundle whose first step renders the export in a Nuke of the farm's."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Callable, Dict

from void_farm import bundle, hook, plan
from void_farm.bundle import Export, Needs
from void_host.farm import new_folder, unwritable
from void_host.shot import Shot
from void_nuke import export, host
from void_wire.errors import SettingsError, VoidError

SCRIPT = "export.nk"
LICENCE_VARIABLE = "VOID_FARM_EXPORT_LICENCE"
"""The farm's name for the Nuke licence that the export holds, for example amount.licence.nuke_r."""


def write(shot: Shot) -> Path:
    """Write the bundle into a folder beside its result-to-be; on the main thread. Returns that folder.

    Nothing is rendered and nothing is sent. Mattes do not exist yet, so the shot is one segment.

    Raises SettingsError when there is a farm job of this version already, no place for it, or a licence whose scripts
    no farm opens.
    """
    licence = host.licence()
    if licence.encrypted:
        raise SettingsError(
            f"{licence.nuke} encrypts its scripts, so no farm can render the export: press Remove here."
        )
    folder = new_folder(shot)
    try:
        host.save_copy(shot.owner, folder.as_posix(), (folder / SCRIPT).as_posix())
    except OSError as error:
        raise unwritable(folder, error) from None
    inputs = {role: f"{role.value}.%04d.exr" for role in shot.spec.roles}
    command = export.background_command(host.executable(), shot, folder / SCRIPT)
    night = plan.Plan(
        f"{shot.spec.shot}_v{shot.version:03d}",
        (plan.rendered_there(plan.unattended(shot.spec), inputs, shot.output),),
    )
    bundle.write(
        folder,
        night,
        needs=Needs.of(night),
        inputs=[folder / SCRIPT],
        outputs=[Path(shot.output).parent],
        export=Export(tuple(command), os.environ.get(LICENCE_VARIABLE, "")),
    )
    return folder


def send(folder: Path, environment: Dict[str, str], tell: Callable[[str], None]) -> None:
    """Give a bundle to the studio's command on a thread of its own; ``tell`` hears how that went, on that thread."""

    def work() -> None:
        try:
            tell(hook.submit(folder, environment))
        except VoidError as error:
            tell(str(error))

    threading.Thread(target=work, name=f"void farm {folder.name}", daemon=True).start()
