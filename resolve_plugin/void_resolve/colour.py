"""The space that a project's frames arrive in on the Fusion page, from its colour management. Pure.

With RCM or ACES the Fusion page works in linear light of the timeline's gamut, and MediaOut converts back. Without
colour management it has the code values as they are in the file, and nobody but the artist knows what they mean.
[DaVinci Resolve manual, "Color management on the Fusion page"]
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Mapping, Optional

from void_wire.errors import SettingsError

SETTINGS = ("colorScienceMode", "colorSpaceTimeline", "colorSpaceTimelineGamma", "separateColorSpaceAndGamma")
"""Of a project, that are read."""

ASKED = "scene_linear"
"""What control colour space holds while nobody named one."""

_LINEAR = (
    (r"davinci ?wg|davinci wide ?gamut|davinci intermediate", "Linear DaVinci WideGamut"),
    (r"acescg|acescct|acescc|\bap1\b", "ACEScg"),
    (r"aces2065|\bap0\b|^aces$", "ACES2065-1"),
    (r"arri wide gamut 4|logc4", "Linear ARRI Wide Gamut 4"),
    (r"arri|alexa|logc", "Linear ARRI Wide Gamut 3"),
    (r"redwidegamut", "Linear REDWideGamutRGB"),
    (r"s-?gamut3\.cine", "Linear S-Gamut3.Cine"),
    (r"s-?gamut3", "Linear S-Gamut3"),
    (r"v-?gamut|panasonic", "Linear V-Gamut"),
    (r"cinema ?gamut|canon", "Linear CinemaGamut D55"),
    (r"blackmagic|bmd", "Linear BMD WideGamut Gen5"),
    (r"2020|2100", "Linear Rec.2020"),
    (r"p3", "Linear P3-D65"),
    (r"709|srgb|scene|hd", "Linear Rec.709 (sRGB)"),
)
"""Timeline's space as Resolve writes it (a pattern) -> its linear form in the ACES studio config of OCIO."""


@dataclass(frozen=True)
class Management:
    """What the project says. ``linear`` names the space of the Fusion page, None where nothing is managed."""

    said: str  # in Resolve's words
    linear: Optional[str]
    known: bool = True  # False: managed, in a space that has no name here


@dataclass(frozen=True)
class Space:
    """The space a plate is sent in, and what the artist is told of it: "" where all is well."""

    name: str
    warning: str = ""


def management(settings: Mapping[str, str]) -> Management:
    """What a project's ``settings`` (of `SETTINGS`) mean."""
    mode = settings.get("colorScienceMode") or ""
    timeline = settings.get("colorSpaceTimeline") or ""
    if mode in ("acescct", "acescc"):
        return Management(f"ACES ({mode})", "ACEScg")
    if mode.startswith("davinciYRGBColorManaged"):
        for pattern, linear in _LINEAR:
            if re.search(pattern, timeline.lower()):
                return Management(f"colour managed in {timeline}", linear)
        return Management(f"colour managed in {timeline or 'a space it does not name'}", None, known=False)
    return Management(f"not colour managed ({mode or 'no mode named'})", None)


def space(project: Optional[Management], named: str) -> Space:
    """The space to send a plate in.

    Args:
        project: None in standalone Fusion, which has no colour management of its own.
        named: control colour space.

    Raises:
        SettingsError: only the artist can know it, and it is not named.
    """
    named = named.strip()
    if project is not None and project.linear is not None:
        if named in ("", ASKED, project.linear):
            return Space(project.linear)
        return Space(
            named,
            f"The project is {project.said}, so frames arrive in {project.linear}, and {named} was named.",
        )
    if project is None:
        return Space(named or ASKED)
    if named in ("", ASKED):
        what = (
            "in a space that has no name here"
            if not project.known
            else "and frames arrive as the file has them"
        )
        raise SettingsError(
            f"The project is {project.said}, {what}: name the plate's space in colour space, for example "
            '"Gamma 2.4 Encoded Rec.709" or "ARRI LogC4", or turn colour management on.'
        )
    if not project.known:
        return Space(named)
    return Space(named, f"The project is {project.said}: the plate is sent as {named}, because you named it.")
