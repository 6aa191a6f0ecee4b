"""The script as text: what the stack machine reads back."""

import re

from nuke._knobs import BBox_Knob, Link_Knob, PyScript_Knob, Text_Knob
from nuke._nodes import Gizmo, Group


def text(root):
    """Every node at the top, each after those it takes from."""
    lines = ["version 15.0 v4"]
    written, waiting = {}, list(root._nodes)
    while waiting:
        ready = [
            node for node in waiting if all(source is None or source in written for source in node._inputs)
        ]
        if not ready:
            raise RuntimeError("a loop of nodes")
        for node in ready:
            lines += [f"push ${written[source]}" if source else "push 0" for source in reversed(node._inputs)]
            lines += _node(node, len(node._inputs))
            written[node] = f"N{len(written)}"
            lines.append(f"set {written[node]} [stack 0]")
            waiting.remove(node)
    return "\n".join([*lines, ""])


def _node(node, inputs):
    if isinstance(node, Group) and not isinstance(node, Gizmo):
        raise NotImplementedError("the fake saves no Group")
    lines = [f"{node._class} {{", f" inputs {inputs}"]
    for name, knob in node._knobs.items():
        if isinstance(knob, (PyScript_Knob, Text_Knob)) or type(knob).__name__ == "Tab_Knob":
            continue
        kept = knob.getLinkedKnob() if isinstance(knob, Link_Knob) else knob
        if isinstance(kept, PyScript_Knob):
            continue
        lines.append(f" {name} {_value(kept)}")
    return [*lines, "}"]


def _value(knob):
    if knob._expressions:
        values = knob._value if isinstance(knob._value, list) else [knob._value]
        parts = [
            "{" + knob._expressions[i] + "}" if i in knob._expressions else str(v)
            for i, v in enumerate(values)
        ]
        return "{" + " ".join(parts) + "}"
    if isinstance(knob, BBox_Knob):
        return "{" + " ".join(str(value) for value in knob.value()) + "}"
    value = knob._value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + re.sub(r'([\\"\[\]{}$])', r"\\\1", value).replace("\n", "\\n") + '"'
    return str(value) if not isinstance(value, (list, tuple)) else "{" + " ".join(str(v) for v in value) + "}"
