"""What install/resolve.py installs, under a Python with nothing else, against a real server process.

The model is tiny, both of its passes run. The script's process is killed as a crashed Resolve would end it.
"""

import importlib.metadata
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from fusion_shots import ROOT
from real_shots import make_shot, servers

from void_host import packages
from void_server.frames.exr import read_plate, write_frame
from void_wire.client import Client
from void_wire.messages import Role, State

PYTHONS = [(3, minor) for minor in range(10, 15)]
FRAMES = range(1001, 1007)
HERE = packages.folder_name(sys.version_info[:2], packages.system_name(sys.platform, "x86_64"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Of wheels: for this Python and system the packages that are installed here, for the others empty ones."""
    folder = tmp_path_factory.mktemp("installed")
    for python in PYTHONS:
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
    command = [
        sys.executable,
        "-I",
        "-S",
        str(ROOT / "install" / "resolve.py"),
        "--to",
        str(folder / "Fusion"),
    ]
    subprocess.run([*command, "--wheels", str(folder / "wheels")], check=True, capture_output=True)
    for file in importlib.metadata.files("lupa"):  # Fusion brings its Lua; the fake's is this one
        if file.suffix != ".pyc" and ".." not in file.parts:
            (folder / "lua" / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file.locate(), folder / "lua" / file)
    return folder


@pytest.fixture
def start_server(tmp_path):
    with servers(tmp_path / "data") as start:
        yield start


@pytest.fixture
def frames(tmp_path):
    """What the two Savers give out."""
    shot, folder = make_shot(tmp_path / "shot"), tmp_path / "frames"
    folder.mkdir()
    for frame in FRAMES:
        shutil.copy(shot.path(Role.PLATE, frame), folder / f"plate.{frame}.exr")
        mattes = [read_plate(shot.path(role, frame), frame).pixels for role in (Role.REMOVE, Role.AFFECTED)]
        pixels = np.concatenate([*mattes, np.zeros_like(mattes[0])], axis=2)
        write_frame(folder / f"mattes.{frame}.exr", frame, pixels, "RGB", compression="zips")
    return folder


@pytest.fixture
def script(installed, frames, tmp_path):
    """Starts the script; ``script(server, press)`` is its process."""
    started = []

    def start(server, press):
        program = [sys.executable, "-I", "-S", str(ROOT / "tests" / "resolve" / "bare_fusion.py")]
        places = [
            installed / "Fusion",
            ROOT / "tests" / "fakes",
            installed / "lua",
            frames,
            tmp_path / "sh010.comp",
        ]
        process = subprocess.Popen(
            [*program, *map(str, places), server, press], stdout=subprocess.PIPE, text=True, env={}
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def told(process, until):
    """What was said, up to the line that ``until`` holds of, or the end."""
    seen = []
    for line in process.stdout:
        seen.append(json.loads(line))
        if until(seen[-1]):
            break
    return seen


def test_script_and_server_die_in_pass_2_and_opened_again_the_frames_come_home(script, start_server):
    server = start_server()
    first = script(server.address, "remove")
    seen = told(first, lambda now: now["said"].startswith("pass 2") and now["clip"])
    said = [now["said"] for now in seen]
    for beginning in ("Fusion renders", "export and upload: frame 5", "pass 1 ", "pass 2 "):
        assert any(text.startswith(beginning) for text in said), said
    assert "/v001/newest/" in seen[-1]["clip"], "a still of pass 1 shows while pass 2 is made"
    first.kill()
    server.process.kill()
    server.process.wait()
    start_server(server.address)
    job, output = seen[-1]["void.job"], seen[-1]["void.output"]
    with Client(server.address) as client:
        assert client.watch(job).state in (State.QUEUED, State.RUNNING)
    again = script(server.address, "follow")
    seen = told(again, lambda now: False)
    assert again.wait() == 0
    assert seen[-1]["said"].startswith("done: 6 frames in version 1"), seen[-1]
    assert seen[-1]["void.job"] == job
    folder = Path(output).parent
    assert sorted(path.name for path in folder.glob("*.exr")) == [f"VOID_v001.{n:04d}.exr" for n in range(6)]
    saved = script(server.address, "cancel")  # of a job that is done: says so, and harms nothing
    assert told(saved, lambda now: False)[-1]["clip"] == ""
    assert saved.wait() == 0


def test_cancel_by_another_script_ends_the_job_and_keeps_what_is_made(script, model_address):
    first = script(model_address, "remove")
    told(first, lambda now: now["said"].startswith("pass 2") and now["clip"])
    other = script(model_address, "cancel")
    assert told(other, lambda now: False)[-1]["said"] in ("cancelling", "cancelled")
    seen = told(first, lambda now: False)
    assert first.wait() == 0
    assert seen[-1]["said"].startswith("cancelled: 6 frames of pass 1"), seen[-1]
