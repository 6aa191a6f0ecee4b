"""The main job through real processes, sockets and files."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import OpenImageIO
import pytest
from real_shots import ShotOnDisk, StartServer, bring, make_shot, void, void_process

from void_server.frames.exr import read_header, read_plate
from void_server.frames.geometry import take
from void_server.frames.matte import composite_matte
from void_server.frames.matte_files import read_mattes
from void_wire.client import ENDED, Client
from void_wire.messages import JobSpec, JobStatus, Role, Stage, State, VoidSettings

SMALL = VoidSettings(
    pass1_steps=2,
    pass2_steps=2,
    raster_height_px=32,
    raster_width_px=64,
    window_frames=21,
    warped_noise="corrected",
)


def run(client: Client, shot: ShotOnDisk, spec: JobSpec) -> tuple[JobStatus, list[JobStatus]]:
    """Submit, upload, watch to the end; every status seen on the way."""
    client.submit(spec)
    client.upload(spec, shot.files)
    seen = [client.watch(spec.job)]
    while seen[-1].state not in ENDED:
        seen.append(client.watch(spec.job, seen[-1].revision, 5.0))
    return seen[-1], seen


def assert_plate_outside(
    shot: ShotOnDisk, result: Path, frame: int, grow_px: int = 3, feather_px: int = 4
) -> None:
    """Same windows, channels and types; bits equal where the composite matte is 0, changed somewhere else."""
    plate, made = read_plate(shot.path(Role.PLATE, frame), frame), read_plate(result, frame)
    for field in ("display", "data", "channels", "types", "compression", "pixel_aspect"):
        assert getattr(made.layout, field) == getattr(plate.layout, field)
    mattes = read_mattes(
        {r: shot.path(r, frame) for r in (Role.REMOVE, Role.AFFECTED)}, frame, plate.layout.display
    )
    matte = composite_matte(mattes.remove, mattes.affected, grow_px, feather_px)
    outside = take(matte, plate.layout.data, plate.layout.display, outside=0.0) == 0
    assert 0 < np.count_nonzero(outside) < outside.size
    before, after = plate.pixels.view(np.uint16), made.pixels.view(np.uint16)
    assert np.array_equal(before[outside], after[outside])
    assert not np.array_equal(before[~outside][:, :3], after[~outside][:, :3])
    assert np.array_equal(before[..., 3], after[..., 3])


def test_draft_from_files_to_files(shot: ShotOnDisk, address: str, tmp_path: Path) -> None:
    out = tmp_path / "out" / "result.%04d.exr"
    done = void_process(
        "submit", "--server", address, "--engine", "draft", "--colorspace", "lin_rec709",
        "--plate", shot.pattern(Role.PLATE), "--remove", shot.pattern(Role.REMOVE),
        "--affected", shot.pattern(Role.AFFECTED), "--out", out, "--save-quadmask", tmp_path / "q.####.png",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "6 frames at" in done.stderr
    made = [f"result.{n}.exr" for n in range(1001, 1007)]
    assert sorted(p.name for p in out.parent.iterdir()) == [*made, "result.void.json"]
    for frame in shot.frames.numbers():
        result = out.parent / f"result.{frame}.exr"
        assert_plate_outside(shot, result, frame)
        metadata = read_header(result, frame).metadata
        assert metadata["nuke/node"] == "vfx"
        assert metadata["void/engine"] == "draft"
    overlay = OpenImageIO.ImageBuf(str(tmp_path / "q.1001.png"))
    assert (overlay.spec().width, overlay.spec().height) == (96, 64)


def test_a_record_asks_for_the_very_same_job_again(shot: ShotOnDisk, address: str, tmp_path: Path) -> None:
    first = void(
        "submit", "--server", address, "--colorspace", "lin_rec709", "--prompt", "a room", "--raster", "32x64",
        "--steps", "2", "--window", "21", "--warped-noise", "corrected", "--seed", "9", "--grow", "1",
        "--plate", shot.pattern(Role.PLATE), "--remove", shot.pattern(Role.REMOVE), "--range", "1002-1004",
        "--out", tmp_path / "a" / "r.%04d.exr",
    )  # fmt: skip
    assert first.returncode == 0, first.stderr
    record = tmp_path / "a" / "r.void.json"
    again = void("submit", "--server", address, "--like", record, "--out", tmp_path / "b" / "r.%04d.exr")
    assert again.returncode == 0, again.stderr
    other = void(
        "submit",
        "--server",
        address,
        "--like",
        record,
        "--seed",
        "10",
        "--out",
        tmp_path / "c" / "r.%04d.exr",
    )
    assert other.returncode == 0, other.stderr
    asked, asked_again = (
        json.loads(path.read_text())["job"] for path in (record, tmp_path / "b" / "r.void.json")
    )
    assert {**asked, "job": ""} == {**asked_again, "job": ""}
    for frame in (1002, 1003, 1004):
        pixels = [read_plate(tmp_path / name / f"r.{frame}.exr", frame).pixels for name in "abc"]
        assert np.array_equal(pixels[0], pixels[1])
        assert not np.array_equal(pixels[0], pixels[2])


def test_both_passes_of_void(client: Client, tmp_path: Path) -> None:
    long = make_shot(tmp_path / "long", frames=24)  # 29 padded: two windows of 21, in both passes
    spec = long.spec("void-job-1", replace(SMALL, show_pass1=True), overlay=True)
    status, seen = run(client, long, spec)
    assert status.state is State.DONE, status.error
    numbers = long.frames.numbers()
    assert status.ready == {Role.OVERLAY: numbers, Role.PASS1: numbers, Role.RESULT: numbers}
    stages = [s.stage for s in seen if s.stage]
    order = [stage for stage in Stage if stage in stages and stage is not Stage.ENCODE]
    assert order == sorted(set(stages) - {Stage.ENCODE}, key=stages.index)
    assert {Stage.PASS1, Stage.PASS2} <= set(stages)
    assert status.record["engine"] == "void"
    assert status.record["memory_mode"] == "resident"
    pass1 = bring(client, spec, Role.PASS1, tmp_path / "p1")
    result = bring(client, spec, Role.RESULT, tmp_path / "result")
    assert pass1 != result
    for frame in numbers:
        assert_plate_outside(long, tmp_path / "result" / f"{frame}.exr", frame)
        assert_plate_outside(long, tmp_path / "p1" / f"{frame}.exr", frame)
    # The same request again gives the same pixels, another seed others.
    again = long.spec("void-job-2", SMALL)
    assert run(client, long, again)[0].state is State.DONE
    bring(client, again, Role.RESULT, tmp_path / "again")
    other = long.spec("void-job-3", VoidSettings(**{**vars(SMALL), "seed": 43}))
    assert run(client, long, other)[0].state is State.DONE
    bring(client, other, Role.RESULT, tmp_path / "other")
    for frame in numbers:
        first, same, different = (
            read_plate(tmp_path / name / f"{frame}.exr", frame).pixels
            for name in ("result", "again", "other")
        )
        assert np.array_equal(first, same)
        assert not np.array_equal(first, different)


PASS_1 = replace(SMALL, passes=1)


def test_pass_1_alone_is_the_result(shot: ShotOnDisk, client: Client, data_dir: Path) -> None:
    before = set(data_dir.glob("prompts/*"))
    spec = replace(shot.spec("pass-one-1", PASS_1), prompt="a hall that no other test asks for")
    status, _ = run(client, shot, spec)
    assert list(status.ready) == [Role.RESULT]
    assert status.record["speed"] == "plain"
    (kept,) = set(data_dir.glob("prompts/*")) - before
    assert spec.prompt.encode() not in kept.read_bytes()


def test_a_private_server_keeps_nothing_of_its_prompt(
    shot: ShotOnDisk, start_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOID_PRIVATE", "True")
    with Client(start_server().address) as client:
        status, _ = run(client, shot, shot.spec("pass-one-1", PASS_1))
        assert list(status.ready) == [Role.RESULT]
        assert status.record["speed"] == "plain"
    assert not list((tmp_path / "data").glob("prompts/*"))


@pytest.mark.parametrize(("frames", "size"), [(1, (64, 96)), (2, (1, 1)), (2, (63, 17)), (1, (429, 1025))])
def test_odd_shots(frames: int, size: tuple[int, int], client: Client, tmp_path: Path) -> None:
    odd = make_shot(tmp_path / "odd", frames, size)
    if size == (1, 1):
        for frame in odd.frames.numbers():
            odd.path(Role.REMOVE, frame).write_bytes(_one_pixel_matte(tmp_path).read_bytes())
    for job, settings in (("odd-draft", None), ("odd-void1", SMALL)):
        status, _ = run(client, odd, odd.spec(job, settings))
        assert status.state is State.DONE, status.error
        brought = bring(client, odd.spec(job, settings), Role.RESULT, tmp_path / job)
        assert sorted(brought) == odd.frames.numbers()
        for frame in odd.frames.numbers():
            display = read_header(tmp_path / job / f"{frame}.exr", frame).display
            assert (display.height, display.width) == size


def _one_pixel_matte(folder: Path) -> Path:
    from void_server.frames.exr import write_frame

    write_frame(folder / "one.exr", 1, np.ones((1, 1, 1), np.float16), "A")
    return folder / "one.exr"


def test_detach_list_fetch_cancel(shot: ShotOnDisk, address: str, tmp_path: Path) -> None:
    sent = void(
        "submit", "--server", address, "--engine", "draft", "--colorspace", "lin_rec709", "--job", "detached-1",
        "--plate", shot.pattern(Role.PLATE), "--remove", shot.pattern(Role.REMOVE), "--detach",
    )  # fmt: skip
    assert sent.returncode == 0, sent.stderr
    fetched = void("fetch", "detached-1", "--server", address, "--out", tmp_path / "f" / "r.####.exr")
    assert fetched.returncode == 0, fetched.stderr
    assert len(list((tmp_path / "f").iterdir())) == 6
    listed = void("jobs", "--server", address)
    assert "detached-1" in listed.stdout
    assert "done" in listed.stdout
    cancelled = void("cancel", "detached-1", "--server", address)
    assert cancelled.stdout.strip() == "Job detached-1 is done."
    unknown = void("fetch", "nobody-knows", "--server", address, "--out", tmp_path / "x.%04d.exr")
    assert unknown.returncode == 1
    assert "no job nobody-knows" in unknown.stderr


def test_an_ipc_server(shot: ShotOnDisk, start_server: StartServer, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir(mode=0o700)
    server = start_server(f"ipc://{folder}/void.sock")
    assert (folder / "void.sock").stat().st_mode & 0o077 == 0
    with Client(server.address) as client:
        status, _ = run(client, shot, shot.spec("over-ipc-1"))
        assert status.state is State.DONE, status.error


def test_an_idle_server_is_small_and_has_no_torch(start_server: StartServer) -> None:
    server = start_server()
    with Client(server.address) as client:
        client.connect()
    status = Path(f"/proc/{server.process.pid}/status")
    if not status.exists():
        pytest.skip("needs /proc")
    resident_kb = int(status.read_text().split("VmRSS:")[1].split()[0])
    assert resident_kb < 80_000
    maps = Path(f"/proc/{server.process.pid}/maps").read_text()
    for library in ("torch", "numpy", "OpenImageIO", "cv2"):
        assert f"/{library}/" not in maps


def test_without_weights_void_is_refused_before_anything_is_sent(
    shot: ShotOnDisk, start_server: StartServer, tmp_path: Path
) -> None:
    address = start_server(weights=tmp_path / "nothing").address
    done = void(
        "submit", "--server", address, "--plate", shot.pattern(Role.PLATE), "--remove", shot.pattern(Role.REMOVE),
        "--prompt", "a room", "--colorspace", "lin_rec709", "--out", tmp_path / "r.%04d.exr",
    )  # fmt: skip
    assert done.returncode == 1
    assert "void weights pull" in done.stderr
    with Client(address) as client:
        client.connect()
        assert client.jobs() == []
