"""An export: Savers of ours that render beside everybody else's, and are gone after it."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, Tuple

from void_resolve.controls import DEPTHS
from void_resolve.fusion_api import Comp, Output, Tool
from void_resolve.host.comp import add_tool, undo_step
from void_wire.errors import SettingsError

ROLES = ("plate", "mattes")

QUIET = 524288
"""REQF_Quiet: no window says that a render is over. Whether Resolve keeps to it is for the self-test to find out."""

_EXR_DEPTH = {DEPTHS[0]: 1, DEPTHS[1]: 2}
_ZIPS = 2


def render(comp: Comp, sources: Sequence[Output], folder: Path, first: int, last: int, depth: str) -> None:
    """Render the outputs of `ROLES` for the comp's frames ``first`` to ``last`` into ``folder``. Blocks; see `files`.

    The comp is as before after it, and undo has no step of it. Raises SettingsError when Fusion does not render.
    """
    with undo_step(comp, "VOID export", keep=False), _only_ours(comp), _range_kept(comp):
        savers: List[Tool] = []
        try:
            for role, output in zip(ROLES, sources):
                savers.append(_saver(comp, role, output, folder, _EXR_DEPTH[depth]))
            options = {"Start": first, "End": last, "Wait": True, "RenderFlags": QUIET}
            if not comp.Render(options):
                raise SettingsError(
                    "Fusion did not render plate and mattes: it was cancelled there, or a tool above the macro is "
                    "in error. Look at the Console, mend that, and press Remove again."
                )
        finally:
            for saver in savers:
                saver.Delete()


def files(folder: Path, frame: int) -> Dict[str, Path]:
    """What an export made of the comp's frame: role -> file. Fusion writes the number as wide as the digits given."""
    return {role: folder / f"{role}_{frame:04d}.exr" for role in ROLES}


def _saver(comp: Comp, role: str, source: Output, folder: Path, depth: int) -> Tool:
    saver = add_tool(comp, "Saver", f"VOID_{role}")
    values: Sequence[Tuple[str, Any]] = (
        ("Clip", str(folder / f"{role}_0000.exr")),  # the digits say how wide the number is
        ("CreateDir", 1),
        ("OutputFormat", "OpenEXRFormat"),
        ("OpenEXRFormat.Depth", depth),
        ("OpenEXRFormat.Compression", _ZIPS),
    )
    for name, value in values:
        saver.SetInput(name, value)
    pin = saver.FindMainInput(1)
    if pin is None or pin.ConnectTo(source) is False:
        saver.Delete()
        raise SettingsError(
            f"A Saver cannot be connected to the {role}: is the macro wired as it was placed?"
        )
    return saver


@contextmanager
def _only_ours(comp: Comp) -> Iterator[None]:
    """Savers that are there now render nothing meanwhile."""
    muted = [
        saver
        for saver in (comp.GetToolList(False, "Saver") or {}).values()
        if not (saver.GetAttrs() or {}).get("TOOLB_PassThrough")
    ]
    try:
        for saver in muted:
            saver.SetAttrs({"TOOLB_PassThrough": True})
        yield
    finally:
        for saver in muted:
            saver.SetAttrs({"TOOLB_PassThrough": False})


@contextmanager
def _range_kept(comp: Comp) -> Iterator[None]:
    """The comp's render range and frame are what they were, whatever a render does to them."""
    names = (
        "COMPN_RenderStart",
        "COMPN_RenderEnd",
        "COMPN_RenderStartTime",
        "COMPN_RenderEndTime",
        "COMPN_CurrentTime",
    )
    before = comp.GetAttrs() or {}
    try:
        yield
    finally:
        after = comp.GetAttrs() or {}
        changed = {name: before[name] for name in names if before.get(name) != after.get(name)}
        if changed:
            comp.SetAttrs(changed)
