"""Pixels of the classes that the VOID node is made of, enough to see that it does what its drawing says.

An image has its rows from the bottom up, as Nuke counts y. The data window is always the format's. Filters are simpler
than Nuke's: a Reformat that reduces takes means, and ``impulse`` the pixel at the middle.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from nuke._expressions import evaluate
from nuke._nodes import Group
from nuke._session import current, main_only
from void_server.frames.exr import read_header, read_plate, write_frame

_RGBA = {"rgba.red": "R", "rgba.green": "G", "rgba.blue": "B", "rgba.alpha": "A"}
_SHORT = {"r": "R", "g": "G", "b": "B", "a": "A"}
_SETS = {"rgb": "RGB", "rgba": "RGBA", "alpha": "A", "rgba.alpha": "A", "all": "RGBA"}


class RenderError(RuntimeError):
    """What Nuke shows in red on a node."""


@dataclass
class Image:
    channels: dict  # "R" -> float32 (h, w)
    size: tuple  # width, height
    metadata: dict

    def __getitem__(self, name):
        return self.channels.get(name, np.zeros(self.size[::-1], np.float32))

    def replaced(self, **channels):
        return Image({**self.channels, **channels}, self.size, self.metadata)


def size(node):
    """Width and height of a node's format, without its pixels."""
    cls = node._class
    value = node._knobs
    if cls == "Read":
        path = _file(node, value["first"].value())
        if not path.is_file():
            return _root_size()
        layout = read_header(path, 0)
        return layout.display.width, layout.display.height
    if cls == "Input":
        outside = node._parent.input(int(value["number"].value()))
        return outside._size() if outside is not None else _root_size()
    if cls == "Reformat":
        return value["box_width"].value(), value["box_height"].value()
    if cls == "Crop" and value["reformat"].value():
        x, y, r, t = value["box"].value()
        return int(r - x), int(t - y)
    source = node.input(0)
    if isinstance(node, Group) and node._nodes:
        source = next(inner for inner in node._nodes if inner._class == "Output")
    return source._size() if source is not None else _root_size()


def channel_names(node):
    names = {short: name for name, short in _RGBA.items()}
    return [names.get(channel, channel) for channel in image(node, node._range()[0]).channels]


def _root_size():
    width, height = current().root["format"].value().split()[:2]
    return int(width), int(height)


def image(node, frame):
    """What the node gives out at this frame."""
    current().root["frame"]._value = int(frame)
    if node is None:
        width, height = _root_size()
        return Image({}, (width, height), {})
    if isinstance(node, Group):
        return image(next(inner for inner in node._nodes if inner._class == "Output"), frame)
    if node._class != "Write" and node["disable"].value():
        return image(node.input(0), frame)
    return _CLASSES[node._class](node, lambda number: image(node.input(number), frame), frame)


def mean(node, channel, middle, size, frame):
    now = current().root["frame"].value()
    made = image(node, now if frame is None else frame)
    current().root["frame"]._value = now
    pixels = made[_RGBA[channel]]
    rows, columns = (
        slice(max(0, int(at - (side - 1) / 2)), max(0, int(at + (side + 1) / 2)))
        for at, side in zip(middle[::-1], size[::-1], strict=True)
    )
    there = pixels[rows, columns]
    return float(there.sum() / (size[0] * size[1]))


def _file(node, frame):
    return Path(node["file"].evaluate(frame))


def _read(node, source, frame):
    """hosts.md A1.9: a frame that is not there is an error, unless on_error says otherwise."""
    first, last = node["first"].value(), node["last"].value()
    path = _file(node, min(max(frame, first), last))
    if not path.is_file():
        reaction = node["on_error"].value()
        there = [n for n in range(first, last + 1) if _file(node, n).is_file()]
        if reaction == "black":
            return Image({}, _root_size(), {})
        if reaction != "nearest frame" or not there:
            raise RenderError(f"{node.name()}: {path} No such file or directory")
        path = _file(node, min(there, key=lambda n: abs(n - frame)))
    file = read_plate(path, frame)
    display = file.layout.display
    if file.layout.data != display:
        raise RenderError("the fake reads no overscan")
    channels = {
        name: file.pixels[::-1, :, at].astype(np.float32) for at, name in enumerate(file.layout.channels)
    }
    metadata = {k: v for k, v in file.layout.metadata.items() if isinstance(v, (str, int, float))}
    return Image(channels, (display.width, display.height), metadata)


