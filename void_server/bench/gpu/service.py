"""What the server adds: loading, the way to a first step, and everything beside the model."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import torch

from void_server import local_server
from void_server.bench.disk_job import measure, render, there_and_back, travelling
from void_server.bench.gpu.clock import Budget, NotMeasured, forget_peak, now
from void_server.bench.gpu.passes import Parts
from void_server.bench.gpu.random_model import PROMPT, write_weights
from void_server.bench.gpu.sizes import Sizes
from void_server.bench.gpu.table import FIRST_STEP, LOAD, OVERHEAD
from void_server.bench.row import Row
from void_server.engine.void import VoidEngine
from void_server.engine.weights import model_files
from void_wire.client import Client, Files
from void_wire.messages import FrameRange, JobSpec, PictureSettings, Role, Stage, State, VoidSettings

BESIDE_S, WRITE_S, SERVER_S = 60, 60, 60
"""About what each row takes."""
STEPS = 4
"""Of the jobs that are sent: they are stopped after the first."""
PATIENCE_S = 180
POLL_S = 0.005


def overhead_rows(sizes: Sizes, folder: Path, model: Parts, budget: Budget) -> Iterator[Row]:
    """OVERHEAD."""
    budget.spend(BESIDE_S)
    render(folder, travelling(sizes.plate))
    short, long = (measure(folder, there_and_back(frames), "void") for frames in sizes.beside)
    frame_s = max((long.seconds - short.seconds) / (long.frames - short.frames), 0.0)
    whole_s = long.seconds + frame_s * (sizes.frames - long.frames)
    yield OVERHEAD.row(
        100 * whole_s / model.both,
        f"{whole_s:.1f} s for {sizes.frames} frames of {sizes.plate[1]} x {sizes.plate[0]} with an engine that only "
        f"echoes, told from {short.frames} and {long.frames}; over {model.both:.1f} s of both passes, as if nothing "
        "of it overlapped",
    )


def load_rows(layout: Path, device: torch.device, dtype: torch.dtype, budget: Budget) -> Iterator[Row]:
    """LOAD; leaves the weights there."""
    budget.spend(WRITE_S)
    total = write_weights(layout, device, dtype)
    began = time.perf_counter()
    for file in {file for files in model_files(layout).values() for file in files}:
        with file.open("rb") as stream:
            while stream.read(2**24):
                pass
    read_s = time.perf_counter() - began
    forget_peak(device)
    began = now(device)
    engine = VoidEngine.load(layout, device=str(device))
    took = now(device) - began
    note = f"{total / 1e9:.1f} GB, memory mode {engine.memory_mode}; baseline: reading the same files once"
    del engine
    forget_peak(device)
    yield LOAD.row(took, note, read_s)


def first_step_rows(sizes: Sizes, layout: Path, folder: Path, model: Parts, budget: Budget) -> Iterator[Row]:
    """FIRST_STEP; needs the weights that `load_rows` left and the frames that `overhead_rows` did."""
    budget.spend(SERVER_S)
    if not (layout / "void_pass1.safetensors").is_file() or not list(folder.glob("plate.*")):
        raise NotMeasured("it needs the weights and frames of rows that are missing")
    server = local_server.start(
        "tcp://127.0.0.1:0", data_dir=folder / "data", weights=layout, idle_exit_s=600
    )
    try:
        with Client(server.address) as client:
            deadline = time.monotonic() + min(PATIENCE_S, budget.left_s)
            cold = _to_first_step(client, _spec(sizes, "bench-cold"), _files(sizes, folder), deadline)
            warm = _to_first_step(client, _spec(sizes, "bench-warm"), _files(sizes, folder), deadline)
    finally:
        server.stop()
    own = model.prompt + model.encode + model.step1
    note = f"until the first step is done, frames sent and encoded before it; the first job's {cold:.1f} s"
    yield FIRST_STEP.row(warm, f"{note}; baseline: prompt, encode and step in this process", own)


def _spec(sizes: Sizes, job: str) -> JobSpec:
    void = VoidSettings(
        passes=1,
        pass1_steps=STEPS,
        raster_height_px=sizes.raster[0],
        raster_width_px=sizes.raster[1],
        window_frames=sizes.window_frames,
    )
    picture = PictureSettings(colorspace="lin_rec709")
    roles, frames = (Role.PLATE, Role.REMOVE), FrameRange(1, sizes.frames)
    return JobSpec(job, "bench", "void", frames, roles, prompt=PROMPT, picture=picture, void=void)


def _files(sizes: Sizes, folder: Path) -> Files:
    pictures = there_and_back(sizes.frames)
    return {
        role: {frame: folder / f"{role.value}.{picture}" for frame, picture in enumerate(pictures, 1)}
        for role in (Role.PLATE, Role.REMOVE)
    }


def _to_first_step(client: Client, spec: JobSpec, files: Files, deadline: float) -> float:
    """Seconds from the request to the end of the model's first step; the job is cancelled and gone afterwards."""
    began = time.perf_counter()
    client.submit(spec)
    client.upload(spec, files)
    took = None
    while time.monotonic() < deadline:
        status = client.watch(spec.job)
        if took is None and status.stage is Stage.PASS1 and status.step >= 1:
            took = time.perf_counter() - began
            client.cancel(spec.job)
        if status.state in (State.DONE, State.CANCELLED):
            if took is None:
                raise NotMeasured("the job's first step was over before it was seen")
            return took
        if status.state is State.FAILED:
            raise NotMeasured(f"the job failed: {status.error}")
        time.sleep(POLL_S)
    raise NotMeasured(f"the server had not done a first step after {PATIENCE_S} s")
