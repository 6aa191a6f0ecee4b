"""Build the one folder that Nuke needs: point NUKE_PATH at it.

    python3 install/nuke.py --to FOLDER
    python3 install/nuke.py --to FOLDER --wheels WHEELS     without a network
    python3 install/nuke.py --download WHEELS               fetches the wheels for that

Plain Python 3.9 or newer with pip, on any system; the folder serves Nuke 14 to 16 on Linux, Windows and macOS. Nothing
is installed into Nuke. WHEELS holds a folder for each Python and system, for example cp310-linux_x86_64.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLUGIN, SHARED = ROOT / "nuke_plugin", ROOT / "shared"
sys.path.insert(0, str(PLUGIN))

from void_nuke.packages import PYTHONS, SYSTEMS, folder_name  # noqa: E402

WANTED = ("pyzmq>=26", "msgpack>=1.0.5")
NOTE = "void-nuke-folder.txt"
"""Stands in a folder that this program made, and lists what is in it."""

_TAGS = {
    "linux_x86_64": ("manylinux_2_28_x86_64", "manylinux_2_26_x86_64", "manylinux2014_x86_64"),
    "win_amd64": ("win_amd64",),
    "macos": ("macosx_11_0_universal2", "macosx_10_15_universal2"),
}


class Failed(Exception):
    """One sentence for whoever runs this."""


def main(arguments: list[str]) -> int:
    """Do it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="install/nuke.py", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--to", type=Path, metavar="FOLDER", help="the folder to build; one of ours is replaced"
    )
    parser.add_argument("--wheels", type=Path, metavar="WHEELS", help="take wheels from here, ask no network")
    parser.add_argument("--download", type=Path, metavar="WHEELS", help="only fetch the wheels")
    given = parser.parse_args(arguments)
    if (given.to is None) == (given.download is None) or (given.download and given.wheels):
        parser.print_usage(sys.stderr)
        return 2
    try:
        if given.download:
            for name in download(given.download):
                print(f"{given.download / name}")
        else:
            with tempfile.TemporaryDirectory() as scratch:
                wheels = given.wheels
                if wheels is None:
                    print("fetching pyzmq and msgpack for every Python and system", flush=True)
                    wheels = Path(scratch)
                    list(download(wheels))
                for line in build(given.to, wheels):
                    print(line)
    except Failed as error:
        print(f"install/nuke.py: {error}", file=sys.stderr)
        return 1
    return 0


def targets() -> Iterator[tuple[tuple[int, int], str, str]]:
    """Python, system, and the name of the folder for both."""
    for python in PYTHONS:
        for system in SYSTEMS:
            yield python, system, folder_name(python, system)


def download(wheels: Path) -> Iterator[str]:
    """Fetch the wheels of every target; yields the names of their folders. Raises Failed."""
    for python, system, name in targets():
        command = [
            sys.executable,
            "-m",
            "pip",
            "--disable-pip-version-check",
            "download",
            "--quiet",
            "--no-deps",
        ]
        command += ["--only-binary", ":all:", "--implementation", "cp", "--dest", str(wheels / name)]
        command += ["--python-version", f"{python[0]}.{python[1]}"]
        for tag in _TAGS[system]:
            command += ["--platform", tag]
        if subprocess.run([*command, *WANTED], check=False).returncode:
            raise Failed(
                f"The wheels for {name} could not be fetched: see pip's lines above, or give --wheels."
            )
        yield name


def build(folder: Path, wheels: Path) -> Iterator[str]:
    """Make the folder whole beside its place, then put it there; yields lines that say what it holds.

    Raises Failed when ``folder`` is somebody else's, or wheels are missing.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / NOTE).is_file():
        raise Failed(f"{folder} holds files that are not from here: choose a folder of its own.")
    found = {name: _wheels_of(wheels / name) for _, _, name in targets()}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=str(folder.parent), prefix=f".{folder.name}-") as scratch:
        made = Path(scratch) / "made"
        lines = [*_sources(made), *_packages(made / "packages", found)]
        (made / NOTE).write_text("\n".join(["Built by install/nuke.py of VOID for compositors.", *lines, ""]))
        made.chmod(0o755)
        if folder.exists():
            folder.replace(Path(scratch) / "before")
        made.replace(folder)
    yield from lines
    yield f"{folder} is ready: set NUKE_PATH={folder} and start Nuke."


def _wheels_of(folder: Path) -> list[Path]:
    found = sorted(folder.glob("*.whl"))
    for wanted in ("pyzmq", "msgpack"):
        count = sum(wheel.name.startswith(f"{wanted}-") for wheel in found)
        if count != 1:
            raise Failed(
                f"{folder} holds {count} wheels of {wanted} and not one: fetch them with --download."
            )
    return found


def _sources(made: Path) -> Iterator[str]:
    clean = shutil.ignore_patterns("__pycache__", "*.pyc")
    made.mkdir()
    for name in ("init.py", "menu.py"):
        shutil.copy(str(PLUGIN / name), str(made / name))
        yield name
    shared = (SHARED / name for name in ("void_wire", "void_panel", "void_host"))
    for source in (PLUGIN / "gizmos", PLUGIN / "void_nuke", *shared):
        shutil.copytree(str(source), str(made / source.name), ignore=clean)
        yield f"{source.name}/"
    shutil.copy(str(ROOT / "LICENSE"), str(made / "LICENSE"))


def _packages(made: Path, found: dict[str, list[Path]]) -> Iterator[str]:
    for name, wheels in found.items():
        for wheel in wheels:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(made / name)
        versions = ", ".join(" ".join(wheel.name.split("-")[:2]) for wheel in wheels)
        yield f"packages/{name}: {versions}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
