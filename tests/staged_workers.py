"""Workers that keep a job in a stage, or fail there, as a test says: for what happens to the jobs beside it."""

import os
from pathlib import Path

import pytest

from void_wire.messages import Stage, VoidSettings

HOOK = """
import os, pathlib, signal, sys, time
if "void_server.worker_process" in sys.orig_argv:
    from types import SimpleNamespace
    import numpy as np
    from void_server.removal import Removal
    from void_wire.messages import Stage
    works, here = Removal.remove, pathlib.Path({folder!r})

    class Echo:
        record = {{"engine": "echo"}}

        def remove(self, plate, quadmask, prompt, settings, progress, milestones, noise_at):
            for number in range(1, settings.passes + 1):
                progress((Stage.PASS1, Stage.PASS2)[number - 1], 1, 1)
                yield SimpleNamespace(passes=number, first=0, frames=np.array(plate))

    def remove(self, spec, folder, progress, *given):
        def watched(stage, step, steps):
            progress(stage, step, steps)
            wish = here / f"{{spec.job}} {{stage.value}}"
            while wish.exists():
                said = wish.read_text()
                if said == "die":
                    os.kill(os.getpid(), signal.SIGKILL)
                if said == "memory":
                    wish.unlink()
                    raise MemoryError
                if said == "driver":
                    wish.unlink()
                    raise RuntimeError("CUDA error: an illegal memory access was encountered")
                progress(stage, step, steps)
                time.sleep(0.02)

        return works(self, spec, folder, watched, *given)

    Removal.remove = remove
    if {echo!r}:
        Removal._loaded = lambda self, largest, progress: Echo()
"""
"""Python's own hook at its start: the worker process is the real one but for this."""

SETTINGS = VoidSettings(
    passes=1,
    pass1_steps=1,
    raster_height_px=32,
    raster_width_px=48,
    window_frames=21,
    warped_noise="corrected",
)
"""Of a small job that needs the model."""


class StagedWorkers:
    """Of the servers that are started from now on.

    Args:
        folder: for what they are told.
        monkeypatch: of the environment.
        echo: in place of the model is one that gives back what it is shown.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, echo: bool = True) -> None:
        self._folder = folder / "stages"
        self._folder.mkdir()
        hook = folder / "hook"
        hook.mkdir()
        (hook / "sitecustomize.py").write_text(HOOK.format(folder=str(self._folder), echo=echo))
        path = os.pathsep.join(filter(None, (str(hook), os.environ.get("PYTHONPATH"))))
        monkeypatch.setenv("PYTHONPATH", path)

    def hold(self, job: str, stage: Stage) -> None:
        """Keep the job there."""
        self._wish(job, stage).write_text("")

    def let_go(self, job: str, stage: Stage) -> None:
        """It goes on."""
        self._wish(job, stage).unlink()

    def die(self, job: str, stage: Stage) -> None:
        """Kill the process whenever the job comes there."""
        self._wish(job, stage).write_text("die")

    def memory_error(self, job: str, stage: Stage) -> None:
        """Have no memory for it there, once."""
        self._wish(job, stage).write_text("memory")

    def driver_fault(self, job: str, stage: Stage) -> None:
        """Have the GPU's driver fail there, once."""
        self._wish(job, stage).write_text("driver")

    def _wish(self, job: str, stage: Stage) -> Path:
        return self._folder / f"{job} {stage.value}"
