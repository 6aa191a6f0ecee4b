"""For someone with Studio: what this Fusion says to the plugin's questions, and a small removal, as a report.

In a terminal, with a clip that nobody needs open on the Fusion page, and Preferences > System > General > External
scripting using: Local::

    python3 VOID.py selftest --to /tmp [--server gpu-box:7801]

Exit code 1 where anything was contradicted. Read the report before you send it: it may hold paths of yours.
"""

from __future__ import annotations

import importlib
import platform
import sys
import tempfile
from pathlib import Path
from typing import Callable, Dict, List

from void_host.address import server_address
from void_host.findings import Answer, Finding, Report
from void_resolve import controller
from void_resolve.host.application import Host
from void_resolve.probes import PROBES, Bench
from void_wire.client import Client
from void_wire.errors import VoidError

TITLE = "VOID in Resolve and Fusion: self-test"
REMOVAL = "a removal from the button to the Loader"

_FRAMES = 2
_ASK_PATIENCE_S = 2.0


def run(app: Host, setting: Path, server: str, say: Callable[[str], None]) -> Report:
    """Ask everything in the comp that is open; it is as before afterwards. Raises SettingsError: none is open."""
    comp = app.comp()
    findings: List[Finding] = []
    with tempfile.TemporaryDirectory(prefix="void-selftest-") as scratch:
        for number, probe in enumerate(PROBES):
            bench = Bench(app, comp, setting, Path(scratch) / str(number))
            bench.folder.mkdir()
            try:
                answer, saw = probe.ask(bench)
            except Exception as error:  # whatever Fusion made of it is what is asked for
                answer, saw = Answer.CONTRADICTED, f"{type(error).__name__}: {error}"
            finally:
                bench.clear()
            findings.append(Finding(probe.claim, answer, saw))
            say(f"[{answer.value}] {probe.claim}")
        bench = Bench(app, comp, setting, Path(scratch))
        try:
            findings.append(_removal(bench, server))
        finally:
            bench.clear()
        say(f"[{findings[-1].answer.value}] {REMOVAL}")
    return Report(TITLE, _about(app), tuple(findings))


def _removal(bench: Bench, server: str) -> Finding:
    """A grey plate, an ellipse, engine draft: what matters is that frames come to the Loader."""
    try:
        with Client(server_address(server, {}), patience_s=_ASK_PATIENCE_S, name="self-test") as client:
            client.connect()
    except VoidError as error:
        return Finding(REMOVAL, Answer.NOT_TRIED, str(error))
    try:
        macro, first = bench.macro(), bench.frame()
        where = (bench.folder / "<version>" / "selftest_<version>.%04d.exr").as_posix()
        macro.write(
            {
                "server": server, "engine": 1, "first": first, "last": first + _FRAMES - 1,
                "colorspace": "lin_rec709", "output": where,
            }
        )  # fmt: skip
        heard: List[str] = []
        task = controller.start(bench.app, macro, heard.append, {"VOID_OUTPUT": str(bench.folder)})
        wrong = task.run()
        loader = macro.source("result")
        shown = loader is not None and int(macro.tool.GetInput("use_result") or 0) == 1
        if loader is not None:
            bench.made.append(loader.GetTool())
        good = wrong is None and shown
        return Finding(REMOVAL, Answer.CONFIRMED if good else Answer.CONTRADICTED, heard[-1])
    except Exception as error:  # a bug or a Fusion that is otherwise: both belong in the report
        return Finding(REMOVAL, Answer.CONTRADICTED, f"{type(error).__name__}: {error}")


def _about(app: Host) -> Dict[str, str]:
    about = {
        "application": app.application(),
        "Python": sys.version.split()[0],
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
    for module in ("PySide6", "PySide2", "tkinter", "numpy"):
        try:
            importlib.import_module(module)
            about[module] = "is there"
        except ImportError:
            about[module] = "is not there"
    return about
