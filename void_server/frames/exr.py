"""EXR frames, read and written through OpenImageIO without touching a bit that is not meant to change.

Pixels are kept in the file's own type. A file that mixes half and float channels is kept as float32 whole:
every half, the 2,046 NaNs among them, survives the way to float32 and back bit for bit (the tests walk all
65,536). 32-bit integer channels do not, and are refused.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import OpenImageIO

from void_server.frames.geometry import Box, Floats, place
from void_server.pixels import Pixels, floats, picked
from void_wire.errors import MissingFrames, ServerBusy, SettingsError, UnsupportedImage

Read = Callable[[Path, int], "PlateFrame"]
"""How a file of a frame (its number) is read: `read_plate`, or `DecodedFiles.read` where it is read again."""

HALF_MAX = 65504.0
MAX_SIDE_PX = 32_768
MAX_IMAGE_MB = 768
"""Of one decoded frame: holds 8192 x 4320 pixels of float RGBA."""
MAX_CHANNELS = 128
DEFLATE_LEVEL = 1
"""Of zip and zips, 1 to 9: a plate with grain grows by 6 % against OpenEXR's 4, in two thirds of the time."""
_MAGIC = b"\x76\x2f\x31\x01"
_LOSSLESS = ("none", "rle", "zips", "zip", "piz", "htj2k256", "htj2k32")
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)  # of linear Rec.709, ITU-R BT.709-6


@dataclass(frozen=True)
class Layout:
    """What a frame's header says."""

    path: Path
    frame: int
    display: Box
    data: Box
    channels: tuple[str, ...]
    types: tuple[str, ...]  # "half", "float" or "uint", one a channel
    compression: str
    pixel_aspect: float
    metadata: Mapping[str, Any] = field(compare=False)  # in OpenImageIO's names

    def __str__(self) -> str:
        return _named(self.path, self.frame)


@dataclass(frozen=True, eq=False)
class PlateFrame:
    """One frame with every channel's bits as they are in the file."""

    layout: Layout
    pixels: Pixels  # (h, w, channels) of the data window; float16 when every channel is half
    spec: Any = field(repr=False)  # OpenImageIO's header, from which the result's is made

    @property
    def rgb(self) -> Floats:
        """The picture: float32 (h, w, 3) of the data window in the file's own values, a copy.

        Raises:
            UnsupportedImage: the file has no red, green and blue.
        """
        return self.over(self.layout.data)

    def over(self, box: Box, every: int = 1) -> Floats:
        """`rgb` over ``box``, in the display window's coordinates; where there is no data the edge goes on.

        Of every ``every``-th pixel both ways alone, from the first.
        """
        return floats(self._picture(place(self.pixels, self.layout.data, box)[::every, ::every]))

    def stored(self, box: Box) -> Pixels:
        """The picture over ``box`` as `over`, but in the file's own type and only to be read."""
        return self._picture(place(self.pixels, self.layout.data, box))

    def _picture(self, pixels: Pixels) -> Pixels:
        return picked(pixels, rgb_channels(self.layout))


def limit_decoder() -> None:
    """Bound what a hostile or broken file can make OpenImageIO allocate; once, when a process starts."""
    OpenImageIO.attribute("openexr:core", 1)  # the newer of OpenEXR's decoders, a tenth faster
    OpenImageIO.attribute("limits:imagesize_MB", MAX_IMAGE_MB)
    OpenImageIO.attribute("limits:channels", MAX_CHANNELS)


def read_header(path: Path, frame: int) -> Layout:
    """The header alone, without decoding pixels.

    Raises:
        MissingFrames: there is no such file.
        UnsupportedImage: it is no single-part, flat EXR image.
    """
    with _opened(path, frame) as (_, layout):
        return layout


def read_plate(path: Path, frame: int) -> PlateFrame:
    """The whole frame.

    Raises:
        MissingFrames: there is no such file.
        UnsupportedImage: it is no EXR we can give back bit for bit, or it is cut short.
    """
    with _opened(path, frame) as (source, layout):
        if "uint" in layout.types:
            names = ", ".join(
                name for name, kind in zip(layout.channels, layout.types, strict=True) if kind == "uint"
            )
            raise UnsupportedImage(
                f"{layout} has 32-bit integer channels ({names}), which cannot be given back bit for bit: "
                "write the plate without them."
            )
        kind = "half" if set(layout.types) == {"half"} else "float"
        pixels = source.read_image(0, 0, 0, len(layout.channels), kind)
        if pixels is None:
            raise UnsupportedImage(f"{layout} is damaged or cut short ({_reason(source)}): write it again.")
        return PlateFrame(layout, pixels, source.spec())


