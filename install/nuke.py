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
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLUGIN, SHARED = ROOT / "nuke_plugin", ROOT / "shared"
sys.path.insert(0, str(ROOT / "install"))

import wheels as vendored  # noqa: E402

PYTHONS = ((3, 9), (3, 10), (3, 11))
"""Of Nuke 14, 15 and 16."""

NOTE = "void-nuke-folder.txt"
"""Stands in a folder that this program made, and lists what is in it."""


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
            for name in vendored.download(given.download, PYTHONS):
                print(f"{given.download / name}")
        else:
            with tempfile.TemporaryDirectory() as scratch:
                wheels, folder = given.wheels, given.to.absolute()
                check(folder)
                if wheels is None:
                    print("fetching pyzmq, msgpack and xxhash for every Python and system", flush=True)
                    wheels = Path(scratch)
                    list(vendored.download(wheels, PYTHONS))
                for line in build(folder, wheels):
                    print(line)
    except vendored.Failed as error:
        print(f"install/nuke.py: {error}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(
            f"install/nuke.py: {error.filename} cannot be written: choose another folder, or ask for access to it.",
            file=sys.stderr,
        )
        return 1
    return 0


def check(folder: Path) -> None:
    """Raise Failed when ``folder`` is somebody else's."""
    if folder.exists() and not (folder.is_dir() and (not any(folder.iterdir()) or (folder / NOTE).is_file())):
        raise vendored.Failed(f"{folder} holds files that are not from here: choose a folder of its own.")


def build(folder: Path, wheels: Path) -> Iterator[str]:
    """Make the folder whole beside its place, then put it there; yields lines that say what it holds.

    Raises Failed when ``folder`` is somebody else's, or wheels are missing.
    """
    check(folder)
    found = vendored.found(wheels, PYTHONS)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=str(folder.parent), prefix=f".{folder.name}-") as scratch:
        made = Path(scratch) / "made"
        lines = [*_sources(made), *vendored.unpack(made / "packages", found)]
        (made / NOTE).write_text("\n".join(["Built by install/nuke.py of VOID for compositors.", *lines, ""]))
        made.chmod(0o755)
        if folder.exists():
            folder.replace(Path(scratch) / "before")
        made.replace(folder)
    yield from lines
    yield f"{folder} is ready: set NUKE_PATH={folder} and start Nuke."


def _sources(made: Path) -> Iterator[str]:
    clean = shutil.ignore_patterns("__pycache__", "*.pyc")
    made.mkdir()
    for name in ("init.py", "menu.py"):
        shutil.copy(str(PLUGIN / name), str(made / name))
        yield name
    shared = (SHARED / name for name in ("void_wire", "void_panel", "void_farm", "void_host"))
    for source in (PLUGIN / "gizmos", PLUGIN / "void_nuke", *shared):
        shutil.copytree(str(source), str(made / source.name), ignore=clean)
        yield f"{source.name}/"
    shutil.copy(str(ROOT / "LICENSE"), str(made / "LICENSE"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
