"""A GPU whose driver fails takes its process with it, and the job has a second try."""

import os
from pathlib import Path

import pytest
from real_shots import ShotOnDisk, make_shot, servers

from void_wire.client import ENDED, Client
from void_wire.messages import State

FAULTY = """
import pathlib, sys
if "void_server.worker_process" in sys.orig_argv:
    from void_server.removal import Removal
    faults, works = pathlib.Path({faults!r}), Removal.remove

    def remove(*given):
        left = int(faults.read_text())
        if not left:
            return works(*given)
        faults.write_text(str(left - 1))
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    Removal.remove = remove
"""
"""Python's own hook at its start: the worker process is the real one but for this."""


@pytest.fixture
def shot(tmp_path: Path) -> ShotOnDisk:
    return make_shot(tmp_path / "shot", frames=2, size=(32, 48))


@pytest.mark.parametrize(("faults", "then"), [(1, State.DONE), (2, State.FAILED)])
def test_a_driver_that_fails_once_costs_nothing_and_twice_the_job(
    shot: ShotOnDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: int, then: State
) -> None:
    (tmp_path / "sitecustomize.py").write_text(FAULTY.format(faults=str(tmp_path / "faults")))
    (tmp_path / "faults").write_text(str(faults))
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    monkeypatch.setenv("PYTHONPATH", path)
    with servers(tmp_path / "data") as start, Client(start(weights=None).address) as client:
        for job, state in (("faulty-gpu-1", then), ("next-job-1", State.DONE)):
            spec = shot.spec(job)
            client.submit(spec)
            client.upload(spec, shot.files)
            status = client.watch(job)
            while status.state not in ENDED:
                status = client.watch(job, status.revision, 5.0)
            assert status.state is state, status.error
            if state is State.FAILED:
                cause = "exit code 70 (a fault of the GPU's driver)"
                assert f"first with {cause}, and when the job was tried again with {cause}" in status.error
    assert (tmp_path / "faults").read_text() == "0"
