"""What a shot's segments share, and what is refused before a bundle is there."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from farm_bundles import TINY, read_plan, row, table
from real_shots import make_shot, void

from void_farm.plan import Plan
from void_server.cli.farm import typed
from void_server.farm.planning import Cutting, by_options, check_apart, plan_shot
from void_server.farm.sources import Asked
from void_server.frames.exr import read_plate, write_frame
from void_wire import codec
from void_wire.errors import EmptyMatte, MissingFrames, SettingsError
from void_wire.messages import FrameRange, Role

MODEL = {**TINY, "exposure": "auto"}


def planned(line, tmp_path, cutting=Cutting(), exported=False):  # noqa: B008
    bundle = tmp_path / "bundle"
    wanted = by_options(typed(Asked("here", _named(line))), bundle)
    return plan_shot(wanted, bundle, cutting, exported=exported)


def _named(line):
    return {name.replace("-", "_").replace("range", "range_"): value for name, value in line.items() if value}


def black(path, frame, first=0):
    """An empty matte in place of one that marks something."""
    pixels = read_plate_alpha(path, frame)
    pixels[first:] = 0
    write_frame(path, frame, pixels, "A")


def read_plate_alpha(path, frame):
    import OpenImageIO

    image = OpenImageIO.ImageInput.open(str(path))
    return np.asarray(image.read_image(0, 0, 0, 1, "half")).copy()


def test_a_short_shot_is_the_very_job_of_submit(tmp_path):
    shot = planned(row(make_shot(tmp_path / "s", 9), "a", **MODEL), tmp_path).shot
    (segment,) = shot.segments
    assert (segment.frames, segment.picture, segment.untouched) == (
        shot.spec.frames,
        shot.spec.picture,
        False,
    )
    assert shot.spec.picture.crop == shot.spec.picture.exposure == "auto"
    plan = Plan("night", (shot,))
    assert replace(plan.job(plan.task(0)), job=shot.spec.job) == shot.spec


def test_segments_of_a_take_share_crop_and_light(tmp_path):
    made = make_shot(tmp_path / "s", 30)
    line = row(made, "a", **{**MODEL, "raster": "32x32", "affected-first-frame": "clear"})
    shot = planned(line, tmp_path, Cutting(14, 4)).shot
    assert [segment.frames for segment in shot.segments] == [
        FrameRange(1001, 1012), FrameRange(1009, 1020), FrameRange(1017, 1028), FrameRange(1025, 1030)
    ]  # fmt: skip
    assert {segment.take for segment in shot.segments} == {FrameRange(1001, 1030)}
    (picture,) = {replace(segment.picture, affected_first_frame="keep") for segment in shot.segments}
    assert picture.segments == "one"
    assert picture.crop_px() is not None
    assert picture.exposure_stops() is not None
    plan = Plan("night", (shot,))
    assert [plan.job(task).void.noise_range for task in plan.tasks()] == ["1001-1030"] * 4
    assert [segment.picture.affected_first_frame for segment in shot.segments] == ["clear", *["keep"] * 3]
    assert any(
        "look through one crop" in note and "raster pixels per plate pixel" in note for note in shot.notes
    )


def test_every_file_is_known_by_its_digest(tmp_path):
    made = make_shot(tmp_path / "s", 3)
    written = planned(row(made, "a"), tmp_path)
    for role in (Role.PLATE, Role.REMOVE, Role.AFFECTED):
        found = [codec.digest(made.path(role, frame).read_bytes()) for frame in made.frames.numbers()]
        assert list(written.shot.digests[role]) == found
    assert len(written.files) == 9


def test_what_lies_in_the_bundle_moves_with_it(tmp_path):
    shot = planned(row(make_shot(tmp_path / "bundle/plates", 3), "a"), tmp_path).shot
    assert shot.inputs[Role.PLATE] == "plates/plate.%04d.exr"
    assert shot.output == "results/a/a.%04d.exr"


def test_paths_are_those_that_a_farm_maps(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "s")
    line = row(make_shot(tmp_path / "s", 3), "a", plate=f"{tmp_path}/bundle/../link/plate.%04d.exr")
    assert planned(line, tmp_path).shot.inputs[Role.PLATE] == f"{tmp_path}/link/plate.%04d.exr"


def test_a_segment_with_nothing_marked_is_the_plate(tmp_path):
    made = make_shot(tmp_path / "s", 20)
    for frame in range(1001, 1013):
        black(made.path(Role.REMOVE, frame), frame)
        black(made.path(Role.AFFECTED, frame), frame)
    shot = planned(row(made, "a"), tmp_path, Cutting(10, 2)).shot
    assert [segment.untouched for segment in shot.segments] == [True, False, False]


def test_a_segment_with_nothing_to_remove_is_refused(tmp_path):
    made = make_shot(tmp_path / "s", 20)
    for frame in range(1001, 1013):
        black(made.path(Role.REMOVE, frame), frame)
    with pytest.raises(
        EmptyMatte, match="Shot a: the segment 1001-1008 has something affected and nothing to"
    ):
        planned(row(made, "a"), tmp_path, Cutting(10, 2))


def test_no_segment_goes_across_a_cut(tmp_path):
    one, other = make_shot(tmp_path / "s", 12), make_shot(tmp_path / "t", 24, seed=5)
    for frame in range(1013, 1025):
        for role in (Role.PLATE, Role.REMOVE, Role.AFFECTED):
            shutil.copy(other.path(role, frame), one.path(role, frame))
    shot = planned(row(one, "a", range="1001-1024"), tmp_path, Cutting(16, 4)).shot
    assert [segment.frames for segment in shot.segments] == [FrameRange(1001, 1012), FrameRange(1013, 1024)]
    assert [segment.take for segment in shot.segments] == [FrameRange(1001, 1012), FrameRange(1013, 1024)]


def test_what_the_farm_renders_first_is_one_segment_without_digests(tmp_path):
    line = {
        "shot": "a",
        "engine": "draft",
        "plate": "p.%04d.exr",
        "remove": "m.%04d.exr",
        "range": "1001-1400",
    }
    shot = planned(line, tmp_path, exported=True).shot
    assert len(shot.segments) == 1
    assert not shot.digests
    assert "rendered on the farm" in shot.notes[0]
    with pytest.raises(SettingsError, match=r"Shot a: its files are rendered on the farm.*give --range"):
        planned({**line, "range": ""}, tmp_path, exported=True)


def test_shots_may_not_write_over_each_other(tmp_path):
    made = make_shot(tmp_path / "s", 3)
    out = f"{tmp_path}/same.%04d.exr"
    both = [planned(row(made, name, out=out), tmp_path) for name in "ab"]
    with pytest.raises(
        SettingsError, match=r"Shots a and b would both write .*same.1001.exr: give each an --out"
    ):
        check_apart(both)
    other = make_shot(tmp_path / "t", 3)
    over = planned(row(other, "b", out=str(other.folder / "new.%04d.exr")), tmp_path)
    check_apart([planned(row(made, "a"), tmp_path), over])
    into = planned(row(made, "a", out=str(other.folder / "plate.%04d.exr")), tmp_path)
    with pytest.raises(SettingsError, match=r"Shot a would write .*plate.1001.exr, which shot b is made of"):
        check_apart([into, planned(row(other, "b"), tmp_path)])


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"engine": "magic"}, SettingsError, "Engine is 'magic'; choose one of void, draft"),
        ({"range": "1001-1099"}, MissingFrames, "Shot a: Frames? .*missing"),
        ({"remove": "", "affected": ""}, SettingsError, "What to remove"),
        (
            {**TINY, "window-seeds": "1:7"},
            SettingsError,
            "--window-seeds number the windows of the whole shot",
        ),
    ],
)
def test_what_is_wrong_names_the_shot(tmp_path, options, error, says):
    with pytest.raises(error, match=says):
        planned(row(make_shot(tmp_path / "s", 20), "a", **options), tmp_path, Cutting(10, 2))


def test_a_bundle_is_written_once_and_sent(tmp_path, monkeypatch):
    lines = table(tmp_path / "night.csv", [row(make_shot(tmp_path / "s", 3), "a")])
    monkeypatch.setenv("VOID_FARM_SUBMIT", "echo sent")
    done = void("farm", "write", lines, "--out", tmp_path / "bundle")
    assert done.returncode == 0, done.stderr
    assert f"echo took the bundle and said: sent {tmp_path}/bundle" in done.stdout
    assert len(read_plan(tmp_path / "bundle").tasks()) == 1
    again = void("farm", "write", lines, "--out", tmp_path / "bundle")
    assert again.returncode == 1
    assert "holds a bundle already" in again.stderr


def test_plates_are_looked_at_whole(tmp_path):
    made = make_shot(tmp_path / "s", 3)
    made.path(Role.PLATE, 1002).write_bytes(made.path(Role.PLATE, 1002).read_bytes()[:900])
    with pytest.raises(Exception, match="Shot a: Frame 1002"):
        planned(row(made, "a"), tmp_path)
    assert read_plate(made.path(Role.PLATE, 1001), 1001)
