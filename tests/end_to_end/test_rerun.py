"""A preview, the final of it, and one window anew: nothing is uploaded twice, and nothing else changes."""

import json
from pathlib import Path

import numpy as np
from real_shots import ShotOnDisk, make_shot, void

from void_server.frames.exr import PlateFrame, read_plate
from void_wire.client import Client
from void_wire.messages import Role

FRAMES = 30  # at a window of 21: 1001-1021, 1006-1029, 1014-1030


def results(folder: Path, shot: ShotOnDisk) -> list[PlateFrame]:
    return [read_plate(folder / f"r.{frame}.exr", frame) for frame in shot.frames.numbers()]


def test_preview_final_and_one_window(address: str, tmp_path: Path) -> None:
    shot = make_shot(tmp_path / "shot", FRAMES, (80, 144))

    def run(command: str, folder: str, *arguments: object) -> dict[str, dict[str, str]]:
        done = void(command, *arguments, "--server", address, "--out", tmp_path / folder / "r.%04d.exr")
        assert done.returncode == 0, done.stderr
        told: dict[str, dict[str, str]] = json.loads((tmp_path / folder / "r.void.json").read_text())
        return told

    preview = run(
        "submit", "preview", "--preview", "--steps", "2,2", "--raster", "64x64", "--window", "21",
        "--warped-noise", "corrected", "--colorspace", "lin_rec709", "--prompt", "a room", "--seed", "9",
        "--layers", "matte,quadmask", "--detail", "raw",
        "--plate", shot.pattern(Role.PLATE), "--remove", shot.pattern(Role.REMOVE),
    )  # fmt: skip
    for path in shot.folder.glob("*.exr"):
        path.unlink()
    final = run("rerun", "final", preview["job"]["job"], "--final")
    anew = run("rerun", "anew", final["job"]["job"], "--window", "1", "--seed", "77")

    assert preview["record"]["crop"] == final["record"]["crop"] == anew["record"]["crop"]
    assert preview["record"]["raster"] == "32x32 (halved: a preview)"
    assert final["record"]["raster"] == "64x64"
    assert final["record"]["windows"] == "1: 1001-1021, 2: 1006-1029, 3: 1014-1030"
    before, after = results(tmp_path / "final", shot), results(tmp_path / "anew", shot)
    same = [a.layout.frame for a, b in zip(before, after, strict=True) if np.array_equal(a.pixels, b.pixels)]
    assert same == list(range(1022, 1031))
    small = results(tmp_path / "preview", shot)[0].layout
    assert (small.metadata["void/preview"], small.metadata["void/passes"]) == ("yes", "1")
    assert (before[0].layout.metadata["void/passes"], before[0].layout.metadata["void/seed"]) == ("2", "9")
    assert after[0].layout.metadata["void/window_seeds"] == "1: 77"
    assert after[0].layout.metadata["nuke/node"] == "vfx"
    assert after[0].layout.channels == ("R", "G", "B", "Z", "matte.A", "quadmask.A")
    assert not [name for name, value in after[0].layout.metadata.items() if str(tmp_path) in str(value)]
    with Client(address) as client:
        held = [client.spec(told["job"]["job"]) for told in (preview, final, anew)]
        assert [spec.void.preview for spec in held if spec.void] == [True, False, False]
        assert {tuple(client.watch(spec.job).ready[Role.RESULT]) for spec in held} == {
            tuple(shot.frames.numbers())
        }
