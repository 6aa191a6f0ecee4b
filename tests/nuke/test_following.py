"""A job is followed to its end, against a server that says what a script has it say."""

from dataclasses import replace

import numpy as np
import pytest
from nuke._render import image
from nuke_artist import SIZE

from void_host.output import frame_path
from void_host.removal import Removal
from void_nuke import controller, host
from void_nuke.snapshot import take
from void_server.frames.exr import write_frame
from void_wire.errors import GpuMemory
from void_wire.messages import JobStatus, Role, Signs, Stage, State


def removal_of(shot):
    return Removal(shot, controller.NodeScreen(shot.owner), "Nuke")


class Scripted:
    """A server that has all of Pass 1, then makes the result frame by frame."""

    def __init__(self, spec):
        self.spec, self.revision = spec, 0

    def watch(self, job, after=-1, within_s=0.0):
        self.revision += 1
        numbers = self.spec.frames.numbers()
        ready = {Role.PASS1: numbers, Role.RESULT: numbers[: max(0, self.revision - 2)]}
        state = State.DONE if self.revision > 5 else State.RUNNING
        return JobStatus(
            job, "shot", "void", self.revision, state, self.spec.frames, 6, 6, ready=ready,
            stage=Stage.PASS2, step=self.revision, steps=5, record={"crop": "10,20,64,32", "memory_mode": "offload"},
        )  # fmt: skip

    def fetch(self, job, role, frames, target):
        for frame in frames:
            value = 7 if role is Role.RESULT else 5
            write_frame(target(frame), frame, np.full((*SIZE, 3), value, np.float16), "RGB")
            yield frame, target(frame)

    def signs(self, job):
        return {frame: Signs(seam=frame / 20000) for frame in self.spec.frames.numbers()}


def test_pass_1_shows_until_pass_2_comes_in_one_step_of_undo(nuke, node, monkeypatch):
    node["engine"].setValue("void")
    node["prompt"].setValue("a table")
    nuke._session.current().undo.clear()
    shot = take(host.read(node), {})
    removal = removal_of(shot)
    shown, reload = [], host.reload_result
    monkeypatch.setattr(
        host, "reload_result", lambda node: shown.append(node["result"].value()) or reload(node)
    )
    removal._follow(Scripted(shot.spec))
    assert shown[0].endswith("/v001/pass1/VOID1_v001.%04d.exr")
    assert shown[-1] == shot.output
    assert image(node, 1001)["R"].max() == 7
    assert node["memory"].value() == "offload"
    assert node["box"].value() == [10, SIZE[0] - 52, 74, SIZE[0] - 20]
    (task,) = nuke._session.current().tasks
    assert (task.message, task.progress) == ("pass 2 5 of 5", 100)
    nuke.Undo.undo()
    assert not node["use_result"].value()
    assert not nuke._session.current().undo


def test_cancel_of_a_job_that_runs_keeps_its_frames(nuke, node):
    shot = take(host.read(node), {})
    server = Scripted(shot.spec)
    removal = removal_of(shot)
    watch = server.watch

    def cancelled(job):
        return replace(watch(job), state=State.CANCELLED)

    def watched(job, after=-1, within_s=0.0):
        status = watch(job)
        nuke._session.current().tasks[0].cancelled = status.revision >= 3  # pressed in Nuke's own bar
        return status

    server.watch, server.cancel = watched, cancelled
    removal._follow(server)
    assert (
        node["status"].value()
        == "cancelled: 2 frames in version 1. Worth a look: 1003 seam 5.0 %; and 2 more"
    )
    assert node["use_result"].value()
    assert frame_path(shot.output, 1002).is_file()
    assert not frame_path(shot.output, 1003).is_file()


def test_a_job_that_fails_says_why_and_keeps_what_there_is(nuke, node):
    shot = take(host.read(node), {})
    server = Scripted(shot.spec)
    watch = server.watch
    failed = {
        "state": State.FAILED,
        "error_code": "engine.gpu_memory",
        "error": "The GPU has not enough memory.",
    }
    server.watch = lambda *asked: replace(watch(*asked), **failed) if server.revision == 3 else watch(*asked)
    with pytest.raises(GpuMemory):
        removal_of(shot)._follow(server)
    assert node["use_result"].value()
