"""A macro as it is at one moment -> a job, or everything that is wrong with it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from void_nuke.snapshot import NodeState, ShotSnapshot, take
from void_resolve.colour import Management, space
from void_resolve.timing import Timing
from void_wire.errors import SettingsError, VoidError


@dataclass(frozen=True)
class Seen:
    """A macro as it is at one moment, and all that is known of its comp and project."""

    state: NodeState
    timing: Timing
    colour: Optional[Management]  # None in standalone Fusion
    depth: str  # of DEPTHS


@dataclass(frozen=True)
class Shot:
    """One removal as the editor asked for it. The job's frames are numbered as ``timing`` says."""

    snapshot: ShotSnapshot
    timing: Timing
    depth: str  # of the plate's EXR, of `controls.DEPTHS`
    warnings: List[str]
    height_px: int  # of the plate; 0 while it is not known

    @property
    def first(self) -> int:
        """First frame in the comp's numbers."""
        return self.timing.to_comp(self.snapshot.spec.frames.first)

    @property
    def last(self) -> int:
        """Last frame in the comp's numbers."""
        return self.timing.to_comp(self.snapshot.spec.frames.last)


def ask(seen: Seen, environment: Mapping[str, str]) -> Shot:
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
    if seen.timing.retimed:
        warnings.append("The clip is retimed, so frames are numbered as the Fusion page counts them.")
    first, last = seen.timing.wanted(int(values["first"]), int(values["last"]))
    values["first"], values["last"] = seen.timing.to_job(first), seen.timing.to_job(last)
    try:
        snapshot = take(replace(seen.state, values=values, script=str(script)), environment)
    except VoidError as error:
        raise _together([*problems, error]) from None
    if problems:
        raise _together(problems)
    height = seen.state.formats.get("plate", (0, 0))[1]
    return Shot(snapshot, seen.timing, seen.depth, warnings, height)


def _together(problems: List[VoidError]) -> VoidError:
    return type(problems[0])("\n".join(str(problem) for problem in problems))
