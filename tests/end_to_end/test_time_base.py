"""A 24 fps plate that the model sees at 12: through real jobs."""

from pathlib import Path

import numpy as np
from real_shots import ShotOnDisk, bring, make_shot, void

from void_server.frames.exr import read_plate
from void_wire.client import ENDED, Client
from void_wire.messages import FrameRange, JobSpec, JobStatus, Role, State, VoidSettings

SEEN = {
    "pass1_steps": 2,
    "pass2_steps": 2,
    "raster_height_px": 32,
    "raster_width_px": 64,
    "window_frames": 21,
}


def run(client: Client, shot: ShotOnDisk, spec: JobSpec) -> JobStatus:
    client.submit(spec)
    client.upload(spec, shot.files)
    status = client.watch(spec.job)
    while status.state not in ENDED:
        status = client.watch(spec.job, status.revision, 5.0)
    assert status.state is State.DONE, status.error
    return status


def test_the_model_sees_every_second_frame_and_all_come_back(client: Client, tmp_path: Path) -> None:
    shot = make_shot(tmp_path / "shot", frames=9)  # its files say 24 frames a second
    half = ShotOnDisk(shot.folder, FrameRange(1001, 1009, 2))
    settings = VoidSettings(passes=2, show_pass1=True, warped_noise="corrected", **SEEN)
    same = {"regrain": False, "exposure": "off", "crop": "full"}
    whole = shot.spec("time-base-1", VoidSettings(**{**vars(settings), "time_base": "model"}), **same)
    status = run(client, shot, whole)
    assert status.record["time base"] == "one frame in 2, the others rebuilt"
    assert status.ready[Role.RESULT] == status.ready[Role.PASS1] == shot.frames.numbers()
    run(client, half, half.spec("time-base-2", settings, **same))
    bring(client, whole, Role.RESULT, tmp_path / "whole")
    bring(client, half.spec("time-base-2", settings, **same), Role.RESULT, tmp_path / "half")
    for frame in shot.frames.numbers():
        made = read_plate(tmp_path / "whole" / f"{frame}.exr", frame).pixels
        plate = read_plate(shot.path(Role.PLATE, frame), frame).pixels
        assert not np.array_equal(made, plate)
        if frame % 2:
            assert np.array_equal(made, read_plate(tmp_path / "half" / f"{frame}.exr", frame).pixels)


def test_a_plate_that_does_not_say_its_rate_is_refused_before_it_is_read(
    address: str, tmp_path: Path
) -> None:
    shot = make_shot(tmp_path / "shot", frames=2, metadata={})
    done = void(
        "submit", "--server", address, "--prompt", "a room", "--colorspace", "lin_rec709",
        "--plate", shot.pattern(Role.PLATE), "--remove", shot.pattern(Role.REMOVE), "--time-base", "model",
        "--out", tmp_path / "r.%04d.exr",
    )  # fmt: skip
    assert done.returncode == 1
    assert "1001" in done.stderr
    assert "--rate 24" in done.stderr
