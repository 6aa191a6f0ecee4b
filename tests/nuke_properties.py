"""Draws a node's properties from the plugin's table of knobs and the values a node of the fake Nuke has.

Not Nuke's own look: its order, labels, rows and values, with Qt's plain widgets in the grey of a compositor.
"""

from PySide6 import QtCore, QtWidgets

from void_nuke.knobs import KNOBS, Code

LABEL_PX = 200
TABS = tuple(knob.name for knob in KNOBS if knob.code is Code.TAB)


def properties(node, tab, width):
    """The tab's widget, drawn."""
    form = QtWidgets.QWidget()
    rows = QtWidgets.QVBoxLayout(form)
    rows.setContentsMargins(10, 8, 10, 10)
    rows.setSpacing(5)
    rows.addWidget(heading(node, tab))
    row, there = None, ""
    for knob in KNOBS:
        if knob.code is Code.TAB:
            there = knob.name
        elif there == tab and not knob.hidden:
            row = add(rows, row, knob, node)
    rows.addStretch(1)
    form.setFixedWidth(width)
    form.adjustSize()
    return form.grab()


def heading(node, tab):
    names = [knob.label for knob in KNOBS if knob.code is Code.TAB]
    shown = names[TABS.index(tab)]
    text = "  ".join(f"<b>{name}</b>" if name == shown else f"<span>{name}</span>" for name in names)
    return QtWidgets.QLabel(f"{node.name()} &nbsp;&nbsp; {text}")


def add(rows, row, knob, node):
    """Put the knob into the row before where it belongs there, else into one of its own; returns its row."""
    if knob.code is Code.TEXT and not knob.label:
        line = QtWidgets.QFrame()
        line.setFrameShape(QtWidgets.QFrame.Shape.HLine)
        rows.addWidget(line)
        return None
    widget = made(knob, node)
    if not knob.same_line or row is None:
        row = QtWidgets.QHBoxLayout()
        row.setSpacing(6)
        label = QtWidgets.QLabel("" if knob.code is Code.BUTTON else knob.label)
        label.setFixedWidth(LABEL_PX)
        label.setAlignment(QtCore.Qt.AlignmentFlag.AlignRight | QtCore.Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(label)
        rows.addLayout(row)
    elif knob.code not in (Code.BUTTON, Code.BOOLEAN):
        row.addWidget(QtWidgets.QLabel(knob.label))
    row.addWidget(widget, 1 if wide(knob) else 0)
    if not wide(knob):
        row.addStretch(0)
    return row


def wide(knob):
    return knob.code in (Code.STRING, Code.FILE, Code.MULTILINE, Code.TEXT, Code.LINK)


def made(knob, node):
    if knob.code is Code.BUTTON:
        widget = QtWidgets.QPushButton(knob.label)
    elif knob.code is Code.BOOLEAN:
        widget = QtWidgets.QCheckBox(knob.label if knob.same_line else "")
        widget.setChecked(bool(node[knob.name].value()))
    elif knob.code is Code.ENUMERATION:
        widget = QtWidgets.QComboBox()
        widget.addItem(str(node[knob.name].value()))
    elif knob.code is Code.MULTILINE:
        widget = QtWidgets.QPlainTextEdit(node[knob.name].value())
        widget.setFixedHeight(52)
    elif knob.code is Code.TEXT:
        widget = QtWidgets.QLabel(node[knob.name].value())
        widget.setWordWrap(True)
    else:
        value = node[knob.name].value()
        text = ", ".join(f"{part:g}" for part in value) if isinstance(value, list) else str(value)
        widget = QtWidgets.QLineEdit(text)
        widget.setCursorPosition(0)
        if not wide(knob):
            widget.setFixedWidth(64 if knob.code in (Code.INT, Code.DOUBLE) else 160)
    widget.setEnabled(node[knob.name].enabled())
    return widget
