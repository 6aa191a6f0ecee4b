"""The plate's grain over what the model made, through a real job."""

from pathlib import Path

import numpy as np
from real_shots import ShotOnDisk, bring

from void_server.frames.exr import read_plate, write_frame
from void_server.scene import Scene
from void_wire.client import ENDED, Client
from void_wire.messages import FrameRange, Role, State, VoidSettings

SMALL = VoidSettings(passes=1, pass1_steps=1, raster_height_px=64, raster_width_px=112, window_frames=21)


def test_the_fill_gets_the_plates_grain_and_nothing_else_changes(client: Client, tmp_path: Path) -> None:
    scene = Scene(216, 384, 4, grain=0.02, travel=0.02)
    shot = ShotOnDisk(tmp_path / "shot", FrameRange(1, 4))
    shot.folder.mkdir()
    for index, frame in enumerate(shot.frames.numbers()):
        write_frame(shot.path(Role.PLATE, frame), frame, scene.plate(index).astype(np.float16), "RGB")
        for role, matte in ((Role.REMOVE, scene.remove(index)), (Role.AFFECTED, scene.affected(index))):
            write_frame(shot.path(role, frame), frame, matte[..., None].astype(np.float16), "A")
    for name, regrain in (("without-1", False), ("with-grain", True)):
        spec = shot.spec(name, SMALL, regrain=regrain)
        client.submit(spec)
        client.upload(spec, shot.files)
        status = client.watch(name)
        while status.state not in ENDED:
            status = client.watch(name, status.revision, 5.0)
        assert status.state is State.DONE, status.error
        assert ("grain green" in status.record) is regrain
        bring(client, spec, Role.RESULT, tmp_path / name)
    added = []
    for frame in shot.frames.numbers():
        smooth, grainy = (
            read_plate(tmp_path / name / f"{frame}.exr", frame).rgb for name in ("without-1", "with-grain")
        )
        inside = scene.remove(frame - 1) == 1
        difference = grainy - smooth
        plate = read_plate(shot.path(Role.PLATE, frame), frame).rgb
        assert not difference[(smooth == plate).all(axis=-1)].any()
        assert difference[inside].std() > 0.002
        added.append(difference)
    together = (scene.remove(0) == 1) & (scene.remove(1) == 1)
    assert abs(np.corrcoef(added[0][together].ravel(), added[1][together].ravel())[0, 1]) < 0.15
