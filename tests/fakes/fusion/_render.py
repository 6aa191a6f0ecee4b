"""Pixels. A picture is float32 (h, w, 4), red to alpha, rows from below as Fusion counts y; None: there is none."""

import re
from pathlib import Path

import cv2
import numpy as np

from fusion._formulas import evaluate
from void_server.frames.exr import read_plate, write_frame

CORNER = False
"""Whether x of a Custom Tool is a pixel's left edge, and not its middle: the manual does not say."""


class RenderError(Exception):
    """What Fusion shows in red on a tool."""


_made = {}
"""Of the picture that is being made: every tool works once."""


def picture(tool, frame):
    """What the output of a tool holds at a frame."""
    outermost = not _made
    try:
        if (tool, frame) not in _made:
            _made[tool, frame] = None
            _made[tool, frame] = _worked(tool, frame)
        return _made[tool, frame]
    finally:
        if outermost:
            _made.clear()


def _worked(tool, frame):
    if tool.attrs["TOOLB_PassThrough"]:
        first = tool.main_inputs()[:1]
        return source(tool, first[0], frame) if first else None
    made = _CLASSES[tool.cls](tool, frame)
    if made is not None:
        tool.attrs["TOOLI_ImageHeight"], tool.attrs["TOOLI_ImageWidth"] = made.shape[:2]
    return made


def source(tool, name, frame):
    """The picture that feeds an input."""
    link = tool.link(name)
    return picture(link.tool, frame) if link is not None else None


def _needed(tool, name, frame):
    made = source(tool, name, frame)
    if made is None:
        raise RenderError(f"{tool.name} cannot get {name} at {frame}")
    return made


def _custom(tool, frame):
    if not tool.value("Blend", frame):  # the manual, "Process When Blend Is 0.0": nothing is done
        return _needed(tool, "Image1", frame)
    images = [_needed(tool, "Image1", frame), *(source(tool, f"Image{n}", frame) for n in (2, 3))]
    high, wide = images[0].shape[:2]
    y, x = np.mgrid[:high, :wide] + (0.0 if CORNER else 0.5)
    names = {"time": float(frame), "x": x / wide, "y": y / high, "w": float(wide), "h": float(high)}
    for at, image in enumerate(images, 1):
        shape = image.shape[:2] if image is not None else (0, 0)
        names.update({f"h{at}": float(shape[0]), f"w{at}": float(shape[1])})
        for channel, letter in enumerate("rgba"):
            same = image is not None and shape == (high, wide)
            names[f"{letter}{at}"] = image[..., channel].astype(float) if same else np.zeros((high, wide))
    for at in range(1, 9):
        names[f"n{at}"] = tool.value(f"NumberIn{at}", frame) or 0.0

    def get(name, u, v):
        found = re.fullmatch(r"get([rgba])([123])([bd])", name)
        if not found:
            raise RenderError(f"{tool.name}: there is no {name}")
        image = images[int(found[2]) - 1]
        if image is None:
            return np.zeros((high, wide))
        down, across = image.shape[:2]
        column, row = (
            np.floor(np.asarray(at) * side + 1e-6).astype(int) for at, side in ((u, across), (v, down))
        )
        there = (column >= 0) & (column < across) & (row >= 0) & (row < down)
        values = image[row.clip(0, down - 1), column.clip(0, across - 1), "rgba".index(found[1])].astype(
            float
        )
        return values if found[3] == "d" else np.where(there, values, 0.0)

    def look_up(name):
        if name not in names:
            raise RenderError(f"{tool.name}: {name} is no variable of a Custom Tool")
        return names[name]

    for what, letter in (("Setup", "s"), ("Intermediate", "i")):
        for at in range(1, 5):
            text = tool.value(f"{what}{at}", frame)
            if text:
                names[f"{letter}{at}"] = evaluate(text, look_up, get)
    made = np.empty((high, wide, 4), np.float32)
    for at, channel in enumerate(("Red", "Green", "Blue", "Alpha")):
        names["c1"] = names[f"{'rgba'[at]}1"]
        made[..., at] = evaluate(tool.value(f"{channel}Expression", frame), look_up, get)
    return made


def _crop(tool, frame):
    image = _needed(tool, "Input", frame)
    x, y, wide, high = (int(tool.value(name, frame)) for name in ("XOffset", "YOffset", "XSize", "YSize"))
    made = np.zeros((high, wide, 4), np.float32)
    taken = image[max(y, 0) : y + high, max(x, 0) : x + wide]
    made[max(-y, 0) :, max(-x, 0) :][: taken.shape[0], : taken.shape[1]] = taken
    return made


