"""A night under Open Job Description's own runtime, again, and what is missing, damaged or mapped."""

import json
from pathlib import Path

import numpy as np
import pytest
from farm_bundles import TINY, read_plan, row, table
from real_shots import TINY_MODEL, make_shot, void

from void_server.bench.farm import BUNDLE, LOG, start
from void_server.farm.places import Places, read_rules
from void_server.farm.status import status
from void_server.farm.task import Work
from void_server.farm.task import run as run_task
from void_server.frames.exr import read_plate, write_frame
from void_wire.client import Client
from void_wire.errors import VoidError
from void_wire.messages import Role, State


def everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def frames(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {Path(path).name: found for path, found in everything(folder).items() if path.endswith(".exr")}


def openjd(folder: Path, *arguments: str) -> tuple[int, str]:
    before = len((folder / LOG).read_text()) if (folder / LOG).exists() else 0
    code = start(folder, *arguments).wait(timeout=240)
    return code, (folder / LOG).read_text()[before:]


ALL = ("--step", "finish", "--run-dependencies")


@pytest.mark.timeout(900)  # two sessions of processes, on machines that do more than this
def test_three_shots_with_the_model(tmp_path):
    shots = [make_shot(tmp_path / name, count, seed=count) for name, count in (("a", 18), ("b", 6), ("c", 5))]
    night = table(tmp_path / "night.csv", [row(shot, shot.folder.name, **TINY) for shot in shots])
    bundle = tmp_path / BUNDLE
    written = void(
        "farm",
        "write",
        night,
        "--out",
        bundle,
        "--segment-frames",
        14,
        "--overlap",
        4,
        "--weights",
        TINY_MODEL,
    )
    assert written.returncode == 0, written.stderr

    code, log = openjd(tmp_path, *ALL, "--preserve")
    assert code == 0, log
    (server_log,) = tmp_path.glob("tmp/OpenJD/*/void/server.log")
    said = server_log.read_text()
    assert said.count(" starts") == 4
    assert said.count("model loaded") == 1

    plan = read_plan(bundle)
    assert [task.segment.frames.numbers()[0] for task in plan.tasks()] == [1001, 1009, 1001, 1001]
    for shot in shots:
        name = shot.folder.name
        results = sorted((bundle / "results" / name).glob("*.exr"))
        assert [path.name for path in results] == [f"{name}.{frame}.exr" for frame in shot.frames.numbers()]
        for frame, path in zip(shot.frames.numbers(), results, strict=True):
            plate, made = read_plate(shot.path(Role.PLATE, frame), frame), read_plate(path, frame)
            assert made.layout.metadata["void/shot"] == name
            assert np.array_equal(plate.pixels[..., 3].view(np.uint16), made.pixels[..., 3].view(np.uint16))
            assert np.array_equal(plate.pixels[:8].view(np.uint16), made.pixels[:8].view(np.uint16))
        assert (bundle / "finished" / f"{name}.png").is_file()
        record = json.loads((bundle / "results" / name / f"{name}.void.json").read_text())
        assert record["job"]["frames"]["last"] == shot.frames.last
        assert set(record["signs"]) == {str(frame) for frame in shot.frames.numbers()}
    joined = [
        frame
        for frame in shots[0].frames.numbers()
        if "void/joined" in read_plate(bundle / f"results/a/a.{frame}.exr", frame).layout.metadata
    ]
    assert joined == [1009, 1010, 1011, 1012]
    assert all(
        f'src="finished/{shot.folder.name}.png"' in (bundle / "report.html").read_text() for shot in shots
    )
    told = void("farm", "status", bundle)
    assert told.returncode == 0
    assert "4 segments: 4 done. 3 of 3 shots are finished." in told.stdout

    before = everything(bundle)
    code, log = openjd(tmp_path, *ALL)
    assert code == 0, log
    assert log.count("is done already") == 4
    assert everything(bundle) == before


def run(bundle: Path, index: int, server: str, rules: Path | None = None) -> str:
    """Do one segment; returns the sentence of what fails, "" where nothing does."""
    plan = read_plan(bundle)
    try:
        run_task(
            Work(plan, plan.task(index), Places(bundle, read_rules(rules))),
            lambda: server,
            lambda what, share: None,
        )
    except VoidError as error:
        return str(error)
    return ""


@pytest.fixture
def night(drafts, draft_address):
    """Two shots in three segments, and a server for them."""
    return drafts, draft_address


NO_SERVER = "tcp://127.0.0.1:9"


def test_what_is_missing_fails_its_segment_alone(night, tmp_path):
    bundle, server = night
    gone, other = tmp_path / "a/remove.1009.exr", tmp_path / "b/plate.1002.exr"
    kept = gone.read_bytes(), other.read_bytes()
    gone.unlink()
    other.write_bytes(kept[1][:-1] + b"!")
    first, second, third = (run(bundle, index, server) for index in range(3))
    assert first == ""
    assert second.startswith(
        f"Segment 1 (shot a, 1005-1010): Frame 1009 of {tmp_path}/a/remove.%04d.exr is missing"
    )
    assert third.startswith(
        "Segment 2 (shot b, 1001-1004): frame 1002 of the plate (plate.1002.exr) is not the file"
    )

    told = void("farm", "status", bundle)
    assert told.returncode == 1
    assert "3 segments: 1 done, 2 failed. 0 of 2 shots are finished." in told.stdout
    assert f"{second}\n{third}\nNot done: --job-param Segments=1-2\n" in told.stdout
    assert "10 frames are left; at" in told.stdout
    done = void("farm", "finish", "--plan", bundle / "plan.json")
    assert done.returncode == 1
    assert "Shot a: frames 1005-1010 of segment 1 (shot a, 1005-1010) are missing" in done.stderr
    assert "Shot b: frames 1001-1004 of segment 2" in done.stderr
    assert f"run it again: void farm run --plan {bundle}/plan.json --index 2" in done.stderr

    gone.write_bytes(kept[0])
    other.write_bytes(kept[1])
    before = everything(bundle / "segments/0000")
    assert [run(bundle, index, server) for index in range(3)] == ["", "", ""]
    assert everything(bundle / "segments/0000") == before


def test_what_was_damaged_is_done_again_and_the_rest_stays(night):
    bundle, server = night
    assert run(bundle, 0, server) == ""
    folder = bundle / "segments/0000"
    before = frames(folder)
    (folder / "1003.exr").write_bytes(b"broken")
    (folder / "1004.exr").unlink()
    (folder / "1005.exr.part").write_bytes(b"half")
    plan = read_plan(bundle)
    assert "frame 1004 is gone" in status(plan, bundle).segments[0].says
    assert run(bundle, 0, server) == ""
    after = frames(folder)
    assert {name: payload for name, (_, payload) in after.items()} == {
        name: payload for name, (_, payload) in before.items()
    }
    assert {name for name in before if after[name] != before[name]} == {"1003.exr", "1004.exr"}
    assert not list(folder.glob("*.part"))


def test_frames_that_are_all_there_need_no_server(night):
    bundle, server = night
    assert run(bundle, 2, server) == ""
    folder = bundle / "segments/0002"
    (folder / "done.json").unlink()  # killed in the last moment
    before = frames(folder)
    assert run(bundle, 2, NO_SERVER) == ""
    assert frames(folder) == before


def test_a_job_that_the_server_has_goes_on(night):
    bundle, server = night
    plan = read_plan(bundle)
    spec = plan.job(plan.task(2))
    work = Work(plan, plan.task(2), Places(bundle))
    with Client(server) as client:
        client.submit(spec)
        client.upload(spec, work.files())
        while client.watch(spec.job, within_s=1.0).state is not State.DONE:
            pass
    assert run(bundle, 2, server) == ""
    with Client(server) as client:
        assert client.jobs() == []  # what is home is not kept twice


def test_a_job_that_was_cancelled_is_made_anew(night):
    bundle, server = night
    plan = read_plan(bundle)
    spec = plan.job(plan.task(2))
    with Client(server) as client:
        client.submit(spec)
        client.cancel(spec.job)
    assert run(bundle, 2, server) == ""


def test_mapped_paths_are_where_the_farm_has_them(night, tmp_path):
    bundle, server = night
    (tmp_path / "b").rename(tmp_path / "elsewhere")
    rules = tmp_path / "rules.json"
    one = {
        "source_path_format": "POSIX",
        "source_path": f"{tmp_path}/b",
        "destination_path": f"{tmp_path}/elsewhere",
    }
    rules.write_text(json.dumps({"version": "pathmapping-1.0", "path_mapping_rules": [one]}))
    assert "cannot be listed" in run(bundle, 2, server)
    assert run(bundle, 2, server, rules) == ""


def test_a_segment_with_nothing_marked_needs_no_server(tmp_path, write_bundle):
    shot = make_shot(tmp_path / "s", 12)
    for frame in range(1001, 1009):
        for role in (Role.REMOVE, Role.AFFECTED):
            write_frame(shot.path(role, frame), frame, np.zeros((64, 96, 1), np.float16), "A")
    bundle = write_bundle([row(shot, "a")], "--segment-frames", 8, "--overlap", 2)
    assert run(bundle, 0, NO_SERVER) == ""
    for frame in range(1001, 1008):
        plate = read_plate(shot.path(Role.PLATE, frame), frame)
        made = read_plate(bundle / f"segments/0000/{frame}.exr", frame)
        assert np.array_equal(plate.pixels.view(np.uint16), made.pixels.view(np.uint16))
        assert made.layout.metadata["void/untouched"] == "nothing is marked here"
