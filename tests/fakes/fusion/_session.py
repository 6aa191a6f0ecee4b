"""The model of a comp, and the proxies through which a script sees it."""

import contextlib
import time as clock
from dataclasses import dataclass, field

from fusion import _render, _setting
from fusion._formulas import evaluate
from fusion._lua import LuaRuntime
from fusion._tables import COMMON, IDS, INPUTS, MAIN_INPUT, NUMBERS, OUTPUT


@dataclass(frozen=True)
class Link:
    tool: "Tool"
    name: str


@dataclass(frozen=True)
class Formula:
    text: str


class Tool:
    """A tool as it is. `Proxy` is what a script gets."""

    def __init__(self, comp, cls, name, siblings):
        if cls not in INPUTS and cls not in ("MacroOperator", "GroupOperator"):
            raise _setting_error(f"{cls} is no tool of Fusion")
        self.comp, self.cls, self.name, self.siblings = comp, cls, name, siblings
        self.values = dict(NUMBERS.get(cls, {}))
        self.controls = {}  # user controls: id -> Table
        self.attrs = {"TOOLB_PassThrough": False}
        self.data = {}
        self.stale = {}  # what is rendered in place of a value, after the bug of Lock
        self.clip = []  # files of a Loader
        self.pixels = None  # frame -> picture, of a source in a test
        self.published = {}  # of a macro: key -> (inner tool, input)
        self.outputs = []  # of a macro: inner tools, main outputs in order
        self.inner = {}
        self.parent = None

    # --- values ----------------------------------------------------------------------------------------------

    def known(self, name):
        if self.published:
            return name in self.published
        return name in INPUTS[self.cls] | COMMON or name in self.controls

    def main_inputs(self):
        if self.published:
            return sorted(key for key in self.published if key.startswith("MainInput"))
        return MAIN_INPUT.get(self.cls, [])

    def end(self, name):
        """The tool and input that hold the value: a macro's published ones are those of a tool inside."""
        return self.published[name] if self.published else (self, name)

    def link(self, name):
        found = self.values.get(name)
        return found if isinstance(found, Link) else None

    def value(self, name, frame):
        """What a render uses."""
        found = self.stale.get(name, self.values.get(name))
        return self._evaluated(found, frame)

    def rendered(self, name):
        return self.value(name, 0)

    def _evaluated(self, found, frame):
        if not isinstance(found, Formula):
            return found

        def look_up(path):
            tool, _, what = path.partition(".")
            if path in ("self.Input.OriginalWidth", "self.Input.OriginalHeight"):
                image = _render.source(self, "Input", frame)
                return float(image.shape[1 if path.endswith("Width") else 0])
            other = self.siblings.get(tool)
            if other is None or not other.known(what):
                raise _render.RenderError(f"{self.name}: {path} is nothing")
            return float(other.value(what, frame))

        return evaluate(found.text, look_up)


def _setting_error(text):
    return ValueError(f"setting: {text}")


class Gone(Exception):
    """The application was closed."""


class Proxy:
    """Any name is callable; a wrong one is noted and gives None. Without its application there is nothing."""

    def __init__(self, session):
        object.__setattr__(self, "_session", session)

    def __getattr__(self, name):
        if self._session.closed:
            return None
        if name.startswith("__"):
            raise AttributeError(name)

        def nothing(*arguments, **options):
            self._session.unknown.append(f"{type(self).__name__}.{name}")

        return nothing


class InputProxy(Proxy):
    def __init__(self, comp, tool, name):
        super().__init__(comp.session)
        self._comp, self._tool, self._name = comp, tool, name

    def GetConnectedOutput(self):
        tool, name = self._tool.end(self._name)
        link = tool.link(name)
        if link is None:
            return None
        if link.tool.parent is not None:  # as its macro gives it out
            at = link.tool.parent.outputs.index(link.tool) + 1
            return OutputProxy(self._comp, link.tool.parent, f"MainOutput{at}")
        return OutputProxy(self._comp, link.tool, link.name)

    def ConnectTo(self, output):
        tool, name = self._tool.end(self._name)
        self._comp.changed()
        if output is None:
            tool.values.pop(name, None)
            return True
        if output._tool not in self._comp.tools.values() or output._tool is self._tool:
            return False
        tool.values[name] = Link(*self._comp.inside(output._tool, output._name))
        return True


class OutputProxy(Proxy):
    def __init__(self, comp, tool, name):
        super().__init__(comp.session)
        self._comp, self._tool, self._name = comp, tool, name

    def GetTool(self):
        return ToolProxy(self._comp, self._tool)


