"""Nodes: of a class of the table, with that class's knobs and no others."""

from pathlib import Path

from nuke import _scripts
from nuke._knobs import BY_CLASS, Enumeration_Knob, Link_Knob, PyScript_Knob, Text
from nuke._session import Guarded, current, main_only
from nuke._tables import CLASSES, COMMON, ROOT


def _make(kind, name, default, choices):
    cls = BY_CLASS[kind]
    if issubclass(cls, Enumeration_Knob):
        return cls(name, None, choices)
    knob = cls(name)
    knob._value = default
    if isinstance(default, str) and not isinstance(knob, Text):
        knob._parse(default)
    return knob


class Pseudo(Guarded):
    """hosts.md A1.5 'Callbacks': knobChanged also hears showPanel and inputChange, which are knobs by name alone."""

    def __init__(self, name):
        self._name = name

    def name(self):
        return self._name


class Node(Guarded):
    def __init__(self, cls, parent=None):
        self._class, self._parent, self._inputs, self._knobs, self._reloads = cls, parent, [], {}, 0
        for name, (kind, default, choices) in {**COMMON, **CLASSES.get(cls, {})}.items():
            self._add(_make(kind, name, default, choices))

    # --- what the plugin may call -----------------------------------------------------------------------

    def Class(self):
        return self._class

    def name(self):
        return self._knobs["name"].value()

    def fullName(self):
        return (
            self.name()
            if self._parent in (None, current().root)
            else f"{self._parent.fullName()}.{self.name()}"
        )

    def knob(self, name):
        return self._knobs.get(name)

    def __getitem__(self, name):
        current().check("Node.knob")
        if name not in self._knobs:
            raise NameError(f"knob {name} does not exist")
        return self._knobs[name]

    def knobs(self):
        return dict(self._knobs)

    def input(self, number):
        return self._inputs[number] if number < len(self._inputs) else None

    def setInput(self, number, node):
        self._inputs += [None] * (number + 1 - len(self._inputs))
        self._inputs[number] = node
        self._changed(Pseudo("inputChange"))
        return True

    def setSelected(self, selected):
        self._knobs["selected"]._value = bool(selected)

    def showControlPanel(self):
        current().shown.append(self.fullName())
        self._changed(Pseudo("showPanel"))

    def inputs(self):
        return sum(node is not None for node in self._inputs)

    def firstFrame(self):
        return self._range()[0]

    def lastFrame(self):
        return self._range()[1]

    def format(self):
        return Format(*self._size())

    def width(self):
        return self._size()[0]

    def height(self):
        return self._size()[1]

    def channels(self):
        """hosts.md A1.6: names as ``rgba.alpha``."""
        from nuke._render import channel_names

        return channel_names(self)

    def sample(self, channel, x, y, dx=1, dy=1, frame=None):
        """A pixel by its middle, from the lower left corner, or the mean of an area; of the script's frame."""
        from nuke._render import mean

        return mean(self, channel, (x, y), (dx, dy), frame)

    def hasError(self):
        return False

    # --- inside -----------------------------------------------------------------------------------------

    def _add(self, knob):
        knob._node = self
        self._knobs[knob._name] = knob

    def _range(self):
        if self._class == "Read":
            return self._knobs["first"].value(), self._knobs["last"].value()
        if self._inputs and self._inputs[0] is not None:
            return self._inputs[0]._range()
        root = current().root
        return root["first_frame"].value(), root["last_frame"].value()

    def _size(self):
        from nuke._render import size

        return size(self)

    def _changed(self, knob):
        """hosts.md A1.5 'Callbacks': the node's own knobChanged, then those added."""
        session = current()
        session.this.append((self, knob))
        try:
            script = self._knobs["knobChanged"]._value
            if script:
                _run(script)
            for call, args, kwargs, cls, node in session.callbacks.get("knobChanged", []):
                if cls in ("*", self._class) and node in (None, self):
                    call(*args, **kwargs)
        finally:
            session.this.pop()

    def _press(self, knob):
        if self._class == "Read" and knob._name == "reload":
            self._reloads += 1
            return
        current().this.append((self, knob))
        try:
            _run(knob._value)
        finally:
            current().this.pop()

    def _knob_at(self, path):
        """The knob of ``parent.box.x`` without its last part; of ``Result.first``; of ``first``."""
        node, parts = self, path.split(".")
        while parts[0] in ("parent", "this"):
            node = node._parent if parts[0] == "parent" else node
            parts = parts[1:]
        while len(parts) > 1 and (child := node._sibling(parts[0])) is not None:
            node, parts = child, parts[1:]
        if parts[0] not in node._knobs:
            raise NameError(f"{path}: {node.name()} has no {parts[0]}")
        return node._knobs[parts[0]]

    def _look_up(self, path):
        head, _, rest = path.partition(".")
        if path == "frame":
            return current().root["frame"].value()
        if head == "input" and rest in ("width", "height"):
            return self._inputs[0]._size()[("width", "height").index(rest)] if self.input(0) else 0
        if path in ("width", "height"):
            return self._size()[("width", "height").index(path)]
        knob = self._knob_at(path)
        value = knob.value()
        if isinstance(knob, Enumeration_Knob):
            return knob.getValue()
        if isinstance(value, list):
            return value[knob._parts.index(path.rpartition(".")[2])]
        return float(value)

    def _sibling(self, name):
        return next((node for node in getattr(self._parent, "_nodes", []) if node.name() == name), None)


