"""How clips are cut into temporal windows and blended again."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from void_server.engine.conditioning import padded_length
from void_server.engine.windows import Window, blend, cut_windows, latent_frames, window_weights
from void_wire.errors import SettingsError


def spans(clip: int, window: int) -> list[tuple[int, int]]:
    return [(w.start, w.stop) for w in cut_windows(clip, padded_length(clip, window), window)]


def test_upstreams_windows() -> None:
    assert spans(85, 85) == [(0, 22)]
    assert spans(86, 85) == [(0, 22), (18, 24)]
    assert spans(197, 85) == [(0, 22), (18, 40), (36, 50)]
    assert spans(34, 25) == [(0, 6), (2, 8), (4, 10)]


@pytest.mark.parametrize(("clip", "window", "latents"), [(1, 85, 22), (10, 17, 6), (20, 25, 8), (5, 5, 2)])
def test_a_clip_that_fits_is_one_window_even_where_the_padding_exceeds_it(
    clip: int, window: int, latents: int
) -> None:
    assert spans(clip, window) == [(0, latents)]


@given(st.integers(1, 2000), st.integers(21, 197))
def test_windows_cover_a_clip_of_any_length(clip: int, window: int) -> None:
    found = spans(clip, window)
    assert found[0][0] == 0
    assert found[-1][1] == latent_frames(padded_length(clip, window))
    assert all((stop - start) % 2 == 0 for start, stop in found)
    assert all(before[1] - after[0] == 4 for before, after in pairwise(found))
    if len(found) > 1:
        assert all(4 < stop - start <= latent_frames(window) for start, stop in found)


def test_a_window_that_does_not_exceed_the_overlap_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"window of 17 frames .* use 21 or more"):
        spans(60, 17)


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
    windows = cut_windows(clip, padded_length(clip, 21), 21)
    whole = torch.randn(1, windows[-1].stop, 2, 1, 1)
    torch.testing.assert_close(blend([whole[:, w.start : w.stop] for w in windows], windows), whole)
