import cv2
import numpy as np
import pytest

from void_server.engine.flow import open_flow
from void_server.engine.time_base import rebuild, sampled
from void_server.engine.trajectory import between
from void_server.progress import Cancelled
from void_wire.messages import Stage

HEIGHT, WIDTH, RADIUS = 96, 160, 7
START, GRAVITY = 22.0, 1.1  # of the ball: px, px a frame^2
FLOOR = 80.0


def wall(seed=0):
    """A textured wall, larger than the picture on all sides by 40 px."""
    random = np.random.default_rng(seed)
    coarse = random.random((24, 36, 3)).astype(np.float32)
    texture = cv2.resize(coarse, (WIDTH + 80, HEIGHT + 80), interpolation=cv2.INTER_CUBIC)
    return np.clip(0.35 + 0.3 * (texture - 0.5), 0, 1)


def seen(at, zoom=1.0):
    """The wall by a camera turned to ``at`` (x, y) px."""
    change = np.array([[zoom, 0, -zoom * (40 + at[0])], [0, zoom, -zoom * (40 + at[1])]], np.float32)
    return cv2.warpAffine(wall(), change, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC).astype(np.float32)


def with_ball(picture, x, y):
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    cover = np.clip(RADIUS + 0.5 - np.hypot(columns - x, rows - y), 0, 1)[..., None]
    shade = 0.75 + 0.02 * (columns - x - rows + y)[..., None] * np.array([1, 0.1, 0.1])
    colour = np.array([1.0, 0.1, 0.1]) * np.clip(shade, 0, 1)
    return (picture + cover * (colour - picture)).astype(np.float32)


def fallen(index):
    return min(START + 0.5 * GRAVITY * index**2, FLOOR)


def centre(picture):
    """Of what is red."""
    weight = np.maximum(picture[..., 0] - picture[..., 1] - 0.2, 0)
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    return np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()


def quadmasks(count, columns=slice(30, 130), rows=slice(6, 92)):
    classes = np.full((count, HEIGHT, WIDTH), 255, np.uint8)
    classes[:, rows, columns] = 0
    return classes


def shown(truths, classes):
    """The plates: what is to go covers the hole with noise."""
    noise = np.random.default_rng(1).random(truths.shape).astype(np.float32)
    return np.where((classes == 255)[..., None], truths, noise)


def rebuilt(truths, every, classes=None, plates=None, **how):
    classes = quadmasks(len(truths)) if classes is None else classes
    at = sampled(len(truths), every)
    plates = shown(truths, classes) if plates is None else plates
    frames = list(rebuild(truths[at], at, plates, classes, flow=open_flow("dis"), **how))
    assert len(frames) == len(truths)
    assert all(frame.dtype == np.float32 and frame.shape == (HEIGHT, WIDTH, 3) for frame in frames)
    return frames


CAMERAS = {
    "static": lambda index: (0.0, 0.0),
    "pan": lambda index: (2.3 * index - 12, 0.0),
    "handheld": lambda index: (3 * np.sin(index), 2 * np.cos(1.3 * index)),
}


def falling(camera, count=11):
    """What a perfect model answers, and where the ball is in it."""
    turned = [CAMERAS[camera](index) for index in range(count)]
    places = [(80 - x, fallen(index) - y) for index, (x, y) in enumerate(turned)]
    frames = [with_ball(seen(at), *place) for at, place in zip(turned, places, strict=True)]
    return np.stack(frames), np.array(places)


@pytest.mark.parametrize(
    ("count", "every", "indices"),
    [
        (7, 2, [0, 2, 4, 6]),
        (8, 2, [0, 2, 4, 6, 7]),
        (8, 3, [0, 3, 6, 7]),
        (5, 1, [0, 1, 2, 3, 4]),
        (2, 5, [0, 1]),
        (1, 2, [0]),
        (0, 2, []),
    ],
)
def test_every_nth_frame_and_the_last_are_sampled(count, every, indices):
    assert sampled(count, every) == indices


