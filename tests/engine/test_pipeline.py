"""VoidPipeline on a tiny model: what the reference cannot do, seeds, saving, and the decoder's frames."""

from pathlib import Path

import pytest
import torch

from void_server.engine.checkpoints import load_pipeline
from void_server.engine.conditioning import draw
from void_server.engine.pipeline import PassPlan, VoidPipeline
from void_server.engine.vae_decode import decode_chunks
from void_server.engine.windows import latent_frames
from void_wire.errors import SettingsError, SizeMismatch

MODEL = Path(__file__).parents[1] / "golden" / "portable" / "model"
RASTER = (32, 48)
SHORT = {
    "raster": RASTER,
    "window_frames": 13,
    "pass1": PassPlan(1, steps=2, guidance=1.0),
    "pass2": PassPlan(2, steps=2, guidance=6.0),
}


@pytest.fixture(scope="module")
def pipe() -> VoidPipeline:
    return loaded(torch.float32)


def loaded(dtype: torch.dtype) -> VoidPipeline:
    pipe = load_pipeline(MODEL, dtype=dtype)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def clip(frames: int, size: tuple[int, int] = RASTER) -> tuple[torch.Tensor, torch.Tensor]:
    quadmask = torch.full((frames, *size), 255, dtype=torch.uint8)
    quadmask[:, size[0] // 4 : size[0] // 2, size[1] // 4 : size[1] // 2] = 0
    quadmask[:, size[0] // 2 :, : size[1] // 4] = 127
    return draw((frames, 3, *size), 1).mul(0.2).add(0.5).clamp(0, 1), quadmask


def still_noise(frames: torch.Tensor, seed: int) -> torch.Tensor:
    """A warp that needs no flow; it depends on Pass 1's frames, so that a change there is seen in Pass 2."""
    seed = int(frames.sum() * 1000) + seed
    return draw((1, latent_frames(len(frames)), 16, frames.shape[-2] // 8, frames.shape[-1] // 8), seed)


@pytest.mark.parametrize("frames", [1, 6, 13])
def test_output_has_the_inputs_length_and_range(pipe: VoidPipeline, frames: int) -> None:
    made = pipe(*clip(frames), "a table", warp=still_noise, **SHORT)
    for result in (made.pass1, made.frames):
        assert result.shape == (frames, 3, *RASTER)
        assert result.dtype == torch.float32
        assert float(result.min()) >= 0
        assert float(result.max()) <= 1
    assert not made.pass1.equal(made.frames)


def test_both_passes_run_over_several_windows(pipe: VoidPipeline) -> None:
    seen = []
    made = pipe(
        *clip(40),
        "a table",
        warp=still_noise,
        on_step=lambda plan, step, timestep, latents: seen.append((plan.number, step, tuple(latents.shape))),
        **{**SHORT, "window_frames": 21},
    )
    assert made.frames.shape == (40, 3, *RASTER)
    shape = (1, 12, 16, 4, 6)  # 45 frames after padding
    assert seen == [(1, 1, shape), (1, 2, shape), (2, 1, shape), (2, 2, shape)]


def test_a_clip_beyond_the_references_197_frames(pipe: VoidPipeline) -> None:
    once = PassPlan(1, steps=1, guidance=1.0)
    made = pipe(*clip(230, (16, 16)), "a table", raster=(16, 16), window_frames=85, pass1=once, pass2=None)
    assert made.frames.shape == (230, 3, 16, 16)


def test_a_plate_of_another_size_comes_back_at_the_raster(pipe: VoidPipeline) -> None:
    made = pipe(*clip(3, (50, 90)), "a table", **{**SHORT, "pass2": None})
    assert made.frames.shape == (3, 3, *RASTER)


def test_same_request_same_bytes_whatever_ran_before(pipe: VoidPipeline) -> None:
    plate, quadmask = clip(9)
    first = pipe(plate, quadmask, "a table", seed=7, warp=still_noise, **SHORT)
    torch.manual_seed(99)
    other = pipe(plate, quadmask, "a table", seed=8, warp=still_noise, **SHORT)
    again = pipe(plate, quadmask, "a table", seed=7, warp=still_noise, **SHORT)
    assert first.frames.equal(again.frames)
    assert first.pass1.equal(again.pass1)
    assert not first.pass1.equal(other.pass1)


def test_every_draw_has_its_own_seed(pipe: VoidPipeline) -> None:
    plate = clip(13, (48, 64))[0]
    first, second = (pipe.plate_noise(plate, number, 7)[:] for number in (1, 2))
    start = pipe.initial_latents(13, (48, 64), 7)
    assert not first.equal(second)
    assert abs(float(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1])) < 0.01
    assert not start.flatten()[:64].equal(first.flatten()[:64])


@pytest.mark.parametrize("frames", [1, 5, 8, 13, 29])
def test_a_clip_is_encoded_in_pieces_as_it_would_be_whole(pipe: VoidPipeline, frames: int) -> None:
    pixels = torch.rand(frames, 3, 48, 64) * 2 - 1
    asked = []

    def piece(of: slice) -> torch.Tensor:
        asked.append(of.stop - of.start)
        return pixels[of]

    pieces = pipe.encode_pixels(frames, piece)
    with torch.no_grad():
        whole = pipe.vae.encode(pixels.movedim(0, 1)[None]).latent_dist.mode()
    assert pieces.equal(whole * pipe.vae.config.scaling_factor)
    assert sum(asked) == frames
    assert max(asked) < 16


def test_the_prompt_is_heard_under_guidance_and_cut_at_its_longest(pipe: VoidPipeline) -> None:
    assert pipe.encode_text("a table", SHORT["pass1"]).shape == (1, 226, 32)
    two = pipe.encode_text("a table", SHORT["pass2"])
    assert two.shape == (2, 226, 32)
    assert two[:1].equal(pipe.encode_prompt(""))
    assert two[1:].equal(pipe.encode_prompt("a table"))
    assert pipe.tokenize("table " * 500).shape == (1, 226)


def test_latents_are_kept_in_float32_unless_asked_otherwise() -> None:
    pipe = loaded(torch.bfloat16)
    kept = {}
    for choice in ("float32", "model"):
        plan = PassPlan(1, steps=3, guidance=1.0, latents=choice)
        latents = []
        made = pipe(
            *clip(5),
            "a table",
            **{
                **SHORT,
                "pass1": plan,
                "pass2": None,
                "on_step": lambda *step, to=latents: to.append(step[3]),
            },
        )
        kept[choice] = (latents[-1], made.frames)
    assert kept["float32"][0].dtype == torch.float32
    assert kept["model"][0].dtype == torch.bfloat16
    assert kept["float32"][1].dtype == kept["model"][1].dtype == torch.float32
    off = float((kept["float32"][0] - kept["model"][0].float()).abs().max())
    assert 0 < off < 0.1


def test_saving_and_loading_the_diffusers_way_changes_no_bit(pipe: VoidPipeline, tmp_path: Path) -> None:
    pipe.save_pretrained(tmp_path)
    again = VoidPipeline.from_pretrained(tmp_path, local_files_only=True)
    again.set_progress_bar_config(disable=True)
    assert type(again.scheduler).__name__ == "DDIMScheduler"
    assert type(again.scheduler_2).__name__ == "CogVideoXDDIMScheduler"
    assert again.transformer.config.in_channels == 48
    made = [p(*clip(6), "a table", warp=still_noise, **SHORT).frames for p in (pipe, again)]
    assert made[0].equal(made[1])


@pytest.mark.parametrize("latents", [1, 2, 3, 4, 5])
def test_latents_decode_to_4l_minus_3_frames_in_chunks(pipe: VoidPipeline, latents: int) -> None:
    chunks = list(decode_chunks(pipe.vae, draw((1, 16, latents, 2, 2), 3)))
    assert [chunk.shape[2] for chunk in chunks[:1]] == [1]
    assert all(chunk.shape[2] in (4, 8) for chunk in chunks[1:])
    assert sum(chunk.shape[2] for chunk in chunks) == 4 * latents - 3
    assert not chunks[-1].requires_grad


def test_decoding_leaves_nothing_behind(pipe: VoidPipeline) -> None:
    """The same frames after a decode that was dropped halfway, and diffusers' own decode is untouched."""
    latents = draw((1, 16, 4, 2, 2), 3)
    before = torch.cat(list(decode_chunks(pipe.vae, latents)), dim=2)
    stock = pipe.vae.decode(latents).sample
    half = decode_chunks(pipe.vae, -latents)
    next(half)
    next(half)
    half.close()
    assert torch.cat(list(decode_chunks(pipe.vae, latents)), dim=2).equal(before)
    assert pipe.vae.decode(latents).sample.equal(stock)
    assert not any(module._forward_hooks for module in pipe.vae.modules())


def test_a_later_chunk_does_not_change_earlier_frames(pipe: VoidPipeline) -> None:
    """Frames are final when they are given out: what comes later in the clip cannot be seen in them."""
    latents = draw((1, 16, 5, 2, 2), 3)
    short = torch.cat(list(decode_chunks(pipe.vae, latents[:, :, :3])), dim=2)
    long = torch.cat(list(decode_chunks(pipe.vae, latents)), dim=2)
    assert long[:, :, :9].equal(short)


def test_a_stop_within_a_step_leaves_the_pipeline_as_it_was(pipe: VoidPipeline) -> None:
    plate, quadmask = clip(9)
    before = pipe(plate, quadmask, "a table", warp=still_noise, **SHORT).frames

    def stop(plan: PassPlan, step: int, timestep: int, latents: torch.Tensor) -> None:
        if plan.number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipe(plate, quadmask, "a table", warp=still_noise, on_step=stop, **SHORT)
    assert pipe(plate, quadmask, "a table", warp=still_noise, **SHORT).frames.equal(before)


def test_inputs_that_do_not_fit_are_refused_before_anything_runs(pipe: VoidPipeline) -> None:
    plate, quadmask = clip(4)
    with pytest.raises(SizeMismatch, match="one quadmask per frame"):
        pipe(plate, quadmask[:3], "a table", warp=still_noise, **SHORT)
    with pytest.raises(SizeMismatch, match="at least one frame"):
        pipe(plate[:0], quadmask[:0], "a table", warp=still_noise, **SHORT)
    with pytest.raises(SettingsError, match="100 x 64; the model runs at multiples of 16"):
        pipe(plate, quadmask, "a table", warp=still_noise, **{**SHORT, "raster": (100, 64)})
    with pytest.raises(SettingsError, match="Pass 2 starts from warped noise"):
        pipe(plate, quadmask, "a table", **SHORT)
