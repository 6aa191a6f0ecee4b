"""What goes wrong with files, options, servers and disks: one clear sentence, as early as it can be known.

Most run the command line inside this process against one real server; one of each kind in a process of its own.
"""

import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import OpenImageIO
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from real_shots import TINY_MODEL, ShotOnDisk, make_shot, void, wait_for

from void_server import cli, local_server
from void_server.frames.exr import write_frame
from void_server.submission import gather
from void_wire import messages
from void_wire.client import ENDED, Client
from void_wire.errors import (
    ProtocolError,
    SettingsError,
    ShotError,
    TransportError,
    UnsupportedImage,
    from_code,
)
from void_wire.messages import JobSpec, JobStatus, PictureSettings, Role, State, VoidSettings

FRAMES = 6
SIZE = (48, 64)
DRAFT = ("--engine", "draft", "--colorspace", "lin_rec709")
VOID = ("--prompt", "a room", "--colorspace", "lin_rec709")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def server(data_dir: Path) -> Iterator[local_server.LocalServer]:
    started = local_server.start("tcp://127.0.0.1:0", data_dir=data_dir, weights=TINY_MODEL, idle_exit_s=0)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def server_without_weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[local_server.LocalServer]:
    bare = tmp_path_factory.mktemp("bare")
    started = local_server.start("tcp://127.0.0.1:0", data_dir=bare, weights=bare / "weights", idle_exit_s=0)
    yield started
    started.stop()


@pytest.fixture
def shot(tmp_path: Path) -> ShotOnDisk:
    return make_shot(tmp_path / "shot", FRAMES, SIZE)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server that a command starts by itself keeps its things here; the command's signal handler leaves again."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


Say = Callable[..., tuple[int, str]]


