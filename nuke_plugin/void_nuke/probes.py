"""Questions to a real Nuke: what the plugin relies on and no source says. Main thread; `selftest` asks them.

Beside `host` the only file that touches Nuke. A probe makes nodes of its own on a Bench, which takes them away again.
Where pixels can answer, pixels are sampled: a knob that gives back what was set proves little.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, List, Mapping, Optional, Sequence

import nuke

from void_host.findings import Answer, Finding, Found
from void_host.shot import Shot
from void_nuke import export, host
from void_nuke.licence import COMMERCIAL
from void_wire.messages import FrameRange, JobSpec, PictureSettings, Role

_SIDE = 64
"""Of a probe's picture, in pixels."""

_BACKGROUND_S = 180.0


@dataclass(frozen=True)
class Probe:
    """A claim of nuke_plugin/README.md, and what asks Nuke about it. ``ask`` may raise anything."""

    claim: str
    ask: Callable[["Bench"], Found]


class Bench:
    """Nodes for one question; the artist's selection comes back with `clear`."""

    def __init__(self) -> None:
        self._made: List[Any] = []
        self._selected = nuke.selectedNodes()
        for node in self._selected:
            node.setSelected(False)

    def make(
        self, cls: str, values: Optional[Mapping[str, Any]] = None, inputs: Sequence[Optional[Any]] = ()
    ) -> Any:
        """A node of this class."""
        node = nuke.createNode(cls, inpanel=False)
        self._made.append(node)
        node.setSelected(False)  # the next one would be connected to it
        for name, value in (values or {}).items():
            node[name].setValue(value)
        for at, source in enumerate(inputs):
            node.setInput(at, source)
        return node

    def canvas(self, width: int = _SIDE, height: int = _SIDE) -> Any:
        """Black with an alpha, from the origin."""
        source = self.make("Constant", {"channels": "rgba"})
        return self.make("Crop", {"box": [0, 0, width, height], "reformat": True}, [source])

    def clear(self) -> None:
        """Take them away."""
        for node in reversed(self._made):
            nuke.delete(node)
        self._made.clear()
        for node in self._selected:
            node.setSelected(True)


def ask(probe: Probe) -> Finding:
    """Its finding; a probe that fails was not tried, and says how it failed."""
    bench = None
    try:
        with host.no_undo():
            try:
                bench = Bench()
                answer, saw = probe.ask(bench)
            finally:
                if bench is not None:
                    bench.clear()
    except Exception as error:  # whatever this Nuke does differently is what we want to hear of
        answer, saw = Answer.NOT_TRIED, f"the probe failed ({type(error).__name__}: {error})"
    return Finding(probe.claim, answer, saw)


def sample(node: Any, channel: str, x: int, y: int) -> float:
    """A pixel counted from the lower left corner; ``channel`` as ``rgba.red``."""
    return float(node.sample(channel, x + 0.5, y + 0.5))


def _seen(holds: bool, saw: str) -> Found:
    return (Answer.CONFIRMED if holds else Answer.CONTRADICTED), saw


def _keymix(bench: Bench) -> Found:
    below = bench.make("Expression", {"expr0": "0.25"}, [bench.canvas()])
    above = bench.make("Expression", {"expr0": "0.75"}, [bench.canvas()])
    matte = bench.make("Expression", {"expr3": "x >= 32"}, [bench.canvas()])
    mixed = bench.make("Keymix", {"channels": "rgb", "maskChannel": "rgba.alpha"}, [below, above, matte])
    outside, inside = sample(mixed, "rgba.red", 8, 8), sample(mixed, "rgba.red", 56, 8)
    return _seen((outside, inside) == (0.25, 0.75), f"outside the matte {outside}, inside {inside}")


