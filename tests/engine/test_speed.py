"""What is faster gives the same: parity of each gain with diffusers' own parts, on a tiny model."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_clips import joined, settings, shot

from void_server.engine.checkpoints import load_pipeline
from void_server.engine.conditioning import draw
from void_server.engine.pipeline import PassPlan, VoidPipeline
from void_server.engine.speed import can_compile, hasten, make_exact, set_layout, window_tokens
from void_server.engine.void import VoidEngine
from void_server.engine.windows import cut_windows
from void_wire.errors import SettingsError

MODEL = Path(__file__).parents[1] / "golden" / "portable" / "model"
CPU = torch.device("cpu")


def loaded() -> VoidPipeline:
    pipe = load_pipeline(MODEL, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="module")
def plain() -> VoidPipeline:
    return loaded()


def denoised(pipe: VoidPipeline, guidance: float, frames: int = 13) -> torch.Tensor:
    windows = cut_windows(frames, frames)
    size = (
        6,
        10,
    )  # of a latent; no count of tokens may be a width of the model's, or torch takes them for one
    noise, beside = (draw((1, windows[-1].stop, count, *size), count) for count in (16, 32))
    text = draw((1 if guidance <= 1 else 2, 226, 32), 3)
    return pipe.denoise(PassPlan(2, 3, guidance), noise, beside, text, windows)


@pytest.mark.parametrize("guidance", [1.0, 6.0])
def test_one_projection_gives_the_three_ones_result(plain: VoidPipeline, guidance: float) -> None:
    exact = loaded()
    before = sum(p.numel() for p in exact.transformer.parameters())
    made = make_exact(exact, CPU, compiles=False)
    assert str(made) == "exact, attention native"
    assert sum(p.numel() for p in exact.transformer.parameters()) == before
    assert float((denoised(exact, guidance) - denoised(plain, guidance)).abs().max()) <= 1e-5


def test_blocks_compiled_for_one_length_are_those_of_every_other(plain: VoidPipeline) -> None:
    exact = loaded()
    graphs = []

    def counted(graph: torch.fx.GraphModule, _inputs: list[torch.Tensor]) -> torch.fx.GraphModule:
        graphs.append(graph)
        return graph

    assert str(make_exact(exact, CPU, compiles=True, backend=counted)).endswith("compiled")
    counts = []
    for frames in (13, 21):
        assert float((denoised(exact, 1.0, frames) - denoised(plain, 1.0, frames)).abs().max()) <= 1e-5
        counts.append(len(graphs))
    assert counts == [2, 2]  # the first block, which gets views of its input, and all others


def test_channels_side_by_side_decode_and_encode_the_same(plain: VoidPipeline) -> None:
    last = loaded()
    set_layout(last.vae, torch.channels_last_3d)
    assert any(not p.is_contiguous() for p in last.vae.parameters())
    latents, clip = draw((1, 4, 16, 6, 8), 1), draw((13, 3, 48, 64), 2)
    for one, other in zip(plain.decode(latents), last.decode(latents), strict=True):
        assert float((one - other).abs().max()) <= 1e-5
    encoded = [pipe.encode_pixels(13, clip.__getitem__) for pipe in (plain, last)]
    assert float((encoded[0] - encoded[1]).abs().max()) <= 1e-5
    set_layout(last.vae, torch.contiguous_format)
    assert all(p.is_contiguous() for p in last.vae.parameters())


def test_an_exact_engine_gives_a_plain_ones_frames_and_says_so(tmp_path: Path) -> None:
    plain = VoidEngine.load(MODEL, device="cpu", prompts=tmp_path)
    assert plain.record["speed"] == "plain"
    exact = VoidEngine.load(MODEL, device="cpu", speed="exact", prompts=tmp_path)
    assert exact.record["speed"] == "exact, attention native"
    made = []
    for engine in (plain, exact):
        made.append(joined(list(engine.remove(*shot(6, (16, 32)), "a table", settings())), 2))
    assert float(np.abs(made[0] - made[1]).max()) <= 1e-4  # latents are within 1e-5, see above
    assert len(list(tmp_path.iterdir())) == 2  # the prompt and the negative one, of both engines


def test_a_window_is_counted_in_tokens() -> None:
    assert window_tokens(loaded().transformer.config) == 11 * 24 * 42 + 226


def test_a_speed_that_is_not_to_be_had_here_is_refused() -> None:
    pipe = loaded()
    with pytest.raises(SettingsError, match="choose one of plain, exact, fp8"):
        hasten(pipe, CPU, "warp", "resident")
    with pytest.raises(
        SettingsError, match=r"needs a GPU of compute capability 8\.9 or above.*use speed exact"
    ):
        hasten(pipe, CPU, "fp8", "resident")
    assert hasten(pipe, CPU, "plain", "resident") == "plain"


def test_blocks_with_hooks_inside_are_not_compiled() -> None:
    assert not can_compile(CPU, "resident")
    assert not can_compile(torch.device("cuda"), "group")
