"""Knobs that take what Nuke's take and refuse the rest."""

import re

from nuke._expressions import evaluate
from nuke._session import Guarded, current

INVISIBLE, DO_NOT_WRITE, NO_UNDO = 1024, 512, 524288  # hosts.md A1.1 'knob flags'


class Knob(Guarded):
    def __init__(self, name, label=None, value=None):
        self._name, self._label, self._value = name, label or name, value
        self._node, self._flags, self._enabled, self._tip = None, 0, True, ""
        self._expressions = {}  # position -> text

    def name(self):
        return self._name

    def label(self):
        return self._label

    def tooltip(self):
        return self._tip

    def node(self):
        return self._node

    def enabled(self):
        return self._enabled

    def setEnabled(self, enabled):
        self._enabled = bool(enabled)

    def visible(self):
        return not self._flags & INVISIBLE

    def setFlag(self, flag):
        self._flags |= flag

    def clearFlag(self, flag):
        self._flags &= ~flag

    def getFlag(self, flag):
        return bool(self._flags & flag)

    def hasExpression(self, index=-1):
        return bool(self._expressions) if index < 0 else index in self._expressions

    def setExpression(self, expression, channel=-1):
        self._expressions[max(0, channel)] = expression

    def clearAnimated(self):
        self._expressions.clear()

    def value(self):
        if 0 in self._expressions:
            return self._evaluated(0)
        return self._value

    def setValue(self, value):
        checked = self._checked(value)
        session = current()
        if session.undo_enabled and not self._flags & NO_UNDO:
            chunk = session.undo_open
            before = (self, self._value, dict(self._expressions))
            if chunk is None:
                session.undo.append([before])
            else:
                chunk.append(before)
        self._value = checked
        self._expressions.clear()
        if self._node is not None:
            self._node._changed(self)
        return True

    def _checked(self, value):
        raise TypeError(f"{type(self).__name__} {self._name} takes no value")

    def _evaluated(self, position):
        text = re.sub(r"\[exists parent\.input(\d)\]", self._connected, self._expressions[position])
        return float(evaluate(text, self._node._look_up, _no_function))

    def _connected(self, match):
        return str(int(self._node._parent.input(int(match[1])) is not None))

    def _parse(self, text):
        """The value as a node file has it."""
        self._value = self._checked(text)

    def _take(self, raw, numbers, expressions):
        """A value of a node file: ``numbers`` and ``expressions`` by position, of what was no plain text."""
        if expressions and not isinstance(self, Text):
            self._expressions = dict(expressions)
            if len(numbers) > 1:
                self._value = [0.0 if at in expressions else float(text) for at, text in enumerate(numbers)]
        else:
            self._parse(raw)


def _no_function(name, arguments):
    raise NameError(f"{name} is no function of a knob's expression")


class Text(Knob):
    """What every knob that holds text has in common."""

    def __init__(self, name, label=None, value=""):
        super().__init__(name, label, value)

    def _checked(self, value):
        if not isinstance(value, str):
            raise TypeError(f"{self._name} takes text, not {type(value).__name__}")
        return value


class String_Knob(Text):
    def getText(self):
        return self._value


class EvalString_Knob(String_Knob):
    def evaluate(self, frame=None):
        """The text with Tcl replaced; the frame's number where one is given."""
        number = current().root["frame"].value() if frame is None else frame
        return re.sub(
            r"%0?(\d*)d", lambda match: str(int(number)).zfill(int(match[1] or 0)), self._expanded()
        )

    def _expanded(self):
        """hosts.md A1.6: the pattern with %04d, Tcl replaced."""
        expanded = re.sub(
            r"\[value ([\w.]+)\]", lambda match: str(self._node._knob_at(match[1]).value()), self._value
        )
        return re.sub("#+", lambda match: f"%0{len(match[0])}d", expanded)


class File_Knob(EvalString_Knob):
    def getEvaluatedValue(self):
        return self._expanded()


class Multiline_Eval_String_Knob(EvalString_Knob):
    pass


