"""The loaded model and where it lies: in the memory mode of choice, and in a leaner one where the GPU ran out in that.

Going from one mode to the next means to load anew: diffusers' hooks are not made to be exchanged under a model.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Sequence
from pathlib import Path

import psutil
import torch

from void_server.engine.checkpoints import load_pipeline, part_bytes
from void_server.engine.memory import SWAPPED, choose_mode, free_bytes, mode_at, out_of_memory, place
from void_server.engine.pipeline import TRANSFORMERS, VoidPipeline
from void_server.engine.shortage import RanOut, memory_for
from void_server.engine.speed import hasten
from void_server.progress import Progress

log = logging.getLogger(__name__)

Raster = tuple[int, int]


class Residence:
    """Holds the pipeline of a folder of weights. Nothing is loaded before `settle`.

    A mode that ran out is not tried again at that raster or a larger one; a job that is smaller throughout gets the
    faster mode back, so that one artist's large raster does not slow everybody's work down. Once none is left all is
    forgotten, so that what another program took for a while is not held against the jobs after it.

    Args:
        folder: the published layout.
        devices: the CPU, or a GPU; those after it have copies of the transformers in mode resident, and share the
            windows of a step.
        wanted: "auto" or a mode of ``memory.py``.
        speed: one of ``speed.py``.
    """

    def __init__(self, folder: Path, devices: Sequence[torch.device], wanted: str, speed: str) -> None:
        self._others = devices[1:]
        self.device, self.mode, self.speed = devices[0], "", ""  # speed: what came of the one asked for
        self._wanted_speed = speed
        self._folder, self._wanted = folder, wanted
        self._chosen = ""  # the mode to begin with
        self._pipe: VoidPipeline | None = None
        self._sizes: dict[str, int] = {}
        self._free_bytes = 0  # before the model was placed
        self._ran_out: dict[str, int] = {}  # mode -> pixels of the smallest raster at which it did
        self._why: list[str] = []

    @property
    def pipe(self) -> VoidPipeline:
        """Where ``mode`` says."""
        if self._pipe is None:
            raise RuntimeError("the engine was not settled")
        return self._pipe

    @property
    def told(self) -> str:
        """The mode and why it is no faster one: ``offload, after resident ran out of memory at step 3 of pass 1``."""
        return ", after ".join(filter(None, (self.mode, " and ".join(self._why))))

    def settle(self, raster: Raster, progress: Progress) -> None:
        """Before a job: load what is not loaded, or lies otherwise than a job of this largest raster should have it.

        Raises CheckpointError, SettingsError, GpuMemory. ``progress`` is told of Stage.LOAD part by part.
        """
        mode = mode_at(self._chosen, self._ran_out, raster, self.device.type) if self._chosen else None
        self._why = (
            [f"{self._chosen} ran out of memory in a job before"] if mode != (self._chosen or None) else []
        )
        if self._pipe is None or mode != self.mode:
            self._load(raster, progress)

    def retreat(self, where: str, raster: Raster, progress: Progress) -> None:
        """After RanOut ``where``, at ``raster``: load anew in the next mode. Raises GpuMemory when there is none."""
        self._note(where, raster[0] * raster[1])
        self._next(raster)
        self._load(raster, progress)

    def _note(self, where: str, pixels: int) -> None:
        self._ran_out[self.mode] = min(pixels, self._ran_out.get(self.mode, pixels))
        self._why.append(f"{self.mode} ran out of memory {where}")

    def _next(self, raster: Raster) -> str:
        mode = mode_at(self._chosen, self._ran_out, raster, self.device.type)
        if mode is None:
            self._ran_out.clear()
            self._why.clear()
            raise out_of_memory(self.mode, self._sizes, raster, self._free_bytes)
        return mode

    def _load(self, raster: Raster, progress: Progress) -> None:
        while True:
            self._let_go()
            dtype = torch.bfloat16 if self.device.type == "cuda" else torch.float32
            self._sizes, self._free_bytes = part_bytes(self._folder, dtype), free_bytes(self.device)
            self._chosen = self._chosen or choose_mode(
                self._wanted,
                device=self.device.type,
                sizes=self._sizes,
                free_bytes=self._free_bytes,
                host_free_bytes=psutil.virtual_memory().available,
            )
            self.mode = self._next(raster)
            try:
                with memory_for("while it was loaded"):
                    self._pipe = self._loaded(dtype, progress)
                return
            except RanOut as shortage:
                where = shortage.where
            # only here, where nothing holds what lies on the device already
            self._note(where, 0)

    def _loaded(self, dtype: torch.dtype, progress: Progress) -> VoidPipeline:
        """In its place and fast: straight onto the device where it comes whole, before hooks are in it elsewhere."""
        whole = self.mode == "resident"
        onto = dict.fromkeys(SWAPPED, self.device) if whole else {}
        pipe = load_pipeline(self._folder, dtype=dtype, onto=onto, progress=progress)
        pipe.set_progress_bar_config(disable=True)
        if whole:
            place(pipe, self.mode, self.device)
        self.speed = hasten(pipe, self.device, self._wanted_speed, self.mode)
        if not whole:
            place(pipe, self.mode, self.device)
            return pipe
        pipe.crew = [self._copied(dtype, device) for device in self._others]
        return pipe

    def _copied(self, dtype: torch.dtype, device: torch.device) -> VoidPipeline:
        """Another, of which the transformers alone are ever used."""
        onto = dict.fromkeys(TRANSFORMERS.values(), device)
        pipe = load_pipeline(self._folder, dtype=dtype, onto=onto)
        hasten(pipe, device, self._wanted_speed, self.mode)
        return pipe

    def _let_go(self) -> None:
        self._pipe = None
        if self._wanted_speed != "plain":
            torch.compiler.reset()  # what was compiled may hold the model
        gc.collect()  # hooks and modules hold each other
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            # locked memory of one mode does not fit the next; older torch keeps it
            getattr(torch.accelerator, "empty_host_cache", lambda: None)()
