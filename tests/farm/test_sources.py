"""Where jobs come from: records, tables, timelines; and that their options are those of ``void submit``."""

import opentimelineio as otio
import pytest
from farm_bundles import table
from real_shots import make_shot

from void_server import sidecar
from void_server.cli.farm import removals, typed
from void_server.farm.sources import read_jobs
from void_wire.errors import SettingsError


def test_a_table_has_a_shot_a_line(tmp_path):
    lines = [
        {
            "shot": "a",
            "plate": "plates/plate.%04d.exr",
            "--remove": "/far/remove.%04d.exr",
            "time-base": "model",
        },
        {"shot": "b", "plate": "plates/plate.%04d.exr", "range": "1001-1002", "seed": "7", "regrain": "no"},
    ]
    first, second = read_jobs(table(tmp_path / "night.csv", lines))
    assert first.where == "night.csv, line 2"
    assert first.options == {
        "shot": "a", "plate": f"{tmp_path}/plates/plate.%04d.exr",
        "remove": "/far/remove.%04d.exr", "time_base": "model",
    }  # fmt: skip
    found = typed(second)
    assert (found["range_"], found["seed"], found["regrain"], found["grow"]) == ("1001-1002", 7, False, 3)


def test_a_record_is_the_same_job_and_a_line_may_be_like_one(tmp_path):
    shot = make_shot(tmp_path / "plates", 2)
    spec = shot.spec("abcdefgh", grow_px=9)
    files = {role.value: shot.pattern(role) for role in spec.roles}
    record = sidecar.write(str(tmp_path / "r.%04d.exr"), spec, files, {}, {})
    (asked,) = read_jobs(record)
    assert asked.options == sidecar.read_options(record)
    (like,) = read_jobs(
        table(tmp_path / "night.csv", [{"like": record.name, "shot": "other", "feather": "1"}])
    )
    assert like.options == {**asked.options, "shot": "other", "feather": "1"}


def test_a_timeline_has_a_shot_a_clip(tmp_path):
    sequence = otio.schema.ImageSequenceReference(
        target_url_base="file:///shots/a%20b/", name_prefix="plate.", name_suffix=".exr", start_frame=1001,
        frame_zero_padding=4, rate=24.0, available_range=otio.opentime.TimeRange(
            otio.opentime.RationalTime(0, 24), otio.opentime.RationalTime(100, 24)
        ),
    )  # fmt: skip
    part = otio.opentime.TimeRange(otio.opentime.RationalTime(8, 24), otio.opentime.RationalTime(40, 24))
    options = {"remove": "rotos/remove.%04d.exr", "prompt": "a wall"}
    track = otio.schema.Track()
    track.append(otio.schema.Clip("sh 010", sequence, part, {"void": options}))
    track.append(otio.schema.Clip("sh020", sequence, None, {"void": {**options, "shot": "twenty"}}))
    track.append(otio.schema.Clip("untouched", sequence, part))
    timeline = otio.schema.Timeline(tracks=[track])
    otio.adapters.write_to_file(timeline, str(tmp_path / "reel.otio"))
    first, second = read_jobs(tmp_path / "reel.otio")
    assert first.options == {
        "plate": "/shots/a b/plate.%04d.exr", "range_": "1009-1048", "shot": "sh_010",
        "remove": f"{tmp_path}/rotos/remove.%04d.exr", "prompt": "a wall",
    }  # fmt: skip
    assert (second.options["range_"], second.options["shot"]) == ("1001-1100", "twenty")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "plate,remove\n", "asks for no removal: below the header it has no line"),
        ("a.csv", "plate\na,b\n", "line 2 has more cells than the header"),
        (
            "a.csv",
            "plate,sheet\np.exr,s.png\n",
            "line 2: --sheet is not for a farm: give nothing: every shot gets",
        ),
        ("a.csv", b"\xff\xfe\x00", "cannot be read as a table"),
        ("a.otio", "{}", "is no timeline that OpenTimelineIO reads"),
        ("a.json", "{}", "is no record of a VOID job"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path, name, text, says):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingsError, match=says):
        read_jobs(tmp_path / name)
    with pytest.raises(SettingsError, match=r"There is no file"):
        read_jobs(tmp_path / "none.csv")


def test_a_timeline_without_shots_is_told(tmp_path):
    otio.adapters.write_to_file(otio.schema.Timeline(), str(tmp_path / "a.otio"))
    with pytest.raises(SettingsError, match='none of its clips has metadata "void"'):
        read_jobs(tmp_path / "a.otio")


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("plait", "p.exr", "line 2: void submit has no option 'plait'; it has affected, "),
        ("seed", "many", "line 2: Invalid value for '--seed'"),
    ],
)
def test_options_are_those_of_submit(tmp_path, option, value, says):
    lines = [{"plate": "p.%04d.exr", option: value}]
    with pytest.raises(SettingsError, match=says):
        typed(read_jobs(table(tmp_path / "a.csv", lines))[0])


def test_what_no_job_can_be_made_of_is_told_with_its_line(tmp_path):
    for options, says in (
        ({"plate": "p.%04d.exr"}, r"a.csv, line 2: What to remove\? Give plate with"),
        (
            {"plate": "p.%04d.exr", "remove": "m.%04d.exr", "engine": "draft", "passes": "1"},
            "a.csv, line 2: Engine draft has no --passes",
        ),
    ):
        with pytest.raises(SettingsError, match=says):
            removals(str(table(tmp_path / "a.csv", [options])), tmp_path / "bundle")
