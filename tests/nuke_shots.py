"""Small shots on disk, and a script of the fake Nuke that reads them."""

import numpy as np

from void_server.frames.exr import write_frame

FRAMES = range(1001, 1004)


def write(folder, name, pixels_of, channels, **more):
    """EXR frames of `FRAMES` from float arrays (h, w, channels), rows from the top."""
    for frame in FRAMES:
        write_frame(folder / f"{name}.{frame}.exr", frame, pixels_of(frame), channels, **more)
    return f"{folder}/{name}.%04d.exr"


def plate(size, seed=0):
    """Noise in half floats, with values above 1 and below 0."""
    noise = np.random.default_rng(seed).normal(0.5, 1, (*size, 4)).astype(np.float16)
    return lambda frame: noise + np.float16((frame - 1001) / 8)


def box(size, x, y, width, height):
    """A matte in alpha: a box from the upper left corner that moves right by 4 a frame, with a soft edge of 0.5."""

    def pixels(frame):
        matte = np.zeros((*size, 1), np.float32)
        left = x + 4 * (frame - 1001)
        matte[y : y + height, left : left + width] = 0.5
        matte[y + 1 : y + height - 1, left + 1 : left + width - 1] = 1
        return matte

    return pixels


def read_node(nuke, path):
    node = nuke.createNode("Read", inpanel=False)
    node["file"].setValue(path)
    node["first"].setValue(FRAMES[0])
    node["last"].setValue(FRAMES[-1])
    node["raw"].setValue(True)
    return node


def comp(nuke, folder, size, remove=(300, 80, 60, 90), affected=(360, 150, 200, 40)):
    """A VOID node on a plate and its rotos; ``affected`` None leaves that input open."""
    nuke.root()["first_frame"].setValue(FRAMES[0])
    nuke.root()["last_frame"].setValue(FRAMES[-1])
    node = nuke.createNode("VOID", inpanel=False)
    metadata = {"nuke/input/timecode": "01:00:00:00"}
    node.setInput(0, read_node(nuke, write(folder, "plate", plate(size), "RGBA", metadata=metadata)))
    node.setInput(1, read_node(nuke, write(folder, "remove", box(size, *remove), "A")))
    if affected:
        node.setInput(2, read_node(nuke, write(folder, "affected", box(size, *affected), "A")))
    return node
