"""The folder that install/nuke.py builds, under a Python with nothing else installed, against a real server process.

The model is tiny, both of its passes run. The client's process is killed as a crashed Nuke would be.
"""

import importlib.metadata
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import OpenImageIO
import pytest
from real_shots import make_shot

from void_host import packages
from void_server.frames.exr import read_plate, write_frame
from void_wire.client import Client
from void_wire.messages import THUMBNAILS, Role, State

ROOT = Path(__file__).parent.parent.parent
FRAMES = range(1001, 1007)
HERE = packages.folder_name(sys.version_info[:2], packages.system_name(sys.platform, "x86_64"))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Built from wheels: for this Python and system of the packages that are installed here, for the others empty."""
    folder = tmp_path_factory.mktemp("built")
    for python in ((3, 9), (3, 10), (3, 11)):
        for system in packages.SYSTEMS:
            name = packages.folder_name(python, system)
            (folder / "wheels" / name).mkdir(parents=True)
            for project in ("pyzmq", "msgpack", "xxhash"):
                with zipfile.ZipFile(folder / "wheels" / name / f"{project}-9-{name}.whl", "w") as wheel:
                    for file in importlib.metadata.files(project) if name == HERE else ():
                        if file.suffix != ".pyc" and ".." not in file.parts:
                            wheel.write(file.locate(), str(file))
    if not (folder / "wheels" / HERE).is_dir():
        pytest.skip(f"nothing is brought for {HERE}")
    command = [sys.executable, "-I", "-S", str(ROOT / "install" / "nuke.py"), "--to", str(folder / "void")]
    subprocess.run([*command, "--wheels", str(folder / "wheels")], check=True, capture_output=True)
    return folder / "void"


@pytest.fixture
def frames(tmp_path):
    """What the node's two Writes give out."""
    shot, folder = make_shot(tmp_path / "shot"), tmp_path / "frames"
    folder.mkdir()
    for frame in FRAMES:
        (folder / f"plate.{frame}.exr").write_bytes(shot.path(Role.PLATE, frame).read_bytes())
        mattes = [read_plate(shot.path(role, frame), frame).pixels for role in (Role.REMOVE, Role.AFFECTED)]
        pixels = np.concatenate([*mattes, np.zeros_like(mattes[0])], axis=2)
        write_frame(folder / f"mattes.{frame}.exr", frame, pixels, "RGB", compression="zips")
    return folder


@pytest.fixture
def nuke(built, frames, tmp_path):
    """Starts a bare Nuke; ``nuke(server, action)`` is its process."""
    started = []

    def start(server, action):
        program = [sys.executable, "-I", "-S", str(ROOT / "tests" / "nuke" / "bare_nuke.py")]
        places = [str(built), str(ROOT / "tests" / "fakes"), str(frames), str(tmp_path / "sh010.nk")]
        process = subprocess.Popen(
            [*program, *places, server, action],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"VOID_LOG": str(tmp_path / "void.log")},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def told(process, until):
    """What the node showed, up to the line that ``until`` holds of, or the end."""
    seen = []
    for line in process.stdout:
        seen.append(json.loads(line))
        if until(seen[-1]):
            break
    return seen


def made(result):
    return sorted(int(path.suffixes[-2][1:]) for path in Path(result).parent.glob("*.exr"))


def shows_pass_1_in_pass_2(now):
    return now["status"].startswith("pass 2") and now["use_result"] and made(now["result"]) == list(FRAMES)


def test_killed_in_pass_2_and_opened_again_both_passes_come_home(nuke, model_address, tmp_path):
    first = nuke(model_address, "remove")
    seen = told(first, shows_pass_1_in_pass_2)
    statuses = [now["status"] for now in seen]
    for beginning in ("export and upload: frame 1006", "pass 1 ", "pass 2 "):
        assert any(status.startswith(beginning) for status in statuses), statuses
    assert "/v001/pass1/" in seen[-1]["result"], "pass 1 shows while pass 2 is made"
    assert made(seen[-1]["result"]) == list(FRAMES)
    first.kill()
    job, output = seen[-1]["job"], seen[-1]["job_output"]
    with Client(model_address) as client:
        assert client.watch(job).state in (State.RUNNING, State.DONE)
    again = nuke(model_address, "open")
    seen = told(again, lambda now: False)
    assert again.wait() == 0
    assert seen[-1]["status"].startswith("done: 6 frames in version 1"), seen[-1]
    assert (seen[-1]["job"], seen[-1]["result"]) == (job, output)
    assert not seen[-1]["windows"]
    assert made(output) == list(FRAMES)
    with Client(model_address) as client:
        for role in THUMBNAILS.values():
            (small,) = (
                path for _, path in client.fetch(job, role, [1006], lambda frame: tmp_path / "small.png")
            )
            height, width, _ = OpenImageIO.ImageInput.open(str(small)).read_image().shape
            assert (width, height) == (2 * 96, 64), "plate and frame, side by side"
    log = (tmp_path / "void.log").read_text()
    assert f"void_host.removal: VOID1 is job {job}, to {output}" in log
    assert "void_host.removal: VOID1: done: 6 frames" in log


def test_cancel_in_a_pass_ends_the_job_and_keeps_what_is_made(nuke, model_address):
    process = nuke(model_address, "remove")
    seen = told(process, shows_pass_1_in_pass_2)
    process.stdin.write("cancel\n")
    process.stdin.flush()
    after = told(process, lambda now: False)
    assert process.wait() == 0
    assert after[0]["status"] == "cancelling" or after[1]["status"] == "cancelling"
    assert after[-1]["status"] == "cancelled: 6 frames of pass 1 in version 1", after[-1]
    assert "/v001/pass1/" in after[-1]["result"]
    with Client(model_address) as client:
        assert client.watch(seen[-1]["job"]).state is State.CANCELLED
