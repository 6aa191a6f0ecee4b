"""EXR frames to and from the model beside OpenImageIO and OpenColorIO alone, on the same file in the same run."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO
import PyOpenColorIO

from void_server.bench.row import Row, median_s
from void_server.frames.color import ColorTransform
from void_server.frames.color_config import config_name
from void_server.frames.exr import read_plate, write_frame, write_result
from void_server.frames.geometry import Box
from void_server.pixels import Pixels

WIDTH, HEIGHT = 1920, 1080
ROUNDS = 7
GOAL = 0.8
BOX = Box(300, 150, 1280, 720)
COLORSPACE, SEEN = "ARRI LogC4", "sRGB - Texture"


def rows() -> list[Row]:
    """1080p half frames: read whole, as float RGB and as the model sees them; a result with a tenth changed written."""
    with tempfile.TemporaryDirectory() as folder:
        return [
            row
            for channels, compression in (("RGB", "zips"), ("RGBA", "zips"), ("RGB", "none"))
            for row in _rows(Path(folder), channels, compression)
        ]


def _rows(folder: Path, channels: str, compression: str) -> list[Row]:
    pixels = _photo(len(channels))
    path = folder / "plate.exr"
    write_frame(path, 1, pixels, channels, compression=compression)
    plate = read_plate(path, 1)
    rgb = plate.rgb
    changed = np.zeros((HEIGHT, WIDTH), bool)
    changed[300:624, 600:1240] = True

    color = ColorTransform(COLORSPACE)
    to_seen = _processor()

    def measured(name: str, ours: Callable[[], object], theirs: Callable[[], object], note: str) -> Row:
        megabytes = pixels.nbytes / 1e6
        pairs = [
            (median_s(ours, 1), median_s(theirs, 1)) for _ in range(ROUNDS)
        ]  # in turn: other load hits both
        value, baseline = (megabytes / statistics.median(times) for times in zip(*pairs, strict=True))
        ratio = statistics.median(theirs_s / ours_s for ours_s, theirs_s in pairs)
        name = f"exr {name} {channels} {compression}"
        return Row(name, value, "MB/s", baseline, ratio, f"ratio >= {GOAL}", ratio >= GOAL, note)

    return [
        measured("read", lambda: read_plate(path, 1), lambda: _read(path, "half"), "every channel's bits"),
        measured(
            "read to float",
            lambda: read_plate(path, 1).rgb,
            lambda: _read(path, "float"),
            "ours keeps the bits too",
        ),
        measured(
            "read, crop, colour, encode",
            lambda: color.encode(read_plate(path, 1).over(BOX)),
            lambda: _seen(path, to_seen),
            f"{COLORSPACE} to what the model sees; theirs has no exposure and clips at white",
        ),
        measured(
            "write",
            lambda: write_result(folder / "ours.exr", plate, rgb, changed),
            lambda: _write(folder / "theirs.exr", plate.spec, pixels),
            "ours also merges, checks, syncs and renames",
        ),
    ]


def _read(path: Path, kind: str) -> Any:
    source: Any = OpenImageIO.ImageInput.open(str(path))
    pixels = source.read_image(0, 0, 0, source.spec().nchannels, kind)
    source.close()
    return pixels


def _processor() -> Any:
    config: Any = PyOpenColorIO.Config.CreateFromFile(config_name())
    return config.getProcessor(COLORSPACE, SEEN).getDefaultCPUProcessor()


def _seen(path: Path, to_seen: Any) -> None:
    part = np.ascontiguousarray(
        _read(path, "float")[BOX.y : BOX.y + BOX.height, BOX.x : BOX.x + BOX.width, :3]
    )
    to_seen.applyRGB(part)


def _write(path: Path, spec: Any, pixels: Pixels) -> None:
    target: Any = OpenImageIO.ImageOutput.create("openexr")
    target.open(str(path), spec)
    target.write_image(pixels)
    target.close()


def _photo(channels: int) -> Pixels:
    """Smooth light with sensor noise, which is what makes a film frame hard to compress."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32) / 200
    light = (0.4 + 0.3 * np.sin(x) * np.cos(y))[..., None] * np.linspace(1.0, 0.6, channels, dtype=np.float32)
    noisy: Pixels = (light + rng.normal(0, 0.01, (HEIGHT, WIDTH, channels)).astype(np.float32)).astype(
        np.float16
    )
    return noisy