class Array_Knob(Knob):
    _size = 1

    def _checked(self, value):
        if isinstance(value, str):
            value = [float(part) for part in value.split()]
            value = value[0] if len(value) == 1 else value
        if isinstance(value, bool) or not isinstance(value, (int, float, list, tuple)):
            raise TypeError(f"{self._name} takes numbers, not {type(value).__name__}")
        if isinstance(value, (list, tuple)) and len(value) != self._size:
            raise ValueError(f"{self._name} takes {self._size} numbers")
        return value

    def value(self, index=0):
        if self._size == 1:
            return super().value()
        values = list(self._value) if isinstance(self._value, (list, tuple)) else [self._value] * self._size
        return [self._evaluated(i) if i in self._expressions else v for i, v in enumerate(values)]


class Double_Knob(Array_Knob):
    def value(self, index=0):
        return float(super().value())


class Int_Knob(Array_Knob):
    def _checked(self, value):
        """hosts.md A1.4 of a close relative: 'floats raise: cast'. 32 bits."""
        if isinstance(value, float) and value != int(value):
            raise TypeError(f"{self._name} takes whole numbers")
        number = int(super()._checked(value))
        if not -(2**31) <= number < 2**31:
            raise OverflowError(f"{self._name}: {number} has more than 32 bits")
        return number

    def value(self, index=0):
        return int(super().value())


class ColorChip_Knob(Array_Knob):
    """0xRRGGBBAA."""

    def _checked(self, value):
        return int(value, 0) if isinstance(value, str) else super()._checked(value)

    def value(self, index=0):
        return int(super().value())


class Boolean_Knob(Array_Knob):
    def _checked(self, value):
        if isinstance(value, str):
            if value not in ("true", "false"):
                raise ValueError(f"{self._name}: {value!r} is neither true nor false")
            return value == "true"
        if not isinstance(value, (bool, int)):
            raise TypeError(f"{self._name} takes True or False, not {type(value).__name__}")
        return bool(value)

    def value(self, index=0):
        return bool(super().value())


class BBox_Knob(Array_Knob):
    _size = 4
    _parts = ("x", "y", "r", "t")


class XY_Knob(Array_Knob):
    _size = 2
    _parts = ("x", "y")


class AColor_Knob(Array_Knob):
    _size = 4
    _parts = ("r", "g", "b", "a")


class Enumeration_Knob(Knob):
    """Refuses what is none of its choices. The real one may take it silently (hosts.md A1.7): a test must not."""

    def __init__(self, name, label=None, choices=()):
        self._choices = list(choices)
        super().__init__(name, label, self._choices[0] if self._choices else "")

    def values(self):
        return list(self._choices)

    def getValue(self):
        return float(self._choices.index(self.value()))

    def _checked(self, value):
        if isinstance(value, int) and not isinstance(value, bool):
            return self._choices[value]
        if value not in self._choices:
            raise ValueError(f"{self._name}: {value!r} is none of {self._choices}")
        return value


class Channel_Knob(Text):
    pass


class ChannelMask_Knob(Text):
    pass


class Text_Knob(Text):
    pass


class Multiline_Knob(String_Knob):
    pass


class Tab_Knob(Knob):
    pass


class Script_Knob(String_Knob):
    def command(self):
        return self._value

    def execute(self):
        """As a click does."""
        self._node._press(self)


class PyScript_Knob(Script_Knob):
    pass


class Link_Knob(Knob):
    """Stands for a knob of a node inside: hosts.md A1.5, ``41 x l y T Inner.knob``. It has a value and cannot be
    pressed.
    """

    def __init__(self, name, label=None, target=""):
        super().__init__(name, label)
        self._target = target

    def getLinkedKnob(self):
        node, _, knob = self._target.partition(".")
        return self._node._child(node)[knob]

    def value(self, *index):
        return self.getLinkedKnob().value()

    def setValue(self, value):
        return self.getLinkedKnob().setValue(value)

    def _take(self, raw, numbers, expressions):
        self.getLinkedKnob()._take(raw, numbers, expressions)


BY_CLASS = {
    cls.__name__: cls
    for cls in (
        String_Knob, File_Knob, Int_Knob, Enumeration_Knob, Boolean_Knob, Double_Knob, BBox_Knob, XY_Knob,
        AColor_Knob, ColorChip_Knob, Channel_Knob, ChannelMask_Knob, Text_Knob, Multiline_Knob,
        Multiline_Eval_String_Knob, Tab_Knob, Script_Knob, PyScript_Knob, Link_Knob,
    )
}  # fmt: skip