@pytest.mark.parametrize("every", [2, 3])
def test_answers_come_back_as_they_are_and_the_plate_outside_the_hole(every):
    truths, _ = falling("pan", 8)
    classes = quadmasks(8)
    plates = shown(truths, classes)
    answers = np.clip(truths + 0.01, 0, 1)  # also outside the hole
    at = sampled(8, every)
    frames = list(rebuild(answers[at], at, plates, classes, flow=open_flow("dis")))
    for index, frame in enumerate(frames):
        if index in at:
            assert np.array_equal(frame, answers[index])
        else:
            kept = classes[index] == 255
            assert np.array_equal(frame[kept], plates[index][kept])
            assert not np.array_equal(frame[~kept], plates[index][~kept])


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("every", [2, 3])
def test_a_falling_ball_is_where_it_should_be_and_nowhere_else(camera, every):
    truths, _ = falling(camera)
    at = sampled(len(truths), every)
    frames = rebuilt(truths, every)
    for index in sorted({*range(len(truths))} - {*at}):
        assert np.linalg.norm(centre(frames[index]) - centre(truths[index])) < 0.5, index
        hole = quadmasks(1)[0] != 255
        assert np.abs(cv2.blur(frames[index] - truths[index], (3, 3)))[hole].max() < 0.2, index  # no ghost


def test_where_the_ball_hits_the_floor_it_is_not_in_it():
    truths, places = falling("static", 15)
    frames = rebuilt(truths, 2)
    assert max(centre(frame)[1] for frame in frames) < places[:, 1].max() + 0.3


def test_a_scene_that_stands_still_is_reproduced():
    truths = np.stack([seen((0, 0))] * 5)
    for frame in rebuilt(truths, 2):
        assert np.abs(frame - truths[0]).max() < 2 / 255


@pytest.mark.parametrize("camera", ["pan", "handheld"])
def test_the_background_moves_with_the_camera(camera):
    truths = np.stack([seen(CAMERAS[camera](index)) for index in range(7)])
    for frame, truth in zip(rebuilt(truths, 2), truths, strict=True):
        assert np.sqrt(np.square(frame - truth).mean()) < 0.01
        assert np.abs(frame - truth).max() < 0.08


def test_light_that_changes_between_answers_is_followed():
    truths = np.stack([seen((0, 0)) * (0.6 + 0.05 * index) for index in range(7)])
    for frame, truth in zip(rebuilt(truths, 3), truths, strict=True):
        assert np.abs(frame - truth).max() < 0.03


@pytest.mark.parametrize("every", [2, 3])
def test_a_ball_that_comes_out_from_behind_the_plate_goes_on_with_it(every):
    """It is seen in the plate, and in the answers once it crossed the hole's edge."""
    truths = np.stack([with_ball(seen((0, 0)), 14 + 7.0 * index, 50) for index in range(7)])
    frames = rebuilt(truths, every)
    at = sampled(7, every)
    for index in sorted({*range(7)} - {*at}):
        assert np.linalg.norm(centre(frames[index]) - centre(truths[index])) < 0.6, index


def test_a_ball_in_only_one_of_two_answers_fades():
    still = seen((0, 0))
    truths = np.stack([still, with_ball(still, 80, 50), with_ball(still, 80, 50)])
    at = [0, 2]
    classes = quadmasks(3)
    frame = list(rebuild(truths[at], at, shown(truths, classes), classes, flow=open_flow("dis")))[1]
    assert np.abs(frame - 0.5 * (truths[0] + truths[2])).max() < 0.05


@pytest.mark.parametrize("count", [1, 2])
def test_with_no_frame_between_only_the_answers_come(count):
    truths, _ = falling("static", count)
    assert np.array_equal(rebuilt(truths, 2), truths)


def test_two_answers_are_enough():
    truths, _ = falling("static", 3)
    frame = rebuilt(truths, 2)[1]
    assert np.linalg.norm(centre(frame) - centre(truths[1])) < 1.0


