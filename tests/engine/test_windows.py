"""How clips are cut into temporal windows and blended again."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from void_server.engine.blending import blend, renewed, window_weights
from void_server.engine.windows import (
    Window,
    check_window_seeds,
    cut_windows,
    latent_frames,
    name_spans,
    padded_length,
    spans,
)
from void_wire.errors import SettingsError
from void_wire.messages import WindowSeed


def cuts(clip: int, window: int) -> list[tuple[int, int]]:
    return [(w.start, w.stop) for w in cut_windows(clip, window)]


@pytest.mark.parametrize(
    ("frames", "padded"),
    [
        (1, 85),
        (84, 85),
        (85, 85),
        (86, 93),
        (93, 93),
        (94, 101),
        (189, 189),
        (196, 197),
        (197, 197),
        (198, 205),
        (1000, 1005),
    ],
)
def test_lengths_at_the_default_window(frames: int, padded: int) -> None:
    assert padded_length(frames, 85) == padded


@given(st.integers(1, 3000), st.integers(1, 197))
def test_a_length_is_the_smallest_that_the_model_takes(frames: int, window: int) -> None:
    length = padded_length(frames, window)
    assert length % 8 == 5
    assert 0 <= length - max(frames, window, 5) < 8


def test_upstreams_windows() -> None:
    assert cuts(85, 85) == [(0, 22)]
    assert cuts(86, 85) == [(0, 22), (18, 24)]
    assert cuts(197, 85) == [(0, 22), (18, 40), (36, 50)]
    assert cuts(34, 25) == [(0, 6), (2, 8), (4, 10)]


@pytest.mark.parametrize(("clip", "window", "latents"), [(1, 85, 22), (10, 17, 6), (20, 25, 8), (5, 5, 2)])
def test_a_clip_that_fits_is_one_window_even_where_the_padding_exceeds_it(
    clip: int, window: int, latents: int
) -> None:
    assert cuts(clip, window) == [(0, latents)]


@given(st.integers(1, 2000), st.integers(21, 197))
def test_windows_cover_a_clip_of_any_length(clip: int, window: int) -> None:
    found = cuts(clip, window)
    assert found[0][0] == 0
    assert found[-1][1] == latent_frames(padded_length(clip, window))
    assert all((stop - start) % 2 == 0 for start, stop in found)
    assert all(before[1] - after[0] == 4 for before, after in pairwise(found))
    if len(found) > 1:
        assert all(4 < stop - start <= latent_frames(window) for start, stop in found)


def test_a_window_that_does_not_exceed_the_overlap_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"window of 17 frames .* use 21 or more"):
        cuts(60, 17)


def test_ramps_and_where_they_meet() -> None:
    first, middle, last = window_weights([Window(0, 6), Window(2, 8), Window(4, 10)])
    torch.testing.assert_close(first, torch.tensor([1, 1, 0.8, 0.6, 0.4, 0.2]))
    torch.testing.assert_close(middle, torch.tensor([0.2, 0.4, 0.8, 0.6, 0.4, 0.2]))  # the down-ramp wins
    torch.testing.assert_close(last, torch.tensor([0.2, 0.4, 0.6, 0.8, 1, 1]))


def test_blending_weighs_neighbours_against_each_other() -> None:
    windows = [Window(0, 8), Window(4, 12)]
    pieces = [torch.zeros(1, 8, 1, 1, 1), torch.ones(1, 8, 1, 1, 1)]
    wanted = torch.tensor([0.0] * 4 + [0.2, 0.4, 0.6, 0.8] + [1.0] * 4)
    torch.testing.assert_close(blend(pieces, windows).flatten(), wanted)


@given(st.integers(22, 400))
def test_pieces_of_one_clip_blend_back_into_it(clip: int) -> None:
    windows = cut_windows(clip, 21)
    whole = torch.randn(1, windows[-1].stop, 2, 1, 1)
    torch.testing.assert_close(blend([whole[:, w.start : w.stop] for w in windows], windows), whole)


def test_a_window_has_the_frames_that_its_latents_decode_to() -> None:
    first, second = cut_windows(154, 85)
    assert (first.frames, second.frames) == (range(85), range(69, 157))
    assert [len(window.frames) for window in cut_windows(30, 85)] == [85]


def test_windows_are_named_by_the_frames_in_the_files() -> None:
    assert name_spans(spans(cut_windows(154, 85), range(1001, 1155))) == "1: 1001-1085, 2: 1070-1154"
    assert name_spans(spans(cut_windows(10, 85), range(1, 21, 2))) == "1: 1-19"
    assert name_spans(spans([Window(0, 2)], [7])) == "1: 7-7"


def test_the_names_of_very_many_windows_stay_short() -> None:
    found = spans(cut_windows(20_000, 21), range(10**6, 10**6 + 20_000))
    assert len(name_spans(found)) < 4_000
    assert name_spans(found).endswith(f", and so on to {len(found)}: {found[-1][0]}-1019999")


def test_a_seed_for_a_window_that_is_not_there_is_refused() -> None:
    found = [(1, 85), (70, 154)]
    check_window_seeds([WindowSeed(1, 5), WindowSeed(2, 5)], found)
    with pytest.raises(SettingsError, match=r"Window 3 .* the shot has 2 \(1: 1-85, 2: 70-154\): name one"):
        check_window_seeds([WindowSeed(3, 5)], found)


@pytest.mark.parametrize(("place", "own"), [(0, [0, 1, 2, 3]), (1, [4, 5]), (2, [6, 7, 8, 9])])
def test_every_latent_is_one_windows_own(place: int, own: list[int]) -> None:
    windows = cut_windows(34, 25)  # 0-6, 2-8, 4-10: the middle one is nowhere alone
    latents, fresh = torch.zeros(1, 10, 1, 1, 1), torch.ones(1, 10, 1, 1, 1)
    made = renewed(latents, fresh, windows, place)
    assert made.flatten().nonzero().flatten().tolist() == own
    assert not latents.any()
