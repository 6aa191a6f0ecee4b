"""Honest signs: each must rank its planted fault above the truth in at least 95 % of cases, and name it."""

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from void_server.frames.geometry import Box, bounds
from void_server.frames.matte import composite_matte
from void_server.scene import Scene
from void_server.signs import (
    Judged,
    SignMeter,
    drift,
    flicker,
    levels,
    residual,
    seam,
    summary,
    worth_a_look,
)
from void_wire.errors import SettingsError
from void_wire.messages import WORTH_A_LOOK, Signs

SIZE = (360, 640)
SCENES = [
    {"camera": camera, "background": background, "seed": seed, "grain": 0.01 * seed, "reflection": 0.2 * seed}
    for camera in ("static", "pan", "handheld")
    for background in ("textured", "smooth")
    for seed in (0, 1)
]
INDICES = (7, 15)
CASES = [(number, index) for number in range(len(SCENES)) for index in INDICES]
RANKED = 0.95
ONE = np.float32(1)
NAMES = ("residual", "seam", "flicker", "drift")


@functools.cache
def three(number, middle):
    """Plate, truth, remove matte and composite matte of three neighbouring frames."""
    scene = Scene(*SIZE, 24, **SCENES[number])
    frames = []
    for index in (middle - 1, middle, middle + 1):
        remove = scene.remove(index)
        matte = composite_matte(remove, scene.affected(index), 3, 4)
        frames.append((scene.plate(index), scene.truth(index), remove, matte))
    return frames


def merged(fill, plate, matte):
    return (plate * (1 - matte[..., None]) + fill * matte[..., None]).astype(np.float32)


def fills(fill, frames):
    """``fill(plate, truth, remove, place)`` for each of three frames, place -1, 0, 1."""
    return [fill(*frame[:3], place) for place, frame in zip((-1, 0, 1), frames, strict=True)]


def judged(name, fill, case):
    """One sign of the middle frame."""
    frames = three(*case)
    plate, _, remove, matte = frames[1]
    if name == "drift":
        return drift(plate, fill(*frames[1][:3], 0), matte == 0)
    if name == "flicker":
        made = zip(fills(fill, frames), frames, strict=True)
        results = tuple(levels(merged(one, frame[0], frame[3])) for one, frame in made)
        return flicker(results, tuple(frame[3] for frame in frames))
    result = levels(merged(fill(*frames[1][:3], 0), plate, matte))
    return seam(result, matte) if name == "seam" else residual(levels(plate), result, remove)


@functools.cache
def of_truth(name, case):
    return judged(name, gained(1.0), case)


def gained(by):
    return lambda plate, truth, remove, place: truth * np.asarray(by, np.float32)


def ghost(share):
    return lambda plate, truth, remove, place: (
        truth + (plate - truth) * (np.float32(share) * remove[..., None])
    )


def jumping(up, down):
    return lambda plate, truth, remove, place: truth * np.float32(up if place == 0 else down)


def half_off(plate, truth, remove, place):
    left = np.arange(truth.shape[1]) < truth.shape[1] // 2
    return truth * np.where(left, np.float32(1.03), ONE)[None, :, None]


