"""Workers that keep each job at a point until it is let go: for tests of what happens around them."""

import os
from pathlib import Path

import pytest

PATIENT = """
import pathlib, sys, time
if "void_server.worker_process" in sys.orig_argv:
    from void_server.removal import Removal
    from void_wire.messages import Stage
    works, here, at_start = Removal.remove, pathlib.Path({folder!r}), {at_start!r}

    def remove(self, spec, folder, progress, made, *given):
        def stay():
            while not (here / spec.job).exists():
                progress(Stage.DECODE, 0, 10)
                time.sleep(0.02)

        def made_and_stay(*frame):
            made(*frame)
            stay()

        if at_start:
            stay()
        return works(self, spec, folder, progress, made_and_stay, *given)

    Removal.remove = remove
"""
"""Python's own hook at its start: the worker process is the real one but for this."""


class HeldWorkers:
    """Of the servers that are started from now on: they keep a job where it begins, or at its first frame."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, at_start: bool = True) -> None:
        self._folder = folder / "let-go"
        self._folder.mkdir()
        hook = folder / "hook"
        hook.mkdir()
        (hook / "sitecustomize.py").write_text(PATIENT.format(folder=str(self._folder), at_start=at_start))
        path = os.pathsep.join(filter(None, (str(hook), os.environ.get("PYTHONPATH"))))
        monkeypatch.setenv("PYTHONPATH", path)

    def let_go(self, *jobs: str) -> None:
        """Have these done, whenever they begin."""
        for job in jobs:
            (self._folder / job).touch()
