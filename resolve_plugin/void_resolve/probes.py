"""Questions to a real Fusion: what the plugin relies on and no source says. `selftest` asks them.

Beside `host` the only file that touches Fusion. A probe works in a comp that nobody needs, on tools of its own that a
Bench takes away again. Where files can answer, files are looked at: a value that is read back proves little.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

from void_host.findings import Answer, Found
from void_host.marks import unmarked
from void_resolve.controls import BY_NAME
from void_resolve.fusion_api import Comp, Tool
from void_resolve.host.application import Host
from void_resolve.host.comp import SourceTool, add_tool
from void_resolve.host.loader import span
from void_resolve.host.macro import Macro
from void_resolve.host.savers import files
from void_wire.messages import Role

_WINDOW_S = 5.0
"""A render that returns so long after its last file was written waited for somebody to press OK."""


@dataclass(frozen=True)
class Probe:
    """A claim of resolve_plugin/README.md, and what asks Fusion about it. ``ask`` may raise anything."""

    claim: str
    ask: Callable[["Bench"], Found]


class Bench:
    """A macro on a grey plate and an ellipse, in the comp that is open, and a folder for files."""

    def __init__(self, app: Host, comp: Comp, setting: Path, folder: Path) -> None:
        self.app, self.comp, self.setting, self.folder = app, comp, setting, folder
        self.made: List[Tool] = []
        self._macro: Optional[Macro] = None

    def add(self, kind: str, name: str, **values: Any) -> SourceTool:
        """A tool of ours, set up. Raises SettingsError."""
        tool = add_tool(self.comp, kind, f"VOID_probe_{name}")
        self.made.append(tool)
        for key, value in values.items():
            tool.SetInput(key, value)
        return SourceTool(tool, tool.Name, kind.endswith("Mask"))

    def macro(self) -> Macro:
        """The macro, with a plate and a mask; the affected input is open."""
        if self._macro is None:
            plate = self.add("Background", "plate", TopLeftRed=0.25, TopLeftGreen=0.5, TopLeftBlue=2.5)
            mask = self.add("EllipseMask", "mask", Width=0.2, Height=0.2)
            self._macro = self.app.place(self.setting)
            self.made.insert(0, self._macro.tool)
            self._macro.wire("plate", plate)
            self._macro.wire("remove", mask)
        return self._macro

    def export(self, frame: int) -> Dict[str, Path]:
        """What an export of one frame wrote."""
        self.macro().export(self.folder, frame, frame, "16 bit half")
        return files(self.folder, frame)

    def frame(self) -> int:
        """One that the comp has."""
        return self.app.comp_range().render_first

    def clear(self) -> None:
        """Take all of it away."""
        for tool in self.made:
            tool.Delete()
        self.made, self._macro = [], None


def _range_names(bench: Bench) -> Found:
    attributes = bench.comp.GetAttrs() or {}
    names = [name for name in attributes if name.startswith(("COMPN_Render", "COMPN_Global"))]
    there = bench.app.comp_range()
    return Answer.CONFIRMED, f"{', '.join(sorted(names))}: {there}"


def _place(bench: Bench) -> Found:
    return Answer.CONFIRMED, f"{bench.macro().name} was placed and wired"


def _published(bench: Bench) -> Found:
    read = bench.macro().read()
    missing = [name for name, value in read.items() if value is None]
    wrong = {name: read[name] for name in ("seed", "grow", "exposure") if read[name] != BY_NAME[name].value}
    if missing or wrong:
        return Answer.CONTRADICTED, f"not readable: {missing}; not as they begin: {wrong}"
    return Answer.CONFIRMED, f"{len(read)} controls read"


def _written(bench: Bench) -> Found:
    tool = bench.macro().tool
    bench.comp.StartUndo("VOID probe")
    tool.SetInput("seed", 7)
    bench.comp.EndUndo(False)
    seed = tool.GetInput("seed")
    return _answer(seed is not None and round(float(seed)) == 7), f"seed {seed} after EndUndo(False)"


def _data(bench: Bench) -> Found:
    tool, kept = bench.macro().tool, {"first": 3, "last": 6}
    tool.SetData("void.probe", kept)
    found = tool.GetData("void.probe")
    tool.SetData("void.probe", None)
    return _answer(found == kept), f"{kept} came back as {found}"


def _render(bench: Bench) -> Found:
    frame, began = bench.frame(), time.time()
    made = bench.export(frame)
    late = time.time() - max(path.stat().st_mtime for path in made.values())
    sizes = ", ".join(f"{path.name} {path.stat().st_size} bytes" for path in made.values())
    saw = f"{sizes}; Render returned {late:.1f} s after the last of them, {time.time() - began:.1f} s in all"
    return _answer(late < _WINDOW_S), saw


def _mask(bench: Bench) -> Found:
    marked = not unmarked({Role.MATTES: bench.export(bench.frame())["mattes"]})
    return _answer(marked), "the matte is " + ("marked" if marked else "black")


def _open_input(bench: Bench) -> Found:
    pin = bench.macro().tool.FindMainInput(2)
    if pin is not None:
        pin.ConnectTo(None)
    black = unmarked({Role.MATTES: bench.export(bench.frame())["mattes"]})
    return _answer(black), "the matte is " + ("black" if black else "marked")


def _passes(bench: Bench) -> Found:
    """Two exports of one frame: the plate itself, and what the macro gives out while there is no result."""
    plate = bench.export(bench.frame())["plate"].read_bytes()
    inner = bench.macro()
    second = bench.app.place(bench.setting)
    bench.made.insert(0, second.tool)
    second.wire("plate", SourceTool(inner.tool, inner.name, False))
    (bench.folder / "through").mkdir(exist_ok=True)
    second.export(bench.folder / "through", bench.frame(), bench.frame(), "16 bit half")
    through = files(bench.folder / "through", bench.frame())["plate"].read_bytes()
    same = len(plate) == len(through) and plate[-len(plate) // 2 :] == through[-len(plate) // 2 :]
    return _answer(same), f"{len(plate)} and {len(through)} bytes, pixels {'alike' if same else 'not alike'}"


def _loader(bench: Bench) -> Found:
    frame = bench.frame()
    first = bench.export(frame)["plate"]
    bench.export(frame + 1)
    loader = bench.add("Loader", "loader", Clip=str(first)).tool
    length = ((loader.GetAttrs() or {}).get("TOOLIT_Clip_Length") or {}).get(1)
    span(loader, 100, 150)
    loader.SetInput("Loop", 1)
    moved = [loader.GetInput(name) for name in ("GlobalIn", "GlobalOut")]
    loader.SetInput("Clip", str(first))
    after = [loader.GetInput(name) for name in ("GlobalIn", "GlobalOut", "Loop")]
    good = length == 2 and moved == [100, 150] and after != [100, 150, 1]
    return _answer(good), f"length {length}; moved to {moved}; after a new Clip {after}"


def _still(bench: Bench) -> Found:
    made = bench.export(bench.frame())["plate"]
    still = made.with_name(f"{made.stem}_newest.exr")
    still.write_bytes(made.read_bytes())
    loader = bench.add("Loader", "still", Clip=str(still)).tool
    length = ((loader.GetAttrs() or {}).get("TOOLIT_Clip_Length") or {}).get(1)
    return _answer(length == 1), f"a name without digits at its end has length {length}"


def _alive(bench: Bench) -> Found:
    return _answer(bench.app.alive()), "fusion.Test is there; whether it is None later, close Resolve and see"


def _windows(bench: Bench) -> Found:
    ui = bench.app.windows()
    if ui is None:
        return Answer.NOT_TRIED, "there is no UIManager here"
    timer = ui.Timer({"ID": "probe", "Interval": 1000})
    return _answer(timer is not None), "ui.Timer gives " + ("a timer" if timer is not None else "nothing")


def _colour(bench: Bench) -> Found:
    said = bench.app.project_settings()
    if said is None:
        return Answer.NOT_TRIED, "standalone Fusion has none"
    return _answer(bool(said.get("colorScienceMode"))), str(said)


def _clip(bench: Bench) -> Found:
    clip = bench.app.clip()
    if clip is None:
        return Answer.NOT_TRIED, "there is no clip with a file at the playhead"
    there = bench.app.comp_range()
    length = there.render_last - there.render_first + 1
    return _answer(clip.one_for_one() and clip.duration == length), f"{clip}, {there}"


def _by_eye(what: str) -> Callable[[Bench], Found]:
    return lambda bench: (Answer.NOT_TRIED, f"by eye: {what}")


def _answer(good: bool) -> Answer:
    return Answer.CONFIRMED if good else Answer.CONTRADICTED


PROBES: Tuple[Probe, ...] = (
    Probe("A comp says its range and its render range", _range_names),
    Probe("Lua in comp.Execute pastes the macro's file", _place),
    Probe("A macro's published controls are read by their keys", _published),
    Probe("Values set in a step that EndUndo(False) ends stay", _written),
    Probe("SetData keeps a dict with a macro", _data),
    Probe("A quiet render of a Saver writes EXR and waits for no window", _render),
    Probe("A mask fed into a Custom Tool's image has its coverage in alpha", _mask),
    Probe("An open image of a Custom Tool is 0", _open_input),
    Probe("A Custom Tool that gives on a value changes no bit of it", _passes),
    Probe("A Loader takes a sequence by its first file; a new Clip resets its trims", _loader),
    Probe("A name without digits at its end is a still", _still),
    Probe("fusion.Test says whether the application is there", _alive),
    Probe("UIManager has a Timer", _windows),
    Probe("A project says its colour management", _colour),
    Probe("A clip's source frames are the comp's render range, one for one", _clip),
    Probe(
        "Resize by Box averages what it reduces, by Nearest it repeats",
        _by_eye("show: overlay on a roto with thin parts has whole cells with sharp edges"),
    ),
    Probe(
        "A button of the macro finds its macro and starts the script",
        _by_eye("Remove on a macro with nothing connected puts a sentence into its status within seconds"),
    ),
    Probe(
        "Tooltips are the controls' status texts",
        _by_eye("the line below the node view explains a control under the mouse"),
    ),
    Probe(
        "The effect of the Edit page counts frames as its comp does",
        _by_eye("on a timeline that begins at 01:00:00:00 the result shows in the Edit page's viewer too"),
    ),
)
