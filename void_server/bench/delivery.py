"""What comes back of a perfect answer: the oracle through the delivery, beside plain enlargement of the oracle."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO
from numpy.typing import NDArray

from void_server.bench.oracle import Delivery, Oracle
from void_server.bench.row import Row
from void_server.engine.detail import MODES
from void_server.engine.draft import DraftEngine
from void_server.frames.color import ColorTransform
from void_server.frames.color_config import config_name
from void_server.frames.composite import composite
from void_server.frames.exr import PlateFrame, read_plate, write_frame
from void_server.frames.geometry import Box, Floats
from void_server.frames.grain import measure
from void_server.job_folder import JobFolder
from void_server.merge import GRAIN_FRAMES
from void_server.progress import unwatched
from void_server.quality import decibels, seam_score, sharpness_ratio, squared_error
from void_server.scene import Scene
from void_server.shot import Shot, TakeSource, drawn_on
from void_wire.messages import FrameRange, JobSpec, PictureSettings, Role

EXACT, SOFT = Oracle(), Oracle(blur_px=0.6, drift=2.0)
TRAVEL = 0.35  # of the cart, in picture widths
AHEAD_DB = 6.0
SECONDS_A_FRAME = 2.5
COLORSPACES = ("lin_rec709", "ACEScg", "ARRI LogC4")
KINDS = (
    # pixels, codec, channels, data window beside a display window of 160 x 90, pixel aspect
    ("half", "none", "RGB", None, 1.0),
    ("half", "rle", "RGBA", None, 1.0),
    ("half", "zips", "RGB", None, 1.0),
    ("half", "zip", "RGB", Box(-8, -6, 176, 102), 1.0),
    ("half", "piz", "RGB", None, 2.0),
    ("half", "pxr24", "RGB", None, 1.0),
    ("half", "dwaa", "RGB", None, 1.0),
    ("float", "zip", "RGB", None, 1.0),
    ("float", "zips", "RGBAZ", None, 1.0),
    ("float", "pxr24", "RGB", Box(10, 5, 120, 70), 1.0),
    ("float", "piz", "RGBAuvw", None, 2.0),
    ("float", "rle", "BGR", Box(-8, 5, 120, 102), 1.0),
)


def rows() -> list[Row]:
    """Twelve kinds of EXR, colour, and for each detail mode four scenes and grain; ten minutes on two free cores."""
    found = [_bits_outside(), _colour()]
    for camera in ("static", "pan"):
        for height_px in (1080, 2160):  # UHD is where enlargement hurts
            found += _fidelity(Scene(height_px, height_px * 16 // 9, 8, camera, travel=TRAVEL))
    return [*found, *_grain()]


@dataclass
class _Tally:
    """How close a picture of the shot is to the truth in the hole, over its frames."""

    error: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    energy: list[float] = field(default_factory=list)
    everywhere: list[float] = field(default_factory=list)
    seams: list[float] = field(default_factory=list)

    def add(self, picture: Floats, truth: Floats, remove: Floats, matte: Floats) -> None:
        self.error += squared_error(picture, truth, remove)
        self.energy.append(sharpness_ratio(picture, remove, truth))
        self.everywhere.append(sharpness_ratio(picture, matte, truth))
        self.seams.append(seam_score(picture, matte, truth))

    @property
    def psnr_db(self) -> float:
        return decibels((self.error[0], self.error[1]))


def _fidelity(scene: Scene) -> list[Row]:
    """PSNR, sharpness and seam in two frames of one scene without grain, and the time of all."""
    found = []
    indices = range(scene.frames // 2 - 1, scene.frames // 2 + 1)
    with _delivery(scene) as delivery:
        drafted, enlarged = _Tally(), _Tally()
        for index, frame, _ in DraftEngine().fill(TakeSource(delivery.shot, 0, scene.frames), unwatched):
            if index in indices:
                merged = delivery.result(index, frame)
                drafted.add(merged, delivery.truth(index), scene.remove(index), delivery.matte(index))
        for index in indices:
            truth, matte = delivery.truth(index), delivery.matte(index)
            plain, _ = composite(delivery.shot.canvas(index), delivery.enlarged(index, EXACT), matte)
            enlarged.add(plain, truth, scene.remove(index), matte)
        for mode in MODES:
            delivery.seconds = 0.0
            exact, soft = _Tally(), _Tally()
            for oracle, tally in ((EXACT, exact), (SOFT, soft)):
                for index, fill, _ in delivery.fills(oracle, mode):
                    result = delivery.result(index, fill)
                    if index in indices:
                        truth, matte = delivery.truth(index), delivery.matte(index)
                        tally.add(result, truth, scene.remove(index), matte)
            found += _judged(mode, delivery, exact, soft, enlarged, drafted)
    return found


def _judged(
    mode: str, delivery: Delivery, exact: _Tally, soft: _Tally, enlarged: _Tally, drafted: _Tally
) -> list[Row]:
    """The rows of one mode; only ``borrow`` promises more than enlargement has."""
    box, scene = delivery.fit.box, delivery.scene
    what = f"{mode}, {scene.camera}, {'UHD' if scene.height_px == 2160 else 'HD'}"
    note = f"crop {box.width} x {box.height}, detail {delivery.fit.detail:.2f}; baseline: the whole frame enlarged; "
    note += f"with VAE-like blur and drift {soft.psnr_db:.1f} dB; draft alone {drafted.psnr_db:.1f} dB"
    goal, wanted, crisp = (
        "no less than enlargement by 0.1 dB",
        enlarged.psnr_db - 0.1,
        "no less than enlargement by 0.01",
    )
    sharp, plain_sharp = float(np.mean(exact.energy)), float(np.mean(enlarged.energy))
    is_sharp = plain_sharp - 0.01 <= sharp <= 1.1
    if mode == "borrow":
        goal, crisp = f"{AHEAD_DB:.0f} dB above enlargement, no less than draft by 0.1 dB", "0.9 to 1.1"
        wanted, is_sharp = max(enlarged.psnr_db + AHEAD_DB, drafted.psnr_db - 0.1), 0.9 <= sharp <= 1.1
    seam, plain_seam = float(np.mean(exact.seams)), float(np.mean(enlarged.seams))
    seconds = delivery.seconds / (2 * scene.frames)
    return [
        _row(f"psnr in the hole, {what}", exact.psnr_db, "dB", enlarged.psnr_db, goal, exact.psnr_db >= wanted, note),
        _row(f"sharpness, {what}", sharp, "of truth", plain_sharp, crisp, is_sharp,
             f"gradient energy in the hole over the truth's; draft alone {np.mean(drafted.energy):.2f}; with what is "
             f"affected, which the ball falls through, {np.mean(exact.everywhere):.2f}"),
        _row(f"seam, {what}", seam, "of truth", plain_seam, "at most 1.1", seam <= 1.1,
             "steps across the matte's edge over the truth's own"),
        _row(f"time, {what}", seconds, "s a frame", None, f"at most {SECONDS_A_FRAME} s", seconds <= SECONDS_A_FRAME,
             "read, colour, raster and back, detail, merge, write; no model"),
    ]  # fmt: skip


def _grain() -> list[Row]:
    """Strength in the fill and likeness of neighbours, of what grain on the plate adds to the result.

    Measured in the middle third of a shot, where every place is seen in several others.
    """
    clean = Scene(1080, 1920, 18, travel=TRAVEL)
    indices = range(clean.frames // 3, 2 * clean.frames // 3)
    found = []
    with _delivery(replace(clean, grain=0.015)) as grainy, _delivery(clean) as grainless:
        display = grainy.shot.display
        near = [(grainy.shot.canvas(index), grainy.matte(index)) for index in indices[:GRAIN_FRAMES]]
        answers = [grainy.enlargement(index, EXACT) for index in indices[:GRAIN_FRAMES]]
        lacking = measure(near).without(
            measure(zip(answers, (grainy.fit.box.of(matte, display) for _, matte in near), strict=True))
        )
        holes = [clean.remove(index) == 1 for index in indices]
        wanted = [grainy.truth(index) - grainless.truth(index) for index in indices]
        for mode in MODES:
            plain = {index: fill for index, fill, _ in grainless.fills(EXACT, mode) if index in indices}
            made, bare = [], []
            for index, fill, share in grainy.fills(EXACT, mode):
                if index in indices:
                    made.append(grainy.result(index, fill, lacking, 1, share) - plain[index])
                    bare.append(fill - plain[index])
            ratios, without = (_strength(added, holes) / _strength(wanted, holes) for added in (made, bare))
            worst = int(np.abs(ratios - 1).argmax())
            alike = [
                float(np.corrcoef(one[both].ravel(), other[both].ravel())[0, 1])
                for (one, other), both in zip(
                    pairwise(made), (before & after for before, after in pairwise(holes)), strict=True
                )
            ]
            found += [
                _row(f"grain in the fill, {mode}", float(ratios[worst]), "of the plate's", float(without[worst]),
                     "within 10 %", bool(abs(ratios[worst] - 1) <= 0.1), "worst channel; baseline: no regrain"),
                _row(f"grain, likeness of two frames, {mode}", max(alike, key=abs), "", None, "under 0.05",
                     max(map(abs, alike)) < 0.05, "correlation of a frame's grain with the next one's, the worst pair"),
            ]  # fmt: skip
    return found


def _strength(grains: list[Floats], holes: list[NDArray[np.bool_]]) -> NDArray[np.float64]:
    """Deviation (3,) of ``grains`` (H, W, 3) in the ``holes`` (H, W)."""
    inside = np.concatenate([one[hole] for one, hole in zip(grains, holes, strict=True)])
    return np.asarray(inside.std(axis=0), np.float64)


def _bits_outside() -> Row:
    """Kinds of EXR whose every bit outside the matte comes back."""
    with tempfile.TemporaryDirectory() as folder:
        equal = [_comes_back(Path(folder) / str(number), *kind) for number, kind in enumerate(KINDS)]
    lost = [f"{kind[0]} {kind[1]} {kind[2]}" for kind, same in zip(KINDS, equal, strict=True) if not same]
    kinds = "half and float, seven codecs, overscan, anamorphic, layers"
    return _row("bits outside the matte", sum(equal), "kinds", None, f"all {len(KINDS)}", all(equal),
                f"lost: {', '.join(lost)}" if lost else kinds)  # fmt: skip


def _comes_back(
    folder: Path, pixels: str, codec: str, channels: str, data: Box | None, pixel_aspect: float
) -> bool:
    display = Box(0, 0, 160, 90)
    data = data or display
    spec = JobSpec("0" * 32, "bits", "draft", FrameRange(7, 7), (Role.PLATE, Role.REMOVE),
                   picture=PictureSettings(colorspace="lin_rec709"))  # fmt: skip
    job = JobFolder(folder)
    job.make((*spec.roles, Role.RESULT))
    random = np.random.default_rng(len(channels))
    values = (random.lognormal(-2, 2, (data.height, data.width, len(channels))) - 0.01).astype(np.float32)
    write_frame(
        job.frame(Role.PLATE, 7),
        7,
        values.astype(np.float16) if pixels == "half" else values,
        list(channels),
        display=display,
        origin=(data.x, data.y),
        compression=codec,
        metadata={"PixelAspectRatio": pixel_aspect},
    )
    matte = np.zeros((display.height, display.width, 1), np.float16)
    matte[30:60, 50:100] = 1
    write_frame(job.frame(Role.REMOVE, 7), 7, matte, "A")
    shot = Shot(spec, job)
    shot.write(Role.RESULT, 0, drawn_on(np.ones((90, 160, 3), np.float32), display), display, {})
    before, after = read_plate(job.frame(Role.PLATE, 7), 7), read_plate(job.frame(Role.RESULT, 7), 7)
    kept = np.ones((data.height, data.width), bool)
    merged = np.argwhere(shot.matte(0) > 0) - (data.y, data.x)
    inside = ((merged >= 0) & (merged < kept.shape)).all(axis=1)
    kept[tuple(merged[inside].T)] = False
    return (
        before.layout.data == after.layout.data
        and before.layout.display == after.layout.display
        and before.layout.channels == after.layout.channels
        and before.layout.types == after.layout.types
        and before.layout.pixel_aspect == after.layout.pixel_aspect
        and _bits(before)[kept].tobytes() == _bits(after)[kept].tobytes()
        and not np.array_equal(_bits(before), _bits(after))
    )


def _bits(frame: PlateFrame) -> np.ndarray[tuple[int, ...], np.dtype[np.unsignedinteger]]:
    return frame.pixels.view(np.uint16 if frame.pixels.dtype == np.float16 else np.uint32)


def _colour() -> Row:
    """The largest error of 0.001..64 there and back, relative to the pixel's brightest channel."""
    light = np.geomspace(0.001, 64, 4001, dtype=np.float32)[:, None]
    tints = np.array([[1, 1, 1], [1, 0.5, 0.25], [0.3, 1, 0.6], [0.2, 0.4, 1]], np.float32)
    wanted = (light[:, None] * tints).reshape(-1, 3)
    errors = {}
    for space in COLORSPACES:
        color = ColorTransform(space)
        plate = _between(wanted, "lin_rec709", space)
        back = _between(color.decode(color.encode(plate)), space, "lin_rec709")
        errors[space] = float((np.abs(back - wanted) / wanted.max(axis=1, keepdims=True)).max())
    worst = max(errors.values())
    note = ", ".join(f"{space} {error:.1g}" for space, error in errors.items())
    return _row("colour there and back", worst, "relative", None, "at most 1e-3", worst <= 1e-3, note)


def _between(values: Floats, source: str, target: str) -> Floats:
    """By OpenColorIO alone, so that ours is not measured by itself."""
    made: Any = OpenImageIO.ImageBufAlgo.colorconvert(
        OpenImageIO.ImageBuf(np.ascontiguousarray(values)[None]), source, target, False, "", "", config_name()
    )
    found: Floats = made.get_pixels(OpenImageIO.FLOAT)
    return found.reshape(values.shape)


@contextmanager
def _delivery(scene: Scene) -> Iterator[Delivery]:
    with tempfile.TemporaryDirectory() as folder:
        yield Delivery(scene, Path(folder))


def _row(
    name: str,
    value: float | None,
    unit: str,
    baseline: float | None,
    goal: str,
    holds: bool | None,
    note: str,
) -> Row:
    ratio = value / baseline if value is not None and baseline else None
    return Row(
        f"delivery, {name}", value, unit, baseline, ratio, goal, None if holds is None else bool(holds), note
    )
