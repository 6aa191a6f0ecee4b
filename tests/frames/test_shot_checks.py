"""A shot with something wrong says so before it is sent, all at once."""

from __future__ import annotations

import numpy as np
import pytest

from void_server.frames.exr import read_plate, write_frame
from void_server.frames.geometry import Box
from void_server.frames.matte_files import read_mattes
from void_server.frames.shot_checks import check_frame, check_plate, check_shot
from void_wire.errors import (
    BadPixels,
    EmptyMatte,
    MissingFrames,
    ShotError,
    SizeMismatch,
    StrayMatteValues,
    UnsupportedImage,
)
from void_wire.messages import FrameRange, JobSpec, Role

DISPLAY = Box(0, 0, 24, 16)


class Shot:
    """Six frames on disk, and the job they make."""

    def __init__(self, folder, roles=(Role.PLATE, Role.REMOVE)):
        self.folder = folder
        self.spec = JobSpec(
            job="test-job-1", shot="shot", engine="draft", frames=FrameRange(1001, 1006), roles=roles
        )
        self.files = {
            role: {n: folder / f"{role.value}.{n}.exr" for n in range(1001, 1007)} for role in roles
        }
        for n in range(1001, 1007):
            self.write(Role.PLATE, n, np.random.default_rng(n).random((16, 24, 3)), "RGB")
            for role in roles[1:]:
                self.write(
                    role,
                    n,
                    self.wandering(n, role)[..., None].repeat(2 if role is Role.MATTES else 1, -1),
                    "RG"[: 1 + (role is Role.MATTES)],
                )

    def matte(self):
        matte = np.zeros((16, 24))
        matte[4:8, 5:12] = 1
        return matte

    def wandering(self, frame, role):
        matte = np.roll(self.matte(), frame - 1001, axis=1)
        return 1 - matte if role is Role.QUADMASK else matte

    def write(self, role, frame, pixels, channels, **window):
        write_frame(self.files[role][frame], frame, np.asarray(pixels, np.float16), channels, **window)

    def check(self):
        self.progress = []
        return check_shot(self.spec, self.files, lambda done, of: self.progress.append((done, of))).notes


def test_what_is_never_uncovered_is_said(tmp_path):
    shot = Shot(tmp_path)
    for n in range(1001, 1007):
        shot.write(Role.REMOVE, n, shot.matte()[..., None], "A")
    (note,) = shot.check()
    assert note.startswith("100% of what the mattes mark is marked on every frame: unless the camera moves")


def test_frames_are_shown_small_and_in_order(tmp_path):
    shot, seen = Shot(tmp_path), []
    check_shot(shot.spec, shot.files, see=seen.append)
    assert [small.plate.shape for small in seen] == [(16, 24, 3)] * 6
    assert [small.marked.tolist() for small in seen] == [
        np.roll(shot.matte(), n, axis=1).tolist() for n in range(6)
    ]


def test_a_good_shot(tmp_path):
    for roles in (
        (Role.PLATE, Role.REMOVE),
        (Role.PLATE, Role.MATTES),
        (Role.PLATE, Role.QUADMASK),
        (Role.PLATE, Role.REMOVE, Role.AFFECTED),
    ):
        folder = tmp_path / roles[-1].value
        folder.mkdir()
        shot = Shot(folder, roles)
        assert shot.check() == []
        assert shot.progress == [(n, 6) for n in range(1, 7)]


def test_frames_that_are_not_there(tmp_path):
    shot = Shot(tmp_path)
    del shot.files[Role.REMOVE][1003]
    with pytest.raises(MissingFrames, match="The remove matte has no frame 1003"):
        shot.check()


def test_a_frame_changes_size(tmp_path):
    shot = Shot(tmp_path)
    shot.write(Role.PLATE, 1004, np.zeros((17, 24, 3)), "RGB")
    shot.write(Role.REMOVE, 1004, np.ones((17, 24, 1)), "Y")
    with pytest.raises(SizeMismatch, match=r"^Frame 1004 .* is 24 x 17 and frame 1001 is 24 x 16: [^:]*$"):
        shot.check()