def _writes_inside(bench: Bench) -> Found:
    licence = host.licence()
    if not licence.has_background:
        return Answer.NOT_TRIED, f"{licence.nuke} renders in no background"
    node = bench.make("VOID", {}, [bench.canvas(), bench.canvas()])
    frame = int(nuke.root()["first_frame"].value())
    with tempfile.TemporaryDirectory(prefix="void-selftest-") as folder:
        script = Path(folder, f"probe{licence.script}")
        host.save_copy(node.fullName(), Path(folder).as_posix(), script.as_posix())
        spec = JobSpec(
            job="selftest-export",
            shot="selftest",
            engine="draft",
            frames=FrameRange(frame, frame),
            roles=(Role.PLATE, Role.MATTES),
            prompt="",
            picture=PictureSettings(),
            void=None,
        )
        shot = Shot(node.fullName(), "", "", 0, spec)
        try:
            ran = subprocess.run(
                export.background_command(host.executable(), shot, script, licence),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=export.background_environment(os.environ, Path(folder)),
                timeout=_BACKGROUND_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return Answer.NOT_TRIED, f"no Nuke in the background: {error}"
        made = [
            role.value for role, path in export.files(shot, Path(folder), frame).items() if path.is_file()
        ]
    said = ran.stdout.decode(errors="replace")[-400:].strip()
    saw = f"files made: {', '.join(made) or 'none'}; exit code {ran.returncode}; it said: {said}"
    if not made and "licen" in said.lower():
        return Answer.NOT_TRIED, saw
    return _seen(len(made) == len(spec.roles), saw)


def _links(bench: Bench) -> Found:
    licence = host.licence()
    if licence.encrypted:
        return Answer.NOT_TRIED, f"scripts of {licence.nuke} are encrypted; by hand: save, open again, look"
    node = bench.make("VOID", {"result": "/void/probe.%04d.exr", "result_origlast": 4321})
    with tempfile.TemporaryDirectory(prefix="void-selftest-") as folder:
        script = Path(folder, "probe.nk").as_posix()
        nuke.scriptSaveToTemp(script)
        lines = [line.split() for line in Path(script).read_text(errors="replace").splitlines()]
    saved = {words[0]: words[1].strip('"') for words in lines if len(words) == 2}
    found = saved.get("result"), saved.get("result_origlast")
    shown = node["result"].value(), node["result_origlast"].value()
    return _seen(found == ("/void/probe.%04d.exr", "4321"), f"in the saved copy {found}, in the node {shown}")


def _area(bench: Bench) -> Found:
    root = nuke.root()
    frame = int(root["first_frame"].value()) + 1
    corner = f"x < 1 && y < 1 && frame == {frame}"
    spot = bench.make("Expression", {"expr3": corner}, [bench.canvas()])
    area = (_SIDE / 2, _SIDE / 2, 2 * _SIDE, 2 * _SIDE)
    there, before = (spot.sample("rgba.alpha", *area, at) for at in (frame, frame - 1))
    return _seen(
        there != 0 and before == 0,
        f"of an area with a white pixel in its corner {there}, on a frame without it {before}",
    )


def _views(bench: Bench) -> Found:
    views = nuke.views()
    if len(views) == 1:
        return Answer.NOT_TRIED, "the script has one view; by hand: add one, and press Remove with view set"
    node = bench.make("VOID", {}, [bench.canvas(), bench.canvas()])
    frame = int(nuke.root()["first_frame"].value())
    with tempfile.TemporaryDirectory(prefix="void-selftest-") as folder:
        host.begin_export(node.fullName(), Path(folder).as_posix())
        host.render(node.fullName(), export.WRITERS[Role.MATTES], frame, views[-1])
        made = sorted(path.name for path in Path(folder).iterdir())
    return _seen(
        len(made) == 1, f"of view {views[-1]} among {views} were written: {made}; -view was not tried"
    )


def _licence(bench: Bench) -> Found:
    found = host.licence()
    if found is COMMERCIAL:
        return Answer.NOT_TRIED, "this Nuke calls itself neither; say so where that is wrong"
    script = str(nuke.root()["name"].value()) or "never saved"
    return _seen(script.endswith(found.script) or script == "never saved", f"{found.nuke}; script {script}")


def _neighbours(bench: Bench) -> Found:
    corner = bench.make("Expression", {"expr1": "x >= 5 && y >= 5"}, [bench.canvas()])
    spread = bench.make("Expression", {"expr1": "max(g(x,y), g(x+1,y), g(x,y+1), g(x+1,y+1))"}, [corner])
    found = [sample(spread, "rgba.green", *at) for at in ((4, 4), (3, 4), (4, 3))]
    return _seen(found == [1.0, 0.0, 0.0], f"at 4,4 3,4 and 4,3 of a corner at 5,5: {found}")


def _crop(bench: Bench) -> Found:
    ramp = bench.make("Expression", {"expr0": "x", "expr1": "y"}, [bench.canvas()])
    cut = bench.make("Crop", {"box": [10, 20, 42, 52], "reformat": True}, [ramp])
    found = [sample(cut, channel, 0, 0) for channel in ("rgba.red", "rgba.green")]
    size = cut.width(), cut.height()
    holds = [int(value) for value in found] == [10, 20] and size == (32, 32)
    return _seen(holds, f"the lower left pixel is that of {found}; size {size}")


def _proxy(bench: Bench) -> Found:
    return Answer.NOT_TRIED, (
        "pixels of proxy mode are not to be had from Python; by eye: show overlay, turn proxy mode on and off, and "
        "say whether the tint moves"
    )


def _dilate(bench: Bench) -> Found:
    edge = bench.make("Expression", {"expr3": "x >= 32"}, [bench.canvas()])
    grown = bench.make("Dilate", {"channels": "alpha", "size": 4}, [edge])
    found = [sample(grown, "rgba.alpha", x, 32) for x in (27, 28, 31)]
    return _seen(found == [0.0, 1.0, 1.0], f"size 4 on an edge at 32: alpha at 27, 28, 31 is {found}")


def _exists(bench: Bench) -> Found:
    node = bench.make("VOID", {}, [bench.canvas(), bench.canvas()])
    take = node.node("TakeAffected")["disable"]
    open_input = bool(take.value())
    node.setInput(2, bench.canvas())
    connected = bool(take.value())
    return _seen(
        (open_input, connected) == (True, False),
        f"TakeAffected is disabled with an open input: {open_input}; with a connected one: {connected}",
    )


def _texts(bench: Bench) -> Found:
    node = bench.make("VOID")
    node["status"].setValue("a line")
    found = node["status"].value()
    if found != "a line":
        return Answer.CONTRADICTED, f"read back: {found!r}"
    return (
        Answer.NOT_TRIED,
        "it reads back; by eye: press test connection, and say whether server says changes",
    )


def _hears(bench: Bench) -> Found:
    node = bench.make("VOID")
    heard = []
    node["output_preview"].setValue("")
    node.setInput(0, bench.canvas())
    heard.append(bool(node["output_preview"].value()))
    if not host.in_gui():
        return Answer.NOT_TRIED, f"there are no panels in a terminal; inputChange was heard: {heard[0]}"
    node["output_preview"].setValue("")
    node.showControlPanel()
    heard.append(bool(node["output_preview"].value()))
    return _seen(all(heard), f"inputChange was heard at once: {heard[0]}, showPanel: {heard[1]}")


def _working_space(bench: Bench) -> Found:
    root = nuke.root()
    name, management = root["workingSpaceLUT"].value(), root["colorManagement"].value()
    if management != "OCIO":
        return Answer.NOT_TRIED, f"colour management is {management}, not OCIO; the knob says {name!r}"
    return _seen(bool(name) and name != "linear", f"under OCIO the knob says {name!r}")


def _alpha(bench: Bench) -> Found:
    found = sorted(str(channel) for channel in bench.canvas().channels())
    return _seen("rgba.alpha" in found, f"channels(): {found}")


def _script_load(bench: Bench) -> Found:
    return Answer.NOT_TRIED, (
        "it would take opening another script; by hand: save a script whose VOID node has a job at work, open it "
        "again, and say whether status moves"
    )


def _newest_first(bench: Bench) -> Found:
    names = [bench.make("NoOp").fullName() for _ in range(2)]
    found = [node.fullName() for node in nuke.allNodes() if node.fullName() in names]
    return _seen(found == names[::-1], f"made {names}, listed {found}")


def _panel(bench: Bench) -> Found:
    return Answer.NOT_TRIED, (
        "a panel opened from here would change the layout; by hand: Windows > Custom > VOID, and say what shows"
    )


PROBES = (
    Probe("Keymix's inputs are B, A, mask", _keymix),
    Probe("`-X VOID1.WritePlate` renders a Write inside a gizmo", _writes_inside),
    Probe("Link knobs (`41`) to Read and Write knobs are saved with the node, hidden ones too", _links),
    Probe("`Expression` reads neighbours: `g(x+1,y)`; `max` of four", _neighbours),
    Probe("`Crop` with `reformat` moves the box to the origin", _crop),
    Probe("`Reformat` to a box is not scaled in proxy mode", _proxy),
    Probe("`Dilate` (the fast one) grows with a positive size", _dilate),
    Probe("`[exists parent.input2]` is 0 for an open input", _exists),
    Probe("`Text` knobs take `setValue` for what they show", _texts),
    Probe("`knobChanged` of a gizmo hears `showPanel`, `inputChange`", _hears),
    Probe("`workingSpaceLUT` names the working space under OCIO", _working_space),
    Probe("a node's `channels()` lists `rgba.alpha`", _alpha),
    Probe("`addOnScriptLoad` runs after the nodes are there", _script_load),
    Probe("`sample` takes an area and a frame, and is not 0 where a pixel in it is not", _area),
    Probe("`nuke.env` has `nc` and `indie`, and their scripts end in `.nknc` and `.nkind`", _licence),
    Probe("`-view NAME` and a list of one view given to `nuke.execute` render that view", _views),
    Probe("`allNodes` begins with the newest node", _newest_first),
    Probe("`registerWidgetAsPanel` evaluates its name among those of `menu.py`", _panel),
)
"""One for each line of the table in nuke_plugin/README.md, in its order."""
