"""The head of gizmos/VOID.gizmo, written from the table of knobs.

``python -m void_nuke.gizmo`` writes it into the file; the nodes below it are kept as they are drawn there.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import List, Union

from void_nuke.knobs import KNOBS, VALUELESS, Code, Knob

GIZMO = Path(__file__).parent.parent / "gizmos" / "VOID.gizmo"

HELP = (
    "Removes an object from a shot, and with it what the object did: shadow, reflection, the things it held.\n\n"
    "plate: the shot. remove: roto of what goes. affected: roto of everything that changes with it.\n"
    "Say what the empty scene looks like, look at show: overlay, press Remove."
)

_MISSING = (
    "The VOID plugin is not loaded here, so this button does nothing: "
    "add its folder to NUKE_PATH and start Nuke again."
)

_BARE = re.compile(r"[A-Za-z0-9_./:+-]+\Z")


def head() -> str:
    """Everything up to the line that closes the gizmo's own knobs, with it."""
    lines = [
        "version 14.0 v1",
        "Gizmo {",
        " inputs 3",
        f" help {word(HELP)}",
        f" knobChanged {word(_call('knob_changed', 'nuke.thisNode(), nuke.thisKnob()', 'pass'))}",
        " tile_color 0x3f6b8fff",
    ]
    for knob in KNOBS:
        lines.append(f" addUserKnob {{{_definition(knob)}}}")
        if knob.value is not None and knob.code not in VALUELESS:
            lines.append(f" {knob.name} {_value(knob.value)}")
    return "\n".join([*lines, "}", ""])


def with_head(text: str) -> str:
    """``text`` of a gizmo, with the head of the table in place of its own."""
    _, closing, nodes = text.partition("\n}\n")
    if not closing:
        raise ValueError("The file has no closing brace on a line of its own: it is no gizmo.")
    return head() + nodes


def word(text: str) -> str:
    """``text`` as one word of Tcl that nothing in it can change."""
    if _BARE.match(text):
        return text
    escaped = re.sub(r'([\\"\[\]{}$])', r"\\\1", text).replace("\n", "\\n")
    return f'"{escaped}"'


def _definition(knob: Knob) -> str:
    if knob.code is Code.TEXT and not knob.label:
        return f'{knob.code.value} {knob.name} l ""'
    parts = [str(knob.code.value), knob.name]
    if knob.label:
        parts += ["l", word(knob.label)]
    if knob.tip:
        parts += ["t", word(knob.tip)]
    if knob.choices:
        parts += ["M", "{" + " ".join(word(choice) for choice in knob.choices) + "}"]
    if knob.link:
        parts += ["T", knob.link]
    if knob.press:
        parts += ["T", word(_call(knob.press, "nuke.thisNode()", f'nuke.message("{_MISSING}")'))]
    if knob.code is Code.TEXT:
        parts += ["T", word(str(knob.value))]
    if knob.slider is not None:
        parts += ["R", *(f"{end:g}" for end in knob.slider)]
    if knob.hidden:
        parts.append("+INVISIBLE")
    elif knob.code is not Code.TAB:
        parts.append("-STARTLINE" if knob.same_line else "+STARTLINE")
    return " ".join(parts)


def _value(value: Union[str, bool, int, float]) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value if value.startswith("{") else word(value)
    return str(value)


def _call(function: str, arguments: str, otherwise: str) -> str:
    lines: List[str] = [
        "try:",
        "    from void_nuke import buttons",
        "except ImportError:",
        f"    {otherwise}",
        "else:",
        f"    buttons.{function}({arguments})",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    GIZMO.write_text(with_head(GIZMO.read_text(encoding="utf-8")), encoding="utf-8")
