"""Install VOID into DaVinci Resolve or Fusion: the macro, the effect of the Edit page, the scripts, what they need.

    python3 install/resolve.py [--user | --system]       for you, or for everybody on this machine
    python3 install/resolve.py --fusion                  into standalone Fusion
    python3 install/resolve.py --to FOLDER               into another folder of that layout (it holds Scripts/)
    python3 install/resolve.py --wheels WHEELS           without a network
    python3 install/resolve.py --download WHEELS         fetches the wheels for that
    python3 install/resolve.py --uninstall               takes away what it wrote

Plain Python 3.9 or newer with pip, on Linux, Windows and macOS. It writes into Fusion's own folders for scripts and
templates, says each file and each folder of its own, and changes nothing else. Resolve looks for templates when it
starts.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLUGIN, SHARED = ROOT / "resolve_plugin", ROOT / "shared"
sys.path.insert(0, str(ROOT / "install"))

import wheels as vendored  # noqa: E402

PYTHONS = ((3, 10), (3, 11), (3, 12), (3, 13), (3, 14))
"""That Resolve takes from the machine; since 21.1 it brings 3.14."""

HOME = "VOID"
"""The folder, beside Scripts and Templates, with everything that is not a script or a template."""
NOTE = "installed.txt"
"""In it: every path that was written, relative to the Fusion folder."""


def main(arguments: list[str]) -> int:
    """Do it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="install/resolve.py", description=__doc__.splitlines()[0])
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--user", action="store_true", help="for you alone; this is what happens without it too"
    )
    where.add_argument(
        "--system", action="store_true", help="for everybody; asks for an administrator's rights"
    )
    where.add_argument("--to", type=Path, metavar="FOLDER", help="Fusion's folder, which holds Scripts/")
    parser.add_argument("--fusion", action="store_true", help="standalone Fusion, not Resolve")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--wheels", type=Path, metavar="WHEELS", help="take wheels from here, ask no network")
    what.add_argument("--download", type=Path, metavar="WHEELS", help="only fetch the wheels")
    what.add_argument("--uninstall", action="store_true", help="take away what was installed")
    given = parser.parse_args(arguments)
    try:
        if given.download:
            for name in vendored.download(given.download, PYTHONS):
                print(given.download / name)
            return 0
        if given.to is not None:
            folder = given.to.absolute()  # the script is told where it lies
        else:
            folder = fusion_folder(sys.platform, os.environ, Path.home(), given.system, given.fusion)
        if given.to is None and not folder.parent.is_dir():
            raise vendored.Failed(
                f"{folder.parent} is not there: start {'Fusion' if given.fusion else 'Resolve'} once, or name its "
                "folder with --to."
            )
        if given.uninstall:
            for path in uninstall(folder):
                print(f"removed {path}")
            return 0
        check(folder, given.fusion)
        with tempfile.TemporaryDirectory() as scratch:
            wheels = given.wheels
            if wheels is None:
                print("fetching pyzmq, msgpack and xxhash for every Python and system", flush=True)
                wheels = Path(scratch)
                list(vendored.download(wheels, PYTHONS))
            for line in install(folder, wheels, given.fusion):
                print(line)
    except vendored.Failed as error:
        print(f"install/resolve.py: {error}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(
            f"install/resolve.py: {error.filename} cannot be written: run this as an administrator, or with --user.",
            file=sys.stderr,
        )
        return 1
    return 0


def fusion_folder(
    system: str, environment: Mapping[str, str], home: Path, everybody: bool, standalone: bool
) -> Path:
    """Where Resolve, or ``standalone`` Fusion, looks for scripts and templates; ``system`` is sys.platform.

    Raises Failed for a system that neither runs on. (Resolve: the README of its scripting API; Fusion: its user manual,
    "Path maps".)
    """
    maker = "Blackmagic Design"
    if system == "darwin":
        library = (Path("/") if everybody else home) / "Library/Application Support" / maker
        return library / "Fusion" if standalone else library / "DaVinci Resolve/Fusion"
    if system == "win32":
        if everybody:
            data = Path(environment.get("PROGRAMDATA", "C:/ProgramData")) / maker
            return data / "Fusion" if standalone else data / "DaVinci Resolve/Fusion"
        data = Path(environment.get("APPDATA", str(home / "AppData/Roaming"))) / maker
        return data / "Fusion" if standalone else data / "DaVinci Resolve/Support/Fusion"
    if system.startswith("linux"):
        if standalone:
            return (
                Path("/var/BlackmagicDesign/Fusion")
                if everybody
                else home / ".fusion/BlackmagicDesign/Fusion"
            )
        return Path("/opt/resolve/Fusion") if everybody else home / ".local/share/DaVinciResolve/Fusion"
    raise vendored.Failed(f"Resolve and Fusion do not run on {system}.")


