"""Write farm job: the bundle's steps are run as a farm would, with a background Nuke and the command line."""

import os
import subprocess
import sys
import time

import nuke_shots as shots
import pytest
from farm_bundles import read_plan
from real_shots import void

from void_farm import bundle
from void_nuke import farm, host
from void_nuke.snapshot import take
from void_wire.errors import SettingsError
from void_wire.messages import FrameRange

SIZE = (96, 160)


@pytest.fixture
def node(nuke, tmp_path):
    nuke.root()["name"].setValue(f"{tmp_path}/sh010.nk")
    node = shots.comp(nuke, tmp_path, SIZE, (40, 20, 20, 20), None)
    for name, value in {"first": 1001, "last": 1003, "colorspace": "lin_rec709", "seed": 7}.items():
        node[name].setValue(value)
    return node


def test_its_steps_make_the_result(nuke, node, server, background, tmp_path, monkeypatch):
    monkeypatch.setenv("VOID_FARM_EXPORT_LICENCE", "amount.licence.nuke_r")
    session = nuke._session.current()
    node["engine"].setValue("draft")
    node["farm_job"].execute()
    folder = tmp_path / "void/sh010/VOID1/v001/farm_v001"
    (said,) = session.messages
    assert said == node["status"].value()
    assert said.startswith(f"Farm job written: {folder}. Nobody is told: VOID_FARM_SUBMIT names no command")
    assert (node["exporting"].value(), node["export_folder"].value(), node["job"].value()) == (False, "", "")

    checked = subprocess.run(
        [sys.executable, "-m", "openjd", "check", str(folder / bundle.TEMPLATE)], check=False
    )
    assert checked.returncode == 0
    assert "{name: amount.licence.nuke_r, min: 1}" in (folder / bundle.TEMPLATE).read_text()
    render = bundle.read_handling(folder).export.command
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(render, check=True, env=environment)
    names = {path.name for path in folder.glob("*.exr")}
    assert names == {f"{role}.{frame}.exr" for role in ("plate", "mattes") for frame in shots.FRAMES}
    for command in (["run", "--index", 0, "--server", server], ["finish"]):
        done = void("farm", *command, "--plan", folder / "plan.json")
        assert done.returncode == 0, done.stderr
    made = {path.name for path in folder.parent.glob("*.exr")}
    assert made == {f"VOID1_v001.{frame}.exr" for frame in shots.FRAMES}
    node["farm_job"].execute()
    assert (folder.parent.parent / "v002/farm_v002/plan.json").is_file()


def test_the_plan_holds_every_setting(node):
    node["prompt"].setValue("a table")
    shot = take(host.read(node), {})
    (planned,) = read_plan(farm.write(shot)).shots
    assert (planned.spec.void.seed, planned.spec.void.show_pass1) == (7, False)
    assert planned.spec.picture == shot.spec.picture
    assert (planned.spec.frames, planned.output) == (FrameRange(1001, 1003), shot.output)
    assert [segment.frames for segment in planned.segments] == [FrameRange(1001, 1003)]
    assert "rendered on the farm" in planned.notes[0]
    with pytest.raises(SettingsError, match="holds a farm job of version 1 already"):
        farm.write(shot)


@pytest.mark.parametrize(("command", "said"), [("echo job 12", "said: job 12 "), ("false", "exit code 1")])
def test_the_studios_command_sends_it(nuke, node, monkeypatch, command, said):
    monkeypatch.setenv("VOID_FARM_SUBMIT", command)
    node["engine"].setValue("draft")
    node["farm_job"].execute()
    session, end = nuke._session.current(), time.monotonic() + 60
    while not session.messages:
        session.pump(0.02)
        assert time.monotonic() < end
    (told,) = session.messages
    assert told.startswith("Farm job written: ")
    assert said in told
    assert node["status"].value() == told


def test_what_is_wrong_is_said_and_nothing_is_written(nuke, node, tmp_path):
    node["farm_job"].execute()
    assert "prompt is empty" in nuke._session.current().messages[0]
    assert not (tmp_path / "void").exists()
