"""A macro as it is at one moment -> a job, or everything that is wrong with it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Mapping, Optional, Tuple

from void_host.address import server_address
from void_host.inputs import unconnected
from void_host.job import job_spec, shot_name
from void_host.output import next_path, tokens
from void_host.problems import Problems
from void_host.shot import Shot
from void_resolve.colour import Management, space
from void_resolve.controls import box_in
from void_resolve.timing import Timing
from void_wire.errors import SettingsError, ShotError


@dataclass(frozen=True)
class Seen:
    """A macro as it is at one moment, and all that is known of its comp and project."""

    name: str
    script: str  # a path named as the comp or project; without a folder where it has none
    values: Mapping[str, Any]  # control -> value, as `controls.values_of` gives them
    connected: Tuple[str, ...]  # inputs
    size: Optional[Tuple[int, int]]  # width and height of the plate
    timing: Timing
    colour: Optional[Management]  # None in standalone Fusion

    @property
    def depth(self) -> str:
        """Of the plate's EXR, of `controls.DEPTHS`."""
        return str(self.values["plate_depth"])

    @property
    def height_px(self) -> int:
        """Of the plate; 0 while it is not known."""
        return self.size[1] if self.size is not None else 0


@dataclass(frozen=True)
class Asked:
    """One removal as the editor asked for it. The job's frames are numbered as ``timing`` says."""

    shot: Shot
    timing: Timing
    depth: str  # of the plate's EXR, of `controls.DEPTHS`
    warnings: List[str]
    height_px: int  # of the plate; 0 while it is not known

    @property
    def first(self) -> int:
        """First frame in the comp's numbers."""
        return self.timing.to_comp(self.shot.spec.frames.first)

    @property
    def last(self) -> int:
        """Last frame in the comp's numbers."""
        return self.timing.to_comp(self.shot.spec.frames.last)


def ask(seen: Seen, environment: Mapping[str, str]) -> Asked:
    """The removal that a macro asks for.

    Raises one VoidError that names everything to be mended; nothing was rendered or sent by then.
    """
    problems = Problems(unconnected(seen.connected))
    warnings: List[str] = []
    values, timing, handles = dict(seen.values), seen.timing, int(seen.values["handles"])
    with problems.noted():
        found = space(seen.colour, str(values["colorspace"]))
        values["colorspace"] = found.name
        warnings += [found.warning] if found.warning else []
    if timing.retimed:
        warnings.append("The clip is retimed, so frames are numbered as the Fusion page counts them.")
    first, last = timing.wanted(int(values["first"]), int(values["last"]))
    if first - handles < timing.first or last + handles > timing.last:
        problems.add(
            ShotError(
                f"The range {first}-{last} with {handles} frames of handles leaves what the clip has, which goes from "
                f"{timing.first} to {timing.last} as the Fusion page counts: shorten it, or the handles."
            )
        )
    values["first"], values["last"] = timing.to_job(first), timing.to_job(last)
    with problems.noted():
        address = server_address(str(values["server"]), environment)
    with problems.noted():
        path, version = _output(seen, environment)
    with problems.noted():
        spec = job_spec(values, shot_name(seen.script, seen.name), box_in(values, seen.size), seen.size)
    problems.say()
    shot = Shot(seen.name, address, path, version, spec, size=seen.size)
    return Asked(shot, timing, seen.depth, warnings, seen.height_px)


def _output(seen: Seen, environment: Mapping[str, str]) -> Tuple[str, int]:
    """Where the next result goes, and its version. Raises SettingsError."""
    script = Path(environment.get("VOID_OUTPUT", "")) / seen.script
    if not script.is_absolute():
        raise SettingsError(
            "There is no folder for results yet: save the comp, or in Resolve set the environment variable "
            "VOID_OUTPUT, because this clip has no file that they could lie beside."
        )
    return next_path(str(seen.values["output"]), tokens(str(script), seen.name, environment))
