"""The wheels of pyzmq, msgpack and xxhash for the Pythons of hosts: fetched, checked, unpacked. For the installers."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "shared"))

from void_host.packages import SYSTEMS, folder_name  # noqa: E402

WANTED = ("pyzmq>=26", "msgpack>=1.0.5", "xxhash>=3.5")

_TAGS = {
    "linux_x86_64": ("manylinux_2_28_x86_64", "manylinux_2_26_x86_64", "manylinux2014_x86_64"),
    "win_amd64": ("win_amd64",),
    "macos_arm64": ("macosx_11_0_arm64", "macosx_11_0_universal2", "macosx_10_15_universal2"),
    "macos_x86_64": ("macosx_10_15_x86_64", "macosx_10_15_universal2", "macosx_11_0_universal2"),
}

Python = tuple[int, int]


class Failed(Exception):
    """One sentence for whoever runs an installer."""


def targets(pythons: Sequence[Python]) -> Iterator[tuple[Python, str, str]]:
    """Python, system, and the name of the folder for both."""
    for python in pythons:
        for system in SYSTEMS:
            yield python, system, folder_name(python, system)


def download(wheels: Path, pythons: Sequence[Python]) -> Iterator[str]:
    """Fetch the wheels of every target; yields the names of their folders. Raises Failed."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    for python, system, name in targets(pythons):
        command = [*pip, "--only-binary", ":all:", "--implementation", "cp", "--dest", str(wheels / name)]
        command += ["--python-version", f"{python[0]}.{python[1]}"]
        for tag in _TAGS[system]:
            command += ["--platform", tag]
        if subprocess.run([*command, *WANTED], check=False).returncode:
            raise Failed(
                f"The wheels for {name} could not be fetched: see pip's lines above, or give --wheels."
            )
        yield name


def found(wheels: Path, pythons: Sequence[Python]) -> dict[str, list[Path]]:
    """The wheels of every target by the name of its folder. Raises Failed when one is missing."""
    return {name: _of(wheels / name) for _, _, name in targets(pythons)}


def unpack(made: Path, wheels: dict[str, list[Path]]) -> Iterator[str]:
    """Unpack them into a folder each below ``made``; yields a line for each."""
    for name, files in wheels.items():
        for wheel in files:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(made / name)
        versions = ", ".join(" ".join(wheel.name.split("-")[:2]) for wheel in files)
        yield f"packages/{name}: {versions}"


def _of(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.whl"))
    for wanted in (one.partition(">=")[0] for one in WANTED):
        count = sum(wheel.name.startswith(f"{wanted}-") for wheel in files)
        if count != 1:
            raise Failed(
                f"{folder} holds {count} wheels of {wanted} and not one: fetch them with --download."
            )
    return files