def rgb_channels(layout: Layout) -> tuple[int, int, int]:
    """Positions of red, green and blue: R G B, else the first layer that has them, else Y three times.

    Raises:
        UnsupportedImage: none of these is there, or the file stores luminance and chroma.
    """
    groups: dict[str, dict[str, int]] = {}
    for position, name in enumerate(layout.channels):
        layer, _, last = name.rpartition(".")
        groups.setdefault(layer, {}).setdefault(_COLOURS.get(last.lower(), last), position)
    for layer in sorted(groups, key=bool):  # stable: the nameless layer first, the others in file order
        found = groups[layer]
        if {"R", "G", "B"} <= found.keys():
            return found["R"], found["G"], found["B"]
    top = groups.get("", {})
    if "Y" in top and not {"RY", "BY"} & top.keys():
        return top["Y"], top["Y"], top["Y"]
    raise UnsupportedImage(
        f"{layout} has no red, green and blue, its channels are {', '.join(layout.channels)}: write the plate as RGB."
    )


_COLOURS = {"r": "R", "g": "G", "b": "B", "red": "R", "green": "G", "blue": "B", "y": "Y"}


def luminance(rgb: Floats) -> Floats:
    """float32 (...) of linear Rec.709 colours (..., 3)."""
    return rgb @ _LUMINANCE


def lossless(compression: str, types: Sequence[str]) -> str:
    """The codec to write in so that every bit survives: ``compression``, or "zip" where that one rounds.

    DWA and B44 round everything, PXR24 rounds float channels to 24 bits.
    """
    exact = compression in _LOSSLESS or (compression == "pxr24" and "float" not in types)
    return compression if exact else "zip"


def write_result(
    path: Path,
    plate: PlateFrame,
    rgb: Floats,
    changed: npt.NDArray[np.bool_],
    *,
    compression: str | None = None,
    extra_metadata: Mapping[str, str | int | float] | None = None,
    extra_channels: Mapping[str, Floats] | None = None,
) -> str:
    """The plate again, with other red, green and blue where ``changed``; every other bit is the plate's.

    Channels, types, windows and metadata are the plate's; a tiled plate becomes scanlines.

    Args:
        path: where the frame goes; it appears there whole or not at all.
        plate: as `read_plate` gave it.
        rgb: float32 (h, w, 3) of the data window, in the plate's values; rounded to the file's type, and what
            exceeds the largest half stays at it. A plate of luminance alone gets the luminance.
        changed: bool (h, w).
        compression: the codec to write in; None keeps the plate's. See `lossless`.
        extra_metadata: attributes to add.
        extra_channels: whole name of a channel the plate lacks to float32 (h, w); stored in the type of red.

    Returns:
        The codec the file is written in.

    Raises:
        SettingsError: the folder cannot be written.
        ServerBusy: the disk is full.
    """
    layout = plate.layout
    pixels = plate.pixels.copy()
    positions = rgb_channels(layout)
    where = np.flatnonzero(changed)
    flat, fill = pixels.reshape(-1, pixels.shape[2]), np.take(rgb.reshape(-1, 3), where, axis=0)
    for position, values in zip(positions, fill.T, strict=True):
        value = luminance(fill) if len(set(positions)) == 1 else values
        flat[where, position] = _storable(value, layout.types[position])
    spec = OpenImageIO.ImageSpec(plate.spec)
    if extra_channels:
        kind = layout.types[positions[0]]
        types = [*layout.types, *(kind for _ in extra_channels)]
        added = [_storable(values, kind).astype(pixels.dtype) for values in extra_channels.values()]
        pixels = np.dstack([pixels, *added])
        spec.nchannels = len(types)
        spec.channelnames = (*layout.channels, *extra_channels)
        if len(set(types)) > 1:
            spec.channelformats = tuple(OpenImageIO.TypeDesc(name) for name in types)
    spec.tile_width = spec.tile_height = spec.tile_depth = 0
    for name in ("openexr:levelmode", "openexr:roundingmode", "openexr:dwaCompressionLevel"):
        spec.erase_attribute(name)
    codec = lossless(compression or layout.compression, layout.types)
    spec.attribute("compression", f"{codec}:{DEFLATE_LEVEL}" if codec in ("zip", "zips") else codec)
    for name, value in (extra_metadata or {}).items():
        spec.attribute(name, value)
    _save(path, layout.frame, spec, pixels)
    return codec


def write_frame(
    path: Path,
    frame: int,
    pixels: Pixels,
    channels: Sequence[str],
    *,
    display: Box | None = None,
    origin: tuple[int, int] = (0, 0),
    compression: str = "zips",
    metadata: Mapping[str, str | int | float] | None = None,
) -> None:
    """A new EXR of one type.

    Args:
        path: where the frame goes; it appears there whole or not at all.
        frame: its number, for the sentence of an error.
        pixels: float16 or float32 (h, w, channels) of the data window.
        channels: their names.
        display: the display window; None is the data window.
        origin: x, y of the data window's first pixel.
        compression: a codec of EXR.
        metadata: attributes.

    Raises:
        SettingsError: the folder cannot be written.
        ServerBusy: the disk is full.
    """
    height, width, count = pixels.shape
    spec = OpenImageIO.ImageSpec(width, height, count, "half" if pixels.dtype == np.float16 else "float")
    spec.channelnames = tuple(channels)
    spec.x, spec.y = origin
    spec.full_x, spec.full_y, spec.full_width, spec.full_height = display or Box(*origin, width, height)
    spec.attribute("compression", compression)
    for name, value in (metadata or {}).items():
        spec.attribute(name, value)
    _save(path, frame, spec, pixels)


