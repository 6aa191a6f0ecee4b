"""The only file that touches Fusion and Resolve. One thread at a time: the one that made the `Host`.

What is easily forgotten of them: every name of a proxy is callable, and a wrong one gives None; tables count from 1;
what fails gives None or False; a new tool wires itself to the active one; a new Loader or Saver asks for its file in a
window unless the comp is locked; a value set under Lock may be stored and not rendered; every Saver that is not passed
through renders; a new Clip takes a Loader's trims away.
"""

from __future__ import annotations

import json
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from void_resolve.colour import SETTINGS, management
from void_resolve.controls import CONTROLS, DEPTHS, Kind, values_of
from void_resolve.fusion_api import Comp, Fusion, Output, Tool
from void_resolve.macro import INPUTS, MARK
from void_resolve.shot import Seen
from void_resolve.timing import ClipRange, CompRange, timing
from void_wire.errors import SettingsError, ShotError

if TYPE_CHECKING:
    from fusionscript import Project, Resolve, TimelineItem

QUIET = 524288
"""REQF_Quiet: no window says that a render is over. Whether Resolve keeps to it is for the self-test to find out."""

_SOMEWHERE = -32768
"""Place of a new tool: where there is room."""

_PASTE_S = 5.0
"""Lua that Fusion was given may run a moment later."""

_EXR_DEPTH = {DEPTHS[0]: 1, DEPTHS[1]: 2}
_ZIPS = 2

TRIMS = (
    "GlobalIn",
    "GlobalOut",
    "ClipTimeStart",
    "ClipTimeEnd",
    "HoldFirstFrame",
    "HoldLastFrame",
    "Reverse",
    "Loop",
    "Depth",
    "TimeCodeOffset",
    "MissingFrames",
)
"""Of a Loader, that a new Clip resets."""

SCRIPT = "Scripts:Comp/VOID.py"
"""Where install/resolve.py puts the script, as Fusion writes paths."""

_PRESS_S = 60.0
"""A press that no script took by then is none."""

JOB, SERVER, OUTPUT, PRESS = "void.job", "void.server", "void.output", "void.press"
"""Kept in the macro's data, so a project that is opened again knows its job."""
_PLACED = "void.placed"
"""First and last frame that the Loader's trims belong to."""
_TRIMS = "void.trims"
"""The Loader's trims from before a job began to show its pictures."""


