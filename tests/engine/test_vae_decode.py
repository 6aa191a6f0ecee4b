"""The decoder's own way through diffusers' weights: the same frames, of a clip's any length, in half the memory."""

import pytest
import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel
from live_bytes import LiveBytes

from void_server.bench.gpu.sizes import TRANSFORMER, VAE
from void_server.engine.conditioning import draw
from void_server.engine.memory import (
    COUNTED_LATENTS,
    COUNTED_ROWS,
    DENOISE_BYTES_PER_PIXEL,
    VAE_BYTES_PER_PIXEL,
)
from void_server.engine.vae_decode import decode_chunks
from void_server.engine.vae_encode import encode_chunks

RASTER = (384, 672)
PIXELS = RASTER[0] * RASTER[1]


@pytest.fixture(scope="module")
def vae() -> AutoencoderKLCogVideoX:
    """Of the published shape, narrow: other widths in the last block, so that its shortcut is a convolution."""
    torch.manual_seed(0)
    narrow = {**VAE, "block_out_channels": [8, 16, 16, 16], "layers_per_block": 1, "norm_num_groups": 4}
    return AutoencoderKLCogVideoX.from_config(narrow).requires_grad_(False).eval()


@pytest.fixture(scope="module")
def published() -> AutoencoderKLCogVideoX:
    """At full size, without memory for it."""
    with torch.device("meta"):
        return AutoencoderKLCogVideoX.from_config(dict(VAE)).requires_grad_(False).bfloat16()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
def test_a_chunk_is_what_diffusers_own_decoder_makes_of_it(
    vae: AutoencoderKLCogVideoX, layout: torch.memory_format
) -> None:
    latents = draw((1, 16, 5, 4, 6), 1).contiguous(memory_format=layout)
    cache, wanted = None, []
    for start in (0, 1, 3):
        chunk, cache = vae.decoder(latents[:, :, start : start + 2 if start else 1], conv_cache=cache)
        wanted.append(chunk)
    made = list(decode_chunks(vae, latents))
    assert [chunk.shape for chunk in made] == [chunk.shape for chunk in wanted]
    for one, other in zip(made, wanted, strict=True):
        assert float((one - other).abs().max()) <= 1e-5


def test_latents_are_read_and_not_written(vae: AutoencoderKLCogVideoX) -> None:
    latents = draw((2, 16, 4, 4, 6), 1)
    made = torch.cat(list(decode_chunks(vae, latents)), dim=2)
    assert latents.equal(draw((2, 16, 4, 4, 6), 1))
    alone = torch.cat(list(decode_chunks(vae, latents[1:])), dim=2)
    assert float((made[1:] - alone).abs().max()) <= 1e-5


def latents_of(count: int) -> torch.Tensor:
    return torch.empty(
        1, count, 16, RASTER[0] // 8, RASTER[1] // 8, device="meta", dtype=torch.bfloat16
    ).movedim(2, 1)


def test_decoding_and_encoding_take_what_is_counted_on(published: AutoencoderKLCogVideoX) -> None:
    with LiveBytes() as decoding:
        for chunk in decode_chunks(published, latents_of(7)):
            del chunk
    with LiveBytes() as encoding:
        encode_chunks(
            published,
            85,
            lambda frames: torch.empty(
                1, 3, frames.stop - frames.start, *RASTER, device="meta", dtype=torch.bfloat16
            ),
        )
    most = max(decoding.peak, encoding.peak) / PIXELS
    assert 0.95 * VAE_BYTES_PER_PIXEL < most <= VAE_BYTES_PER_PIXEL


def test_half_of_what_diffusers_own_decoder_takes(published: AutoencoderKLCogVideoX) -> None:
    latents, cache = latents_of(7), None
    with LiveBytes() as own, torch.no_grad():
        for start in (0, 1, 3, 5):
            chunk, cache = published.decoder(
                latents[:, :, start : start + 2 if start else 1], conv_cache=cache
            )
            del chunk
    with LiveBytes() as decoding:
        for chunk in decode_chunks(published, latents):
            del chunk
    assert decoding.peak < 0.5 * own.peak


def test_a_guided_step_takes_what_is_counted_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an attention that keeps no table of products, as those of GPUs; meta's own does."""
    monkeypatch.setattr(
        torch.nn.functional, "scaled_dot_product_attention", lambda query, *_, **__: torch.empty_like(query)
    )
    with torch.device("meta"):
        transformer = CogVideoXTransformer3DModel.from_config(
            {**TRANSFORMER, "in_channels": 48, "num_layers": 2}
        )
        transformer.requires_grad_(False).bfloat16()
        tokens = COUNTED_LATENTS // 2 * RASTER[0] // 16 * RASTER[1] // 16
        rows = torch.empty(
            COUNTED_ROWS, COUNTED_LATENTS, 48, RASTER[0] // 8, RASTER[1] // 8, dtype=torch.bfloat16
        )
        text = torch.empty(COUNTED_ROWS, 226, 4096, dtype=torch.bfloat16)
        rotary = torch.empty(tokens, 64), torch.empty(tokens, 64)
        with LiveBytes() as step:
            transformer(rows, text, torch.empty(COUNTED_ROWS), image_rotary_emb=rotary)
    assert 0.9 * DENOISE_BYTES_PER_PIXEL < step.peak / PIXELS <= DENOISE_BYTES_PER_PIXEL
