"""Resolve or Fusion itself: the comp that is open, the clip it is of, the project, and our macros in it."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Tuple

from void_resolve.colour import SETTINGS, management
from void_resolve.controls import values_of
from void_resolve.fusion_api import Comp, Fusion, Output
from void_resolve.host.comp import SourceTool, active_tool, comp_range, is_ours, our_tools
from void_resolve.host.macro import Macro
from void_resolve.macro import INPUTS
from void_resolve.shot import Seen
from void_resolve.timing import ClipRange, CompRange, timing
from void_wire.errors import SettingsError, ShotError

if TYPE_CHECKING:
    from fusionscript import Project, Resolve, TimelineItem

_PASTE_S = 5.0
"""Lua that Fusion was given may run a moment later."""


class Host:
    """Fusion as the script sees it. ``resolve`` is None in standalone Fusion."""

    def __init__(self, fusion: Fusion, resolve: "Optional[Resolve]" = None) -> None:
        self._fusion, self._resolve = fusion, resolve

    def alive(self) -> bool:
        """Whether the application is still there: this process outlives it otherwise."""
        return self._fusion.Test is not None

    def free_edition(self) -> bool:
        """Whether this is Resolve without Studio."""
        return self._resolve is not None and "Studio" not in str(self._resolve.GetProductName() or "Studio")

    @property
    def name(self) -> str:
        """What artists call it."""
        return "Fusion" if self._resolve is None else "Resolve"

    def application(self) -> str:
        """Name and version."""
        if self._resolve is None:
            return "Fusion"
        return f"{self._resolve.GetProductName()} {self._resolve.GetVersionString()}"

    def windows(self) -> Any:
        """Fusion's own windows (UIManager), None where it has none: the free edition since 19.1."""
        return self._fusion.UIManager

    def macros(self) -> List[Macro]:
        """Ours in the comp that is open. Raises SettingsError when none is."""
        comp = self.comp()
        return [Macro(comp, tool) for tool in our_tools(comp, selected=False)]

    def chosen_macro(self) -> Optional[Macro]:
        """The active or selected one, or the only one there is."""
        comp = self.comp()
        active = active_tool(comp)
        if active is not None and is_ours(active):
            return Macro(comp, active)
        found = our_tools(comp, selected=True) or our_tools(comp, selected=False)
        return Macro(comp, found[0]) if len(found) == 1 else None

    def selection(self) -> List[SourceTool]:
        """The selected tools that are none of ours; the active one first."""
        comp = self.comp()
        tools = [tool for tool in (comp.GetToolList(True) or {}).values() if not is_ours(tool)]
        active = active_tool(comp)
        if active is not None and not is_ours(active):
            tools = [active, *(tool for tool in tools if tool.Name != active.Name)]
        return [
            SourceTool(
                tool, tool.Name, str((tool.GetAttrs() or {}).get("TOOLS_RegID") or "").endswith("Mask")
            )
            for tool in tools
        ]

    def find_tool(self, name: str) -> SourceTool:
        """By its name. Raises ShotError when there is none."""
        tool = self.comp().FindTool(name)
        if tool is None:
            raise ShotError(f"There is no tool {name} in the comp: write its name as the node view shows it.")
        return SourceTool(tool, name, str((tool.GetAttrs() or {}).get("TOOLS_RegID") or "").endswith("Mask"))

    def place(self, setting: Path) -> Macro:
        """Put a new macro into the comp. Raises SettingsError when Fusion does not do it."""
        comp = self.comp()
        before = {tool.Name for tool in our_tools(comp, selected=False)}
        comp.SetActiveTool(None)  # a pasted tool wires itself to the active one
        comp.Execute(f"comp:Paste(bmd.readfile({json.dumps(setting.as_posix())}))")
        end_s = time.monotonic() + _PASTE_S
        while time.monotonic() < end_s:
            for tool in our_tools(comp, selected=False):
                if tool.Name not in before:
                    return Macro(comp, tool)
            time.sleep(_PASTE_S / 20)
        raise SettingsError(f"Fusion did not take the macro: drag {setting} into the node view.")

    def see(self, macro: Macro) -> Seen:
        """Everything a job needs, read once."""
        item = self._item()
        plate = macro.source("plate")
        settings = self.project_settings()
        return Seen(
            name=macro.name,
            script=self._script(self._project(), item),
            values=values_of(macro.read()),
            connected=tuple(name for name in INPUTS if macro.source(name) is not None),
            size=self._size(plate) if plate is not None else None,
            timing=timing(self.comp_range(), self.clip()),
            colour=management(settings) if settings is not None else None,
        )

    def clip(self) -> Optional[ClipRange]:
        """What the timeline says of the clip at the playhead; None without one, or without a file."""
        item = self._item()
        return _clip(item) if item is not None else None

    def project_settings(self) -> Optional[Dict[str, str]]:
        """Of the project's colour; None in standalone Fusion."""
        project = self._project()
        if project is None:
            return None
        return {name: str(project.GetSetting(name) or "") for name in SETTINGS}

    # --- inside ------------------------------------------------------------------------------------------------

    def comp(self) -> Comp:
        """The one that is open. Raises SettingsError when none is."""
        comp = self._fusion.GetCurrentComp()
        if comp is None:
            raise SettingsError("No comp is open: open the clip on the Fusion page, and start VOID again.")
        return comp

    def comp_range(self) -> CompRange:
        """What the open comp says of its frames."""
        return comp_range(self.comp())

    def _size(self, output: Output) -> Tuple[int, int]:
        """Of a tool's picture; before it was ever rendered that of the comp."""
        attributes = output.GetTool().GetAttrs() or {}
        width, height = attributes.get("TOOLI_ImageWidth"), attributes.get("TOOLI_ImageHeight")
        if not width or not height:
            frame = self.comp().GetPrefs("Comp.FrameFormat") or {}
            width, height = frame.get("Width"), frame.get("Height")
        return int(width or 0), int(height or 0)

    def _project(self) -> "Optional[Project]":
        if self._resolve is None:
            return None
        manager = self._resolve.GetProjectManager()
        project = manager.GetCurrentProject() if manager is not None else None
        if project is None:
            raise SettingsError("Resolve has no project open: open one, and start VOID again.")
        return project

    def _item(self) -> "Optional[TimelineItem]":
        project = self._project()
        timeline = project.GetCurrentTimeline() if project is not None else None
        return timeline.GetCurrentVideoItem() if timeline is not None else None

    def _script(self, project: "Optional[Project]", item: "Optional[TimelineItem]") -> str:
        """A path named as the comp or project, for results to lie beside; without a folder where there is none."""
        attributes = self.comp().GetAttrs() or {}
        if project is None:
            return str(attributes.get("COMPS_FileName") or "comp")
        pool_item = item.GetMediaPoolItem() if item is not None else None
        clip = str(pool_item.GetClipProperty("File Path") or "") if pool_item is not None else ""
        name = re.sub(r"[^A-Za-z0-9_-]", "_", str(project.GetName() or "project"))
        folder = Path(clip).parent
        return (folder / name).as_posix() if folder.is_absolute() else name