class Macro:
    """One of ours in a comp. It may be deleted at any time; then `there` is False and nothing else has an effect."""

    def __init__(self, comp: Comp, tool: Tool) -> None:
        self._comp, self.tool = comp, tool
        self._in_steps = False  # this Fusion takes back what is no step of undo

    @property
    def name(self) -> str:
        """As the artist named it; "" when it is gone."""
        return str((self.tool.GetAttrs() or {}).get("TOOLS_Name") or "")

    def there(self) -> bool:
        """Whether it is still in the comp."""
        return bool(self.name)

    def job(self) -> Tuple[str, str, str]:
        """Id of its job, the job's server, the path of its frames; "" where there is none yet."""
        job, server, output = (str(self.tool.GetData(name) or "") for name in (JOB, SERVER, OUTPUT))
        return job, server, output

    def keep_job(self, job: str, server: str, output: str) -> None:
        """Remember the job with the macro."""
        for name, value in ((JOB, job), (SERVER, server), (OUTPUT, output)):
            self.tool.SetData(name, value)

    def said(self) -> str:
        """What its status says."""
        return str(self.tool.GetInput("status") or "")

    def pressed(self) -> str:
        """Which of its buttons started this script; asked once. "" where none did, or long ago."""
        press, _, at_s = str(self.tool.GetData(PRESS) or "").partition("@")
        if not press:
            return ""
        self.tool.SetData(PRESS, "")
        return press if abs(time.time() - float(at_s)) < _PRESS_S else ""

    def press(self, button: str) -> None:
        """Have a script of its own do what a button of the macro does."""
        self.tool.SetData(PRESS, f"{button}@{int(time.time())}")
        self.activate()
        self._comp.RunScript(SCRIPT)

    def write(self, values: Mapping[str, Any]) -> None:
        """Set controls without a step of undo: progress is not the artist's work. Nothing when it is gone."""
        if not self.there():
            return

        def change() -> None:
            for name, value in values.items():
                self.tool.SetInput(name, value)

        self._quietly(
            "VOID status", change, lambda: all(self.tool.GetInput(n) == v for n, v in values.items())
        )

    def _quietly(self, what: str, change: Callable[[], None], took: Callable[[], bool]) -> None:
        """Make a change that is no step of undo; where that takes it back, one that is."""
        with _undo(self._comp, what, keep=self._in_steps):
            change()
        if not self._in_steps and not took():
            self._in_steps = True
            with _undo(self._comp, what, keep=True):
                change()

    def activate(self) -> None:
        """Show it in the Inspector."""
        self._comp.SetActiveTool(self.tool)

    def wire(self, name: str, source: "SourceTool") -> None:
        """Feed input ``name``. Raises ShotError when Fusion refuses."""
        pin = self.tool.FindMainInput(INPUTS.index(name) + 1)
        output = source.tool.FindMainOutput(1)
        if pin is None or output is None or pin.ConnectTo(output) is False:
            raise ShotError(
                f"{source.name} cannot be connected to {name} of {self.name}: connect it by hand."
            )

    def source(self, name: str) -> Optional[Output]:
        """What feeds input ``name``."""
        pin = self.tool.FindMainInput(INPUTS.index(name) + 1)
        return pin.GetConnectedOutput() if pin is not None else None

    def result_clip(self) -> str:
        """The file that the Loader at input result was given; "" where there is none."""
        output = self.source("result")
        return str(output.GetTool().GetInput("Clip") or "") if output is not None else ""

    def read(self) -> Dict[str, Any]:
        """Its controls, buttons aside. One of an older macro lacks some: None."""
        return {
            control.name: self.tool.GetInput(control.name)
            for control in CONTROLS
            if control.kind is not Kind.BUTTON
        }

    # --- export ------------------------------------------------------------------------------------------------

    def export(self, folder: Path, first: int, last: int, depth: str) -> None:
        """Render plate and mattes of the comp's frames ``first`` to ``last`` into ``folder``. Blocks; see `files`.

        The comp is as before after it, and undo has no step of it. Raises SettingsError when Fusion does not render.
        """
        plate, mattes = self.source("plate"), self.tool.FindMainOutput(2)
        if plate is None or mattes is None:
            raise ShotError(f"Input plate of {self.name or 'the macro'} is not connected: connect the shot.")
        with _undo(self._comp, "VOID export", keep=False), _only_ours(self._comp), _range_kept(self._comp):
            savers: List[Tool] = []
            try:
                for role, output in (("plate", plate), ("mattes", mattes)):
                    savers.append(_saver(self._comp, role, output, folder, _EXR_DEPTH[depth]))
                options = {"Start": first, "End": last, "Wait": True, "RenderFlags": QUIET}
                if not self._comp.Render(options):
                    raise SettingsError(
                        "Fusion did not render plate and mattes: it was cancelled there, or a tool above the macro is "
                        "in error. Look at the Console, mend that, and press Remove again."
                    )
            finally:
                for saver in savers:
                    saver.Delete()

    # --- result ------------------------------------------------------------------------------------------------

    def show_still(self, path: Path, first: int, last: int, what: str, fresh: bool) -> None:
        """Show one picture over all of the frames: the newest one, while the others are being made.

        ``fresh``: this is the first picture of its job, and a step of undo named ``what``.
        """

        def change() -> None:
            loader = self._loader()
            if loader is None:
                return
            if not self.tool.GetData(_TRIMS):
                self.tool.SetData(_TRIMS, _trims(loader))
            loader.SetInput("Clip", str(path))
            span(loader, first, last)
            self._use(first, last)

        self._show(path, what, fresh, change)

    def show_sequence(self, path: Path, first: int, last: int, what: str, fresh: bool) -> None:
        """Show the finished sequence, of which ``path`` is the first file, from frame ``first`` of the comp on.

        Trims that the artist gave the Loader stay, while the frames are the same ones.
        """
        kept = self.tool.GetData(_TRIMS)
        same = self.tool.GetData(_PLACED) == {"first": first, "last": last}

        def change() -> None:
            loader = self._loader()
            if loader is None:
                return
            trims = kept or _trims(loader)
            loader.SetInput("Clip", str(path))
            if same:
                span(loader, int(trims["GlobalIn"]), int(trims["GlobalOut"]))
            else:
                span(loader, first, last)
            for name in TRIMS[2:]:
                in_time = name in ("ClipTimeStart", "ClipTimeEnd", "HoldFirstFrame", "HoldLastFrame")
                if trims.get(name) is not None and (same or not in_time):
                    loader.SetInput(name, trims[name])
            self._use(first, last)

        self._show(path, what, fresh, change)
        self.tool.SetData(_PLACED, {"first": first, "last": last})
        self.tool.SetData(_TRIMS, None)

    def _show(self, path: Path, what: str, fresh: bool, change: Callable[[], None]) -> None:
        if fresh:
            with _undo(self._comp, what, keep=True):
                change()
        else:
            self._quietly(what, change, lambda: not self.there() or Path(self.result_clip()) == path)

    def _use(self, first: int, last: int) -> None:
        for name, value in (("result_first", first), ("result_last", last), ("use_result", 1)):
            self.tool.SetInput(name, value)

    def _loader(self) -> Optional[Tool]:
        """The Loader at input result: the one that is there, or a new one. None when the macro is gone."""
        if not self.there():
            return None
        output, pin = self.source("result"), self.tool.FindMainInput(len(INPUTS))
        if output is not None:
            there = output.GetTool()
            if (there.GetAttrs() or {}).get("TOOLS_RegID") == "Loader":
                return there
        made = add(self._comp, "Loader", f"{self.name}_result")
        source = made.FindMainOutput(1)
        if pin is None or source is None or pin.ConnectTo(source) is False:
            made.Delete()
            raise SettingsError(
                f"The result cannot be connected to {self.name}: place a Loader on it by hand. Its frames are at "
                f"{self.tool.GetData(OUTPUT)}."
            )
        return made


