"""Files that are no shot: each refused in one sentence, most by a command line inside this process."""

import re
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import OpenImageIO
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from real_shots import ShotOnDisk, make_shot, void
from refusals import (
    DRAFT,
    FRAMES,
    SIZE,
    Refused,
    Say,
    matte,
    plate,
    put,
    sequences,
    with_pixel,
)

from void_server import local_server
from void_server.frames.exr import write_frame
from void_server.submission import gather
from void_wire import messages
from void_wire.errors import (
    SettingsError,
    ShotError,
)
from void_wire.messages import PictureSettings, Role


def png_named_exr(shot: ShotOnDisk) -> None:
    _, data = cv2.imencode(".png", np.zeros((*SIZE, 3), np.uint8))
    shot.path(Role.PLATE, 1003).write_bytes(data.tobytes())


def cut_short(shot: ShotOnDisk) -> None:
    whole = shot.path(Role.PLATE, 1003).read_bytes()
    shot.path(Role.PLATE, 1003).write_bytes(whole[: len(whole) * 2 // 3])


def cut_in_the_header(shot: ShotOnDisk) -> None:
    shot.path(Role.PLATE, 1003).write_bytes(shot.path(Role.PLATE, 1003).read_bytes()[:100])


def giant(shot: ShotOnDisk) -> None:
    data = bytearray(shot.path(Role.PLATE, 1003).read_bytes())
    for name in (b"dataWindow\0box2i\0", b"displayWindow\0box2i\0"):
        at = data.index(name) + len(name) + 4
        data[at : at + 16] = struct.pack("<4i", 0, 0, 29_999, 29_999)
    shot.path(Role.PLATE, 1003).write_bytes(data)


def more_channels_than_the_server_reads(shot: ShotOnDisk) -> None:
    spec = OpenImageIO.ImageSpec(SIZE[1], SIZE[0], 130, "half")
    spec.channelnames = ("R", "G", "B", *(f"id.{n:03d}" for n in range(127)))
    image = OpenImageIO.ImageBuf(spec)
    assert image.write(str(shot.path(Role.PLATE, 1003)))


SPOILED: dict[str, tuple[Callable[[ShotOnDisk], object], str]] = {
    "hole in the plate": (
        lambda shot: [shot.path(Role.PLATE, n).unlink() for n in (1003, 1004)],
        r"Frames 1003-1004 of \S*plate.%04d.exr are missing, the folder holds 1001-1002, 1005-1006: render what",
    ),
    "hole in the matte": (
        lambda shot: shot.path(Role.REMOVE, 1003).unlink(),
        r"Frame 1003 of \S*remove.%04d.exr is missing, the folder holds 1001-1002, 1004-1006: render what",
    ),
    "shorter matte": (
        lambda shot: shot.path(Role.REMOVE, 1006).unlink(),
        r"Frame 1006 of \S*remove.%04d.exr is missing, the folder holds 1001-1005: .* name a range without it",
    ),
    "a plate that changes size": (
        lambda shot: put(shot, Role.PLATE, 1004, plate(40, 60), "RGB"),
        r"Frame 1004 \(plate.1004.exr\) is 60 x 40 and frame 1001 is 64 x 48: write the plate in one format\.$",
    ),
    "matte of another size": (
        lambda shot: [put(shot, Role.REMOVE, n, matte(24, 32), "A") for n in shot.frames.numbers()],
        r"Frame 1001 \(remove.1001.exr\) of the remove matte is 32 x 24 and the plate is 64 x 48: write both with "
        r"the same format\. The same goes for frames 1002-1006\.$",
    ),
    "nothing marked": (
        lambda shot: [put(shot, Role.REMOVE, n, np.zeros((*SIZE, 1)), "A") for n in shot.frames.numbers()],
        r"The remove matte is empty on all 6 frames: mark what is to go",
    ),
    "NaN in the plate": (
        lambda shot: put(shot, Role.PLATE, 1003, with_pixel(plate(), np.nan, 20, 10), "RGB"),
        r"Frame 1003 .* of the plate has 1 NaN .* in channel B, the first \(NaN\) at x 20, y 10: repair them",
    ),
    "infinity in the plate": (
        lambda shot: put(shot, Role.PLATE, 1003, with_pixel(plate(), np.inf, 20, 10), "RGB"),
        r"Frame 1003 .* of the plate has 1 NaN or infinite .*, the first \(infinite\) at x 20, y 10: repair them",
    ),
    "NaN in the matte": (
        lambda shot: put(shot, Role.REMOVE, 1005, with_pixel(matte(), np.nan, 3, 4), "A"),
        r"Frame 1005 .* of the remove matte has 1 NaN .* in channel A, the first \(NaN\) at x 3, y 4: repair them",
    ),
    "infinity in the matte": (
        lambda shot: put(shot, Role.REMOVE, 1005, with_pixel(matte(), -np.inf, 3, 4), "A"),
        r"Frame 1005 .* of the remove matte has 1 NaN or .* the first \(infinite\) at x 3, y 4: repair them",
    ),
    "matte over 1": (
        lambda shot: put(shot, Role.REMOVE, 1002, with_pixel(matte(), 1.75, 3, 4), "A"),
        r"Frame 1002 .* of the remove matte holds 1.75 at x 3, y 4 \(1 pixels in all\).*: clamp it",
    ),
    "cut short": (cut_short, r"Frame 1003 \(plate.1003.exr\) is damaged or cut short \(.*\): write it again"),
    "cut in the header": (cut_in_the_header, r"Frame 1003 \(plate.1003.exr\) is no EXR we can read"),
    "zero bytes": (
        lambda shot: shot.path(Role.PLATE, 1003).write_bytes(b""),
        r"Frame 1003 \(plate.1003.exr\) is empty: write the frame as EXR",
    ),
    "a PNG": (png_named_exr, r"Frame 1003 \(plate.1003.exr\) is no EXR file: write the frame as EXR"),
    "text": (
        lambda shot: shot.path(Role.REMOVE, 1003).write_text("hello\n"),
        r"Frame 1003 \(remove.1003.exr\) is no EXR file: write the frame as EXR",
    ),
    "a giant header": (giant, r"Frame 1003 \(plate.1003.exr\) is no EXR we can read \(.*MB"),
    "too many channels": (
        more_channels_than_the_server_reads,
        r"Frame 1003 \(plate.1003.exr\) is no EXR we can read \(.*channels",
    ),
    "depth alone": (
        lambda shot: put(shot, Role.PLATE, 1003, matte(), "Z"),
        r"Frame 1003 \(plate.1003.exr\) has no red, green and blue, its channels are Z: write the plate as RGB",
    ),
    "a date among the frames": (
        lambda shot: shot.path(Role.PLATE, 20261120).write_bytes(shot.path(Role.PLATE, 1001).read_bytes()),
        r"The folder holds 1001-1006, 20261120 of \S*, too far apart for one shot: name the range",
    ),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_spoiled_shot_is_not_sent(name: str, shot: ShotOnDisk, refused: Refused, tmp_path: Path) -> None:
    spoil, expected = SPOILED[name]
    spoil(shot)
    sentence = refused(*DRAFT, *sequences(shot), "--out", tmp_path / "r.%04d.exr")
    assert re.match(expected, sentence), sentence
    assert not list(tmp_path.glob("r.*"))


def test_a_spoiled_shot_in_a_process_of_its_own(
    shot: ShotOnDisk, server: local_server.LocalServer, tmp_path: Path
) -> None:
    shot.path(Role.PLATE, 1003).write_bytes(b"")
    done = void(
        "submit", "--server", server.address, *DRAFT, *sequences(shot), "--out", tmp_path / "r.%04d.exr"
    )
    assert done.returncode == 1
    assert done.stdout == ""
    last = done.stderr.strip().splitlines()[-1]
    assert last == "void: Frame 1003 (plate.1003.exr) is empty: write the frame as EXR."


def test_stray_quadmask_values(shot: ShotOnDisk, refused: Refused, tmp_path: Path) -> None:
    pattern = tmp_path / "quadmask.%04d.exr"
    arguments = (
        *DRAFT,
        *sequences(shot, Role.PLATE),
        "--quadmask",
        pattern,
        "--out",
        tmp_path / "r.%04d.exr",
    )
    for number in shot.frames.numbers():
        codes = np.full((*SIZE, 1), 255.0)
        codes[10:20, 10:20] = 0
        if number in (1002, 1005):
            codes[5, 7] = 100
        write_frame(Path(str(pattern) % number), number, (codes / 255).astype(np.float32), "Y")
    sentence = refused(*arguments)
    assert re.match(
        r"Frame 1002 of the quadmask holds 1 pixels that are none of 0, 63, 127, 255, the first 100 at x 7, y 5: write "
        r"it without filtering or colour management, .* The same goes for frame 1005\.$",
        sentence,
    )
    for number in shot.frames.numbers():
        write_frame(Path(str(pattern) % number), number, np.ones((*SIZE, 1), np.float16), "Y")
    assert refused(*arguments).startswith("The quadmask has nothing to remove (0) on all 6 frames: mark what")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_are_a_shot_error_and_never_a_traceback(data: st.DataObject, tmp_path: Path) -> None:
    shot = ShotOnDisk(tmp_path / "wild", messages.FrameRange(1001, 1002))
    if not shot.folder.exists():
        make_shot(shot.folder, 2, (24, 32))
    role = data.draw(st.sampled_from((Role.PLATE, Role.REMOVE)))
    path = shot.path(role, 1002)
    good = path.read_bytes()
    if data.draw(st.booleans()):
        wild = data.draw(st.sampled_from((b"", good[:4], good[:8]))) + data.draw(st.binary(max_size=400))
    else:
        wild = bytearray(good)
        for _ in range(data.draw(st.integers(1, 4))):
            start = data.draw(st.integers(4, min(len(good) - 8, 500)))
            wild[start : start + 4] = data.draw(
                st.sampled_from(
                    (b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\x01")
                )
                | st.binary(min_size=1, max_size=4)
            )
    path.write_bytes(wild)
    try:
        submission = gather(
            {chosen: shot.pattern(chosen) for chosen in (Role.PLATE, Role.REMOVE)},
            frames=None,
            engine="draft",
            prompt="",
            picture=PictureSettings(),
            void=None,
            job=None,
            shot=None,
            checked=lambda done, of: None,
        )
    except (ShotError, SettingsError) as error:
        told = str(error)
    else:
        told = f"frame {submission.spec.frames.last} is taken"
    finally:
        path.write_bytes(good)
    assert "rame 1002" in told


def test_an_empty_matte_on_some_frames_is_told_and_goes_on(
    shot: ShotOnDisk, say: Say, tmp_path: Path
) -> None:
    for number in (1001, 1003):
        put(shot, Role.REMOVE, number, np.zeros((*SIZE, 1)), "A")
    code, told = say("submit", *DRAFT, *sequences(shot), "--out", tmp_path / "r.%04d.exr")
    assert code == 0, told
    assert "Note: The remove matte is empty on frames 1001, 1003: nothing is removed there." in told
    assert len(list(tmp_path.glob("r.*.exr"))) == FRAMES


def test_a_longer_matte_is_told_and_goes_on(shot: ShotOnDisk, say: Say, tmp_path: Path) -> None:
    for number in (1005, 1006):
        shot.path(Role.PLATE, number).unlink()
    code, told = say("submit", *DRAFT, *sequences(shot), "--out", tmp_path / "r.%04d.exr")
    assert code == 0, told
    assert "Note: The remove matte has frames 1005-1006 too and the plate is 1001-1004: only what" in told
    assert len(list(tmp_path.glob("r.*.exr"))) == 4