class ToolProxy(Proxy):
    def __init__(self, comp, tool):
        super().__init__(comp.session)
        self._comp, self._tool = comp, tool

    def _there(self):
        return self._comp.tools.get(self._tool.name) is self._tool

    @property
    def Name(self):
        return self._tool.name

    def GetAttrs(self):
        if not self._there() or self._session.closed:
            return None
        made = {"TOOLS_Name": self._tool.name, "TOOLS_RegID": self._tool.cls, **self._tool.attrs}
        if self._tool.cls == "Loader":
            made["TOOLIT_Clip_Length"] = {1.0: float(len(self._tool.clip))}
        return made

    def SetAttrs(self, attributes):
        known = {"TOOLS_Name", "TOOLB_NameSet", "TOOLB_PassThrough"}
        self._session.unknown += [name for name in attributes if name not in known]
        self._comp.changed()
        if "TOOLS_Name" in attributes:
            self._comp.rename(self._tool, attributes["TOOLS_Name"])
        if "TOOLB_PassThrough" in attributes:
            self._tool.attrs["TOOLB_PassThrough"] = attributes["TOOLB_PassThrough"]

    def GetInput(self, name, time=0):
        if not self._there() or not self._tool.known(name):
            return None
        tool, inner = self._tool.end(name)
        found = tool._evaluated(tool.values.get(inner), time)
        return None if isinstance(found, Link) else found

    def SetInput(self, name, value, time=0):
        if not self._there() or not self._tool.known(name):
            self._session.unknown.append(f"{self._tool.cls}.{name}")
            return
        tool, inner = self._tool.end(name)
        if inner in IDS and value not in IDS[inner]:
            self._session.unknown.append(f"{self._tool.cls}.{name} = {value!r}")
            return
        self._comp.set(tool, inner, value)

    def FindMainInput(self, at):
        names = self._tool.main_inputs()
        return InputProxy(self._comp, self._tool, names[at - 1]) if 0 < at <= len(names) else None

    def FindMainOutput(self, at):
        count = len(self._tool.outputs) or 1
        return OutputProxy(self._comp, self._tool, f"MainOutput{at}") if 0 < at <= count else None

    def SetData(self, name, value):
        if value is None:
            self._tool.data.pop(name, None)
        elif isinstance(value, (str, int, float, dict)):
            self._tool.data[name] = value
        else:
            raise TypeError(f"{name} = {value!r} is no plain value")

    def GetData(self, name):
        return self._tool.data.get(name) if self._there() else None

    def Delete(self):
        self._comp.changed()
        self._comp.tools.pop(self._tool.name, None)
        for tool in self._comp.everything():
            for name, value in list(tool.values.items()):
                if isinstance(value, Link) and value.tool is self._tool:
                    del tool.values[name]


