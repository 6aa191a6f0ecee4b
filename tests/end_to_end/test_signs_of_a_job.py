"""A job's signs on the wire, in its record, in the sidecar, on the terminal and on the contact sheet."""

import json
from pathlib import Path

import cv2
from real_shots import ShotOnDisk, void

from void_wire.client import Client
from void_wire.messages import Role, State


def test_the_signs_of_a_job_reach_the_artist_everywhere(
    address: str, shot: ShotOnDisk, tmp_path: Path
) -> None:
    out, sheet = tmp_path / "out" / "result.%04d.exr", tmp_path / "sheet.png"
    run = void(
        *("submit", "--plate", shot.pattern(Role.PLATE), "--remove", shot.pattern(Role.REMOVE)),
        *("--colorspace", "lin_rec709", "--engine", "draft", "--job", "signs-0001"),
        *("--out", out, "--sheet", sheet, "--server", address),
    )
    assert run.returncode == 0, run.stderr
    assert "Worth a look: " in run.stderr
    with Client(address) as client:
        signs, status = client.signs("signs-0001"), client.watch("signs-0001")
    assert status.state is State.DONE
    assert list(signs) == shot.frames.numbers()
    for one in signs.values():
        assert one.residual is not None
        assert one.residual < 0.3  # the plate is noise, and its square is gone
        assert one.drift is None  # this engine makes nothing outside the matte
        assert one.borrowed is not None
        assert one.enlarged == 0.0
    assert status.record["borrowed"].endswith(" %")
    table = json.loads((tmp_path / "out" / "result.void.json").read_text())["signs"]
    assert list(table) == [str(frame) for frame in signs]
    assert table["1001"]["borrowed"] == round(signs[1001].borrowed or 0.0, 5)
    drawn = cv2.imread(str(sheet))
    assert drawn.shape[1] == 1600
    again = tmp_path / "again.png"
    run = void(
        *("fetch", "signs-0001", "--out", tmp_path / "again" / "result.%04d.exr", "--sheet", again),
        *("--server", address),
    )
    assert run.returncode == 0, run.stderr
    assert (cv2.imread(str(again)) == drawn).all()


def test_a_sheet_without_a_result_is_refused_at_once(shot: ShotOnDisk, tmp_path: Path) -> None:
    run = void(
        *("submit", "--plate", shot.pattern(Role.PLATE), "--remove", shot.pattern(Role.REMOVE)),
        *("--engine", "draft", "--detach", "--sheet", tmp_path / "sheet.png"),
    )
    assert run.returncode == 1
    assert "--sheet is drawn from the result" in run.stderr