@dataclass(frozen=True)
class SourceTool:
    """A tool that a macro can be placed on."""

    tool: Tool
    name: str
    is_mask: bool


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
        return [Macro(comp, tool) for tool in _ours(comp, selected=False)]

    def chosen_macro(self) -> Optional[Macro]:
        """The active or selected one, or the only one there is."""
        comp = self.comp()
        active = _active(comp)
        if active is not None and _is_ours(active):
            return Macro(comp, active)
        found = _ours(comp, selected=True) or _ours(comp, selected=False)
        return Macro(comp, found[0]) if len(found) == 1 else None

    def selection(self) -> List[SourceTool]:
        """The selected tools that are none of ours; the active one first."""
        comp = self.comp()
        tools = [tool for tool in (comp.GetToolList(True) or {}).values() if not _is_ours(tool)]
        active = _active(comp)
        if active is not None and not _is_ours(active):
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
        before = {tool.Name for tool in _ours(comp, selected=False)}
        comp.SetActiveTool(None)  # a pasted tool wires itself to the active one
        comp.Execute(f"comp:Paste(bmd.readfile({json.dumps(setting.as_posix())}))")
        end_s = time.monotonic() + _PASTE_S
        while time.monotonic() < end_s:
            for tool in _ours(comp, selected=False):
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
        attributes = self.comp().GetAttrs() or {}
        return CompRange(
            _number(attributes, "COMPN_GlobalStart"),
            _number(attributes, "COMPN_GlobalEnd"),
            _number(attributes, "COMPN_RenderStart", "COMPN_RenderStartTime"),
            _number(attributes, "COMPN_RenderEnd", "COMPN_RenderEndTime"),
        )

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


def files(folder: Path, frame: int) -> Dict[str, Path]:
    """What an export made of the comp's frame: role -> file. Fusion writes the number as wide as the digits given."""
    return {role: folder / f"{role}_{frame:04d}.exr" for role in ("plate", "mattes")}


def _number(attributes: Mapping[str, Any], *names: str) -> int:
    """Of the first name that is there: Resolve and Fusion do not call all of them the same."""
    for name in names:
        if attributes.get(name) is not None:
            return int(attributes[name])
    raise SettingsError(f"The comp does not say its {names[0]}: close and open the clip on the Fusion page.")


def _active(comp: Comp) -> Optional[Tool]:
    """The active tool. Where there is none, its name gives what any name does, which has no attributes."""
    try:
        active = comp.ActiveTool
        return active if active is not None and (active.GetAttrs() or {}).get("TOOLS_Name") else None
    except (AttributeError, TypeError):
        return None


def _is_ours(tool: Tool) -> bool:
    kind = (tool.GetAttrs() or {}).get("TOOLS_RegID")
    return kind in ("MacroOperator", "GroupOperator") and tool.GetInput(MARK) is not None


def _ours(comp: Comp, selected: bool) -> List[Tool]:
    found: List[Tool] = []
    for kind in ("MacroOperator", "GroupOperator"):
        found += [tool for tool in (comp.GetToolList(selected, kind) or {}).values() if _is_ours(tool)]
    return found


@contextmanager
def _undo(comp: Comp, name: str, keep: bool) -> Iterator[None]:
    """One step of undo, or with ``keep`` False none. Values set within it are rendered, locked or not."""
    comp.StartUndo(name)
    try:
        yield
    finally:
        comp.EndUndo(keep)


def add(comp: Comp, kind: str, name: str) -> Tool:
    """A new tool that is wired to nothing, and does not become the active one. Raises SettingsError.

    It is made under Lock: a Loader or Saver would ask for its file in a window.
    """
    active = _active(comp)
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


def _saver(comp: Comp, role: str, source: Output, folder: Path, depth: int) -> Tool:
    saver = add(comp, "Saver", f"VOID_{role}")
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


def _trims(loader: Tool) -> Dict[str, Any]:
    return {name: loader.GetInput(name) for name in TRIMS}


def span(loader: Tool, first: int, last: int) -> None:
    """Set where a Loader begins and ends. Neither may pass the other on the way."""
    order = [("GlobalOut", last), ("GlobalIn", first)]
    if first <= int(loader.GetInput("GlobalOut") or 0):
        order.reverse()
    for name, value in order:
        loader.SetInput(name, value)


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
