"""Draws the node's five views of a procedural shot, for nuke_plugin/README.md.

    PYTHONPATH=tests/fakes:nuke_plugin python tests/nuke_views.py .github/images/nuke_views.png

The picture is what the gizmo's own graph makes in the fake Nuke, of a result that engine draft made in a real server.
"""

import sys
import tempfile
from pathlib import Path

import cv2
import nuke
import numpy as np
from nuke import _session
from nuke._render import image

from void_nuke import controller
from void_nuke.knobs import SHOWN
from void_server import local_server
from void_server.frames.exr import write_frame
from void_server.scene.scene import Scene

FRAMES, SHOWN_FRAME = range(1001, 1025), 1010
TILE = (480, 270)


def main(target):
    session = _session.start(gui=False)
    session.plugin_path.append(str(Path(__file__).parent.parent / "nuke_plugin" / "gizmos"))
    with tempfile.TemporaryDirectory() as scratch:
        node = comp(Path(scratch))
        server = local_server.start(
            "tcp://127.0.0.1:0", data_dir=Path(scratch) / "data", weights=None, idle_exit_s=0
        )
        try:
            node["server"].setValue(server.address)
            error = controller.render(node)
        finally:
            server.stop()
        if error:
            raise error
        tiles = [view(node, show) for show in SHOWN]
    tiles.append(np.full_like(tiles[0], 255))
    cv2.imwrite(str(target), np.vstack([np.hstack(tiles[:3]), np.hstack(tiles[3:])]))


def comp(folder):
    """The shot on disk and a node on it."""
    scene = Scene(540, 960, len(FRAMES))
    nuke.root()["name"].setValue(f"{folder}/views.nk")
    node = nuke.createNode("VOID", inpanel=False)
    sources = (
        ("plate", scene.plate, "RGB"),
        ("remove", scene.remove, "A"),
        ("affected", scene.affected, "A"),
    )
    for number, (name, picture, channels) in enumerate(sources):
        for index, frame in enumerate(FRAMES):
            pixels = picture(index).reshape(540, 960, len(channels)).astype(np.float16)
            write_frame(folder / f"{name}.{frame}.exr", frame, pixels, channels)
        read = nuke.nodes.Read(file=f"{folder}/{name}.%04d.exr", first=FRAMES[0], last=FRAMES[-1], raw=True)
        node.setInput(number, read)
    for name, value in {"engine": "draft", "colorspace": "lin_rec709", "first": 1001, "last": 1024}.items():
        node[name].setValue(value)
    return node


def view(node, show):
    """One view as 8-bit sRGB, named."""
    node["show"].setValue(show)
    made = image(node, SHOWN_FRAME)
    linear = np.clip(np.stack([made[name][::-1] for name in "BGR"], axis=-1), 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    tile = cv2.resize((encoded * 255 + 0.5).astype(np.uint8), TILE, interpolation=cv2.INTER_AREA)
    return cv2.putText(tile, show, (10, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1, cv2.LINE_AA)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
