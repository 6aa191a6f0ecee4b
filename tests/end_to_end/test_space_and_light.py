"""Crop, raster, encoding and exposure through real jobs of engine void on the tiny model."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import OpenImageIO
from real_shots import ShotOnDisk, bring, void

from void_server.engine import memory
from void_server.frames.crop import auto_box
from void_server.frames.exr import read_header, read_plate, write_frame
from void_server.frames.geometry import Box, Floats
from void_server.frames.matte import composite_matte, within_box
from void_wire.client import ENDED, Client
from void_wire.messages import FrameRange, JobSpec, JobStatus, Role, State, VoidSettings

QUICK = VoidSettings(
    passes=1,
    pass1_steps=1,
    raster_height_px=64,
    raster_width_px=112,
    window_frames=21,
    warped_noise="corrected",
)
SIZE = (240, 400)
WINDOW = Box(0, 0, SIZE[1], SIZE[0])
REACH_PX = 3 + 4 + 1


def make(folder: Path, *, light: float = 1.0, quadmask: bool = False, aspect: float = 1.0) -> ShotOnDisk:
    """Two frames of grey texture, ``light`` times as bright; a square moves from 150, 100 by 10 pixels."""
    folder.mkdir(parents=True)
    shot = ShotOnDisk(folder, FrameRange(1001, 1002))
    texture = np.random.default_rng(0).random((*SIZE, 1)).repeat(3, -1) * 0.5 + 0.1
    for index, frame in enumerate(shot.frames.numbers()):
        matte = np.zeros(SIZE, np.float16)
        matte[100:120, 150 + 10 * index : 180 + 10 * index] = 1
        plate = (texture.astype(np.float16).astype(np.float32) * light).astype(np.float16)
        metadata = {"PixelAspectRatio": aspect, "nuke/node": "vfx"}
        write_frame(shot.path(Role.PLATE, frame), frame, plate, "RGB", metadata=metadata)
        if quadmask:
            codes = np.where(matte > 0, 0, 1).astype(np.float16)
            write_frame(shot.path(Role.QUADMASK, frame), frame, codes[..., None], "Y")
        else:
            write_frame(shot.path(Role.REMOVE, frame), frame, matte[..., None], "A")
    return shot


def run(
    client: Client, shot: ShotOnDisk, job: str, settings: VoidSettings = QUICK, **picture: object
) -> JobStatus:
    spec = spec_of(shot, job, settings, **picture)
    files = {role: {n: shot.path(role, n) for n in shot.frames.numbers()} for role in spec.roles}
    client.submit(spec)
    client.upload(spec, files)
    status = client.watch(job)
    while status.state not in ENDED:
        status = client.watch(job, status.revision, 5.0)
    return status


def spec_of(shot: ShotOnDisk, job: str, settings: VoidSettings, **picture: object) -> JobSpec:
    mattes = Role.QUADMASK if shot.path(Role.QUADMASK, shot.frames.first).exists() else Role.REMOVE
    spec = shot.spec(job, settings, overlay=True, **picture)
    return replace(spec, roles=(Role.PLATE, mattes))


def finished(
    client: Client, shot: ShotOnDisk, folder: Path, job: str, **picture: object
) -> tuple[JobStatus, Path]:
    """A job that must be done, and the folder its results and overlays are in."""
    status = run(client, shot, job, **picture)
    assert status.state is State.DONE, status.error
    spec = spec_of(shot, job, QUICK)
    bring(client, spec, Role.RESULT, folder / job)
    bring(client, spec, Role.OVERLAY, folder / job)
    return status, folder / job


def matte_of(shot: ShotOnDisk, frame: int, box: Box = WINDOW) -> Floats:
    remove = read_plate(shot.path(Role.REMOVE, frame), frame).pixels[..., 0].astype(np.float32)
    return within_box(composite_matte(remove, None, 3, 4), box, WINDOW, 4)


def pixels(folder: Path, frame: int) -> Floats:
    return read_plate(folder / f"{frame}.exr", frame).rgb


def overlay(folder: Path, frame: int) -> Floats:
    picture: Floats = OpenImageIO.ImageBuf(str(folder / f"{frame}.png")).get_pixels(OpenImageIO.FLOAT)
    return picture


def red(picture: Floats) -> int:
    """Pixels that the overlay tints as removed."""
    return int(np.count_nonzero(picture[..., 0] > picture[..., 1] + 0.2))


def assert_plate_where_nothing_is_merged(shot: ShotOnDisk, folder: Path, box: Box = WINDOW) -> None:
    for frame in shot.frames.numbers():
        before, after = (
            read_plate(shot.path(Role.PLATE, frame), frame),
            read_plate(folder / f"{frame}.exr", frame),
        )
        matte = matte_of(shot, frame, box)
        assert np.array_equal(
            before.pixels[matte == 0].view(np.uint16), after.pixels[matte == 0].view(np.uint16)
        )
        assert (before.pixels != after.pixels).any(axis=-1)[matte == 1].mean() > 0.9


def test_crops(client: Client, tmp_path: Path) -> None:
    shot = make(tmp_path / "shot")
    with client:
        status, folder = finished(client, shot, tmp_path, "auto-crop")
        box = auto_box(WINDOW, Box(150, 100, 40, 20), (64, 112), REACH_PX, 0.35)
        assert box.width < SIZE[1] / 2
        assert status.record["crop"] == f"{box.x},{box.y},{box.width},{box.height}"
        assert status.record["raster"] == "64x112"
        assert status.record["exposure"] == "+0 stops"
        assert status.record["plate above white"].startswith("0.00 %")
        assert_plate_where_nothing_is_merged(shot, folder)
        header = read_header(folder / "1001.exr", 1001)
        assert header.metadata["void/crop"] == status.record["crop"]
        assert header.metadata["void/raster"] == "64x112"
        # The overlay is the crop: the square fills of it what it fills of the box.
        seen = overlay(folder, 1001)
        assert seen.shape[:2] == (64, 112)
        share = 30 * 20 / (box.width * box.height)
        assert abs(red(seen) / (64 * 112) / share - 1) < 0.15

        full, whole = finished(client, shot, tmp_path, "full-crop", crop="full")
        assert full.record["crop"] == "0,0,400,240"
        assert full.record["detail ratio"].startswith("0.27 ")
        assert red(overlay(whole, 1001)) < red(seen) / 2
        assert_plate_where_nothing_is_merged(shot, whole)

        # A crop through the middle of the square: beyond it nothing, towards its edge less and less.
        named, half = finished(client, shot, tmp_path, "half-crop", crop="0,60,170,120")
        assert named.record["crop"] == "0,60,170,120"
        assert named.record["crop cuts"] == "the mattes, which lie in 150,100,40,20"
        assert "crop cuts" not in status.record
        assert_plate_where_nothing_is_merged(shot, half, Box(0, 60, 170, 120))
        assert np.array_equal(
            pixels(half, 1002)[:, 170:], read_plate(shot.path(Role.PLATE, 1002), 1002).rgb[:, 170:]
        )

        wrong = run(client, shot, "wrong-crop", crop="0,0,64,64")
        assert wrong.state is State.FAILED
        assert "holds nothing of the mattes, which lie in 150,100,40,20" in wrong.error


def test_what_the_model_sees_and_what_is_merged_grow_apart(client: Client, tmp_path: Path) -> None:
    shot, ready = make(tmp_path / "shot"), make(tmp_path / "ready", quadmask=True)
    with client:
        _, plain = finished(client, shot, tmp_path, "plain-matte")
        _, grown = finished(client, shot, tmp_path, "grown-matte", model_grow_px=10)
        assert red(overlay(grown, 1001)) > 1.8 * red(overlay(plain, 1001))
        assert_plate_where_nothing_is_merged(shot, grown)
        _, plain = finished(client, ready, tmp_path, "plain-quad")
        _, grown = finished(client, ready, tmp_path, "grown-quad", model_grow_px=10)
        assert red(overlay(grown, 1001)) > 1.8 * red(overlay(plain, 1001))


def test_light(client: Client, tmp_path: Path) -> None:
    normal, dark = make(tmp_path / "normal"), make(tmp_path / "dark", light=1 / 64)
    with client:
        _, as_shot = finished(client, normal, tmp_path, "as-it-is-1", exposure="off")
        found, lifted = finished(client, dark, tmp_path, "by-meter", exposure="auto")
        stops = float(found.record["exposure"].split()[0])
        assert 2.5 < stops <= 4
        _, mud = finished(client, dark, tmp_path, "in-the-mud", exposure="off")
        _, told = finished(client, dark, tmp_path, "six-stops", exposure="6")
        for frame in normal.frames.numbers():
            # Told the six stops that are missing, the model sees the very same, and the result is as dark again.
            assert np.array_equal(overlay(told, frame), overlay(as_shot, frame))
            assert np.allclose(pixels(told, frame) * 64, pixels(as_shot, frame), rtol=2e-3, atol=1e-4)
            assert (
                overlay(mud, frame).mean()
                < 0.7 * overlay(lifted, frame).mean()
                < overlay(as_shot, frame).mean()
            )
            assert_plate_where_nothing_is_merged(dark, lifted)

        # The meter's gain put on at the raster and the same gain asked for are the same picture.
        _, asked = finished(client, dark, tmp_path, "as-metered", exposure=str(stops))
        assert np.abs(overlay(asked, 1001) - overlay(lifted, 1001)).max() <= 2 / 255

        flat, log = finished(client, normal, tmp_path, "seen-in-log", encoding="log")
        assert flat.record["encoding"] == "log"
        assert_plate_where_nothing_is_merged(normal, log)
        assert overlay(log, 1001).std() < 0.6 * overlay(as_shot, 1001).std()


def test_plates_of_other_shapes(client: Client, tmp_path: Path) -> None:
    wide = make(tmp_path / "wide", aspect=2.0)
    with client:
        status, folder = finished(client, wide, tmp_path, "anamorphic")
        *_, width, height = (int(number) for number in status.record["crop"].split(","))
        assert abs(width / (height / 2) - 7 / 4) < 0.12
        assert overlay(folder, 1001).shape[:2] == (64, 112)
        assert read_header(folder / "1001.exr", 1001).pixel_aspect == 2.0
        assert_plate_where_nothing_is_merged(wide, folder)
        small = make(tmp_path / "small")
        status, _ = finished(client, small, tmp_path, "small-crop", crop="140,90,88,70")
        assert status.record["raster"] == "64x80 (not 64x112: the crop has no more pixels)"
        status, _ = finished(client, small, tmp_path, "enlarged-crop", crop="140,90,88,70", enlarge=True)
        assert status.record["raster"] == "64x112"


def submit(shot: ShotOnDisk, address: str, *options: object) -> str:
    """What the command line answers; it must refuse."""
    done = void(
        "submit", "--server", address, "--plate", shot.pattern(Role.PLATE), "--remove", shot.pattern(Role.REMOVE),
        "--out", shot.folder / "out" / "r.%04d.exr", "--prompt", "a room", *options,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("void:") == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_what_is_refused_before_a_frame_is_sent(address: str, tmp_path: Path) -> None:
    shot = make(tmp_path / "shot")
    linear = ("--colorspace", "lin_rec709")
    for options, sentence in [
        (("--crop", "300,0,200,100", *linear), "leaves the plate, which is 400 x 240"),
        (("--crop", "middle", *linear), "write auto, full, or x,y,width,height"),
        (
            ("--crop", "100,90,60,40", "--feather", "50", *linear),
            "A feather of 50 pixels is wider than the crop",
        ),
        (("--encoding", "logc", *linear), "is 'logc'; choose one of display, log"),
        (("--exposure", "bright", *linear), "write auto, off, or stops from -10 to 10"),
        (("--exposure", "2", "--colorspace", "sRGB"), "'sRGB' is display-referred"),
        (("--crop-context", "-1", *linear), "is -1.0; it goes from 0.0 to 10.0"),
        (
            ("--engine", "draft", "--crop", "auto", "--encoding", "log", "--model-grow", "2", *linear),
            "Engine draft has no --crop, --encoding, --model-grow: leave that out",
        ),
    ]:
        assert sentence in submit(shot, address, *options)
    with Client(address) as client:
        client.connect()
        assert client.jobs() == []


def test_a_larger_raster_says_first_what_it_costs(address: str, tmp_path: Path) -> None:
    shot = make(tmp_path / "shot")
    done = void(
        "submit", "--server", address, "--plate", shot.pattern(Role.PLATE), "--detach",
        "--remove", shot.pattern(Role.REMOVE), "--prompt", "a room", "--raster", "768x1344",
        "--colorspace", "lin_rec709", "--passes", "1", "--steps", "1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    note = " ".join(done.stderr.split())
    assert "has 4.0 times the pixels of 384x672: by estimate a step takes 8.6 times as long" in note
    work_gib = 768 * 1344 * memory.VAE_BYTES_PER_PIXEL * memory.MARGIN / 2**30
    assert f"the work {work_gib:.0f} GiB beside the weights" in note
    assert note.index("times the pixels") < note.index("Job ")
