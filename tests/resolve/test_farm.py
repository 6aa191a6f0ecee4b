"""Write farm job: Fusion renders, the bundle has the files, and its steps are run as a farm would."""

import sys
from pathlib import Path

import numpy as np
import pytest
from farm_bundles import read_plan
from fusion import _render
from fusion_shots import SIZE
from real_shots import void

from void_resolve import farm
from void_server.frames.exr import read_plate
from void_wire import codec
from void_wire.errors import EmptyMatte, MissingFrames, SettingsError
from void_wire.messages import FrameRange, Role

SHIFT = 86400
"""The clip's file begins at 01:00:00:00."""


@pytest.fixture
def write(comp, in_resolve, tmp_path):
    """Presses the button; gives what is said, and what was said before."""
    app, heard = in_resolve(), []
    (macro,) = app.macros()
    for name, value in {"engine": 1, "first": 3, "last": 6, "server": "127.0.0.1:9"}.items():
        comp.macro.SetInput(name, value)
    comp.undo.clear()

    def pressed(**environment):
        return farm.write(app, macro, heard.append, {"VOID_OUTPUT": str(tmp_path), **environment}), heard

    return pressed


def bundles(folder):
    return sorted(folder.rglob("farm_v*"))


def test_the_farm_puts_the_result_at_the_macro_s_path(comp, write, tmp_path):
    said, heard = write()
    (folder,) = bundles(tmp_path)
    assert said == (
        f"Farm job written: {folder}. Nobody is told: VOID_FARM_SUBMIT names no command that sends it."
    )
    assert "Fusion renders plate and mattes; cancel in its own window" in heard
    (shot,) = read_plan(folder).shots
    assert shot.spec.frames == FrameRange(SHIFT + 3, SHIFT + 6)
    assert shot.spec.roles == (Role.PLATE, Role.MATTES)
    files = sorted(path for path in folder.rglob("*.exr"))
    assert {path.parent for path in files} == {folder / "inputs" / shot.spec.shot}
    assert [path.name for path in files] == [
        f"{role}.{number}.exr" for role in ("mattes", "plate") for number in shot.spec.frames.numbers()
    ]
    assert shot.digests == {
        role: tuple(codec.digest((folder / (pattern % n)).read_bytes()) for n in shot.spec.frames.numbers())
        for role, pattern in shot.inputs.items()
    }
    assert len(shot.segments) == 1
    assert not comp.undo
    assert comp.macro.GetData("void.job") is None
    for command in (("run", "--index", "0"), ("finish",)):
        done = void("farm", *command, "--plan", folder / "plan.json")
        assert done.returncode == 0, done.stderr
    first = shot.spec.frames.first
    result = read_plate(Path(shot.output % first), first)
    assert result.layout.metadata["void/shot"] == shot.spec.shot
    assert not np.array_equal(
        result.rgb, read_plate(folder / f"inputs/{shot.spec.shot}/plate.{first}.exr", first).rgb
    )
    write()
    assert [folder.parent.name for folder in bundles(tmp_path)] == ["v001", "v002"]


def test_the_studio_s_command_sends_it(write, tmp_path):
    command = f'"{sys.executable}" -c "import sys; print(sys.argv[1][-9:])"'
    said, heard = write(VOID_FARM_SUBMIT=command)
    assert said.endswith("took the bundle and said: farm_v001")
    assert heard[-1].endswith("farm_v001. Sending it.")
    with pytest.raises(SettingsError, match=r"failed with exit code 3 .*The bundle stays in .*farm_v002"):
        write(VOID_FARM_SUBMIT=f'"{sys.executable}" -c "raise SystemExit(3)"')
    assert (bundles(tmp_path)[1] / "plan.json").is_file()


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        ("black", EmptyMatte, r"black in all frames of 86403-86406, so there is nothing for a farm to do"),
        ("left out", MissingFrames, r"no picture of 1 frames, the first 5 as the Fusion page counts"),
        ("cancelled", SettingsError, "did not render plate and mattes"),
        ("full", SettingsError, r"The farm job cannot be written to .*farm_v001 \(No space left on device\)"),
    ],
)
def test_of_a_bundle_that_is_not_whole_nothing_stays(
    session, comp, write, tmp_path, monkeypatch, wrong, error, says
):
    if wrong == "black":
        comp.tools["Polygon1"].pixels = lambda frame: np.zeros((*SIZE, 4), np.float32)
    elif wrong == "left out":
        save = _render.save
        monkeypatch.setattr(_render, "save", lambda tool, frame: None if frame == 5 else save(tool, frame))
    elif wrong == "cancelled":
        session.cancel_render_at = 5
    else:
        replace = Path.replace

        def full(path, target):
            if path.suffix == ".exr":
                raise OSError(28, "No space left on device")
            return replace(path, target)

        monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(error, match=says):
        write()
    assert not bundles(tmp_path)
    assert not comp.undo


def test_all_that_is_wrong_is_said_before_anything_renders(comp, write, tmp_path):
    comp.macro.SetInput("engine", 0)
    comp.macro.FindMainInput(2).ConnectTo(None)
    with pytest.raises(Exception, match=r"(?s)Input remove is not connected.*The prompt is empty"):
        write()
    assert not comp.renders
    assert not bundles(tmp_path)
