"""Jobs that a server has, as a farm's: their frames come into the bundle, and the farm does what the server would."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from farm_bundles import read_plan
from real_shots import ShotOnDisk, bring, done, make_shot, void, wait_for

from void_farm import bundle as bundles
from void_farm import plan as plans
from void_farm import server_jobs
from void_server.farm.planning import Cutting, by_job, plan_shot
from void_server.farm.sources import is_job
from void_server.frames.exr import read_plate, write_frame
from void_wire import codec
from void_wire.client import ENDED, Client
from void_wire.errors import EmptyMatte, MissingFrames, SettingsError, UnknownJob
from void_wire.messages import FrameRange, JobSpec, Role, State, VoidSettings

TINY = VoidSettings(
    raster_height_px=48,
    raster_width_px=64,
    window_frames=21,
    warped_noise="corrected",
    preview=True,
    show_pass1=True,
)


@pytest.fixture
def client(model_address):
    with Client(model_address) as client:
        yield client


def send(client: Client, shot: ShotOnDisk, spec: JobSpec) -> JobSpec:
    client.submit(spec)
    client.upload(spec, shot.files)
    return spec


def stamps(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*.exr")}


def test_the_farm_makes_what_the_server_makes(client, tmp_path, monkeypatch):
    shot = make_shot(tmp_path / "shot", 5)
    spec = send(client, shot, replace(shot.spec("job-of-night", overlay=True), shot="sh010"))
    written = void("farm", "write", spec.job, "--out", tmp_path / "here/night", "--server", client.address)
    assert written.returncode == 0, written.stderr
    shutil.rmtree(tmp_path / "shot")  # the farm sees the bundle alone, and that elsewhere
    moved = shutil.move(tmp_path / "here", tmp_path / "there") / "night"
    (planned,) = read_plan(moved).shots
    assert planned.spec == replace(spec, picture=replace(spec.picture, overlay=False))
    assert planned.inputs[Role.PLATE] == "inputs/sh010/plate.%04d.exr"
    assert planned.digests == {
        role: tuple(codec.digest((moved / (pattern % n)).read_bytes()) for n in shot.frames.numbers())
        for role, pattern in planned.inputs.items()
    }
    referred = json.loads((moved / bundles.ASSETS).read_text())["assetReferences"]["inputs"]["filenames"]
    assert len(referred) == 15 + 1
    monkeypatch.setenv("VOID_SERVER", client.address)
    for command in (("run", "--index", "0"), ("finish",)):
        ran = void("farm", *command, "--plan", moved / plans.NAME)
        assert ran.returncode == 0, ran.stderr
    wait_for(client, spec.job, done)
    own = bring(client, spec, Role.RESULT, tmp_path / "own")
    for frame in own:
        made = read_plate(moved / f"results/sh010/sh010.{frame}.exr", frame)
        assert np.array_equal(made.rgb, read_plate(tmp_path / f"own/{frame}.exr", frame).rgb)


def test_without_a_look_at_pixels_it_is_the_same_plan(client, tmp_path):
    shot = make_shot(tmp_path / "shot", 4)
    jobs = []
    for name, settings in (("a", None), ("b", TINY)):
        spec = replace(shot.spec(f"job-same-{name}", settings), shot=name)
        jobs.append(send(client, shot, spec).job)
    plan = server_jobs.write(client, jobs, tmp_path / "panel/night", lambda *_: None)
    written = void("farm", "write", *jobs, "--out", tmp_path / "cli/night", "--server", client.address)
    assert written.returncode == 0, written.stderr
    assert "Note: The server's job is a preview; this is it in full." in written.stderr
    assert f"void cancel {jobs[1]} leaves it to the farm" in " ".join(written.stderr.split())
    assert plan == read_plan(tmp_path / "cli/night") == read_plan(tmp_path / "panel/night")
    for name in (bundles.TEMPLATE, bundles.HANDLING):
        assert (tmp_path / "cli/night" / name).read_text() == (tmp_path / "panel/night" / name).read_text()
    made = plan.job(plan.task(1)).void
    assert made == replace(TINY, preview=False, show_pass1=False)
    with pytest.raises(SettingsError, match="holds a bundle already"):
        server_jobs.write(client, jobs, tmp_path / "panel/night", lambda *_: None)


def test_a_second_call_brings_what_is_lacking(client, tmp_path):
    shot, heard = make_shot(tmp_path / "shot", 4), []
    spec = send(client, shot, shot.spec("job-again1"))

    def told(name, here, of):
        heard.append((here, of))
        if here == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        server_jobs.write(client, [spec.job], tmp_path / "night", told)
    assert not (tmp_path / "night" / plans.NAME).exists()
    before = stamps(tmp_path / "night")
    assert len(before) == 5
    damaged = next(iter(before))
    damaged.write_bytes(b"cut off")
    heard.clear()
    server_jobs.write(client, [spec.job], tmp_path / "night", lambda name, here, of: heard.append((here, of)))
    assert heard[-1] == (12, 12)
    assert len([here for here, _ in heard if here > 4]) <= 9
    after = stamps(tmp_path / "night")
    assert {path for path in before if after[path] == before[path]} == set(before) - {damaged}
    for role, files in shot.files.items():
        for frame, file in files.items():
            brought = tmp_path / f"night/inputs/shot/{role.value}.{frame}.exr"
            assert brought.read_bytes() == file.read_bytes()


def test_what_is_no_whole_job_is_told_before_anything_comes(client, tmp_path):
    shot = make_shot(tmp_path / "shot", 3)
    client.submit(shot.spec("job-arrives"))
    some = replace(shot.spec("job-arrives"), frames=FrameRange(1001, 1001))
    client.upload(some, shot.files)
    black = make_shot(tmp_path / "black", 3)
    for frame in black.frames.numbers():
        for role in (Role.REMOVE, Role.AFFECTED):
            write_frame(black.path(role, frame), frame, np.zeros((64, 96, 1), np.float16), "A")
    send(client, black, black.spec("job-blackx"))
    status = client.watch("job-blackx")
    while status.state is not State.FAILED:
        status = client.watch("job-blackx", status.revision, 5.0)
    for job in ("job-twice1", "job-twice2"):
        send(client, shot, shot.spec(job))
    for jobs, error, says in (
        (["job-never1"], UnknownJob, "The server has no job job-never1"),
        (
            ["job-arrives"],
            MissingFrames,
            r"Job job-arrives has 3 of its 9 files: send the rest first \(void sub",
        ),
        (["job-blackx"], EmptyMatte, r"Job job-blackx failed, and would on a farm: "),
        (["job-twice1", "job-twice2"], SettingsError, "job-twice1 and job-twice2 are both of shot shot"),
    ):
        with pytest.raises(error, match=says):
            server_jobs.write(client, jobs, tmp_path / "night", lambda *_: None)
    assert not (tmp_path / "night").exists()


def test_files_that_the_server_lost_are_told_of(client, model_data, tmp_path):
    shot = make_shot(tmp_path / "shot", 3)
    send(client, shot, shot.spec("job-lossy1"))
    client.cancel("job-lossy1")  # else its worker might miss them first
    wait_for(client, "job-lossy1", lambda status: status.state in ENDED)
    (lost,) = model_data.glob("**/job-lossy1/remove/1002.exr")
    lost.unlink()
    with pytest.raises(
        MissingFrames, match=r"Job job-lossy1 has lost files on the server .Frame 1002 of the"
    ):
        server_jobs.write(client, ["job-lossy1"], tmp_path / "night", lambda *_: None)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SettingsError, match=r"plate.1001.exr cannot be written .*then ask for it again"):
        server_jobs.write(client, ["job-lossy1"], tmp_path / "file/night", lambda *_: None)


def test_a_part_of_a_shot_keeps_the_noise_of_the_whole_or_is_not_cut(tmp_path):
    shot = make_shot(tmp_path / "bundle/inputs/shot", 20)
    part = replace(TINY, preview=False, noise_range="1001-1040", seed=3)
    spec = shot.spec("job-part-1", part)
    held = server_jobs.HeldJob(spec, dict.fromkeys(spec.roles, ("0" * 32,) * 20))
    wanted = by_job(held, tmp_path / "bundle")
    whole = plan_shot(wanted, tmp_path / "bundle", Cutting(), exported=False).shot
    plan = plans.Plan("night", (whole,))
    assert plan.job(plan.task(0)).void == part
    with pytest.raises(SettingsError, match="Shot shot: its noise is its part of 1001-1040"):
        plan_shot(wanted, tmp_path / "bundle", Cutting(12, 4), exported=False)


def test_a_long_shot_that_nobody_cut_says_so():
    frames = FrameRange(1, plans.LONGEST + 1)
    spec = JobSpec("job-long-1", "sh010", "draft", frames, (Role.PLATE, Role.REMOVE))
    shot = plans.whole(spec, {}, {}, "r.%04d.exr")
    assert shot.notes == ("It is one segment of 241 frames: void farm write cuts what is longer than 240.",)
    assert [segment.frames for segment in shot.segments] == [frames]


@pytest.mark.parametrize(
    ("text", "job"),
    [
        ("sh010-20260314-1a2b3c4d", True),
        ("night.csv", False),
        ("folder/sh010-20260314", False),
        ("short", False),
        ("", False),
    ],
)
def test_a_job_is_told_from_a_file(text, job, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert is_job(text) is job
    if job:
        (tmp_path / text).write_text("a file of that name")
        assert not is_job(text)