class Comp(Proxy):
    """A comp, model and proxy in one."""

    def __init__(self, session, size=(160, 96), first=0, last=47, path=""):
        super().__init__(session)
        own = self.__dict__
        own.update(session=session, size=size, path=path, tools={}, active=None, selected=[])
        own.update(range=[first, last], render_range=[first, last], now=float(first), open=True)
        own.update(locks=0, undo_open=[], undo=[], built_under_lock=False, renders=[])

    # --- model -----------------------------------------------------------------------------------------------

    def add(self, cls, name, pixels=None):
        """As an artist does it."""
        tool = self.tools[name] = Tool(self, cls, name, self.tools)
        tool.pixels = pixels
        return ToolProxy(self, tool)

    def everything(self):
        for tool in list(self.tools.values()):
            yield tool
            yield from tool.inner.values()

    def inside(self, tool, name):
        """The tool and output that make what a tool gives out by a main output."""
        if tool.outputs:
            inner = tool.outputs[int(name[len("MainOutput") :]) - 1]
            return inner, OUTPUT[inner.cls]
        return tool, OUTPUT[tool.cls]

    def paste(self, text):
        """As a .setting is read. A wire to nothing, an unknown tool or input is refused here; Fusion says nothing."""
        for name, table in _setting.read(text)["Tools"].keys.items():
            while name in self.tools:
                name += "_1"
            self.tools[name] = macro = Tool(self, table.cls, name, self.tools)
            for inner_name, inner in table["Tools"].keys.items():
                macro.inner[inner_name] = tool = Tool(self, inner.cls, inner_name, macro.inner)
                tool.parent = macro
                tool.controls = inner.get("UserControls").keys if inner.get("UserControls") else {}
            for inner_name, inner in table["Tools"].keys.items():
                self._fill(macro, macro.inner[inner_name], inner)
            for key, made in table["Inputs"].keys.items():
                tool = macro.inner.get(made["SourceOp"])
                if made.cls != "InstanceInput" or tool is None or not tool.known(made["Source"]):
                    raise _setting_error(f"{key} is published from nothing")
                macro.published[key] = (tool, made["Source"])
            for _, made in sorted(table["Outputs"].keys.items()):
                macro.outputs.append(macro.inner[made["SourceOp"]])
        self.changed()

    @staticmethod
    def _fill(macro, tool, table):
        for key, given in (table.get("Inputs").keys if table.get("Inputs") else {}).items():
            if given.cls != "Input" or not tool.known(key):
                raise _setting_error(f"{tool.cls} has no {key}")
            if "SourceOp" in given.keys:
                other = macro.inner.get(given["SourceOp"])
                if other is None or given["Source"] != OUTPUT[other.cls]:
                    raise _setting_error(f"{tool.name}.{key} is wired to nothing")
                tool.values[key] = Link(other, given["Source"])
            elif "Expression" in given.keys:
                tool.values[key] = Formula(given["Expression"])
            else:
                value = given["Value"]
                if isinstance(value, _setting.Table):
                    value = value.rows[0] if value.cls == "FuID" else tuple(value.rows)
                    if key in IDS and value not in IDS[key]:
                        raise _setting_error(f"{tool.name}.{key} has no {value!r}")
                tool.values[key] = value

    def rename(self, tool, name):
        self.tools = {name if each is tool else old: each for old, each in self.tools.items()}
        tool.siblings = self.tools
        tool.name = name

    def set(self, tool, name, value):
        """Measured in Resolve 19.1 and 21.0: the first write under Lock on what was built under it is not rendered."""
        self.changed()
        if self.locks and self.built_under_lock and not self.undo_open:
            tool.stale[name] = tool.values.get(name)
        else:
            tool.stale.clear()
        if tool.cls == "Loader" and name == "Clip":
            self._load(tool, value)
        if tool.cls == "Loader" and name in ("GlobalIn", "GlobalOut"):
            span = {**tool.values, name: value}
            if span["GlobalIn"] > span["GlobalOut"]:
                return
        tool.values[name] = value

    @staticmethod
    def _load(tool, path):
        """A new Clip takes every trim away."""
        tool.clip = _render.sequence(path)
        tool.values.update(NUMBERS["Loader"])
        tool.values["GlobalOut"] = tool.values["ClipTimeEnd"] = max(len(tool.clip) - 1, 0)

    def _state(self):
        tools = dict(self.tools)
        return tools, [
            (tool, dict(tool.values), dict(tool.attrs), list(tool.clip)) for tool in self.everything()
        ]

    def _restore(self, state):
        self.tools = dict(state[0])
        for tool, values, attrs, clip in state[1]:
            tool.values, tool.attrs, tool.clip = dict(values), dict(attrs), list(clip)

    def changed(self):
        """Anything that is done outside of a step is a step of its own."""
        if not self.undo_open:
            self.undo.append(("change", self._state()))

    def undo_last(self):
        """What Ctrl-Z does; returns the step's name."""
        name, state = self.undo.pop()
        self._restore(state)
        return name

    # --- calls -----------------------------------------------------------------------------------------------

    @property
    def ActiveTool(self):
        """Without one the name is as any other: callable, and giving nothing."""
        return ToolProxy(self, self.active) if self.active in self.tools.values() else (lambda *_: None)

    def SetActiveTool(self, tool):
        self.active = tool._tool if isinstance(tool, ToolProxy) else None
        if tool is not None and self.active is None:
            self._session.unknown.append(f"SetActiveTool({tool!r})")

    def GetAttrs(self):
        if self._session.closed:
            return None
        made = {"COMPN_GlobalStart": float(self.range[0]), "COMPN_GlobalEnd": float(self.range[1])}
        end = "Time" if self._session.resolve_names else ""
        for name, value in zip(("Start", "End"), self.render_range, strict=True):
            made[f"COMPN_Render{name}{end}"] = float(value)
        return {**made, "COMPN_CurrentTime": self.now, "COMPS_FileName": self.path, "COMPS_Name": "comp"}

    def SetAttrs(self, attributes):
        for name, value in attributes.items():
            if name.startswith("COMPN_RenderStart"):
                self.render_range[0] = value
            elif name.startswith("COMPN_RenderEnd"):
                self.render_range[1] = value
            elif name == "COMPN_CurrentTime":
                self.now = value
            else:
                self._session.unknown.append(name)

    def GetPrefs(self, name):
        if name != "Comp.FrameFormat":
            self._session.unknown.append(name)
            return None
        return {"Width": float(self.size[0]), "Height": float(self.size[1])}

    def GetToolList(self, selected, kind=""):
        found = [tool for tool in self.tools.values() if kind in ("", tool.cls)]
        if selected:
            found = [tool for tool in found if tool.name in self.selected]
        return {float(at): ToolProxy(self, tool) for at, tool in enumerate(found, 1)}

    def FindTool(self, name):
        tool = self.tools.get(name)
        return ToolProxy(self, tool) if tool is not None else None

    def AddTool(self, kind, x, y):
        if not self.open or kind not in INPUTS:
            return None
        if kind in ("Loader", "Saver") and not self.locks:
            self._session.windows.append(f"which file for the {kind}?")
        self.changed()
        number = 1
        while f"{kind}{number}" in self.tools:
            number += 1
        made = self.add(kind, f"{kind}{number}")
        if self.active is not None and MAIN_INPUT.get(kind):
            made._tool.values[MAIN_INPUT[kind][0]] = Link(*self.inside(self.active, "MainOutput1"))
        self.built_under_lock = self.locks > 0
        self.active = made._tool
        return made

    def Lock(self):
        self.locks += 1

    def Unlock(self):
        self.locks -= 1

    def StartUndo(self, name):
        self.undo_open.append((name, self._state()))
        for tool in self.everything():
            tool.stale.clear()

    def EndUndo(self, keep):
        step = self.undo_open.pop()
        if keep and not self.undo_open:
            self.undo.append(step)

    def Render(self, options):
        known = {"Start", "End", "Wait", "RenderFlags", "HiQ", "MotionBlur"}
        self._session.unknown += [f"Render {name}" for name in options if name not in known]
        if self.locks:
            self._session.windows.append("a render of a locked comp")
        savers = [t for t in self.tools.values() if t.cls == "Saver" and not t.attrs["TOOLB_PassThrough"]]
        self.renders.append([saver.name for saver in savers])
        self.render_range[:] = [options["Start"], options["End"]]  # Resolve leaves it so
        self.now = float(options["End"])
        if not savers or not self.range[0] <= options["Start"] <= options["End"] <= self.range[1]:
            return False
        try:
            for frame in range(int(options["Start"]), int(options["End"]) + 1):
                if self._session.cancel_render_at == frame:
                    return False
                for saver in savers:
                    _render.save(saver, frame)
        except _render.RenderError as error:
            self._session.console.append(str(error))
            return False
        if not options.get("RenderFlags", 0) & 524288:
            self._session.windows.append("Render completed!")
        clock.sleep(self._session.window_after_render_s)
        return True

    def RunScript(self, path):
        self._session.scripts.append(path)

    def Execute(self, lua):
        """Lua within Fusion, with the functions that the plugin calls there."""
        runtime = LuaRuntime()
        place = runtime.globals()
        place.bmd = runtime.table_from({"readfile": _read_file})
        place.comp = runtime.table_from({"Paste": lambda _, text: self.paste(text)})
        runtime.execute(lua)


def _read_file(path):
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - as bmd.readfile
        return file.read()


class Fusion(Proxy):
    def __init__(self, session):
        super().__init__(session)
        self._comp = None

    @property
    def Test(self):
        return None if self._session.closed else (lambda: None)

    @property
    def UIManager(self):
        return self._session.ui

    def GetCurrentComp(self):
        return self._session.comp if self._session.comp is not None and not self._session.closed else None


@dataclass
class Session:
    """One run of the application, and what it noticed of its script."""

    comp: object = None
    closed: bool = False
    resolve_names: bool = False  # COMPN_RenderStartTime instead of COMPN_RenderStart
    ui: object = None
    cancel_render_at: object = None
    window_after_render_s: float = 0.0  # "Render completed!" stands for so long
    unknown: list = field(default_factory=list)
    windows: list = field(default_factory=list)
    scripts: list = field(default_factory=list)
    console: list = field(default_factory=list)

    def close(self):
        self.closed = True

    @contextlib.contextmanager
    def quiet(self):
        """Nothing was called that there is not, and nothing waits for somebody to press OK."""
        yield self
        assert not self.unknown, self.unknown
        assert not self.windows, self.windows
