"""Write farm job: the files it writes are run as a farm would, with a background Nuke and the command line."""

import os
import shlex
import subprocess
import sys

import nuke_shots as shots
import pytest

from void_nuke import farm, host
from void_nuke.snapshot import take
from void_server import sidecar
from void_wire.errors import SettingsError

SIZE = (96, 160)


@pytest.fixture
def node(nuke, tmp_path):
    nuke.root()["name"].setValue(f"{tmp_path}/sh010.nk")
    node = shots.comp(nuke, tmp_path, SIZE, (40, 20, 20, 20), None)
    for name, value in {"first": 1001, "last": 1003, "colorspace": "lin_rec709", "seed": 7}.items():
        node[name].setValue(value)
    return node


def test_its_two_commands_make_the_result(nuke, node, server, background, tmp_path):
    session = nuke._session.current()
    node["engine"].setValue("draft")
    node["server"].setValue(server)
    node["farm_job"].execute()
    folder = tmp_path / "void/sh010/VOID1/v001/farm_v001"
    (said,) = session.messages
    assert said == node["status"].value()
    assert str(folder / "commands.txt") in said
    assert (node["exporting"].value(), node["export_folder"].value(), node["job"].value()) == (False, "", "")
    render, submit = (shlex.split(line) for line in (folder / "commands.txt").read_text().splitlines())
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(render, check=True, env=environment)
    names = {path.name for path in folder.glob("*.exr")}
    assert names == {f"{role}.{frame}.exr" for role in ("plate", "mattes") for frame in shots.FRAMES}
    assert submit[0] == "void"
    subprocess.run([sys.executable, "-m", "void_server.cli", *submit[1:]], check=True)
    made = {path.name for path in folder.parent.glob("*.exr")}
    assert made == {f"VOID1_v001.{frame}.exr" for frame in shots.FRAMES}
    node["farm_job"].execute()
    assert (folder.parent.parent / "v002/farm_v002/commands.txt").is_file()


def test_the_command_line_reads_every_setting_of_it(node):
    node["prompt"].setValue("a table")
    shot = take(host.read(node), {})
    commands = farm.write(shot)
    found = sidecar.read_options(commands.parent / farm.JOB)
    assert found.items() >= sidecar.options(shot.spec).items()
    assert (found["seed"], found["range_"]) == (7, "1001-1003")
    assert found["plate"] == (commands.parent / "plate.%04d.exr").as_posix()
    with pytest.raises(SettingsError, match="holds a farm job of version 1 already"):
        farm.write(shot)


def test_what_is_wrong_is_said_and_nothing_is_written(nuke, node, tmp_path):
    node["farm_job"].execute()
    assert "prompt is empty" in nuke._session.current().messages[0]
    assert not (tmp_path / "void").exists()
