"""A result's record asks for the very same job again."""

import dataclasses
import inspect
import json
from pathlib import Path

import pytest

from void_server import options, sidecar
from void_server.cli import shots
from void_wire.errors import SettingsError
from void_wire.messages import FrameRange, JobSpec, PictureSettings, Role, Signs, VoidSettings, WindowSeed

SPEC = JobSpec(
    job="lime-0001",
    shot="lime",
    engine="void",
    frames=FrameRange(1001, 1009, 2),
    roles=(Role.PLATE, Role.REMOVE),
    prompt="a table",
    void=VoidSettings(seed=7, pass1_steps=3),
)

SIGNS = {1003: Signs(), 1001: Signs(seam=0.0123456, borrowed=1.0)}


@pytest.mark.parametrize(
    ("out", "name"),
    [
        ("a/result.%04d.exr", "a/result.void.json"),
        ("result_####.exr", "result.void.json"),
        ("shot.v003.$F4.exr", "shot.v003.void.json"),
        ("single.exr", "single.void.json"),
        ("%04d.exr", "result.void.json"),
    ],
)
def test_the_record_lies_beside_the_result(out: str, name: str) -> None:
    assert sidecar.path_for(out) == Path(name)


def test_every_setting_is_in_the_record_as_an_option() -> None:
    lists = {"colorspace", "layers", "overlay", "enlarge"}
    picture = {*options.PICTURE_OPTIONS, *options.MODEL_PICTURE_OPTIONS, *lists}
    assert picture == {field.name for field in dataclasses.fields(PictureSettings)}
    pairs = {
        "show_pass1",
        "pass1_steps",
        "pass2_steps",
        "pass1_guidance",
        "pass2_guidance",
        "raster_height_px",
        "raster_width_px",
    }
    assert {*options.VOID_OPTIONS, *pairs, "conditioning", "window_seeds"} == {
        f.name for f in dataclasses.fields(VoidSettings)
    }


def test_options_come_back(tmp_path: Path) -> None:
    path = sidecar.write(str(tmp_path / "r.%04d.exr"), SPEC, {"plate": "p.%04d.exr"}, {"seconds": "1"}, SIGNS)
    found = sidecar.read_options(path)
    assert found["plate"] == str(Path("p.%04d.exr").absolute())
    assert (found["range_"], found["seed"], found["steps"]) == ("1001-1009x2", 7, "3,50")
    assert not {"raster", "compression", "layers", "window_seeds", "signs"} & set(found)
    assert json.loads(path.read_text())["signs"] == {"1001": {"seam": 0.01235, "borrowed": 1.0}, "1003": {}}


def test_what_the_record_gives_as_options_makes_the_same_settings() -> None:
    picture = PictureSettings(
        colorspace="ACEScg",
        layers=("fill", "matte"),
        crop="full",
        exposure="-1.5",
        enlarge=True,
        regrain=False,
    )
    redone = (WindowSeed(2, 77), WindowSeed(1, 5))
    void = VoidSettings(noise_range="993-1200x2", preview=True, window_seeds=redone, pass2_guidance=3.5)
    given = dict.fromkeys(inspect.signature(shots.submit).parameters)
    given |= sidecar.options(dataclasses.replace(SPEC, picture=picture, void=void))
    assert options.settings_of(given) == (picture, void)


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"format": 1}', '{"format": 1, "job": {}, "source": {}}', "\xff"]
)
def test_another_file_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text, encoding="latin-1")
    with pytest.raises(SettingsError):
        sidecar.read_options(tmp_path / "x.json")
    with pytest.raises(SettingsError):
        sidecar.read_options(tmp_path / "none.json")


def test_a_newer_format_says_so(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps({"format": 2}))
    with pytest.raises(SettingsError, match="format 2"):
        sidecar.read_options(tmp_path / "x.json")