def _constant(node, source, frame):
    made = _root_size()
    color = dict(zip("RGBA", node["color"].value(), strict=True))
    names = _SETS[node["channels"].value()]
    return Image({name: np.full(made[::-1], color[name], np.float32) for name in names}, made, {})


def _expression(node, source, frame):
    under = source(0)
    width, height = under.size
    y, x = np.mgrid[:height, :width].astype(np.float32)
    temporary = {}

    def look_up(name):
        if name in temporary:
            return temporary[name]
        if name in _SHORT:
            return under[_SHORT[name]]
        return {"x": x, "y": y}[name] if name in "xy" else node._look_up(name)

    def call(name, arguments):
        if name in _SHORT:
            column, row = (
                np.clip(np.asarray(a).astype(int), 0, side - 1)
                for a, side in zip(arguments, under.size, strict=True)
            )
            return under[_SHORT[name]][row, column]
        many = {"max": np.maximum, "min": np.minimum}
        if name in many:
            return many[name].reduce([np.broadcast_to(a, (height, width)) for a in arguments])
        return {"floor": np.floor, "abs": np.abs}[name](*arguments)

    for i in range(4):
        if node[f"temp_name{i}"].value():
            temporary[node[f"temp_name{i}"].value()] = evaluate(node[f"temp_expr{i}"].value(), look_up, call)
    made = {
        "RGBA"[i]: np.broadcast_to(evaluate(node[f"expr{i}"].value(), look_up, call), (height, width)).astype(
            np.float32
        )
        for i in range(4)
        if node[f"expr{i}"].value()
    }
    return under.replaced(**made)


def _copy(node, source, frame):
    below, above = source(0), source(1)
    made = {}
    for i in range(4):
        if node[f"from{i}"].value() != "none":
            pixels = above[_RGBA[node[f"from{i}"].value()]]
            made[_RGBA[node[f"to{i}"].value()]] = _placed(pixels, below.size)
    return below.replaced(**made)


def _placed(pixels, size):
    width, height = size
    out = np.zeros((height, width), np.float32)
    rows, columns = min(height, pixels.shape[0]), min(width, pixels.shape[1])
    out[:rows, :columns] = pixels[:rows, :columns]
    return out


def _each(function):
    def on(node, source, frame):
        under = source(0)
        names = _SETS[node["channels"].value()]
        return under.replaced(**{name: function(node, under[name]) for name in names})

    return on


def _dilate(node, pixels):
    reach = int(node["size"].value())
    if reach == 0:
        return pixels
    kernel = np.ones((2 * abs(reach) + 1,) * 2, np.uint8)
    return (cv2.dilate if reach > 0 else cv2.erode)(pixels, kernel)


def _blur(node, pixels):
    width = node["size"].value()
    return cv2.GaussianBlur(pixels, (0, 0), width / 2) if width else pixels


def _keymix(node, source, frame):
    below, above, mask = source(0), source(1), source(2)
    share = mask[_RGBA[node["maskChannel"].value()]]
    with np.errstate(invalid="ignore"):
        made = {
            name: below[name] * (1 - share) + above[name] * share for name in _SETS[node["channels"].value()]
        }
    return below.replaced(**made)


def _switch(node, source, frame):
    return source(int(node["which"].value()))


def _premult(node, source, frame):
    under = source(0)
    return under.replaced(**{name: under[name] * under["A"] for name in "RGB"})


def _crop(node, source, frame):
    under = source(0)
    x, y, r, t = (int(side) for side in node["box"].value())
    made = {name: _placed(pixels[y:, x:], (r - x, t - y)) for name, pixels in under.channels.items()}
    return Image(made, (r - x, t - y), under.metadata)