def test_the_odd_frame_is_named_and_not_the_others(tmp_path):
    shot = Shot(tmp_path)
    shot.write(Role.PLATE, 1001, np.zeros((17, 24, 3)), "RGB")  # its matte has the size of the others
    with pytest.raises(SizeMismatch) as caught:
        shot.check()
    assert str(caught.value) == (
        "Frame 1001 (plate.1001.exr) is 24 x 17 and frame 1002 is 24 x 16: write the plate in one format."
    )


def test_plate_and_matte_of_different_size(tmp_path):
    shot = Shot(tmp_path)
    shot.write(Role.REMOVE, 1002, np.ones((16, 25, 1)), "Y")
    with pytest.raises(
        SizeMismatch, match=r"Frame 1002 .* of the remove matte is 25 x 16 and the plate is 24 x 16"
    ):
        shot.check()
    shot.write(Role.REMOVE, 1002, np.ones((16, 24, 1)), "Y", origin=(2, 0))
    with pytest.raises(SizeMismatch, match=r"24 x 16 from 2, 0"):
        shot.check()


def test_empty_on_all_and_on_some(tmp_path):
    shot = Shot(tmp_path)
    for n in (1001, 1002, 1005):
        shot.write(Role.REMOVE, n, np.zeros((16, 24, 1)), "Y")
    assert shot.check() == ["The remove matte is empty on frames 1001-1002, 1005: nothing is removed there."]
    for n in (1003, 1004, 1006):
        shot.write(Role.REMOVE, n, np.zeros((16, 24, 1)), "Y")
    with pytest.raises(EmptyMatte, match="empty on all 6 frames"):
        shot.check()


@pytest.mark.parametrize(("value", "kind"), [(np.nan, "NaN"), (np.inf, "infinite"), (-np.inf, "infinite")])
def test_bad_pixels_in_plate_and_matte(tmp_path, value, kind):
    shot = Shot(tmp_path)
    plate = np.zeros((16, 24, 3))
    plate[3, 7, 1] = plate[9, 1, 1] = value
    shot.write(Role.PLATE, 1003, plate, "RGB")
    matte = shot.matte()
    matte[2, 5] = value
    shot.write(Role.REMOVE, 1005, matte[..., None], "Y", display=DISPLAY)
    with pytest.raises(BadPixels) as caught:
        shot.check()
    assert (
        "Frame 1003 (plate.1003.exr) of the plate has 2 NaN or infinite pixels in channel G, "
        f"the first ({kind}) at x 7, y 3" in str(caught.value)
    )
    assert "Frame 1005 (remove.1005.exr) of the remove matte has 1 NaN or infinite" in str(caught.value)


def test_stray_values(tmp_path):
    shot = Shot(tmp_path)
    shot.write(Role.REMOVE, 1002, np.full((16, 24, 1), 1.5), "Y")
    with pytest.raises(StrayMatteValues, match=r"Frame 1002 .*holds 1.5 at x 0, y 0 \(384 pixels"):
        shot.check()
    quad = Shot(tmp_path, (Role.PLATE, Role.QUADMASK))
    quad.write(Role.QUADMASK, 1006, np.full((16, 24, 1), 200 / 255), "Y")
    with pytest.raises(StrayMatteValues, match=r"Frame 1006 .*the first 200"):
        quad.check()


