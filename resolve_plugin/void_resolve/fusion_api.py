"""The calls of Fusion that we make, and where each is written down: `fusionscript-stubs` knows Resolve's only.

Sources: [SG] Fusion 8 Scripting Guide and Reference, Blackmagic Design, 2016; [VP] VFXPedia, Eyeon:Script reference;
[AF] github.com/ynput/ayon-fusion, which runs in studios; [RM] DaVinci Resolve Reference Manual 18.6;
[MC] github.com/samuelgursky/davinci-resolve-mcp, docs/reference/api-limitations.md, measured in 19.1 to 21.1.

All of these objects are proxies of another process. Any name of theirs is callable, so nothing can be asked of them by
looking whether it is there; tables come as dicts that count from 1; what fails gives None or False and raises nothing.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Protocol


class Output(Protocol):
    """One output of a tool. [SG] Output."""

    def GetTool(self) -> "Tool":  # noqa: N802
        """The tool it belongs to. [SG] Link.GetTool."""


class Input(Protocol):
    """One input of a tool. [SG] Input."""

    def GetConnectedOutput(self) -> Optional[Output]:  # noqa: N802
        """What feeds it; None when nothing does. [SG] Input.GetConnectedOutput."""

    def ConnectTo(self, output: Optional[Output]) -> Optional[bool]:  # noqa: N802
        """Feed it by ``output``; None leaves it open. [SG] Input.ConnectTo."""


class Tool(Protocol):
    """A tool of a comp: a macro, a Loader, a Saver. [SG] Operator."""

    Name: str
    """[SG] Operator.Name."""

    def GetAttrs(self) -> Optional[Dict[str, Any]]:  # noqa: N802
        """TOOLS_Name, TOOLS_RegID, TOOLB_PassThrough, TOOLI_ImageWidth, TOOLIT_Clip_Length. [VP] Tool attributes."""

    def SetAttrs(self, attributes: Mapping[str, Any]) -> None:  # noqa: N802
        """Set some of them. [AF] TOOLS_Name with TOOLB_NameSet; TOOLB_PassThrough."""

    def GetInput(self, name: str, time: float = ...) -> Any:  # noqa: N802
        """Value of an input by its id, None for an unknown one. [SG] Operator.GetInput."""

    def SetInput(self, name: str, value: Any, time: float = ...) -> None:  # noqa: N802
        """Set it. A macro's go by the key they are published under. [SG] Operator.SetInput."""

    def FindMainInput(self, at: int) -> Optional[Input]:  # noqa: N802
        """Main input, counted from 1. [SG] Operator.FindMainInput."""

    def FindMainOutput(self, at: int) -> Optional[Output]:  # noqa: N802
        """Main output, counted from 1. [SG] Operator.FindMainOutput."""

    def SetData(self, name: str, value: Any) -> None:  # noqa: N802
        """Keep a number, text or dict with the tool, in the project. [SG] Object.SetData, [AF]."""

    def GetData(self, name: str) -> Any:  # noqa: N802
        """What was kept, None when nothing was. [SG] Object.GetData."""

    def Delete(self) -> None:  # noqa: N802
        """Take it out of the comp. [SG] Operator.Delete."""


class Comp(Protocol):
    """A composition. [SG] Composition."""

    ActiveTool: Optional[Tool]
    """[SG] Composition.ActiveTool."""

    def GetAttrs(self) -> Optional[Dict[str, Any]]:  # noqa: N802
        """COMPN_GlobalStart, COMPN_RenderStart (in Resolve perhaps ...Time), COMPS_FileName, COMPS_Name. [VP], [MC]."""

    def SetAttrs(self, attributes: Mapping[str, Any]) -> None:  # noqa: N802
        """Set some of them. [AF] update_frame_range."""

    def GetPrefs(self, name: str) -> Any:  # noqa: N802
        """Comp.FrameFormat: a dict with Width and Height. [SG] Composition.GetPrefs."""

    def GetToolList(self, selected: bool, kind: str = ...) -> Optional[Dict[float, Tool]]:  # noqa: N802
        """Its tools, of one class. [SG] Composition.GetToolList."""

    def FindTool(self, name: str) -> Optional[Tool]:  # noqa: N802
        """By its name. [SG] Composition.FindTool."""

    def AddTool(self, kind: str, x: int, y: int) -> Optional[Tool]:  # noqa: N802
        """A new tool; at -32768, -32768 where there is room, wired to the active one. [SG], [AF]."""

    def SetActiveTool(self, tool: Optional[Tool]) -> None:  # noqa: N802
        """None: none is. [SG] Composition.SetActiveTool."""

    def Lock(self) -> None:  # noqa: N802
        """No windows and no redraw until Unlock. What is set meanwhile may not be rendered. [SG], [MC]."""

    def Unlock(self) -> None:  # noqa: N802
        """[SG] Composition.Unlock."""

    def StartUndo(self, name: str) -> None:  # noqa: N802
        """Gather what follows into one step. [SG] Composition.StartUndo."""

    def EndUndo(self, keep: bool) -> None:  # noqa: N802
        """End the step; False: it is not among those that can be undone. [VP] Composition.EndUndo."""

    def Render(self, options: Mapping[str, Any]) -> Optional[bool]:  # noqa: N802
        """Render every Saver: Start, End, Wait, RenderFlags. Whether it was completed. [SG], [AF]."""

    def RunScript(self, path: str) -> None:  # noqa: N802
        """Start a script in a process of its own; returns at once. [SG] Composition.RunScript."""

    def Execute(self, lua: str) -> None:  # noqa: N802
        """Run Lua within Fusion. [SG] Composition.Execute."""


class Fusion(Protocol):
    """The application. [SG] Fusion."""

    Test: Any
    """None once the application is gone. [AF] pulse.py."""

    UIManager: Any
    """Fusion's own windows; None in Resolve without Studio since 19.1. [VP] UIManager."""

    def GetCurrentComp(self) -> Optional[Comp]:  # noqa: N802
        """The one that is open; in Resolve None while no clip is open on the Fusion page. [SG]."""