def _clip(item: "TimelineItem") -> Optional[ClipRange]:
    first, last = item.GetSourceStartFrame(), item.GetSourceEndFrame()
    if (
        first is None or last is None
    ):  # a generator or a title: there is no file whose frames could be counted
        return None
    return ClipRange(
        int(first),
        int(last),
        int(item.GetDuration(False)),
        int(item.GetLeftOffset(False) or 0),
        int(item.GetRightOffset(False) or 0),
    )


def connect(given: Mapping[str, Any]) -> Host:
    """The application that started this script, or the one that runs on this machine.

    Args:
        given: the script's globals, where a menu puts ``resolve`` and ``fusion``.

    Raises:
        SettingsError: none can be reached.
    """
    resolve, fusion = given.get("resolve"), given.get("fusion") or given.get("fu")
    if resolve is None and fusion is None:
        try:
            import DaVinciResolveScript as Script

            resolve = Script.scriptapp("Resolve")
            fusion = Script.scriptapp("Fusion") if resolve is None else None
        except ImportError:
            pass
    if fusion is None and resolve is not None:
        fusion = resolve.Fusion()
    if fusion is None:
        raise SettingsError(
            "Neither Resolve nor Fusion can be reached: start VOID from Workspace > Scripts. From outside, Studio is "
            "needed, with Preferences > System > General > External scripting using: Local."
        )
    return Host(fusion, resolve)
