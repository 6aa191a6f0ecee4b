"""Parts that take turns: each works with its own bits, and what waits is never written."""

import pytest
import torch

from void_server.engine import swap
from void_server.engine.conditioning import draw
from void_server.engine.float8 import Float8Linear
from void_server.engine.swap import ALIGNED_BYTES, Swap

CPU = torch.device("cpu")


def parts() -> dict[str, torch.nn.Module]:
    torch.manual_seed(0)
    convolution = torch.nn.Conv3d(4, 6, 3).requires_grad_(False)
    convolution.weight.data = convolution.weight.data.contiguous(memory_format=torch.channels_last_3d)
    products = (
        torch.nn.Sequential(torch.nn.Linear(7, 5), torch.nn.BatchNorm1d(5)).requires_grad_(False).eval()
    )
    return {"convolution": convolution, "products": products}


CLIP, ROWS = draw((1, 4, 5, 6, 7), 1), draw((3, 7), 2)


@pytest.mark.parametrize("buffer_bytes", [1, 2**30])
def test_a_part_that_comes_and_goes_gives_the_same_bits(
    monkeypatch: pytest.MonkeyPatch, buffer_bytes: int
) -> None:
    monkeypatch.setattr(swap, "BUFFER_BYTES", buffer_bytes)
    plain, swapped = parts(), parts()
    turns = Swap(swapped, CPU)
    layout = swapped["convolution"].weight.stride()
    assert layout == plain["convolution"].weight.stride()
    for _ in range(2):
        assert swapped["convolution"](CLIP).equal(plain["convolution"](CLIP))
        assert swapped["convolution"].weight.stride() == layout
        assert swapped["products"](ROWS).equal(plain["products"](ROWS))
        turns.leave()
    for name, module in swapped.items():
        for key, held in module.state_dict().items():
            assert held.equal(plain[name].state_dict()[key]), key


def test_one_is_there_and_it_comes_once() -> None:
    swapped = parts()
    turns = Swap(swapped, CPU)
    kernel, weight = swapped["convolution"].weight, swapped["products"][0].weight
    waiting = kernel.data_ptr(), weight.data_ptr()
    assert [
        one.storage_offset() * one.itemsize % ALIGNED_BYTES for one in swapped["products"].parameters()
    ] == [0] * 4
    turns.expect("products")
    came = weight.data_ptr()
    assert came != waiting[1]
    swapped["products"](ROWS)
    turns.bring("products")
    assert weight.data_ptr() == came
    assert turns.coming_bytes("products") == 0
    assert turns.coming_bytes("convolution") >= kernel.nbytes
    swapped["convolution"](CLIP)
    assert weight.data_ptr() == waiting[1]
    assert kernel.data_ptr() != waiting[0]
    turns.leave()
    assert (kernel.data_ptr(), weight.data_ptr()) == waiting


def test_weights_of_one_byte_are_swapped_too() -> None:
    layer = Float8Linear(torch.nn.Linear(64, 48, bias=True, dtype=torch.bfloat16))
    tokens = draw((16, 64), 3).bfloat16()
    wanted = layer(tokens)
    Swap({"layer": layer}, CPU)
    assert layer(tokens).equal(wanted)
