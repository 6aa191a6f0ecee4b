"""A macro as it is at one moment -> a job, or everything that is wrong with it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from void_host.shot import Shot
from void_nuke.snapshot import NodeState, take
from void_resolve.colour import Management, space
from void_resolve.timing import Timing
from void_wire.errors import SettingsError, ShotError, VoidError


@dataclass(frozen=True)
class Seen:
    """A macro as it is at one moment, and all that is known of its comp and project."""

    state: NodeState
    timing: Timing
    colour: Optional[Management]  # None in standalone Fusion
    depth: str  # of DEPTHS


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
    problems: List[VoidError] = []
    warnings: List[str] = []
    values: Dict[str, Any] = dict(seen.state.values)
    try:
        found = space(seen.colour, str(values["colorspace"]))
        values["colorspace"] = found.name
        warnings += [found.warning] if found.warning else []
    except SettingsError as error:
        problems.append(error)
    script = Path(environment.get("VOID_OUTPUT", "")) / seen.state.script
    if not script.is_absolute():
        problems.append(
            SettingsError(
                "There is no folder for results yet: save the comp, or in Resolve set the environment variable "
                "VOID_OUTPUT, because this clip has no file that they could lie beside."
            )
        )
        script = Path("/") / script
    timing, handles = seen.timing, int(values["handles"])
    if timing.retimed:
        warnings.append("The clip is retimed, so frames are numbered as the Fusion page counts them.")
    first, last = timing.wanted(int(values["first"]), int(values["last"]))
    if first - handles < timing.first or last + handles > timing.last:
        problems.append(
            ShotError(
                f"The range {first}-{last} with {handles} frames of handles leaves what the clip has, which goes from "
                f"{timing.first} to {timing.last} as the Fusion page counts: shorten it, or the handles."
            )
        )
    values["first"], values["last"] = timing.to_job(first), timing.to_job(last)
    try:
        shot = take(replace(seen.state, values=values, script=str(script)), environment)
    except VoidError as error:
        raise _together([*problems, error]) from None
    if problems:
        raise _together(problems)
    return Asked(shot, timing, seen.depth, warnings, seen.state.formats.get("plate", (0, 0))[1])


def _together(problems: List[VoidError]) -> VoidError:
    return type(problems[0])("\n".join(str(problem) for problem in problems))