def _storable(values: Floats, kind: str) -> Floats:
    """What exceeds the type's largest number stays at it."""
    limit = HALF_MAX if kind == "half" else float(np.finfo(np.float32).max)
    return np.clip(values, -limit, limit)


@contextmanager
def _opened(path: Path, frame: int) -> Iterator[tuple[Any, Layout]]:
    """The open file and its layout. A file that does not begin as EXR reaches no decoder at all."""
    named = _named(path, frame)
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except FileNotFoundError:
        raise MissingFrames(f"{named} is missing: render it, or leave it out of the range.") from None
    except OSError as error:
        raise UnsupportedImage(f"{named} cannot be opened ({error.strerror}): check the file.") from None
    if magic != _MAGIC:
        what = "is empty" if not magic else "is no EXR file"
        raise UnsupportedImage(f"{named} {what}: write the frame as EXR.")
    source: Any = OpenImageIO.ImageInput.open(str(path))
    if source is None or source.format_name() != "openexr":
        raise UnsupportedImage(f"{named} is no EXR we can read ({_reason(OpenImageIO)}): write it again.")
    try:
        yield source, _layout(source, path, frame)
    finally:
        source.close()


def _layout(source: Any, path: Path, frame: int) -> Layout:
    named = _named(path, frame)
    spec = source.spec()
    if spec.deep:
        raise UnsupportedImage(f"{named} holds deep pixels: flatten it first.")
    parts = spec.get_int_attribute("oiio:subimages", 1)
    if parts > 1:
        raise UnsupportedImage(
            f"{named} has {parts} parts: write one part (in Nuke's Write node: interleave channels, layers and views)."
        )
    if max(spec.full_width, spec.full_height) > MAX_SIDE_PX:
        raise UnsupportedImage(
            f"{named} has a display window of {spec.full_width} x {spec.full_height}; up to {MAX_SIDE_PX} a side works."
        )
    try:
        channels = tuple(spec.channelnames)
    except UnicodeDecodeError:
        raise UnsupportedImage(f"{named} has channel names that are no text: write it again.") from None
    formats = spec.channelformats or (spec.format,) * spec.nchannels
    return Layout(
        path=path,
        frame=frame,
        display=Box(spec.full_x, spec.full_y, spec.full_width, spec.full_height),
        data=Box(spec.x, spec.y, spec.width, spec.height),
        channels=channels,
        types=tuple(str(kind) for kind in formats),
        compression=spec.get_string_attribute("compression", "none"),
        pixel_aspect=spec.get_float_attribute("PixelAspectRatio", 1.0),
        metadata=_metadata(spec),
    )


def _metadata(spec: Any) -> dict[str, Any]:
    found = {}
    for attribute in spec.extra_attribs:
        try:
            found[attribute.name] = attribute.value
        except UnicodeDecodeError:  # text in another encoding: kept in the file, not shown
            continue
    return found


def _save(path: Path, frame: int, spec: Any, pixels: Pixels) -> None:
    """Write beside ``path``, make sure it is all there, rename."""
    part = path.with_name(path.name + ".part")
    target: Any = OpenImageIO.ImageOutput.create("openexr")
    try:
        if not target.open(str(part), spec):
            raise SettingsError(
                f"Frame {frame} cannot be written to {path} ({_reason(target)}): choose a folder that can be written."
            )
        try:
            written = target.write_image(pixels)
        finally:
            closed = target.close()  # says True on a full disk
        try:
            durable = written and closed and _whole(part, spec)
            if durable:
                with part.open("rb+") as file:
                    os.fsync(file.fileno())
                part.replace(path)
        except OSError:
            durable = False
        if not durable:
            part.unlink(missing_ok=True)
            free = shutil.disk_usage(path.parent).free
            raise ServerBusy(
                f"Frame {frame} could not be saved: {path} needs up to {pixels.nbytes} bytes and the disk has {free} "
                "free; make room and try again."
            )
    finally:
        part.unlink(missing_ok=True)


def _whole(path: Path, spec: Any) -> bool:
    """Can the first and the last scanline be read back? Line order decides which of them was written last."""
    source: Any = OpenImageIO.ImageInput.open(str(path))
    if source is None:
        _reason(OpenImageIO)
        return False
    rows = (spec.y, spec.y + spec.height - 1)
    found = [source.read_scanlines(0, 0, row, row + 1, 0, 0, 1, "half") is not None for row in rows]
    source.close()
    return all(found)


def _reason(source: Any) -> str:
    """OpenImageIO's last error as part of a sentence. It quotes the file's bytes, which may be no text."""
    try:
        text = source.geterror()
    except UnicodeDecodeError:
        return "its header is damaged"
    return " ".join(text.split()).rstrip(".:")[:200] or "no reason given"


def _named(path: Path, frame: int) -> str:
    return f"Frame {frame} ({path.name})"
