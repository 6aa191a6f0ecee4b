"""Nuke's node files, run by a real Tcl interpreter with the stack machine as its procedures.

What the machine does is written from hosts.md A1.5 and from nothing of the plugin: a class pops its inputs and pushes
itself; the top of the stack is input 0; without ``inputs`` a generator pops none and every other class one; ``2+1`` is
two inputs and a mask; ``set``, ``push`` and ``stack`` name what was pushed; ``Group`` and ``Gizmo`` hold what comes up
to ``end_group`` and take one place.
"""

import re
import tkinter
from dataclasses import dataclass, field

from nuke._tables import CLASSES, GENERATORS

KNOB_CODES = {
    1: "String_Knob", 2: "File_Knob", 3: "Int_Knob", 4: "Enumeration_Knob", 5: "Bitmask_Knob", 6: "Boolean_Knob",
    7: "Double_Knob", 8: "Float_Knob", 9: "Array_Knob", 10: "ChannelMask_Knob", 11: "Channel_Knob", 12: "XY_Knob",
    13: "XYZ_Knob", 14: "WH_Knob", 15: "BBox_Knob", 16: "Size_Knob", 17: "Format_Knob", 18: "Color_Knob",
    19: "AColor_Knob", 20: "Tab_Knob", 22: "PyScript_Knob", 25: "Spacer_Knob", 26: "Text_Knob", 27: "Help_Knob",
    28: "Multiline_Knob", 30: "UV_Knob", 31: "Box3_Knob", 32: "Script_Knob", 35: "Pulldown_Knob",
    36: "Eyedropper_Knob", 37: "Range_Knob", 39: "Keyer_Knob", 40: "ColorChip_Knob", 41: "Link_Knob",
    43: "Multiline_Eval_String_Knob", 44: "OneView_Knob", 52: "PythonKnob", 57: "TabGroup_Knob", 60: "Menu_Knob",
    61: "Password_Knob", 68: "CascadingEnumeration_Knob", 72: "CachedFile_Knob",
}  # fmt: skip
"""addUserKnob's code -> class, hosts.md A1.5 'addUserKnob code = nuke.KnobType value'."""

FLAGS = {"+STARTLINE", "-STARTLINE", "+INVISIBLE", "+HIDDEN", "+DO_NOT_WRITE", "+DISABLED"}


@dataclass
class UserKnob:
    """One addUserKnob: ``options`` are its l, t, T, M, R, n."""

    code: int
    name: str
    options: dict
    flags: list


@dataclass(eq=False)
class Record:
    """One node as the file has it."""

    cls: str
    knobs: dict = field(default_factory=dict)  # name -> the value's text, one level of quoting taken off
    user: list = field(default_factory=list)
    inputs: list = field(default_factory=list)  # Record or None, by number; the mask last
    nodes: list = field(default_factory=list)  # of a Group or Gizmo

    @property
    def name(self):
        return self.knobs["name"]


class ScriptError(Exception):
    """The file is none that Nuke would load."""


class Machine:
    """Loads text; ``roots`` are the nodes at the top."""

    def __init__(self, gizmo="", user_classes=()):
        self.roots = []
        self._gizmo = gizmo  # the class that the file's ``Gizmo`` stands for
        self._open = []  # [(group, its stack)]
        self._stack = []
        self._ids = {}
        self._body = []
        self._tcl = tcl = tkinter.Tcl()
        tcl.eval("interp create body")
        for name in tcl.splitlist(tcl.eval("interp eval body {info commands}")):
            if name != "rename":
                tcl.eval(f"interp eval body {{rename {name} {{}}}}")
        tcl.eval("interp eval body {rename rename {}}")
        self._error = None
        self._command("record", lambda *words: self._body.append(words))
        tcl.eval("interp alias body unknown {} record")
        for name in [*CLASSES, "Gizmo", *user_classes]:
            self._command(name, lambda body, cls=name: self._node(cls, body))
        self._command("push", self._push)
        self._command("stack", self._peek)
        self._command("end_group", self._end_group)
        self._command("version", lambda *words: None)
        self._command("unknown", self._unknown)

    def load(self, text):
        try:
            self._tcl.eval(text)
        except tkinter.TclError as error:
            raise self._error or ScriptError(str(error)) from None
        if self._open:
            raise ScriptError(f"{self._open[-1][0].cls} is not closed by end_group")
        return self.roots

    def words(self, text):
        """The elements of a Tcl list."""
        return self._tcl.splitlist(text)

    def _command(self, name, function):
        """tkinter tells nothing of an exception but that there was one: it is kept."""

        def kept(*words):
            try:
                return function(*words)
            except Exception as error:
                self._error = self._error or error
                raise

        self._tcl.createcommand(name, kept)

    def _unknown(self, *words):
        raise ScriptError(f"{words[0]} is no class of the table and no statement")

    def _node(self, cls, body):
        self._body = []
        self._tcl.call("interp", "eval", "body", body)
        made = Record(cls)
        for words in self._body:
            if words[0] == "addUserKnob":
                made.user.append(self._user_knob(words))
                continue
            if len(words) != 2:
                raise ScriptError(f"{cls}: {' '.join(words)!r} is no knob and one value")
            made.knobs[words[0]] = words[1]
        made.inputs = self._pop(cls, made.knobs.pop("inputs", None))
        (self._open[-1][0].nodes if self._open else self.roots).append(made)
        identifier = f"N{len(self._ids):x}"
        self._ids[identifier] = made
        if cls in ("Group", "Gizmo"):
            self._open.append((made, self._stack))
            self._stack = []
        else:
            self._stack.append(made)

    def _pop(self, cls, inputs):
        if inputs is None:
            count = 0 if cls in GENERATORS else 1
        else:
            if not re.fullmatch(r"\d+(\+1)?", inputs):
                raise ScriptError(f"{cls}: inputs {inputs}")
            count = sum(int(part) for part in inputs.split("+"))
        return [self._stack.pop() if self._stack else None for _ in range(count)]

    def _push(self, identifier):
        self._stack.append(None if identifier == "0" else self._ids[identifier])

    def _peek(self, depth):
        top = self._stack[-1 - int(depth)]
        return next(name for name, node in self._ids.items() if node is top)

    def _end_group(self):
        if not self._open:
            raise ScriptError("end_group without a group")
        group, self._stack = self._open.pop()
        self._stack.append(group)

    def _user_knob(self, words):
        if len(words) != 2:
            raise ScriptError(f"addUserKnob takes one list, not {words[1:]}")
        code, name, *rest = self.words(words[1])
        if int(code) not in KNOB_CODES:
            raise ScriptError(f"{name} has code {code}, which no knob has")
        options, flags = {}, []
        while rest:
            word = rest.pop(0)
            if word[:1] in "+-" and word in FLAGS:
                flags.append(word)
            elif word in ("l", "t", "T", "n"):
                options[word] = rest.pop(0)
            elif word == "M":
                options["M"] = self.words(rest.pop(0))
            elif word == "R":
                options["R"] = (float(rest.pop(0)), float(rest.pop(0)))
            else:
                raise ScriptError(f"{name}: {word!r} is no option of addUserKnob")
        return UserKnob(int(code), name, options, flags)


def expressions(machine, value):
    """The expressions in a knob's value, by position: each braced element of its list."""
    if "{" not in value:
        return {}
    found = enumerate(machine.words(value))
    return {at: _unquoted(machine, text) for at, text in found if not re.fullmatch(r"-?[\d.]+", text)}


def _unquoted(machine, text):
    return machine.words(text)[0] if text.startswith('"') else text
