"""A GPU without memory for the job: the worker goes on in the next mode, from its step, and the job says so."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from real_shots import make_shot, servers

from void_server.frames.exr import read_plate
from void_wire.client import ENDED, Client
from void_wire.messages import JobStatus, Role, State, VoidSettings

FULL = """
import json, pathlib, sys
if "void_server.worker_process" in sys.orig_argv:
    import pytest
    from full_card import Card
    faults, did = pathlib.Path({faults!r}), pathlib.Path({did!r})

    def full(mode, what):
        with did.open("a") as lines:
            print(mode, what, file=lines)
        return [mode, what] in json.loads(faults.read_text())

    card = Card(pytest.MonkeyPatch())
    card.full = full
"""
"""Python's own hook at its start: the worker process is the real one, on a card that is full where the test says."""

SETTINGS = VoidSettings(
    pass1_steps=2,
    pass2_steps=2,
    raster_height_px=32,
    raster_width_px=48,
    window_frames=21,
    warped_noise="corrected",
)


def test_a_job_that_the_gpu_is_too_small_for_is_done_in_the_next_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults, did = tmp_path / "faults", tmp_path / "did"
    (tmp_path / "sitecustomize.py").write_text(FULL.format(faults=str(faults), did=str(did)))
    tests = str(Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, (str(tmp_path), tests, os.environ.get("PYTHONPATH"))))
    monkeypatch.setenv("PYTHONPATH", path)
    shot = make_shot(tmp_path / "shot", frames=3, size=(32, 48))

    with servers(tmp_path / "data") as start, Client(start().address) as client:

        def run(job: str, *full: tuple[str, str]) -> tuple[JobStatus, list[str]]:
            faults.write_text(json.dumps(full))
            did.write_text("")
            spec = shot.spec(job, SETTINGS, crop="full")
            client.submit(spec)
            client.upload(spec, shot.files)
            status = client.watch(job)
            while status.state not in ENDED:
                status = client.watch(job, status.revision, 5.0)
            return status, [line for line in did.read_text().splitlines() if "decode" not in line]

        def pixels(job: str) -> list[np.ndarray]:
            homes = client.fetch(
                job, Role.RESULT, shot.frames.numbers(), lambda n: tmp_path / f"{job}.{n}.exr"
            )
            return [read_plate(path, frame).pixels for frame, path in homes]

        status, steps = run("too-small-1", ("resident", "step 2 of pass 1"))
        assert status.state is State.DONE, status.error
        assert status.record["memory_mode"] == "offload, after resident ran out of memory at step 2 of pass 1"
        assert steps == [
            "resident load",
            "resident step 1 of pass 1",
            "resident step 2 of pass 1",
            "offload load",
            "offload step 2 of pass 1",
            "offload step 1 of pass 2",
            "offload step 2 of pass 2",
        ]

        nowhere = [(mode, "step 1 of pass 2") for mode in ("resident", "offload", "group")]
        status, steps = run("too-small-2", *nowhere)
        assert (status.state, status.error_code) == (State.FAILED, "engine.gpu_memory")
        assert "The GPU ran out of memory at raster 32 x 48 in memory mode group: about" in status.error
        assert "use a smaller raster" in status.error
        assert [line for line in steps if line.endswith(" load")] == ["group load"]

        status, _ = run("too-small-3")
        assert status.record["memory_mode"] == "resident"
        for made, undisturbed in zip(pixels("too-small-1"), pixels("too-small-3"), strict=True):
            assert made.tobytes() == undisturbed.tobytes()