def check(folder: Path, standalone: bool = False) -> None:
    """Raise Failed when a file in the way is not from here."""
    before = _written(folder)
    for place in (*_places(standalone), HOME):
        if (folder / place).exists() and place not in before:
            raise vendored.Failed(
                f"{folder / place} is in the way and not from here: move it, and try again."
            )


def install(folder: Path, wheels: Path, standalone: bool = False) -> Iterator[str]:
    """Write everything into Fusion's ``folder``, in place of an earlier installation; yields lines that say what.

    Raises Failed, before anything is written, when wheels are missing or a file in the way is not from here.
    """
    found = vendored.found(wheels, PYTHONS)
    check(folder, standalone)
    written = _places(standalone)
    if _written(folder):
        list(uninstall(folder))
    home = folder / HOME
    home.mkdir(parents=True)
    (home / NOTE).write_text(
        "\n".join([*written, HOME, ""]), encoding="utf-8"
    )  # first: whatever follows is known
    for place, source in written.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text(encoding="utf-8")
        (folder / place).write_text(
            text.replace('INSTALLED = ""', f"INSTALLED = {str(home)!r}"), encoding="utf-8"
        )
        yield str(folder / place)
    yield from (f"{home / name}" for name in _sources(home))
    yield from (f"{home}/{line}" for line in vendored.unpack(home / "packages", found))
    if standalone:
        yield "Restart Fusion for the macro; the script is VOID in the menu Script."
    else:
        yield "Restart Resolve for the templates; the script is in Workspace > Scripts > Comp > VOID at once."


def uninstall(folder: Path) -> Iterator[Path]:
    """Take away what was written, and folders called VOID that are empty then; yields the paths. Raises Failed."""
    places = _written(folder)
    if not places:
        raise vendored.Failed(f"Nothing of VOID is installed in {folder}.")
    for place in sorted(places, key=lambda place: place == HOME):  # what says the rest goes last
        path = folder / place
        if path.is_dir():
            shutil.rmtree(path)
            yield path
        elif path.exists():
            path.unlink()
            yield path
        for parent in path.parents:
            if parent == folder or not parent.is_dir() or any(parent.iterdir()):
                break
            if parent.name == "VOID":  # our own; Scripts, Templates and the categories are Fusion's
                parent.rmdir()


def _written(folder: Path) -> list[str]:
    note = folder / HOME / NOTE
    return note.read_text(encoding="utf-8").split("\n")[:-1] if note.is_file() else []


def _places(standalone: bool) -> dict[str, Path]:
    """Relative to Fusion's folder -> what goes there."""
    templates, scripts = PLUGIN / "templates", PLUGIN / "scripts"
    made = {"Scripts/Comp/VOID.py": scripts / "VOID.py"}
    if standalone:
        return {**made, "Macros/VOID/VOID.setting": templates / "VOID.setting"}
    return {
        **made,
        "Scripts/Comp/VOID Free.lua": scripts / "VOID Free.lua",
        "Templates/Fusion/VOID/VOID.setting": templates / "VOID.setting",
        "Templates/Edit/Effects/VOID/VOID Remove.setting": templates / "VOID Remove.setting",
    }


def _sources(home: Path) -> Iterator[str]:
    clean = shutil.ignore_patterns("__pycache__", "*.pyc")
    for source in (
        PLUGIN / "void_resolve",
        *(SHARED / name for name in ("void_wire", "void_panel", "void_farm", "void_host")),
    ):
        shutil.copytree(str(source), str(home / source.name), ignore=clean)
        yield source.name
    for source in (PLUGIN / "templates" / "VOID.setting", ROOT / "LICENSE"):
        shutil.copy(str(source), str(home / source.name))
        yield source.name


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
