"""A bundle: the folder that goes to a farm, as Open Job Description and AWS Deadline Cloud lay one out."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Iterable, List, Mapping, Optional, Tuple

from void_farm import plan as plans
from void_farm.plan import Plan
from void_wire import codec
from void_wire.errors import ProtocolError, SettingsError
from void_wire.files import write_whole

TEMPLATE, VALUES, ASSETS = "template.yaml", "parameter_values.yaml", "asset_references.yaml"
HANDLING = "handling.json"
SEGMENTS = "segments"
"""The folder in a bundle where each segment's frames and record lie, in one of its own."""

_CAPABILITY = re.compile(r"amount(\.[A-Za-z_][A-Za-z0-9_]*){1,8}\Z")
_NAME_LENGTH = 64


@dataclass(frozen=True)
class Needs:
    """What a node must have to be given a segment."""

    gpus: int = 1
    gpu_memory_mib: int = 40_960
    memory_mib: int = 32_768
    licence: str = (
        ""  # the farm's name for one that each task holds, for example amount.licence.void; "": none
    )

    def __post_init__(self) -> None:
        for name, low in (("gpus", 0), ("gpu_memory_mib", 0), ("memory_mib", 512)):
            if not low <= getattr(self, name) <= 2**31:
                raise SettingsError(f"{name} is {getattr(self, name)}: give {low} or more.")
        _check_capability(self.licence)

    @staticmethod
    def of(plan: Plan) -> "Needs":
        """What is asked for a plan unless somebody says otherwise: a GPU for the model, none for engine draft."""
        return Needs(gpus=int(any(shot.spec.engine == "void" for shot in plan.shots)))

    def amounts(self) -> List[Tuple[str, int]]:
        """Of Open Job Description: name -> least."""
        found = [("amount.worker.memory", self.memory_mib)]
        if self.gpus:
            found += [("amount.worker.gpu", self.gpus), ("amount.worker.gpu.memory", self.gpu_memory_mib)]
        if self.licence:
            found.append((self.licence, 1))
        return found


@dataclass(frozen=True)
class Export:
    """A command that renders plates and mattes before anything else is done."""

    command: Tuple[str, ...]
    licence: str = ""  # the farm's name for the host's licence, for example amount.licence.nuke_r

    def __post_init__(self) -> None:
        if not self.command:
            raise SettingsError("The export has no command: give one, or leave the export out.")
        _check_capability(self.licence)


@dataclass(frozen=True)
class Handling:
    """What stands in the template beside the plan, for engines that do not take one."""

    needs: Needs
    export: Optional[Export]
    weights: str  # the model's folder on the nodes; "": each node knows its own


def read_handling(folder: Path) -> Handling:
    """Of a bundle. Raises SettingsError when it cannot be read."""
    path = folder / HANDLING
    try:
        return codec.from_map(json.loads(path.read_text(encoding="utf-8")), Handling)
    except (OSError, ValueError, ProtocolError) as error:
        raise SettingsError(
            f"{path} cannot be read ({error}): write the bundle anew (void farm write)."
        ) from None


def write(
    folder: Path,
    plan: Plan,
    *,
    needs: Needs,
    inputs: Iterable[Path],
    outputs: Iterable[Path],
    weights: str = "",
    export: Optional[Export] = None,
) -> Path:
    """Write the bundle; returns its plan's path. The folder may exist, a plan in it may not.

    Args:
        folder: of the bundle.
        plan: what is done.
        needs: of a node.
        inputs: files that the tasks read, for farms that bring them to their nodes.
        outputs: folders that the tasks write beside the bundle's own.
        weights: the model's folder on the nodes; "": each node knows its own.
        export: what is run first.

    Raises SettingsError when a bundle is there already, or the folder cannot be written.
    """
    check_free(folder)
    path = folder / plans.NAME
    count = len(plan.tasks())
    values = {
        "JobName": plan.name[:_NAME_LENGTH],
        "Segments": f"0-{count - 1}" if count > 1 else "0",
        "Weights": weights,
    }
    references = {
        "assetReferences": {
            "inputs": {"filenames": sorted({str(file) for file in inputs} | {str(path)}), "directories": []},
            "outputs": {"directories": sorted({str(one) for one in (folder, *outputs)})},
            "referencedPaths": [],
        }
    }
    given = [{"name": name, "value": value} for name, value in {**values, "Plan": str(path)}.items()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / TEMPLATE, template(values, needs, export).encode())
        write_whole(folder / VALUES, _json({"parameterValues": given}))
        write_whole(folder / ASSETS, _json(references))
        write_whole(folder / HANDLING, _json(codec.to_map(Handling(needs, export, weights))))
        plans.write(path, plan)  # last: where it is, the bundle is whole
    except OSError as error:
        raise SettingsError(
            f"The bundle cannot be written to {folder} ({error.strerror}): choose another folder."
        ) from None
    return path


def check_free(folder: Path) -> None:
    """Raise SettingsError when a bundle is there already."""
    if (folder / plans.NAME).exists():
        raise SettingsError(f"{folder} holds a bundle already: choose another folder, or remove that one.")


def template(values: Mapping[str, str], needs: Needs, export: Optional[Export]) -> str:
    """The job template: ``values`` are its parameters' defaults."""
    step = ""
    if export is not None:
        command, *arguments = export.command
        step = _filled(
            "export_step.yaml",
            command=json.dumps(command),
            arguments=f"          args: {json.dumps(arguments)}" if arguments else "",
            requirements=_requirements([(export.licence, 1)] if export.licence else []),
        )
    return _filled(
        "template.yaml",
        name=json.dumps(values["JobName"]),
        segments=json.dumps(values["Segments"]),
        weights=json.dumps(values["Weights"]),
        export_step=step,
        after_export="    dependencies: [{dependsOn: export}]" if step else "",
        requirements=_requirements(needs.amounts()),
    )


def _filled(file: str, **values: str) -> str:
    """One of the YAML files beside this one; a line that is nothing but the name of an empty value is left out."""
    text = (Path(__file__).parent / file).read_text(encoding="utf-8")
    empty = {f"${name}" for name, value in values.items() if not value}
    return Template("\n".join(line for line in text.split("\n") if line not in empty)).substitute(values)


def _requirements(amounts: List[Tuple[str, int]]) -> str:
    lines = [f"        - {{name: {name}, min: {least}}}" for name, least in amounts]
    return "\n".join(["    hostRequirements:", "      amounts:", *lines]) if lines else ""


def _json(value: object) -> bytes:
    """JSON, which is YAML."""
    return (json.dumps(value, indent=2) + "\n").encode()


def _check_capability(name: str) -> None:
    if name and not _CAPABILITY.match(name):
        raise SettingsError(
            f"Licence {name!r} is no amount of Open Job Description: write it as amount.licence.nuke_r."
        )