@pytest.fixture
def say(
    server: local_server.LocalServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Say:
    """Runs a command line of submit, fetch or jobs; gives exit code and what was told, as one line of words."""

    def run(command: str, *arguments: object, address: str = server.address) -> tuple[int, str]:
        line = ["void", command, "--server", address, *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", line)
        with pytest.raises(SystemExit) as left:
            cli.main()
        told = capsys.readouterr()
        return int(left.value.code or 0), " ".join((told.out + told.err).split())

    return run


Refused = Callable[..., str]


@pytest.fixture
def refused(say: Say, server: local_server.LocalServer) -> Refused:
    """Runs a submit that must be refused with exit code 1 before there is a job of it; gives the sentence."""

    def run(*arguments: object, address: str = server.address) -> str:
        with Client(server.address) as client:
            client.connect()
            before = [status.job for status in client.jobs()]
            code, told = say("submit", *arguments, address=address)
            assert [status.job for status in client.jobs()] == before
        return sentence_of(code, told)

    return run


def sentence_of(code: int, told: str) -> str:
    """The error's sentence; what every error must be is checked."""
    assert code == 1, told
    assert "Traceback" not in told
    assert "void: " in told, told
    sentence = told.partition("void: ")[2]
    assert sentence
    return sentence


def sequences(shot: ShotOnDisk, *roles: Role) -> list[str]:
    chosen = roles or (Role.PLATE, Role.REMOVE)
    return [text for role in chosen for text in (f"--{role.value}", shot.pattern(role))]


def put(shot: ShotOnDisk, role: Role, frame: int, pixels: np.ndarray, channels: str) -> None:
    write_frame(shot.path(role, frame), frame, pixels.astype(np.float16), channels)


def plate(height: int = SIZE[0], width: int = SIZE[1]) -> np.ndarray:
    return np.full((height, width, 3), 0.2)


def matte(height: int = SIZE[0], width: int = SIZE[1]) -> np.ndarray:
    values = np.zeros((height, width, 1))
    values[height // 3 : height // 2, width // 3 : width // 2] = 1
    return values


def with_pixel(values: np.ndarray, value: float, x: int, y: int) -> np.ndarray:
    values[y, x, -1] = value
    return values


# --- files ---------------------------------------------------------------------------------------------------


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


# --- options -------------------------------------------------------------------------------------------------

OPTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "range outside the files": (
        (*DRAFT, "--range", "2001-2010"),
        r"No frame of 2001-2010 is in \S*: the folder holds 1001-1006, name a range within that",
    ),
    "range partly outside": (
        (*DRAFT, "--range", "1004-1010"),
        r"Frames 1007-1010 of \S* are missing, the folder holds 1001-1006: .* name a range without it",
    ),
    "range reversed": ((*DRAFT, "--range", "1006-1001"), r"Range 1006-1001\S* holds no frames: give it as"),
    "range of words": ((*DRAFT, "--range", "all"), r"--range 'all' is no range: write 1001-1046"),
    "range beyond counting": (
        (*DRAFT, "--range", "1-99999999999999999999"),
        r"--range \S* is no range: write",
    ),
    "noise range of words": (
        (*VOID, "--noise-range", "all"),
        r"Noise range 'all' is no range: write 1001-1046",
    ),
    "noise range beside the range": (
        (*VOID, "--noise-range", "1003-1200"),
        r"Frame 1001 of range 1001-1006 lies outside noise range 1003-1200: .* for example 1001-1200",
    ),
    "range too long": ((*DRAFT, "--range", "1-999999"), r"Range 1-999999 holds 999999 frames; one job takes"),
    "no prompt": ((*VOID[2:],), r'The prompt is empty: .* for example --prompt "a wooden table"'),
    "draft with steps": (
        (*DRAFT, "--steps", "30"),
        r"Engine draft has no --steps: leave that out, or use --engine",
    ),
    "draft with more": (
        (*DRAFT, "--raster", "384x672", "--window", "85"),
        r"Engine draft has no --raster, --window: leave that out",
    ),
    "unknown engine": (("--engine", "magic"), r".*'magic'; choose one of void, draft"),
    "raster of words": ((*VOID, "--raster", "big"), r"--raster 'big' is not height x width: write 384x672"),
    "raster not of 16": (
        (*VOID, "--raster", "100x96"),
        r".* is 100; the model runs at multiples of 16, .* 96",
    ),
    "raster too small": ((*VOID, "--raster", "16x16"), r".* is 16; it goes from 32 to 2048"),
    "window too small": ((*VOID, "--window", "3"), r"Window frames is 3; it goes from 5 to 197"),
    "steps of none": ((*VOID, "--steps", "0"), r"Pass1 steps is 0; it goes from 1 to 1000"),
    "steps of three passes": (
        (*VOID, "--steps", "1,2,3"),
        r"--steps '1,2,3' is not one number, or two with a comma",
    ),
    "guidance of NaN": ((*VOID, "--guidance", "nan"), r"Pass1 guidance is nan; it goes from 1.0 to 30.0"),
    "three passes": ((*VOID, "--passes", "3"), r"Passes is 3; it goes from 1 to 2"),
    "flow without its weights": ((*VOID, "--flow", "raft"), r"The server has no RAFT weights: start it with"),
    "short job id": ((*DRAFT, "--job", "ab"), r"Job id 'ab' is not 8 to 64 letters"),
    "pass 1 of one pass": (
        (*VOID, "--passes", "1", "--save-pass1", "p.%04d.exr"),
        r"--save-pass1 is for two passes",
    ),
    "pass 1 of a preview": (
        (*VOID, "--preview", "--save-pass1", "p.%04d.exr"),
        r"with --passes 1 or --preview the result is pass 1",
    ),
    "preview of a draft": ((*DRAFT, "--preview"), r"Engine draft has no --preview: leave that out"),
    "window seeds of words": (
        (*VOID, "--window-seeds", "two"),
        r"--window-seeds 'two' are not window:seed, with commas between several: 2:77,4:9",
    ),
    "window zero": ((*VOID, "--window-seeds", "0:7"), r"Window is 0; it goes from 1 to"),
    "a layer that is none": (
        (*DRAFT, "--layers", "fill,depth"),
        r"Layers is 'depth'; choose one of fill, matte, quadmask, difference",
    ),
    "a layer twice": ((*DRAFT, "--layers", "fill,fill"), r"Layers fill, fill name one twice"),
    "a quadmask too": ((*DRAFT, "--quadmask", "q.%04d.exr"), r"No file matches q.%04d.exr: check the path"),
    "no such sample": (
        ("--sample", "nowhere"),
        r"--sample brings its own plate and quadmask: leave --plate out",
    ),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_that_make_no_job(name: str, shot: ShotOnDisk, refused: Refused, tmp_path: Path) -> None:
    options, expected = OPTIONS[name]
    sentence = refused(*options, *sequences(shot), "--out", tmp_path / "r.%04d.exr")
    assert re.search(expected, sentence), sentence


def test_sequences_that_make_no_shot(shot: ShotOnDisk, refused: Refused, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "r.%04d.exr")
    assert "What to remove? Give --plate with" in refused(*DRAFT, *sequences(shot, Role.REMOVE), *out)
    both = refused(*DRAFT, *sequences(shot), "--quadmask", shot.pattern(Role.AFFECTED), *out)
    assert both.endswith("this one names plate, quadmask, remove.")
    folder = refused(*DRAFT, "--plate", shot.folder, "--remove", shot.pattern(Role.REMOVE), *out)
    assert re.match(r"\S*shot is a folder: name the files in it, for example \S*shot/plate.%04d.exr", folder)
    assert "There is no folder nowhere" in refused("--sample", "nowhere", *out)


RERUNS: dict[str, tuple[tuple[str, ...], str]] = {
    "of no job": (("nowhere-1",), r"The server has no job nowhere-1: see its jobs with: void jobs"),
    "of a draft": (
        ("draft-rerun-1", "--final"),
        r"is of engine draft, which has no previews, seeds, windows",
    ),
    "of nothing": (
        ("void-rerun-1",),
        r"What is to change\? Give --final, --seed, --window with --seed, or --prompt",
    ),
    "of a window without a seed": (
        ("void-rerun-1", "--window", "2"),
        r"From which seed\? Give --seed beside --window 2",
    ),
    "final of no preview": (("void-rerun-1", "--final"), r"Job void-rerun-1 is no preview, it ran in full"),
    "before the frames are there": (
        ("void-rerun-1", "--seed", "7"),
        r"Job void-rerun-1 never received frame 1001 of the plate and 17 more: send the shot",
    ),
    "to nowhere": (
        ("void-rerun-1", "--seed", "7", "--out", "r.exr"),
        r"r.exr has no place for the frame number",
    ),
}


@pytest.mark.parametrize("name", RERUNS)
def test_reruns_that_cannot_be(
    name: str, shot: ShotOnDisk, server: local_server.LocalServer, say: Say
) -> None:
    arguments, expected = RERUNS[name]
    with Client(server.address) as client:
        for spec in (shot.spec("draft-rerun-1"), shot.spec("void-rerun-1", VoidSettings(window_frames=21))):
            client.submit(spec)
        before = {status.job for status in client.jobs()}
        code, sentence = say("rerun", *arguments, *(() if "--out" in arguments else ("--detach",)))
        assert code == 1
        assert re.search(expected, sentence), sentence
        assert {status.job for status in client.jobs()} == before


def test_a_plate_that_has_a_layer_of_that_name(shot: ShotOnDisk, refused: Refused, tmp_path: Path) -> None:
    pixels = np.full((*SIZE, 4), 0.5, np.float16)
    write_frame(shot.path(Role.PLATE, 1002), 1002, pixels, ("R", "G", "B", "matte.A"))
    sentence = refused(*DRAFT, "--layers", "matte", *sequences(shot), "--out", tmp_path / "r.%04d.exr")
    assert re.search(r"Frame 1002 \(plate.1002.exr\) has a layer matte already", sentence)


# --- before a frame is read ------------------------------------------------------------------------------------


@pytest.fixture
def garbage(shot: ShotOnDisk) -> ShotOnDisk:
    """A shot that would be refused, were it read beyond the header of its first plate."""
    for path in [path for files in shot.files.values() for path in files.values()]:
        if path != shot.path(Role.PLATE, 1001):
            path.write_text("no picture")
    return shot


OUTPUTS: dict[str, tuple[str, str]] = {
    "below a file": (
        "shot/plate.1001.exr/r.%04d.exr",
        r"\S*plate.1001.exr leads through a file, not a folder: choose another place",
    ),
    "where nothing can be made": (
        "/proc/void/r.%04d.exr",
        r"/proc/void cannot be written \(.*\): choose another",
    ),
    "over the plate": (
        "shot/plate.%04d.exr",
        r"\S*plate.1001.exr would replace a file of the shot: choose another",
    ),
    "over the plate by a detour": ("shot/../shot/plate.####.exr", r"\S* would replace a file of the shot"),
    "without a number": ("r.exr", r"\S*r.exr has no place for the frame number: write it as name.%04d.exr"),
    "another format": ("r.%04d.png", r"\S*r.%04d.png does not end in .exr, which is what is written"),
    "a folder in the way": (
        "way/r.%04d.exr",
        r"\S*way/r.1003.exr is a folder: remove it, or choose another name",
    ),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_output_that_cannot_be_written(
    name: str, garbage: ShotOnDisk, refused: Refused, tmp_path: Path
) -> None:
    pattern, expected = OUTPUTS[name]
    (tmp_path / "way" / "r.1003.exr").mkdir(parents=True)
    sentence = refused(*DRAFT, *sequences(garbage), "--out", tmp_path / pattern)
    assert re.match(expected, sentence), sentence
    assert garbage.path(Role.PLATE, 1002).read_text() == "no picture"


def test_fetch_looks_at_its_outputs_too(say: Say, shot: ShotOnDisk) -> None:
    assert say("submit", *DRAFT, *sequences(shot), "--job", "fetch-outputs", "--detach")[0] == 0
    for option in ("--save-pass1", "--save-quadmask"):
        code, told = say("fetch", "fetch-outputs", option, shot.folder / "more.%04d.exr")
        assert "sent without " + option in sentence_of(code, told)
    code, told = say("fetch", "fetch-outputs", "--out", shot.path(Role.PLATE, 1001) / "r.%04d.exr")
    assert "leads through a file, not a folder" in sentence_of(code, told)


@pytest.mark.parametrize(
    ("colorspace", "expected"),
    [
        ("ACEScgg", r"Colour space 'ACEScgg' is not in ocio://\S*: did you mean 'ACEScg'"),
        ("Raw", r"Colour space 'Raw' of ocio://\S* holds data, not colour: name the space of the plate"),
    ],
)
def test_an_unknown_colour_space(
    colorspace: str,
    expected: str,
    garbage: ShotOnDisk,
    refused: Refused,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OCIO", raising=False)
    sentence = refused(
        "--engine", "draft", "--colorspace", colorspace, *sequences(garbage), "--out", tmp_path / "r.%04d.exr"
    )
    assert re.match(expected, sentence), sentence


def test_without_weights(
    garbage: ShotOnDisk, refused: Refused, server_without_weights: local_server.LocalServer, tmp_path: Path
) -> None:
    sentence = refused(
        *VOID, *sequences(garbage), "--out", tmp_path / "r.%04d.exr", address=server_without_weights.address
    )
    assert re.match(
        r"There is no folder of weights at \S*/weights. Get it with: void weights pull \S*", sentence
    )


# --- servers ---------------------------------------------------------------------------------------------------


@contextmanager
def something_else(answer: bytes) -> Iterator[int]:
    """A port where something listens that is no VOID server: it answers this to the first bytes, and leaves."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                if not answer:
                    silent.append(connection)
                    continue
                with connection:
                    connection.recv(64)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in silent:
                connection.close()


@pytest.mark.parametrize("address", ["tcp://192.0.2.1:7801", "nobody.invalid:7801"])
def test_nobody_at_a_remote_address(
    address: str, garbage: ShotOnDisk, refused: Refused, tmp_path: Path
) -> None:
    sentence = refused(*DRAFT, *sequences(garbage), "--out", tmp_path / "r.%04d.exr", address=address)
    full = address if "://" in address else f"tcp://{address}"
    assert sentence.startswith(f"No VOID server answers at {full}. Start one on that machine with void serve")


def test_an_address_that_is_none(garbage: ShotOnDisk, refused: Refused, tmp_path: Path) -> None:
    sentence = refused(
        *DRAFT, *sequences(garbage), "--out", tmp_path / "r.%04d.exr", address="http://render:80"
    )
    assert sentence == "Address 'http://render:80' is neither tcp://host:port nor ipc:///path."


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"", "Address already in use"),
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "it is no VOID server"),
    ],
    ids=["silent", "http"],
)
def test_something_else_listens_there(
    answer: bytes, says: str, garbage: ShotOnDisk, refused: Refused, tmp_path: Path
) -> None:
    with something_else(answer) as port:
        sentence = refused(
            *DRAFT, *sequences(garbage), "--out", tmp_path / "r.%04d.exr", address=f"127.0.0.1:{port}"
        )
        assert f"tcp://127.0.0.1:{port}" in sentence
        assert says in sentence
        with Client(f"127.0.0.1:{port}", patience_s=0.5) as client, pytest.raises(TransportError):
            client.connect()


def test_a_server_of_another_version(
    garbage: ShotOnDisk,
    say: Say,
    server: local_server.LocalServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours = messages.PROTOCOL_VERSION
    monkeypatch.setattr(messages, "PROTOCOL_VERSION", ours + 998)
    for command in (("jobs",), ("submit", *DRAFT, *sequences(garbage), "--out", tmp_path / "r.%04d.exr")):
        sentence = sentence_of(*say(*command))
        assert f"speaks protocol {ours}, the client void speaks {ours + 998}: update the older" in sentence
    with Client(server.address) as client, pytest.raises(ProtocolError):
        client.connect()


# --- what reaches the server all the same --------------------------------------------------------------------


def ended(client: Client, job: str) -> JobStatus:
    status = client.watch(job)
    while status.state not in ENDED:
        status = client.watch(job, status.revision, 5.0)
    return status


def through(client: Client, shot: ShotOnDisk, spec: JobSpec) -> JobStatus:
    client.submit(spec)
    client.upload(spec, shot.files)
    return ended(client, spec.job)


def test_the_worker_looks_again(shot: ShotOnDisk, server: local_server.LocalServer) -> None:
    """A client that checks nothing: the job fails with the same sentence, and the next one runs."""
    good = shot.path(Role.PLATE, 1003).read_bytes()
    with Client(server.address) as client:
        shot.path(Role.PLATE, 1003).write_bytes(b"no picture")
        status = through(client, shot, shot.spec("unchecked-1"))
        assert status.state is State.FAILED
        assert isinstance(from_code(status.error_code, status.error), UnsupportedImage)
        assert status.error == "Frame 1003 (1003.exr) is no EXR file: write the frame as EXR."
        shot.path(Role.PLATE, 1003).write_bytes(good)
        unknown = JobSpec(
            **{**vars(shot.spec("unchecked-2")), "picture": PictureSettings(colorspace="ACEScgg")}
        )
        status = through(client, shot, unknown)
        assert isinstance(from_code(status.error_code, status.error), SettingsError)
        assert "did you mean 'ACEScg'" in status.error
        assert through(client, shot, shot.spec("checked-3")).state is State.DONE


def test_fetch_tells_why_a_job_failed(shot: ShotOnDisk, say: Say, server: local_server.LocalServer) -> None:
    with Client(server.address) as client:
        for path in shot.files[Role.PLATE].values():
            path.write_bytes(b"no picture")
        through(client, shot, shot.spec("failed-job-1"))
    sentence = sentence_of(*say("fetch", "failed-job-1", "--out", shot.folder / "r.%04d.exr"))
    assert sentence.startswith("Frame 1001 (1001.exr) is no EXR file")


# --- full disks ------------------------------------------------------------------------------------------------

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")


def fill(path: Path) -> None:
    """The next file that is written whole at ``path`` finds the disk full."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(path.name + ".part").symlink_to("/dev/full")


@needs_full
def test_a_full_disk_at_the_client(shot: ShotOnDisk, say: Say, tmp_path: Path) -> None:
    out = tmp_path / "home" / "r.%04d.exr"
    fill(tmp_path / "home" / "r.1003.exr")
    code, told = say("submit", *DRAFT, *sequences(shot), "--out", out, "--job", "full-client-1")
    sentence = sentence_of(code, told)
    assert re.search(r"\S*r.1003.exr cannot be written \(No space left on device\)", sentence)
    assert "void fetch full-client-1 --out" in sentence
    assert not list(out.parent.glob("r.1003.*"))
    assert not list(out.parent.glob("*.part"))
    assert say("fetch", "full-client-1", "--out", out)[0] == 0
    assert len(list(out.parent.glob("r.*.exr"))) == FRAMES


def test_a_disk_that_fills_up_at_the_client(
    shot: ShotOnDisk, server: local_server.LocalServer, tmp_path: Path
) -> None:
    """Files may grow to less than a frame: each write stops in the middle, as on a disk that fills up."""
    out = tmp_path / "result" / "r.%04d.exr"
    limit = shot.path(Role.PLATE, 1001).stat().st_size // 2
    command = [
        sys.executable, "-m", "void_server.cli", "submit", "--server", server.address, *DRAFT, *sequences(shot),
        "--out", str(out), "--job", "full-client-2",
    ]  # fmt: skip
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert re.search(r"r.1001.exr cannot be written \(File too large\)", done.stderr)
    assert not list(out.parent.iterdir())
    again = void("fetch", "full-client-2", "--server", server.address, "--out", out)
    assert again.returncode == 0, again.stderr
    assert len(list(out.parent.iterdir())) == FRAMES


@needs_full
def test_a_full_disk_at_the_server_is_waited_for(
    shot: ShotOnDisk, say: Say, data_dir: Path, tmp_path: Path
) -> None:
    received = data_dir / "jobs" / "full-server-1" / "plate"
    fill(received / "1003.exr")
    code, told = say(
        "submit", *DRAFT, *sequences(shot), "--out", tmp_path / "r.%04d.exr", "--job", "full-server-1"
    )
    assert code == 0, told
    assert "Waits: The server cannot write to its data folder (No space left on device)" in " ".join(
        told.split()
    )
    assert len(list(tmp_path.glob("r.*.exr"))) == FRAMES
    assert sorted(path.name for path in received.iterdir()) == [
        f"{frame}.exr" for frame in shot.frames.numbers()
    ]


@needs_full
def test_a_job_whose_result_finds_the_disk_full_waits_and_lets_others_pass(
    shot: ShotOnDisk, server: local_server.LocalServer, data_dir: Path
) -> None:
    with Client(server.address) as client:
        spec = shot.spec("full-server-2")
        made = data_dir / "jobs" / spec.job / "result"
        fill(made / "1004.exr")
        client.submit(spec)
        client.upload(spec, shot.files)
        status = wait_for(client, spec.job, lambda status: bool(status.waits))
        assert re.search(r"make room\. The job goes on by itself, and what is there is kept", status.waits)
        assert status.ready[Role.RESULT] == [1001, 1002, 1003]
        assert not (made / "1004.exr").exists()
        assert through(client, shot, shot.spec("full-server-3")).state is State.DONE
        client.cancel(spec.job)
        assert ended(client, spec.job).state is State.CANCELLED
