"""The plate's own detail in what the model made, through real jobs."""

from pathlib import Path

import numpy as np
import pytest
from real_shots import ShotOnDisk, bring, make_shot

from void_server.frames.exr import read_plate
from void_wire.client import ENDED, Client
from void_wire.messages import Role, State, VoidSettings

SMALL = VoidSettings(passes=1, pass1_steps=1, raster_height_px=32, raster_width_px=64, window_frames=21)


@pytest.mark.parametrize("detail", ["upscale", "borrow"])
def test_every_frame_comes_back_and_the_plate_stays_outside(
    detail: str, shot: ShotOnDisk, client: Client, tmp_path: Path
) -> None:
    for name, how in (("raw-raw-1", "raw"), ("detailed1", detail)):
        spec = shot.spec(name, SMALL, detail=how, regrain=False)
        client.submit(spec)
        client.upload(spec, shot.files)
        status = client.watch(name)
        while status.state not in ENDED:
            status = client.watch(name, status.revision, 5.0)
        assert status.state is State.DONE, status.error
        bring(client, spec, Role.RESULT, tmp_path / name)
    assert status.record["detail"] == detail
    assert status.ready[Role.RESULT] == shot.frames.numbers()
    for frame in shot.frames.numbers():
        plate = read_plate(shot.path(Role.PLATE, frame), frame).pixels.view(np.uint16)
        raw, made = (
            read_plate(tmp_path / name / f"{frame}.exr", frame).pixels.view(np.uint16)
            for name in ("raw-raw-1", "detailed1")
        )
        untouched = (raw == plate).all(axis=-1)
        assert untouched.any()
        assert np.array_equal(made[untouched], plate[untouched])
        assert not np.array_equal(made, raw)


def test_tiny_shots_have_no_detail_to_borrow(client: Client, tmp_path: Path) -> None:
    tiny = make_shot(tmp_path / "tiny", 1, (63, 17))
    spec = tiny.spec("tiny-shot", SMALL, detail="borrow")
    client.submit(spec)
    client.upload(spec, tiny.files)
    status = client.watch(spec.job)
    while status.state not in ENDED:
        status = client.watch(spec.job, status.revision, 5.0)
    assert status.state is State.DONE, status.error
