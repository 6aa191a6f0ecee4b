"""A removal for the farm: Fusion renders plate and mattes here and now, and the bundle has them.

No farm renders a clip's comp without its Resolve. The files are not looked at, so the shot stays whole.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Dict, List, Mapping

from void_farm import bundle, hook, plan
from void_farm.plan import Plan
from void_host.farm import new_folder, unwritable
from void_host.marks import unmarked
from void_resolve.export import Told, export
from void_resolve.host.application import Host
from void_resolve.host.macro import Macro
from void_resolve.shot import Asked, ask
from void_wire import codec
from void_wire.errors import EmptyMatte
from void_wire.messages import Role


def write(host: Host, macro: Macro, told: Told, environment: Mapping[str, str]) -> str:
    """Render, write the bundle into a folder beside the result-to-be, send it; returns what is said of it.

    No server is asked. Raises one VoidError that names all there is to mend, what the export raises, EmptyMatte when
    nothing is marked, SettingsError when the bundle cannot be written or sent. Of one that is not whole nothing stays.
    """
    asked = ask(host.see(macro), environment)
    for warning in asked.warnings:
        told(warning)

    def say(text: str) -> None:
        told(text)
        macro.write({"status": text})

    folder = new_folder(asked.shot)
    try:
        _write(macro, asked, folder, say, told)
    except BaseException:
        shutil.rmtree(str(folder), ignore_errors=True)
        raise
    written = f"Farm job written: {folder}."
    if not hook.is_named(environment):
        return f"{written} {hook.NOBODY}"
    say(f"{written} Sending it.")
    return f"{written} {hook.submit(folder, environment)}"


def _write(macro: Macro, asked: Asked, folder: Path, say: Told, told: Told) -> None:
    spec, output = plan.unattended(asked.shot.spec), asked.shot.output
    inputs = {role: plan.input_in(spec.shot, role) for role in spec.roles}
    files: List[Path] = []
    digests: Dict[Role, List[str]] = {role: [] for role in spec.roles}
    marked, rendered = False, folder / "rendered"
    try:
        rendered.mkdir()
        for number, made in export(macro, asked, rendered, say, told):
            marked = marked or not unmarked(made)
            for role, file in made.items():
                path = folder / (inputs[role] % number)
                path.parent.mkdir(parents=True, exist_ok=True)
                digests[role].append(codec.digest(file.read_bytes()))
                file.replace(path)
                files.append(path)
        shutil.rmtree(str(rendered))
    except OSError as error:
        raise unwritable(folder, error) from None
    if not marked:
        raise EmptyMatte(
            f"The remove matte is black in all frames of {spec.frames}, so there is nothing for a farm to do: draw "
            "what goes, or choose the channel that holds it."
        )
    found = {role: tuple(of_role) for role, of_role in digests.items()}
    whole = plan.whole(spec, inputs, found, output)
    night = Plan(f"{spec.shot}_v{asked.shot.version:03d}", (whole,))
    bundle.write(folder, night, needs=bundle.Needs.of(night), inputs=files, outputs=[Path(output).parent])