def _reformat(node, source, frame):
    under = source(0)
    if (node["type"].value(), node["resize"].value()) != ("to box", "distort"):
        raise RenderError("the fake reformats to a box, distorting")
    wanted = node["box_width"].value(), node["box_height"].value()
    made = {}
    for name, pixels in under.channels.items():
        if node["filter"].value() == "impulse":
            row = (2 * np.arange(wanted[1]) + 1) * under.size[1] // (2 * wanted[1])
            column = (2 * np.arange(wanted[0]) + 1) * under.size[0] // (2 * wanted[0])
            made[name] = pixels[row][:, column]
        else:
            made[name] = cv2.resize(pixels, wanted, interpolation=cv2.INTER_AREA)
    return Image(made, wanted, under.metadata)


def _transform(node, source, frame):
    under = source(0)
    x, y = (int(side) for side in node["translate"].value())
    width, height = under.size
    made = {}
    for name, pixels in under.channels.items():
        out = np.zeros((max(0, y) + height, max(0, x) + width), np.float32)
        out[max(0, y) :, max(0, x) :] = pixels[max(0, -y) :, max(0, -x) :]
        made[name] = out
    return Image(made, under.size, under.metadata)


def _merge(node, source, frame):
    below, above = source(0), source(1)
    if node["operation"].value() != "over":
        raise RenderError("the fake merges over")
    share = _placed(above["A"], below.size)
    return below.replaced(
        **{
            name: _placed(above[name], below.size) + below[name] * (1 - share)
            for name in _SETS[node["output"].value()]
        }
    )


def _input(node, source, frame):
    return image(node._parent.input(int(node["number"].value())), frame)


def _through(node, source, frame):
    return source(0)


_CLASSES = {
    "Read": _read, "Input": _input, "Output": _through, "Dot": _through, "NoOp": _through, "Write": _through,
    "Constant": _constant, "Expression": _expression, "Copy": _copy,
    "Clamp": _each(lambda node, pixels: np.clip(pixels, 0, 1)), "Dilate": _each(_dilate),
    "Blur": _each(_blur), "Keymix": _keymix, "Switch": _switch, "Premult": _premult,
    "Crop": _crop, "Reformat": _reformat, "Transform": _transform, "Merge2": _merge,
}  # fmt: skip

_CODECS = {"Zip (1 scanline)": "zips", "Zip (16 scanlines)": "zip", "none": "none", "RLE": "rle"}


@main_only
def execute(node, start=None, end=None, incr=1, views=None, continueOnError=False):
    """hosts.md A1.8: renders one Write on the main thread. A user who cancels is a RuntimeError 'Cancelled'."""
    session = current()
    known = session.views
    if sorted(views or known) != sorted(set(views or known) & set(known)):
        raise RuntimeError(f"views {views}: the script has {known}")
    if len(views or known) > 1 and "%v" not in str(node["file"].value()).lower():
        raise RenderError("the fake writes one view into a file")
    if node["disable"].value():
        raise RuntimeError(f"{node.name()} is disabled")
    if not node["raw"].value() or node["file_type"].value() not in ("exr", ""):
        raise RenderError("the fake writes raw EXR")
    for count, frame in enumerate(range(int(start), int(end) + 1, int(incr))):
        if session.cancel_after is not None and count >= session.cancel_after:
            raise RuntimeError("Cancelled")
        path = _file(node, frame)
        if "\\" in str(node["file"].value()):
            raise RenderError(f"{path}: backslashes")  # hosts.md A1.6 'Paths must use /'
        if not path.parent.is_dir():
            if not node["create_directories"].value():
                raise RenderError(f"{path.parent}: No such file or directory")
            path.parent.mkdir(parents=True)
        made = image(node.input(0), frame)
        names = _SETS[node["channels"].value()]
        kind = np.float16 if node["datatype"].value() == "16 bit half" else np.float32
        pixels = np.ascontiguousarray(np.stack([made[name][::-1] for name in names], axis=-1).astype(kind))
        keep = made.metadata if node["metadata"].value() == "all metadata" else {}
        write_frame(  # through a temporary name and a rename: hosts.md A1.7 'Behaviour'
            path, frame, pixels, names, compression=_CODECS[node["compression"].value()],
            metadata={"nuke/version": "15.0v4", **{k: v for k, v in keep.items() if "compression" not in k.lower()}},
        )  # fmt: skip
