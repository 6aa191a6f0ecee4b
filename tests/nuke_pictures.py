"""Draws the five pictures of nuke_plugin/README.md, of a procedural shot, without a screen.

    PYTHONPATH=tests:tests/fakes:nuke_plugin:shared:. python tests/nuke_pictures.py .github/images

The views are what the gizmo's own graph makes in the fake Nuke, of a result that engine draft makes in a real server;
the properties are drawn from the node as it stands at that moment.
"""

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import nuke
import numpy as np
from nuke import _session
from nuke._render import image
from nuke_properties import properties
from PySide6 import QtCore, QtGui, QtWidgets

from void_nuke import buttons, controller
from void_server import local_server
from void_server.frames.exr import write_frame
from void_server.panel import dark_palette
from void_server.scene.scene import Scene

FRAMES, SHOWN_FRAME = range(1001, 1025), 1010
SIZE = (540, 960)
VIEW_PX, PANEL_PX, GAP_PX = 480, 560, 12
GROUND, WIRE = QtGui.QColor("#2a2a2a"), QtGui.QColor("#9a9a9a")
COLOURS = {
    "plate": "#8a8a8a",
    "remove": "#7a5aa0",
    "affected": "#7a5aa0",
    "VOID1": "#b06a3a",
    "Viewer1": "#5a7a8a",
}


def main(folder):
    app = QtWidgets.QApplication(["pictures"])
    app.setStyle("Fusion")
    app.setPalette(dark_palette())
    session = _session.start(gui=False)
    session.plugin_path.append(str(Path(__file__).parent.parent / "nuke_plugin" / "gizmos"))
    with tempfile.TemporaryDirectory() as scratch:
        node = comp(Path(scratch))
        save(folder, "nuke_1_connect", graph(node), view(node, "plate"))
        save(folder, "nuke_2_look", view(node, "overlay"))
        node["engine"].setValue("void")
        node["prompt"].setValue("a ball lies on a wooden floor before a brick wall")
        buttons.knob_changed(node, node["engine"])
        save(folder, "nuke_3_say", properties(node, "remove_tab", PANEL_PX))
        node["engine"].setValue("draft")
        buttons.knob_changed(node, node["engine"])
        node["show"].setValue("result")
        running = remove(node, Path(scratch))
        save(folder, "nuke_4_remove", running, view(node, "result"))
        save(folder, "nuke_5_judge", view(node, "A-B wipe"), view(node, "fill only"))


def remove(node, scratch):
    """Run the removal; gives the node's properties as they were when it was half done."""
    seen = []
    server = local_server.start("tcp://127.0.0.1:0", data_dir=scratch / "data", weights=None, idle_exit_s=0)
    write = controller.host.write

    def watched(of, values):
        write(of, values)
        if str(values.get("status", "")).startswith("fill 12"):
            seen.append(properties(node, "remove_tab", PANEL_PX))

    try:
        node["server"].setValue(server.address)
        controller.host.write = watched
        error = controller.render(node)
    finally:
        controller.host.write = write
        server.stop()
    if error:
        raise error
    return seen[0]


def comp(folder):
    """The shot on disk and a node on it."""
    scene = Scene(*SIZE, len(FRAMES))
    nuke.root()["name"].setValue(f"{folder}/sh010.nk")
    node = nuke.createNode("VOID", inpanel=False)
    sources = (
        ("plate", scene.plate, "RGB"),
        ("remove", scene.remove, "A"),
        ("affected", scene.affected, "A"),
    )
    for number, (name, picture, channels) in enumerate(sources):
        for index, frame in enumerate(FRAMES):
            pixels = picture(index).reshape(*SIZE, len(channels)).astype(np.float16)
            write_frame(folder / f"{name}.{frame}.exr", frame, pixels, channels)
        read = nuke.nodes.Read(file=f"{folder}/{name}.%04d.exr", first=FRAMES[0], last=FRAMES[-1], raw=True)
        read["name"].setValue(name)
        node.setInput(number, read)
    for name, value in {"engine": "draft", "colorspace": "lin_rec709", "first": 1001, "last": 1024}.items():
        node[name].setValue(value)
    return node


def view(node, show):
    """One view as a display shows it, named."""
    node["show"].setValue(show)
    made = image(node, SHOWN_FRAME)
    linear = np.clip(np.stack([made[name][::-1] for name in "RGB"], axis=-1), 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    pixels = np.ascontiguousarray((encoded * 255 + 0.5).astype(np.uint8))
    whole = QtGui.QImage(pixels.data, SIZE[1], SIZE[0], SIZE[1] * 3, QtGui.QImage.Format.Format_RGB888)
    tile = QtGui.QPixmap.fromImage(
        whole.scaledToWidth(VIEW_PX, QtCore.Qt.TransformationMode.SmoothTransformation)
    )
    painter = QtGui.QPainter(tile)
    painter.setPen(QtGui.QColor("white"))
    painter.drawText(10, 20, f"show: {show}")
    painter.end()
    return tile


def graph(node):
    """The node and what is connected to it, as the node graph has them."""
    tile = QtGui.QPixmap(VIEW_PX, 270)
    tile.fill(QtGui.QColor("#333333"))
    painter = QtGui.QPainter(tile)
    painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
    middle = QtCore.QPointF(VIEW_PX / 2, 150)
    for number, label in enumerate(("plate", "remove", "affected")):
        at = QtCore.QPointF(VIEW_PX / 2 + (number - 1) * 150, 55)
        painter.setPen(QtGui.QPen(WIRE, 1.5))
        painter.drawLine(at, middle)
        painter.drawText((at + middle) / 2 + QtCore.QPointF(14, 6), label)
        box(painter, at, node.input(number).name())
    painter.setPen(QtGui.QPen(WIRE, 1.5))
    painter.drawLine(middle, QtCore.QPointF(VIEW_PX / 2, 225))
    box(painter, middle, node.name())
    box(painter, QtCore.QPointF(VIEW_PX / 2, 225), "Viewer1")
    painter.end()
    return tile


def box(painter, middle, name):
    rect = QtCore.QRectF(0, 0, 104, 28)
    rect.moveCenter(middle)
    painter.setPen(QtGui.QPen(QtGui.QColor("#151515"), 1))
    painter.setBrush(QtGui.QColor(COLOURS[name]))
    painter.drawRoundedRect(rect, 4, 4)
    painter.setPen(QtGui.QColor("black"))
    painter.drawText(rect, int(QtCore.Qt.AlignmentFlag.AlignCenter), name)


def save(folder, name, *tiles):
    """The tiles beside each other."""
    width = sum(tile.width() for tile in tiles) + GAP_PX * (len(tiles) + 1)
    height = max(tile.height() for tile in tiles) + 2 * GAP_PX
    whole = QtGui.QPixmap(width, height)
    whole.fill(GROUND)
    painter, x = QtGui.QPainter(whole), GAP_PX
    for tile in tiles:
        painter.drawPixmap(x, GAP_PX, tile)
        x += tile.width() + GAP_PX
    painter.end()
    whole.save(str(folder / f"{name}.png"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
