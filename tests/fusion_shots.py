"""Shots of the fake Fusion: a plate, its masks and the macro on them."""

from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
TEMPLATES = ROOT / "resolve_plugin" / "templates"
SIZE = (96, 160)
MANAGED = {"colorScienceMode": "davinciYRGBColorManagedv2", "colorSpaceTimeline": "Rec.709 (Scene)"}


def plate(size=SIZE, seed=0):
    """Noise with values above 1 and below 0 that floats hold and halves do not; rows from below."""
    noise = np.random.default_rng(seed).normal(0.5, 1, (*size, 4)).astype(np.float32)
    return lambda frame: noise + np.float32(frame / 8)


def box(x, y, width, height, size=SIZE):
    """A mask in alpha: a box from the lower left that moves right by 4 a frame."""

    def pixels(frame):
        made = np.zeros((*size, 4), np.float32)
        left = x + 4 * frame
        made[y : y + height, left : left + width, 3] = 1
        return made

    return pixels


def wire(macro, *sources):
    for at, tool in enumerate(sources, 1):
        if tool is not None:
            assert macro.FindMainInput(at).ConnectTo(tool.FindMainOutput(1))


def fill(session, comp, remove=(40, 20, 20, 20), affected=(60, 10, 30, 10), file="VOID.setting", size=SIZE):
    """A shot with its masks in a comp, and the macro on it; returns the macro."""
    session.comp = comp
    shot = comp.add("MediaIn", "MediaIn1", plate(size))
    masks = [
        comp.add("PolylineMask", name, box(*where, size=size)) if where else None
        for name, where in (("Polygon1", remove), ("Polygon2", affected))
    ]
    comp.paste((TEMPLATES / file).read_text(encoding="utf-8"))
    macro = comp.FindTool("VOID")
    wire(macro, shot, *masks)
    comp.active = macro._tool
    comp.undo.clear()
    return macro