FAULTS = {
    "a ghost of 20 %": ("residual", ghost(0.2)),
    "a ghost of 30 %": ("residual", ghost(0.3)),
    "3 % too bright": ("seam", gained(1.03)),
    "3 % too dark": ("seam", gained(0.97)),
    "5 % too bright": ("seam", gained(1.05)),
    "5 % too dark": ("seam", gained(0.95)),
    "too warm": ("seam", gained((1.04, 1.0, 0.96))),
    "3 % up in every second frame": ("flicker", jumping(1.03, 1.0)),
    "5 % down in every second frame": ("flicker", jumping(0.95, 1.0)),
    "level drift of 3 %": ("drift", gained(0.97)),
    "colour drift of 3 %": ("drift", gained((1.03, 1.0, 0.97))),
    "drift of one half": ("drift", half_off),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_ranks_above_the_truth(fault: str) -> None:
    name, fill = FAULTS[fault]
    worse = [judged(name, fill, case) > of_truth(name, case) for case in CASES]
    assert np.mean(worse) >= RANKED


@pytest.mark.parametrize("name", NAMES)
def test_few_true_frames_are_worth_a_look(name: str) -> None:
    alarms = [of_truth(name, case) > WORTH_A_LOOK[name] for case in CASES]
    assert np.mean(alarms) <= 1 - RANKED


@pytest.mark.parametrize(
    "fault", ["a ghost of 20 %", "5 % too bright", "3 % up in every second frame", "level drift of 3 %"]
)
def test_a_plain_fault_is_worth_a_look(fault: str) -> None:
    name, fill = FAULTS[fault]
    alarms = [judged(name, fill, case) > WORTH_A_LOOK[name] for case in CASES]
    assert np.mean(alarms) >= RANKED


def test_a_ghost_is_measured_in_shares_of_the_object() -> None:
    found = [judged("residual", ghost(1.0), case) for case in CASES[::5]]
    assert found == pytest.approx([1.0] * len(found), abs=0.02)


def test_a_generous_roto_is_no_ghost() -> None:
    wide = np.ones((13, 13), np.uint8)
    found = []
    for case in CASES:
        plate, truth, remove, _ = three(*case)[1]
        roto = cv2.dilate(remove, wide)
        found.append(residual(levels(plate), levels(merged(truth, plate, roto)), roto))
    assert np.mean(np.array(found) > WORTH_A_LOOK["residual"]) <= 1 - RANKED


def test_softness_is_no_drift() -> None:
    def soft(plate, truth, remove, place):
        return cv2.GaussianBlur(truth, (0, 0), 1.5)

    assert max(judged("drift", soft, case) for case in CASES) < WORTH_A_LOOK["drift"]


def test_a_change_of_exposure_of_the_whole_picture_is_no_flicker() -> None:
    scene = Scene(180, 320, 24, background="smooth", exposure_stops=1.0)
    mattes = tuple(composite_matte(scene.remove(i), scene.affected(i), 4, 3) for i in (3, 4, 5))
    assert flicker(tuple(levels(scene.truth(i)) for i in (3, 4, 5)), mattes) < 2.0


def test_there_is_no_sign_where_there_is_nothing_to_tell_by() -> None:
    picture = levels(np.random.default_rng(0).random((40, 60, 3), dtype=np.float32))
    flat = np.zeros((40, 60, 3), np.float32)
    nothing, everything = np.zeros((40, 60), np.float32), np.ones((40, 60), np.float32)
    assert residual(picture, picture, nothing) is None
    assert residual(flat, picture, everything) is None
    assert drift(flat, flat, everything == 0) is None
    for matte in (nothing, everything):
        assert seam(picture, matte) is None
        assert flicker((picture,) * 3, (matte,) * 3) is None


# --- the meter -------------------------------------------------------------------------------------------


def as_it_is(values):
    return values


def whole(number: int, middle: int, place: int, fill: Callable) -> Judged:
    plate, truth, remove, matte = three(number, middle)[place]
    result = merged(fill(plate, truth, remove, place - 1), plate, matte)
    return Judged(Box(0, 0, SIZE[1], SIZE[0]), plate, result, remove, matte)


def enlarged(frame: Judged, times: int) -> Judged:
    """The same frame with each pixel ``times`` as large."""
    more = {
        name: np.repeat(np.repeat(getattr(frame, name), times, 0), times, 1)
        for name in ("plate", "result", "remove", "matte")
    }
    return Judged(Box(*(side * times for side in frame.box)), **more)


def test_a_frame_is_judged_once_its_neighbour_is_there() -> None:
    meter = SignMeter(SIZE[0], as_it_is)
    frames = [whole(0, 7, place, jumping(1.05, 1.0)) for place in range(3)]
    told = []
    for index, frame in enumerate(frames, 4):
        meter.see(index, frame)
        told.append(dict(meter.told()))
    meter.end()
    assert [list(found) for found in [*told, dict(meter.told())]] == [[], [4], [5], [6]]
    assert told[2][5].flicker == pytest.approx(judged("flicker", jumping(1.05, 1.0), (0, 7)))
    assert told[1][4].flicker is None
    meter.end()
    assert not meter.told()


def test_frames_that_are_no_neighbours_are_not_compared() -> None:
    meter = SignMeter(SIZE[0], as_it_is)
    for index, place in ((0, 0), (2, 1), (3, 2)):
        meter.see(index, whole(0, 7, place, gained(1.0)))
    meter.end()
    signs = dict(meter.told())
    assert sorted(signs) == [0, 2, 3]
    assert all(one.flicker is None for one in signs.values())


def test_a_frame_without_anything_merged_is_judged_by_its_drift_alone() -> None:
    meter = SignMeter(SIZE[0], as_it_is)
    frame = whole(0, 7, 1, gained(1.0))
    meter.kept(1, frame.plate, frame.plate * np.float32(1.1), np.ones(SIZE, bool))
    meter.see(0, frame)
    meter.see(1, Judged(frame.box, frame.plate, frame.plate, frame.remove * 0, frame.matte * 0))
    signs = dict(meter.told())
    assert list(signs) == [0, 1]
    assert signs[1].drift == pytest.approx(0.09, abs=0.01)
    assert signs[1] == Signs(drift=signs[1].drift)


def alone(frame: Judged, lines: int = SIZE[0]) -> Signs:
    """The signs of a single frame."""
    meter = SignMeter(lines, as_it_is)
    meter.see(0, frame)
    meter.end()
    return dict(meter.told())[0]


def test_a_larger_plate_gives_the_same_signs() -> None:
    frame = whole(1, 7, 1, ghost(0.3))
    one, other = alone(frame, 540), alone(enlarged(frame, 4), 2160)
    assert (other.residual, other.seam) == pytest.approx((one.residual, one.seam), rel=1e-3)


def test_only_the_part_around_the_matte_is_needed() -> None:
    meters = [SignMeter(SIZE[0], as_it_is) for _ in range(2)]
    for index, place in enumerate(range(3)):
        frame = whole(2, 7, place, jumping(1.05, 0.97))
        part = meters[0].around(bounds(frame.matte > 0, frame.box), frame.box)
        assert part.width < frame.box.width
        cut = [part.of(getattr(frame, name), frame.box) for name in ("plate", "result", "remove", "matte")]
        meters[0].see(index, Judged(part, *cut))
        meters[1].see(index, frame)
    one, other = (dict(meter.told())[1] for meter in meters)
    assert (one.residual, one.seam) == pytest.approx((other.residual, other.seam), rel=1e-3)
    assert one.flicker > WORTH_A_LOOK["flicker"]


def test_shares_are_of_what_is_merged() -> None:
    frame = whole(0, 7, 1, gained(1.0))
    half = np.zeros(SIZE, np.float32)
    half[frame.remove > 0] = 1.0
    expected = float((half * frame.matte).sum() / frame.matte.sum())
    for large, share in ((True, expected), (False, 0.0)):
        signs = alone(replace(frame, generated=half, enlarged=large))
        assert (signs.generated, signs.borrowed) == pytest.approx((expected, 1 - expected), rel=1e-5)
        assert signs.enlarged == pytest.approx(share, rel=1e-5)
    assert alone(frame).generated == 1.0


def test_pixels_that_are_no_number_do_not_stop_the_meter() -> None:
    frame = whole(0, 7, 1, gained(1.05))
    frame.plate[:20, :20], frame.result[5, 5] = np.nan, np.inf
    assert alone(frame).seam == pytest.approx(0.05, abs=0.015)


def test_the_summary_names_the_frames_in_plain_words() -> None:
    signs = {
        1011: Signs(residual=0.01, seam=0.004),
        1012: Signs(residual=0.01, seam=0.2),
        1013: Signs(residual=0.02, seam=0.06, generated=0.5, borrowed=0.5, enlarged=0.5),
        1014: Signs(residual=0.3, seam=0.1, generated=1.0, borrowed=0.0, enlarged=1.0),
        1015: Signs(),
    }
    assert worth_a_look(signs) == "frames 1012-1013: seam; frame 1014: residual, seam"
    said = summary(signs)
    assert said["seam"] == "0.080, at worst 0.200 in frame 1012"
    assert (said["borrowed"], said["generated"]) == ("25 %", "75 %")
    assert said["worth a look"] == worth_a_look(signs)
    assert "drift" not in said
    assert summary({1: Signs(seam=0.0)})["worth a look"] == "no frame stands out"
    assert summary({}) == {}


def test_a_sign_that_is_none_cannot_be_sent() -> None:
    for wrong in ({"seam": -0.1}, {"borrowed": 1.5}, {"flicker": float("nan")}):
        with pytest.raises(SettingsError):
            Signs(**wrong)


def test_every_sign_is_explained_in_the_protocol() -> None:
    text = (Path(__file__).parents[2] / "shared" / "PROTOCOL.md").read_text()
    for name, limit in WORTH_A_LOOK.items():
        assert f"`{name}` over {limit:g}" in text
