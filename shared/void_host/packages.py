"""pyzmq, msgpack and xxhash for the Python of a host: an unpacked folder each, the right one chosen at start."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import Optional, Tuple

SYSTEMS = ("linux_x86_64", "win_amd64", "macos_arm64", "macos_x86_64")


def folder_name(python: Tuple[int, int], system: str) -> str:
    """``cp310-linux_x86_64``."""
    return f"cp{python[0]}{python[1]}-{system}"


def system_name(platform_name: str, machine: str) -> Optional[str]:
    """The system of ``sys.platform`` and ``platform.machine()``, None when nothing is brought for it."""
    machine = {"amd64": "x86_64"}.get(machine.lower(), machine.lower())
    return {
        ("linux", "x86_64"): "linux_x86_64",
        ("win32", "x86_64"): "win_amd64",
        ("darwin", "arm64"): "macos_arm64",
        ("darwin", "x86_64"): "macos_x86_64",  # an Intel program under Rosetta is one too
    }.get((platform_name, machine))


def add(folder: str) -> None:
    """Put the right packages of ``folder``/packages behind everything else on sys.path.

    What the host or the studio brings under the same names goes first. Raises ImportError when there are none for this
    Python and they are not there already.
    """
    if _there():
        return
    system = system_name(sys.platform, platform.machine())
    name = folder_name(sys.version_info[:2], system) if system else f"{sys.platform} {platform.machine()}"
    packages = Path(folder) / "packages" / name
    if not packages.is_dir():
        raise ImportError(f"there are no packages for {name} in {packages.parent}; build the folder anew")
    sys.path.append(str(packages))


def _there() -> bool:
    try:
        import msgpack  # noqa: F401
        import xxhash  # noqa: F401
        import zmq  # noqa: F401
    except ImportError:
        return False
    return True
