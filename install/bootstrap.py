"""The README's commands: make or reuse the project's virtual environment, install, run.

    python3 install/bootstrap.py demo [arguments of `void demo`]   small: no torch
    python3 install/bootstrap.py test [arguments of pytest]        everything
    python3 install/bootstrap.py env                               everything; prints its interpreter last

Plain Python 3.10 or newer on any OS. The environment is the folder .venv beside this one's parent; VOID_VENV
names another.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = Path(os.environ.get("VOID_VENV") or ROOT / ".venv")
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
CONSTRAINTS = ROOT / "install" / "constraints.txt"


def main(arguments: list[str]) -> int:
    """Do what the first argument says, pass on the others; returns the exit code."""
    if sys.version_info < (3, 10):  # noqa: UP036 - whatever python3 is on the machine runs this file
        return _complain(
            f"Python 3.10 or newer is needed, this is {sys.version.split()[0]}: run it with python3.12."
        )
    command, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if command == "demo":
        return _install("") or _run("-m", "void_server.cli", "demo", *rest)
    if command == "test":
        return _install("all") or _run("-m", "pytest", *(rest or ["-n", "3", "--dist", "worksteal"]))
    if command == "env" and not rest:
        failed = _install("all")
        if not failed:
            print(PYTHON)
        return failed
    print(__doc__)
    return 2


def _install(extra: str) -> int:
    """Install the project with ``extra`` unless that was done with these very files."""
    if not PYTHON.exists():
        _say(f"making {VENV}")
        if subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=False).returncode:
            return _complain(
                "The virtual environment could not be made. On Debian and Ubuntu: apt install python3-venv"
            )
    done = VENV / f"installed-{extra or 'client'}"
    asked = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + CONSTRAINTS.read_bytes()).hexdigest()
    if done.exists() and done.read_text() == asked:
        return 0
    _say("installing, " + ("everything with torch" if extra else "the small set without torch"))
    target = f"{ROOT}[{extra}]" if extra else str(ROOT)
    pip = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "-c", str(CONSTRAINTS)]
    if _run(*pip, "--editable", target):
        return _complain(
            "pip could not install what is needed: see its lines above, mend that, run this again."
        )
    done.write_text(asked)
    return 0


def _run(*arguments: str) -> int:
    return subprocess.run([str(PYTHON), *arguments], cwd=ROOT, check=False).returncode


def _say(text: str) -> None:
    print(f"bootstrap: {text}", flush=True)


def _complain(text: str) -> int:
    print(f"bootstrap: {text}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
