"""Draws the macro's five views of a procedural shot, and the panel over it, for resolve_plugin/README.md.

    PYTHONPATH=tests:tests/fakes:resolve_plugin:nuke_plugin python tests/fusion_views.py .github/images

The views are what the macro's own graph makes in the fake Fusion, of a result that engine draft made in a real server;
the panel shows that server.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import cv2
import numpy as np
from fusion import Comp, Fusion, Session, _render
from fusion_shots import TEMPLATES, wire

from void_resolve import controller
from void_resolve.controls import BY_NAME
from void_resolve.host.application import Host
from void_server import local_server
from void_server.scene.scene import Scene

SIZE, FRAMES, SHOWN_FRAME = (540, 960), 24, 9
TILE = (480, 270)
PANEL_PX = (900, 640)


def main(folder):
    with tempfile.TemporaryDirectory() as scratch:
        session = Session()
        comp = session.comp = Comp(session, SIZE[::-1], 0, FRAMES - 1, f"{scratch}/views.comp")
        macro = fill(comp)
        app = Host(Fusion(session))
        server = local_server.start(
            "tcp://127.0.0.1:0", data_dir=Path(scratch) / "data", weights=None, idle_exit_s=0
        )
        try:
            settings = {"server": server.address, "engine": 1, "colorspace": "lin_rec709"}
            for name, value in {**settings, "first": 0, "last": FRAMES - 1}.items():
                macro.SetInput(name, value)
            error = controller.start(app, app.macros()[0], print, {}).run()
            if error is not None:
                raise error
            tiles = [view(comp, macro, at) for at in range(len(BY_NAME["show"].choices))]
            tiles.append(np.full_like(tiles[0], 255))
            views = np.vstack([np.hstack(tiles[:3]), np.hstack(tiles[3:])])
            cv2.imwrite(str(folder / "fusion_views.png"), views)
            panel(app, str(folder / "fusion_panel.png"))
        finally:
            server.stop()


def fill(comp):
    """The shot, its mattes, and the macro on them."""
    scene = Scene(*SIZE, FRAMES)

    def source(picture, first):
        def pixels(frame):
            made = np.zeros((*SIZE, 4), np.float32)
            values = picture(frame).reshape(*SIZE, -1)[::-1]
            made[..., first : first + values.shape[2]] = values
            return made

        return pixels

    tools = [
        comp.add("MediaIn", "MediaIn1", source(scene.plate, 0)),
        comp.add("PolylineMask", "Polygon1", source(scene.remove, 3)),
        comp.add("PolylineMask", "Polygon2", source(scene.affected, 3)),
    ]
    comp.paste((TEMPLATES / "VOID.setting").read_text(encoding="utf-8"))
    wire(comp.FindTool("VOID"), *tools)
    return comp.FindTool("VOID")


def view(comp, macro, show):
    """One view as 8-bit sRGB, named."""
    macro.SetInput("show", show)
    made = _render.picture(comp.inside(macro._tool, "MainOutput1")[0], SHOWN_FRAME)
    linear = np.clip(made[::-1, :, 2::-1], 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    tile = cv2.resize((encoded * 255 + 0.5).astype(np.uint8), TILE, interpolation=cv2.INTER_AREA)
    named = BY_NAME["show"].choices[show]
    return cv2.putText(tile, named, (10, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1, cv2.LINE_AA)


def panel(app, path):
    """The panel once it has listed the job and shows its newest frame."""
    from PySide6 import QtWidgets

    from void_panel.dark import dark_palette
    from void_resolve.panel import ResolvePanel

    qt = QtWidgets.QApplication([])
    qt.setStyle("Fusion")
    qt.setPalette(dark_palette())
    made = ResolvePanel(app, TEMPLATES / "VOID.setting", {})
    made.resize(*PANEL_PX)
    made.show()
    end = time.monotonic() + 8
    while time.monotonic() < end:
        qt.processEvents()
        time.sleep(0.02)
    made.grab().save(path)
    made.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
