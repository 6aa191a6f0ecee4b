"""The OpenColorIO config that colours are named by, read once and again when its file changes.

Names are looked up as OpenImageIO does, which knows the usual ones ("sRGB", "lin_rec709") under a config's own names;
pixels go through OpenColorIO itself, since OpenImageIO reads a named config anew for every picture.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import OpenImageIO
import PyOpenColorIO

from void_server.frames.geometry import Floats
from void_wire.errors import SettingsError

BUILTIN_CONFIG = "ocio://studio-config-v2.2.0_aces-v1.3_ocio-v2.4"
"""Used where $OCIO is not set: ACES 1.3 with the camera spaces; pinned, since "-latest" moves with the library."""


def config_name() -> str:
    """The config in use: the file of $OCIO, else the built-in one."""
    return os.environ.get("OCIO") or BUILTIN_CONFIG


def config_label() -> str:
    """The config as a result names it: without the folder it lies in, which is the machine's own business."""
    name = config_name()
    return name if name.startswith("ocio://") else Path(name).name


class _Config(NamedTuple):
    """One config, as each of the two libraries has it. May be used on any thread."""

    colors: PyOpenColorIO.Config
    names: OpenImageIO.ColorConfig


def space_named(name: str) -> PyOpenColorIO.ColorSpace | None:
    """The space of that name, role or alias, None where the config has none. Raises SettingsError: it is unreadable."""
    config = _config()
    found = config.colors.getColorSpace(name)
    return found if found is not None else config.colors.getColorSpace(config.names.resolve(name))


def names() -> list[str]:
    """Every colour space, role and alias of the config. Raises SettingsError: it cannot be read."""
    config = _config().colors
    spaces = list(
        config.getColorSpaces(PyOpenColorIO.SEARCH_REFERENCE_SPACE_ALL, PyOpenColorIO.COLORSPACE_ALL)
    )
    return [
        *(space.getName() for space in spaces),
        *(role for role, _ in config.getRoles()),
        *(alias for space in spaces for alias in space.getAliases()),
    ]


def converted(
    values: npt.NDArray[np.float32], source: str, target: str, within: tuple[float, float] | None = None
) -> Floats:
    """Colours from one space of the config to another, both by their own names: float32 (..., 3), a new array.

    What leaves ``within`` is clipped first. Lets other threads run meanwhile.

    Raises:
        SettingsError: the config cannot be read, or does not say how.
    """
    result: Floats = (
        np.array(values, np.float32, order="C") if within is None else np.clip(values, *within, order="C")
    )
    try:
        processor = _config().colors.getProcessor(source, target).getDefaultCPUProcessor()
        processor.applyRGB(result)
    except PyOpenColorIO.Exception as error:
        raise SettingsError(f"{config_name()} cannot convert {source!r} to {target!r} ({error}).") from None
    return result


def _config() -> _Config:
    name = config_name()
    try:
        found = Path(name).stat()
    except OSError:
        return _read(name, (0, 0))  # built in; or OpenColorIO says what is wrong with it
    return _read(name, (found.st_mtime_ns, found.st_size))


@lru_cache(maxsize=4)
def _read(name: str, version: tuple[int, int]) -> _Config:
    """The config of that name, whose file was written then and is so long."""
    try:
        return _Config(PyOpenColorIO.Config.CreateFromFile(name), OpenImageIO.ColorConfig(name))
    except PyOpenColorIO.Exception as error:
        problem = " ".join(str(error).split()).rstrip(".")
    except UnicodeDecodeError:
        problem = "it is no text"
    raise SettingsError(f"The colour config {name} cannot be read ({problem}): set $OCIO to one that can.")
