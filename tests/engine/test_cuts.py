import functools

import cv2
import numpy as np
import pytest

from void_server.engine.cuts import Cuts
from void_server.scene import Scene

HEIGHT, WIDTH = 108, 192
FRAMES = 8


def display(light):
    light = np.clip(light, 0, None)
    return np.clip((light / (1 + 0.15 * light)) ** (1 / 2.2), 0, 1).astype(np.float32)


class Film:
    """Frames in scene-linear light, and where their holes are."""

    def __init__(self, frames, holes):
        self.frames, self.holes = list(frames), list(holes)

    @staticmethod
    @functools.cache
    def of(camera="static", seed=0, frames=FRAMES, **scene):
        shot = Scene(HEIGHT, WIDTH, frames, camera=camera, seed=seed, grain=0.005, shutter=0.5, **scene)
        holes = [np.maximum(shot.remove(index), shot.affected(index)) for index in range(frames)]
        return Film([shot.plate(index) for index in range(frames)], holes)

    def __add__(self, other):
        return Film(self.frames + other.frames, self.holes + other.holes)

    def part(self, first, end):
        return Film(self.frames[first:end], self.holes[first:end])

    def lit(self, gains):
        return Film(
            [frame * np.float32(gain) for frame, gain in zip(self.frames, gains, strict=True)], self.holes
        )

    def seen_from(self, x, y, zoom):
        """Another angle: the part of the picture that begins at (x, y), in shares of it, ``zoom`` times as large."""
        change = np.array([[zoom, 0, -x * WIDTH * zoom], [0, zoom, -y * HEIGHT * zoom]], np.float32)
        frames, holes = (
            [cv2.warpAffine(picture, change, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC) for picture in pictures]
            for pictures in (self.frames, self.holes)
        )
        return Film(frames, holes)

    @property
    def cuts(self):
        cuts = Cuts()
        for frame, hole in zip(self.frames, self.holes, strict=True):
            cuts.see(display(frame), hole > 0.01)
        return cuts.found


CAMERAS = ("static", "pan", "handheld")


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("background", ["textured", "smooth"])
def test_one_shot_has_no_cut(camera, background):
    assert Film.of(camera, background=background).cuts == []


@pytest.mark.parametrize(
    ("first", "second"), [("static", "static"), ("pan", "handheld"), ("handheld", "pan")]
)
def test_a_cut_to_a_room_of_the_same_build_is_found(first, second):
    assert (Film.of(first, seed=1) + Film.of(second, seed=2)).cuts == [FRAMES]


@pytest.mark.parametrize(("x", "y", "zoom"), [(0.3, 0.2, 1.5), (0.0, 0.0, 1.4), (0.15, 0.15, 1.6)])
def test_a_cut_to_another_angle_on_the_same_room_is_found(x, y, zoom):
    film = Film.of("handheld", seed=3, frames=12)
    assert (film.part(0, 6) + film.part(6, 12).seen_from(x, y, zoom)).cuts == [6]


def test_two_cuts_five_frames_apart_are_both_found():
    film, other = Film.of("pan", frames=16), Film.of("static", seed=9)
    assert (film.part(0, 6) + other.part(0, 5) + film.part(11, 16)).cuts == [6, 11]


def test_a_single_frame_of_another_shot_at_either_end_of_the_range_is_found():
    film, other = Film.of("pan"), Film.of("static", seed=9)
    assert (other.part(0, 1) + film).cuts == [1]
    assert (film + other.part(0, 1)).cuts == [FRAMES]


def test_a_cut_between_a_dim_and_a_bright_shot_and_out_of_black_is_found():
    dim, bright = Film.of("pan", seed=1).lit([0.1] * FRAMES), Film.of("static", seed=2).lit([3] * FRAMES)
    assert (dim + bright).cuts == [FRAMES]
    assert (dim.lit([0] * FRAMES) + bright).cuts == [FRAMES]


LIGHT = {
    "brighter at once": [1, 1, 1, 1, 5, 5, 5, 5],
    "darker at once": [1, 1, 1, 1, 0.1, 0.1, 0.1, 0.1],
    "one frame's flash": [1, 1, 1, 30, 1, 1, 1, 1],
    "a flash of two frames": [1, 1, 1, 40, 6, 1, 1, 1],
    "a flash in the last frame": [1, 1, 1, 1, 1, 1, 1, 12],
    "two flashes": [1, 30, 1, 1, 30, 1, 1, 1],
    "flicker": [1, 3, 1, 3, 1, 3, 1, 3],
    "rolling exposure": list(np.geomspace(0.1, 8, 8)),
    "fade out": list(np.linspace(1, 0.01, 8)),
    "another colour": [1, 1, 1, 1, *[np.array([2, 1, 0.3])] * 4],
}


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("gains", LIGHT.values(), ids=LIGHT.keys())
def test_light_makes_no_cut(camera, gains):
    assert Film.of(camera, seed=5).lit(gains).cuts == []


