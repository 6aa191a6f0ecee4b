"""A comp: its tools, which of them are ours, steps of undo, what it says of its frames."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Iterator, List, Mapping, Optional

from void_resolve.fusion_api import Comp, Tool
from void_resolve.macro import MARK
from void_resolve.timing import CompRange
from void_wire.errors import SettingsError

_SOMEWHERE = -32768
"""Place of a new tool: where there is room."""


@dataclass(frozen=True)
class SourceTool:
    """A tool that a macro can be placed on."""

    tool: Tool
    name: str
    is_mask: bool


def add_tool(comp: Comp, kind: str, name: str) -> Tool:
    """A new tool that is wired to nothing, and does not become the active one. Raises SettingsError.

    It is made under Lock: a Loader or Saver would ask for its file in a window.
    """
    active = active_tool(comp)
    comp.SetActiveTool(None)
    comp.Lock()
    try:
        tool = comp.AddTool(kind, _SOMEWHERE, _SOMEWHERE)
    finally:
        comp.Unlock()
        comp.SetActiveTool(active)
    if tool is None:
        raise SettingsError(f"Fusion adds no {kind} to this comp: is the clip still open on the Fusion page?")
    tool.SetAttrs({"TOOLS_Name": name, "TOOLB_NameSet": True})
    return tool


def active_tool(comp: Comp) -> Optional[Tool]:
    """The active tool. Where there is none, its name gives what any name does, which has no attributes."""
    try:
        active = comp.ActiveTool
        return active if active is not None and (active.GetAttrs() or {}).get("TOOLS_Name") else None
    except (AttributeError, TypeError):
        return None


def is_ours(tool: Tool) -> bool:
    """Whether it is a macro of ours."""
    kind = (tool.GetAttrs() or {}).get("TOOLS_RegID")
    return kind in ("MacroOperator", "GroupOperator") and tool.GetInput(MARK) is not None


def our_tools(comp: Comp, selected: bool) -> List[Tool]:
    """The macros of ours; ``selected``: those that are selected."""
    found: List[Tool] = []
    for kind in ("MacroOperator", "GroupOperator"):
        found += [tool for tool in (comp.GetToolList(selected, kind) or {}).values() if is_ours(tool)]
    return found


@contextmanager
def undo_step(comp: Comp, name: str, keep: bool) -> Iterator[None]:
    """One step of undo, or with ``keep`` False none. Values set within it are rendered, locked or not."""
    comp.StartUndo(name)
    try:
        yield
    finally:
        comp.EndUndo(keep)


def comp_range(comp: Comp) -> CompRange:
    """What it says of its frames. Raises SettingsError."""
    attributes = comp.GetAttrs() or {}
    return CompRange(
        _number(attributes, "COMPN_GlobalStart"),
        _number(attributes, "COMPN_GlobalEnd"),
        _number(attributes, "COMPN_RenderStart", "COMPN_RenderStartTime"),
        _number(attributes, "COMPN_RenderEnd", "COMPN_RenderEndTime"),
    )


def _number(attributes: Mapping[str, Any], *names: str) -> int:
    """Of the first name that is there: Resolve and Fusion do not call all of them the same."""
    for name in names:
        if attributes.get(name) is not None:
            return int(attributes[name])
    raise SettingsError(f"The comp does not say its {names[0]}: close and open the clip on the Fusion page.")
