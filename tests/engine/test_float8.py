"""Float8 products: how far they are from those they stand for, layer by layer and in frames."""

from pathlib import Path

import pytest
import torch

from void_server.engine.checkpoints import load_pipeline
from void_server.engine.conditioning import draw
from void_server.engine.float8 import LARGEST, Float8Linear, rounded, use_float8
from void_server.engine.pipeline import PassPlan, VoidPipeline
from void_server.engine.speed import make_exact
from void_server.engine.windows import cut_windows

MODEL = Path(__file__).parents[1] / "golden" / "portable" / "model"
CPU = torch.device("cpu")


def test_a_row_keeps_its_largest_value_and_three_bits_of_every_other() -> None:
    rows = draw((16, 64), 1) * torch.logspace(-6, 6, 16)[:, None]
    stored, scale = rounded(rows)
    back = stored.float() * scale
    assert stored.float().abs().amax(1).equal(torch.full((16,), LARGEST))
    kept = (
        rows.abs() > rows.abs().amax(1, keepdim=True) / 1000
    )  # the others are below what e4m3 has normals for
    assert float(((back - rows) / rows)[kept].abs().max()) <= 2**-4 + 1e-6


def test_a_row_of_zeros_stays_one() -> None:
    stored, scale = rounded(torch.zeros(2, 32))
    assert not stored.float().any()
    assert torch.isfinite(scale).all()


@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_is_near_the_one_it_stands_for(bias: bool) -> None:
    layer = torch.nn.Linear(64, 48, bias=bias, dtype=torch.bfloat16).requires_grad_(False)
    layer.weight.copy_(draw((48, 64), 2) * torch.logspace(-3, 3, 48)[:, None])  # rows of all sizes
    tokens = draw((2, 64, 64), 3).bfloat16()
    made, wanted = Float8Linear(layer)(tokens).float(), layer(tokens).float()
    assert made.shape == (2, 64, 48)
    off = (made - wanted).square().mean((0, 1)).sqrt() / wanted.square().mean((0, 1)).sqrt()
    assert float(off.max()) < 0.05  # of every row of weights, however small


def loaded() -> VoidPipeline:
    pipe = load_pipeline(MODEL, dtype=torch.bfloat16)
    pipe.set_progress_bar_config(disable=True)
    make_exact(pipe, CPU, compiles=False)
    return pipe


def frames(pipe: VoidPipeline) -> torch.Tensor:
    windows = cut_windows(13, 13)
    latents = pipe.denoise(
        PassPlan(1, 3, 1.0),
        draw((1, 4, 16, 6, 8), 1),
        draw((1, 4, 32, 6, 8), 2),
        draw((1, 226, 32), 3),
        windows,
    )
    return torch.cat(list(pipe.decode(latents)))


def test_frames_are_near_and_the_blocks_alone_are_rounded() -> None:
    exact, float8 = loaded(), loaded()
    before = sum(p.nbytes for p in float8.transformer.transformer_blocks.parameters())
    use_float8(float8.transformer)
    blocks = float8.transformer.transformer_blocks
    layers = [module for module in blocks.modules() if isinstance(module, Float8Linear)]
    assert len(layers) == 4 * len(blocks)
    assert sum(p.nbytes for p in blocks.parameters()) < 0.7 * before
    assert isinstance(float8.transformer.proj_out, torch.nn.Linear)
    error = (frames(float8) - frames(exact)).square().mean()
    assert 0 < float(error) < 1e-4  # 40 dB


def test_something_else_is_refused() -> None:
    other = torch.nn.Module()
    other.transformer_blocks = torch.nn.ModuleList([torch.nn.Linear(2, 2)])
    with pytest.raises(TypeError, match="Linear is no block"):
        use_float8(other)