class Group(Node):
    def __init__(self, cls="Group", parent=None):
        self._nodes = []
        super().__init__(cls, parent)

    def nodes(self):
        return list(self._nodes)

    def node(self, name):
        return next((node for node in self._nodes if node.name() == name), None)

    def begin(self):
        current().context.append(self)
        return self

    def end(self):
        current().context.pop()

    def __enter__(self):
        return self.begin()

    def __exit__(self, *_):
        self.end()

    def _child(self, name):
        found = self.node(name)
        if found is None:
            raise NameError(f"{self.name()} holds no {name}")
        return found


class Gizmo(Group):
    def makeGroup(self):
        """hosts.md A1.5 'convert to Group': the same knobs and nodes, without the class."""
        made = Group("Group", self._parent)
        made._knobs = self._knobs
        made._nodes = self._nodes
        for knob in made._knobs.values():
            knob._node = made
        for node in made._nodes:
            node._parent = made
        made._inputs = list(self._inputs)
        return made


class Root(Group):
    def __init__(self):
        self._nodes = []
        Node.__init__(self, "Root")
        for name, (kind, default, choices) in ROOT.items():
            self._add(_make(kind, name, default, choices))

    def name(self):
        return self._knobs["name"].value() or "Root"


class Format(Guarded):
    def __init__(self, width, height):
        self._size = (width, height)

    def width(self):
        return self._size[0]

    def height(self):
        return self._size[1]

    def pixelAspect(self):
        return 1.0


def _run(script):
    import nuke

    exec(compile(script, "<knob>", "exec"), {"nuke": nuke})


def build(record, machine, parent, made=None):
    """The node of a record of the stack machine, with what it holds."""
    cls = {"Group": Group, "Gizmo": Gizmo}.get(record.cls)
    node = cls(machine._gizmo or record.cls, parent) if cls else Node(record.cls, parent)
    if isinstance(node, Group):
        found = {}
        for inner in record.nodes:
            found[inner] = child = build(inner, machine, node, found)
            node._nodes.append(child)
        for inner, child in found.items():
            child._inputs = [found.get(source) for source in inner.inputs]
    for user in record.user:
        node._add(_user_knob(user))
    for name, raw in record.knobs.items():
        if name not in node._knobs:
            raise _scripts.ScriptError(f"{record.cls} has no knob {name}")
        take(node._knobs[name], raw, machine)
    return node


def take(knob, raw, machine):
    """The value that a node file has for this knob."""
    found = {} if isinstance(knob, Text) else _scripts.expressions(machine, raw)
    knob._take(raw, machine.words(raw) if found else (), found)


def _user_knob(user):
    cls = BY_CLASS.get(_scripts.KNOB_CODES[user.code])
    if cls is None:
        raise _scripts.ScriptError(f"The fake has no {_scripts.KNOB_CODES[user.code]}")
    label = user.options.get("l")
    if issubclass(cls, Enumeration_Knob):
        knob = cls(user.name, label, user.options["M"])
    elif issubclass(cls, Link_Knob):
        knob = cls(user.name, label, user.options["T"])
    else:
        knob = cls(user.name, label)
        if issubclass(cls, PyScript_Knob) or user.code == 26:
            knob._value = user.options.get("T", "")
        elif knob._value is None:
            knob._value = 0
    knob._tip = user.options.get("t", "")
    if "+INVISIBLE" in user.flags:
        knob._flags |= 1024
    return knob


@main_only
def createNode(node, knobs="", inpanel=True):
    """A class of the table, or a .gizmo of the plugin path: hosts.md A1.3 'Only .gizmo files on the plugin path'."""
    parent = current().context[-1] if current().context else current().root
    if node in CLASSES:
        made = Group(node, parent) if node == "Group" else Node(node, parent)
    else:
        files = [Path(folder) / f"{node}.gizmo" for folder in current().plugin_path]
        file = next((file for file in files if file.is_file()), None)
        if file is None:
            raise RuntimeError(f"{node}: Unknown command")
        machine = _scripts.Machine(gizmo=node)
        (record,) = machine.load(file.read_text(encoding="utf-8"))
        made = build(record, machine, parent)
    taken = {other.name() for other in parent._nodes}
    made._knobs["name"]._value = next(f"{node}{n}" for n in range(1, 999) if f"{node}{n}" not in taken)
    parent._nodes.append(made)
    words = knobs.split()
    for name, value in zip(words[::2], words[1::2], strict=True):
        made[name].setValue(value)
    return made


class _Maker:
    def __init__(self, cls):
        self._cls = cls

    def __call__(self, **knobs):
        made = createNode(self._cls, inpanel=False)
        for name, value in knobs.items():
            made[name].setValue(value)
        return made


class _Makers:
    """``nuke.nodes.Read(file=...)``: hosts.md A1.6."""

    def __getattr__(self, cls):
        return _Maker(cls)


nodes = _Makers()


@main_only
def toNode(name):
    node = current().root
    for part in name.split("."):
        node = node.node(part) if isinstance(node, Group) else None
        if node is None:
            return None
    return node


@main_only
def allNodes(filter="", group=None, recurseGroups=False):
    """The newest first."""
    found = []
    for node in reversed((group or current().root)._nodes):
        if not filter or node._class == filter:
            found.append(node)
        if recurseGroups and isinstance(node, Group):
            found += allNodes(filter, node, True)
    return found


@main_only
def selectedNodes(filter=""):
    return [node for node in allNodes(filter) if node._knobs["selected"]._value]


@main_only
def zoomToFitSelected():
    current().zoomed_to = [node.fullName() for node in allNodes("", None, True) if node["selected"].value()]


@main_only
def delete(node):
    node._parent._nodes.remove(node)


@main_only
def root():
    return current().root


@main_only
def thisNode():
    return current().this[-1][0] if current().this else current().root


@main_only
def thisKnob():
    return current().this[-1][1]