def _resize(tool, frame):
    image = _needed(tool, "Input", frame)
    size = int(tool.value("Width", frame)), int(tool.value("Height", frame))
    if tool.value("UseFrameFormatSettings", frame):
        size = tool.comp.size
    if tool.value("KeepAspect", frame):
        size = size[0], round(size[0] * image.shape[0] / image.shape[1])
    smaller = size[0] < image.shape[1]
    way = cv2.INTER_AREA if tool.value("FilterMethod", frame) == 1 and smaller else cv2.INTER_NEAREST
    return image if size == image.shape[1::-1] else cv2.resize(image, size, interpolation=way)


def _blur(tool, frame):
    image, size = _needed(tool, "Input", frame), float(tool.value("XBlurSize", frame))
    return cv2.GaussianBlur(image, (0, 0), size / 2, borderType=cv2.BORDER_REPLICATE) if size > 0 else image


def _ellipse(tool, frame):
    high, wide = tool.comp.size[1], tool.comp.size[0]
    y, x = np.mgrid[:high, :wide] + 0.5
    at, across, down = tool.value("Center", frame), tool.value("Width", frame), tool.value("Height", frame)
    inside = ((x / wide - at[0]) * 2 / across) ** 2 + ((y - at[1] * high) / wide * 2 / down) ** 2 <= 1
    made = np.zeros((high, wide, 4), np.float32)
    made[..., 3] = inside * tool.value("Level", frame)
    more = source(tool, "EffectMask", frame)
    if more is not None:
        made[..., 3] = np.maximum(made[..., 3], more[..., 3])
    return made


def _loader(tool, frame):
    first, last = tool.value("GlobalIn", frame), tool.value("GlobalOut", frame)
    if not tool.clip or not first <= frame <= last:
        return None
    start, end = int(tool.value("ClipTimeStart", frame)), int(tool.value("ClipTimeEnd", frame))
    index = start if len(tool.clip) == 1 else start + int(frame - first)
    if index > end:
        return None
    file = read_plate(tool.clip[index], int(frame))
    made = np.zeros((*file.pixels.shape[:2], 4), np.float32)
    for at, letter in enumerate("RGBA"):
        if letter in file.layout.channels:
            made[..., at] = file.pixels[::-1, :, file.layout.channels.index(letter)]
    return made


def _made_up(tool, frame):
    return tool.pixels(int(frame)) if tool.pixels is not None else None


def _background(tool, frame):
    wide, high = tool.comp.size
    if not tool.value("UseFrameFormatSettings", frame):
        wide, high = int(tool.value("Width", frame)), int(tool.value("Height", frame))
    colour = [tool.value(f"TopLeft{name}", frame) for name in ("Red", "Green", "Blue", "Alpha")]
    return np.full((high, wide, 4), colour, np.float32)


_CLASSES = {
    "Background": _background,
    "PipeRouter": lambda tool, frame: _needed(tool, "Input", frame),
    "MediaOut": lambda tool, frame: _needed(tool, "Input", frame),
    "Custom": _custom,
    "Crop": _crop,
    "BetterResize": _resize,
    "Blur": _blur,
    "EllipseMask": _ellipse,
    "PolylineMask": _made_up,
    "MediaIn": _made_up,
    "Loader": _loader,
}


def save(tool, frame):
    """What a Saver does with one frame. Digits at the end of its name are the number's width; without any it is 4."""
    image = _needed(tool, "Input", frame)
    clip = Path(tool.rendered("Clip"))
    found = re.fullmatch(r"(.*?)(\d*)", clip.stem)
    path = clip.with_name(f"{found[1]}{frame:0{len(found[2]) or 4}d}{clip.suffix}")
    if tool.rendered("OutputFormat") != "OpenEXRFormat" or clip.suffix != ".exr":
        raise RenderError(f"{tool.name}: Resolve writes EXR only")
    if not path.parent.is_dir():
        if not tool.rendered("CreateDir"):
            raise RenderError(f"{tool.name}: there is no folder {path.parent}")
        path.parent.mkdir(parents=True)
    kind = {1: np.float16, 2: np.float32}[tool.rendered("OpenEXRFormat.Depth")]
    write_frame(path, int(frame), np.ascontiguousarray(image[::-1]).astype(kind), "RGBA")


def sequence(path):
    """The files of the sequence that a Loader finds at ``path``: those whose number stands at the name's end."""
    path = Path(path)
    found = re.fullmatch(r"(.*?)(-?\d+)", path.stem)
    if not path.is_file():
        return []
    if not found:
        return [path]
    name = re.compile(re.escape(found[1]) + r"(-?\d+)" + re.escape(path.suffix))
    numbered = {int(name.fullmatch(p.name)[1]): p for p in path.parent.iterdir() if name.fullmatch(p.name)}
    files, number = [], min(numbered)
    while number in numbered:
        files.append(numbered[number])
        number += 1
    return files
