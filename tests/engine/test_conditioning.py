"""Sizes, padding, classes, noise and seeds, against the numbers of void.md 2."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from void_server.engine.conditioning import (
    Drawn,
    FlipPadded,
    draw,
    hole,
    noisy_plate,
    pad_by_flip,
    resize_plate,
    resize_quadmask,
    sub_seed,
)


def test_flip_padding_repeats_the_end_frame() -> None:
    assert pad_by_flip(torch.arange(10), 13).tolist() == [*range(10), 9, 8, 7]


@given(st.integers(1, 40), st.integers(0, 200))
def test_flip_padding_of_any_length(frames: int, more: int) -> None:
    clip = np.arange(frames)
    padded = pad_by_flip(torch.from_numpy(clip), frames + more).numpy()
    np.testing.assert_array_equal(padded, np.pad(clip, (0, more), "symmetric"))


@given(st.integers(1, 40), st.integers(0, 60), st.integers(1, 20))
def test_flip_padding_in_pieces(frames: int, more: int, step: int) -> None:
    clip = torch.arange(frames * 2).reshape(frames, 2)
    padded = FlipPadded(clip, frames + more)
    assert (len(padded), padded.shape) == (frames + more, (frames + more, 2))
    pieces = [padded[first : first + step] for first in range(0, frames + more, step)]
    assert torch.cat(pieces).equal(pad_by_flip(clip, frames + more))


def test_noise_drawn_in_pieces_is_the_noise_drawn_whole() -> None:
    shape = torch.Size((29, 3, 16, 32))
    pieces = Drawn(shape, 7)
    drawn = [pieces[0:13], pieces[13:21], pieces[21:29]]
    assert torch.cat(drawn).equal(draw(tuple(shape), 7))
    with pytest.raises(ValueError, match="drawn next"):
        pieces[0:13]
    with pytest.raises(ValueError, match="multiple of 16"):
        Drawn(torch.Size((4, 3, 5)), 7)


@given(st.integers(0, 30), st.integers(1, 30), st.integers(0, 10))
def test_frames_of_a_part_are_drawn_as_those_of_the_whole(first: int, frames: int, more: int) -> None:
    whole = draw((first + frames + more, 3, 4, 4), 7)
    assert Drawn(torch.Size((frames, 3, 4, 4)), 7, first)[:].equal(whole[first : first + frames])


def test_the_classes_each_pass_sees() -> None:
    classes = torch.tensor([0, 63, 127, 255], dtype=torch.uint8)
    assert (hole(classes, 1) * 255).round().tolist() == [255, 255, 127, 0]
    assert hole(classes, 2).tolist() == [1, 1, 1, 0]


def test_noise_spares_pure_black_and_nothing_else() -> None:
    plate = torch.tensor([0.0, 1e-6, 0.5, 1.0])
    made = noisy_plate(plate, torch.ones(4))
    torch.testing.assert_close(made, torch.tensor([-1.0, -1 + 2e-6 + 0.0563, 0.0563, 1.0563]))


def test_a_plate_is_area_averaged_and_left_alone_at_the_raster() -> None:
    plate = torch.arange(16, dtype=torch.float32).reshape(1, 1, 4, 4)
    assert resize_plate(plate, (2, 2)).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert resize_plate(plate, (4, 4)) is plate


def test_resizing_a_quadmask_makes_the_references_false_rings() -> None:
    quadmask = torch.full((1, 4, 16), 255, dtype=torch.uint8)
    quadmask[..., :3] = 0  # the edge lies a quarter into the second of four-pixel cells' averages
    made = resize_quadmask(quadmask, (1, 4))
    assert made.dtype == torch.uint8
    assert made.flatten().tolist() == [63, 255, 255, 255]
    assert resize_quadmask(quadmask, (4, 16)).equal(quadmask)


def test_quantising_at_the_exact_thresholds() -> None:
    # pairs whose mean is the threshold, then one above it
    pairs = torch.tensor([[31, 31], [31, 33], [95, 95], [95, 97], [191, 191], [191, 193]], dtype=torch.uint8)
    made = resize_quadmask(pairs[:, None, :], (1, 1)).flatten().tolist()
    assert made == [0, 63, 63, 127, 127, 255]


def test_sub_seeds_are_their_own_and_stay_the_same() -> None:
    names = ["pass 1 plate", "pass 2 plate", "warped noise"]
    seeds = {sub_seed(seed, name) for seed in (0, 1, 42) for name in names}
    assert len(seeds) == 9
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert sub_seed(42, "warped noise") == sub_seed(42, "warped noise")


def test_a_draw_does_not_touch_the_global_generator() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = draw((64, 64), 7)
    assert torch.random.get_rng_state().equal(before)
    assert first.equal(draw((64, 64), 7))
    assert abs(float(first.std()) - 1) < 0.05