def test_where_nothing_is_to_go_the_plate_comes_back():
    truths, _ = falling("handheld", 5)
    plates = truths[::-1].copy()
    frames = rebuilt(truths, 2, quadmasks(5, slice(0, 0)), plates)
    assert np.array_equal(frames[1], plates[1])
    assert np.array_equal(frames[3], plates[3])


def test_a_hole_that_is_the_whole_picture_is_rebuilt_from_the_answers():
    truths, _ = falling("static", 5)
    classes = np.zeros((5, HEIGHT, WIDTH), np.uint8)
    frames = rebuilt(truths, 2, classes)
    assert np.linalg.norm(centre(frames[3]) - centre(truths[3])) < 0.6


def test_frames_are_told_and_cancelling_stops():
    truths, _ = falling("static", 5)
    told = []
    rebuilt(truths, 2, progress=lambda *stage: told.append(stage))
    assert told == [(Stage.FILL, done, 5) for done in range(6)]

    def cancel(stage, done, of):
        if done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        rebuilt(truths, 2, progress=cancel)


def test_only_the_frames_that_are_needed_are_read():
    """What is given may lie on disk: a frame is read where it is used, never all of them."""
    truths, _ = falling("static", 9)
    classes, at = quadmasks(9), sampled(9, 2)

    class Counted:
        def __init__(self, frames):
            self.frames, self.read = frames, []

        def __len__(self):
            return len(self.frames)

        def __getitem__(self, index):
            self.read.append(index)
            return self.frames[index]

    plates = Counted(shown(truths, classes))
    whole = rebuild(truths[at], at, plates, classes, flow=open_flow("dis"))
    next(whole), next(whole)
    assert plates.read
    assert max(plates.read) <= 6


def test_a_thing_that_changes_places_with_a_wall_that_repeats_itself_is_the_one_that_moved():
    """It falls by its own height, and as far on the wall looks the same."""
    rows = np.mgrid[:HEIGHT, :WIDTH][0]
    course = 2 * RADIUS + 2
    brick = cv2.resize(np.random.default_rng(3).random((1, 32, 3)).astype(np.float32), (WIDTH, 1))
    wall_that_repeats = (0.35 + 0.12 * brick) * np.where(rows % course < 2, 0.75, 1.0)[..., None]
    truths = np.stack([with_ball(wall_that_repeats, 80, 22 + course / 2 * index) for index in range(7)])
    frames = rebuilt(truths, 2)
    for index in (1, 3, 5):
        assert np.linalg.norm(centre(frames[index]) - centre(truths[index])) < 0.3
        assert np.abs(cv2.blur(frames[index] - truths[index], (3, 3))).max() < 0.15


TIMES = np.arange(0.0, 12.0, 2.0)


def test_free_fall_is_exact_between_two_moments():
    places = np.stack([3 + 0.5 * TIMES, 10 + 0.7 * TIMES**2], axis=-1)[None]
    assert between(places, TIMES, 5.0) == pytest.approx(np.array([[5.5, 27.5]]))
    places[0, :2] = np.nan  # the earlier moments are lost
    assert between(places, TIMES, 5.0) == pytest.approx(np.array([[5.5, 27.5]]))


def test_with_only_two_moments_it_is_the_line():
    places = np.full((1, 6, 2), np.nan)
    places[0, 2:4] = [[0, 0], [8, 2]]
    assert between(places, TIMES, 4.5) == pytest.approx(np.array([[2.0, 0.5]]))


@pytest.mark.parametrize(("time", "expected"), [(4.5, 2 + 0.7 * 4.5**2), (5.5, 20.0)])
def test_what_hits_the_floor_falls_until_it_lies(time, expected):
    """It reaches 20 at 5.07, between the moments 4 and 6; what was measured of its rest trembles."""
    height = np.minimum(2 + 0.7 * TIMES**2, 20) + np.array([0, 0, 0, 0.1, -0.1, 0.05])
    places = np.stack([np.zeros(6), height], axis=-1)[None]
    found = between(places, TIMES, time)
    assert found[0, 1] == pytest.approx(expected, abs=0.11)