def test_broken_files_and_every_problem_at_once(tmp_path):
    shot = Shot(tmp_path)
    for n in (1001, 1002, 1003, 1004, 1005):
        raw = shot.files[Role.PLATE][n].read_bytes()
        shot.files[Role.PLATE][n].write_bytes(raw[: len(raw) // 2])
    shot.write(Role.REMOVE, 1006, np.full((16, 24, 1), -2), "Y")
    with pytest.raises(UnsupportedImage) as caught:
        shot.check()
    text = str(caught.value)
    assert text.count("is damaged or cut short") == 1
    assert text.startswith("Frame 1001 (plate.1001.exr) is damaged or cut short")
    assert "The same goes for frames 1002-1005." in text
    assert text.endswith(
        "Frame 1006 (remove.1006.exr) of the remove matte holds -2 at x 0, y 0 (384 pixels in all); "
        "a matte goes from 0 to 1: clamp it."
    )


def test_many_different_problems_are_counted(tmp_path):
    shot = Shot(tmp_path)
    files = shot.files[Role.PLATE]
    files[1001].write_bytes(b"")
    files[1002].write_bytes(b"text")
    shot.write(Role.PLATE, 1003, np.zeros((16, 24, 1)), "Z")
    shot.write(Role.PLATE, 1004, np.full((16, 24, 3), np.nan), "RGB")
    shot.write(Role.PLATE, 1005, np.zeros((8, 8, 3)), "RGB")
    shot.write(Role.REMOVE, 1006, np.full((16, 24, 1), np.inf), "Y")
    with pytest.raises(
        UnsupportedImage, match=r"Frame 1001 .*Frame 1004 .*And 1 more problem of other kinds\.$"
    ):
        shot.check()


def test_one_frame_report(tmp_path):
    shot = Shot(tmp_path)
    paths = {role: shot.files[role][1001] for role in shot.spec.roles}
    report = check_frame(paths, 1001)
    assert (report.removes, report.plate_problem, report.matte_problem) == (True, None, None)
    assert report.plate.display == DISPLAY
    paths[Role.PLATE].write_bytes(b"")
    report = check_frame(paths, 1001)
    assert report.plate is None
    assert isinstance(report.plate_problem, UnsupportedImage)
    assert report.matte_problem is None


def test_plate_without_colour(tmp_path):
    write_frame(tmp_path / "z.exr", 5, np.zeros((4, 4, 2), np.float16), ["Z", "id"])
    with pytest.raises(UnsupportedImage, match=r"Frame 5 .*no red, green and blue"):
        check_plate(read_plate(tmp_path / "z.exr", 5))


# --- mattes from files -----------------------------------------------------------------------------------


def read_one(folder, pixels, channels, role=Role.REMOVE, **window):
    write_frame(folder / "m.exr", 3, np.asarray(pixels, np.float16), channels, **window)
    return read_mattes({role: folder / "m.exr"}, 3, DISPLAY)


def test_a_smaller_data_window_is_empty_outside(tmp_path):
    mattes = read_one(tmp_path, np.ones((4, 5, 1)), "Y", display=DISPLAY, origin=(10, 2))
    assert mattes.remove.shape == (16, 24)
    assert mattes.remove.sum() == 20
    assert mattes.remove[2:6, 10:15].all()
    quad = read_one(tmp_path, np.zeros((4, 5, 1)), "Y", Role.QUADMASK, display=DISPLAY, origin=(10, 2))
    assert np.count_nonzero(quad.quadmask == 255) == 16 * 24 - 20
    assert quad.remove.sum() == 20
    assert not quad.affected.any()


def test_which_channel_is_the_matte(tmp_path):
    half = np.full((16, 24, 1), 0.5)
    none, full = np.zeros_like(half), np.ones_like(half)
    cases = [
        (half, ["matte.anything"]),
        (np.concatenate([full, full, full, half], -1), "RGBA"),  # alpha is the matte
        (np.concatenate([half, half, half, full], -1), "RGBA"),  # a picture of the matte with a full alpha
        (np.concatenate([half, none, none], -1), "RGB"),
        (np.concatenate([none, half], -1), ["Z", "Y"]),
    ]
    for pixels, channels in cases:
        assert (read_one(tmp_path, pixels, channels).remove == 0.5).all(), channels
    with pytest.raises(UnsupportedImage, match="none of A, R or Y"):
        read_one(tmp_path, np.concatenate([half, half], -1), ["Z", "id"])


def test_two_mattes_in_one_file(tmp_path):
    pixels = np.zeros((16, 24, 3))
    pixels[:2, ..., 0] = 1
    pixels[:3, ..., 1] = 0.5
    mattes = read_one(tmp_path, pixels, "RGB", Role.MATTES)
    assert (mattes.remove.sum(), mattes.affected.sum(), mattes.quadmask) == (48, 36, None)
    with pytest.raises(UnsupportedImage, match="remove in R and affected in G"):
        read_one(tmp_path, pixels[..., :1], "R", Role.MATTES)


def test_ringing_within_a_thousandth_is_cleaned(tmp_path):
    pixels = np.zeros((16, 24, 1))
    pixels[0, 0], pixels[0, 1], pixels[0, 2] = -0.0009, 0.0009, 1.0005
    remove = read_one(tmp_path, pixels, "Y").remove
    assert remove[0, :3].tolist() == [0.0, 0.0, 1.0]


def test_errors_are_shot_errors():
    assert all(issubclass(kind, ShotError) for kind in (BadPixels, EmptyMatte, MissingFrames, SizeMismatch))