@pytest.mark.parametrize("camera", CAMERAS)
def test_a_lamp_switched_on_makes_no_cut(camera):
    down, across = np.mgrid[:HEIGHT, :WIDTH]
    away = np.hypot(across - 0.7 * WIDTH, down - 0.3 * HEIGHT) / (0.15 * WIDTH)
    lit = (0.08 + 6 * np.exp(-(away**2)))[..., None]
    assert Film.of(camera, seed=5).lit([0.08] * 4 + [lit] * 4).cuts == []


@pytest.mark.parametrize("camera", CAMERAS)
def test_a_flash_that_the_shutter_cuts_in_half_makes_no_cut(camera):
    upper = (np.arange(HEIGHT) < HEIGHT / 2)[:, None, None]
    gains = [1, 1, 1, np.where(upper, 1, 20), np.where(upper, 20, 1), 1, 1, 1]
    assert Film.of(camera, seed=5).lit(gains).cuts == []


@pytest.mark.parametrize("length", [6, 10])
def test_a_dissolve_makes_no_cut(length):
    film, other = Film.of("static", frames=14), Film.of("handheld", seed=9, frames=14)
    shares = np.clip((np.arange(14) - 2) / length, 0, 1)
    frames = [
        a * (1 - share) + b * share for a, b, share in zip(film.frames, other.frames, shares, strict=True)
    ]
    holes = [np.maximum(*pair) for pair in zip(film.holes, other.holes, strict=True)]
    assert Film(frames, holes).cuts == []


WIDE = Scene(HEIGHT, 4 * WIDTH, 2, seed=6, travel=0.1).truth(0)
WIDE = np.concatenate([WIDE, WIDE[:, ::-1]], axis=1)


def panned(paces):
    """A pan that goes ``paces`` px from frame to frame, blurred by half of it."""
    at = 4.0 + np.cumsum(paces)
    frames = []
    for place, pace in zip(at, paces, strict=True):
        wide = cv2.blur(WIDE, (max(int(pace / 2), 1), 1))
        frames.append(cv2.getRectSubPix(wide, (WIDTH, HEIGHT), (WIDTH / 2 + place, HEIGHT / 2)))
    return Film(frames, np.zeros((len(at), HEIGHT, WIDTH)))


@pytest.mark.parametrize("fastest", [6, 20, 50, 100])
def test_a_whip_pan_makes_no_cut(fastest):
    paces = np.clip(np.minimum(np.arange(16) - 3, 13 - np.arange(16)) / 4, 0, 1) * fastest
    assert panned(paces).cuts == []


def test_a_pan_in_which_every_frame_comes_twice_makes_no_cut():
    assert panned([0, 12] * 6).cuts == []


def test_frames_missing_from_a_pan_are_a_cut():
    pan = panned([4] * 30)
    assert (pan.part(0, 6) + pan.part(24, 30)).cuts == [6]


def test_a_knock_against_the_camera_makes_no_cut():
    film = panned([0] * 10)
    up, down = film.seen_from(0.08, 0.03, 1), film.seen_from(-0.05, 0, 1)
    assert (film.part(0, 4) + up.part(4, 5) + down.part(5, 6) + film.part(6, 10)).cuts == []


def test_a_zoom_makes_no_cut():
    film = panned([0] * 10)
    zooms = 1.05 ** np.arange(10)
    frames = [film.seen_from(0.5 - 0.5 / z, 0.5 - 0.5 / z, z).frames[0] for z in zooms]
    assert Film(frames, film.holes).cuts == []


def test_what_happens_in_the_hole_does_not_count():
    film = panned([0] * 10)
    for index in range(10):
        film.holes[index][20:90, 30:160] = 1
    for index in range(5, 10):
        film.frames[index][20:90, 30:160] = np.random.default_rng(0).random((70, 130, 3))
    assert film.cuts == []
    open_film = Film(film.frames, np.zeros_like(film.holes))
    assert open_film.cuts == [5]


def test_nothing_is_said_of_a_hole_that_is_the_picture_nor_of_one_frame():
    film = Film.of(seed=1) + Film.of(seed=2)
    assert Film(film.frames, np.ones_like(film.holes)).cuts == []
    assert film.part(0, 1).cuts == []
    assert Cuts().found == []


def test_a_cut_is_known_once_three_frames_of_the_new_shot_were_seen():
    film, cuts, found = Film.of(seed=1) + Film.of("pan", seed=2), Cuts(), []
    for frame, hole in zip(film.frames, film.holes, strict=True):
        cuts.see(display(frame), hole)
        found.append(cuts.found)
    assert found == [[]] * FRAMES + [[FRAMES]] * FRAMES
