"""Every stored intermediate of the reference implementation, compared with ours within the vectors' tolerances.

Cases: tests/golden/portable, ../shared/vectors/pipeline where it is, and every folder in VOID_PARITY_DIRS
(separated like PATH; each with model/ and cases/*/, models of any size).
"""

import json
import os
from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from void_server.engine.checkpoints import load_pipeline
from void_server.engine.conditioning import hole
from void_server.engine.pipeline import PassPlan, VoidPipeline
from void_server.engine.warped_noise import fit_reference_noise
from void_server.engine.windows import cut_windows, padded_length

REPOSITORY = Path(__file__).parents[2]
PORTABLE = REPOSITORY / "tests" / "golden" / "portable"
PIPELINE = REPOSITORY.parent / "shared" / "vectors" / "pipeline"
EXTRA = [Path(folder) for folder in os.environ.get("VOID_PARITY_DIRS", "").split(os.pathsep) if folder]

TOLERANCES = {
    "video_f16": 5e-4,
    "mask_u8": 0,
    "mask_condition_u8": 0,
    "cond_noise_f16": 0,
    "prompt_ids": 0,
    "prompt_embeds": 1e-4,
    "negative_prompt_embeds": 1e-4,
    "mask_latents": 5e-5,
    "masked_video_latents": 5e-5,
    "initial_latents": 1e-6,
    "timesteps": 0,
    "rope_cos": 1e-6,
    "rope_sin": 1e-6,
    "win0_hidden": 1e-6,
    "win0_inpaint": 5e-5,
    "win0_timestep": 0,
    "model_out": 5e-5,
    "latents_step0": 5e-5,
    "latents_mid": 2e-4,
    "latents_last": 2e-4,
    "decoded": 1e-4,
}
"""Largest absolute difference, from the vectors' README; win*_model_out share one."""

NOISE_OF_PASS_2 = 1e-5
"""Pass 2's initial latents come out of a resize, so they and what holds them are allowed more."""


def cases() -> list:
    found = [pytest.param(case, id=case.name) for case in sorted(PORTABLE.glob("cases/*/"))]
    if PIPELINE.is_dir():
        found += [pytest.param(case, id=case.name) for case in sorted(PIPELINE.glob("cases/*/"))]
    else:
        absent = pytest.mark.skip(reason=f"{PIPELINE} is not here: the second set of vectors is not compared")
        found.append(pytest.param(PIPELINE, id="pipeline", marks=absent))
    for folder in EXTRA:
        found += [
            pytest.param(case, id=f"{folder.name}-{case.name}") for case in sorted(folder.glob("cases/*/"))
        ]
    return found


@cache
def pipeline(model: Path) -> VoidPipeline:
    pipe = load_pipeline(model, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.mark.parametrize("folder", cases())
def test_every_intermediate_equals_the_reference(folder: Path) -> None:
    case = json.loads((folder / "case.json").read_text())
    inputs = load_file(folder / "inputs.safetensors")
    expected = load_file(folder / "expected.safetensors")

    measured = run(pipeline(folder.parents[1] / "model"), case, inputs, expected["cond_noise_f16"])

    assert measured.keys() == expected.keys()
    wrong = []
    for name, wanted in expected.items():
        tolerance = TOLERANCES["model_out" if name.endswith("_model_out") else name]
        if case["pass"] == 2 and name in ("initial_latents", "win0_hidden"):
            tolerance = NOISE_OF_PASS_2
        assert measured[name].shape == wanted.shape, name
        off = float((measured[name].double() - wanted.double()).abs().max())
        if not off <= tolerance:
            wrong.append(f"{name} is off by {off:.3g}, allowed {tolerance:.3g}")
    assert not wrong


def run(pipe: VoidPipeline, case: dict, inputs: dict, cond_noise: torch.Tensor) -> dict[str, torch.Tensor]:
    """Everything the vectors hold, made by the pipeline's own steps from the case's inputs."""
    number, window_frames = case["pass"], case["temporal_window_size"]
    raster = (case["height"], case["width"])
    settings = case["pipeline_args"]
    frames = inputs["frames"][: case["max_video_length"]]
    length = padded_length(len(frames), window_frames)
    windows = cut_windows(len(frames), window_frames)
    noise = cond_noise[0].movedim(0, 1).float()

    plate = pipe.prepare_plate(frames.movedim(-1, 1).float() / 255, raster, length)
    quadmask = pipe.prepare_quadmask(inputs["quadmask"][: case["max_video_length"]], raster, length)
    if number == 1:
        start = pipe.initial_latents(length, raster, case["seed"])
    else:
        stored = inputs["warped_noise_npy"].numpy()
        size = pipe.latent_size(raster)
        start = torch.from_numpy(
            fit_reference_noise(stored, latent_frames=case["latent_frames"], latent_size=size)
        )[None]
    prompt = pipe.encode_prompt(case["prompt"])
    negative = pipe.encode_prompt(settings["negative_prompt"]) if settings["guidance_scale"] > 1 else None
    text = prompt if negative is None else torch.cat([negative, prompt])
    condition = pipe.condition(plate, quadmask, number, noise)

    calls, steps = [], []
    plan = PassPlan(number, settings["num_inference_steps"], settings["guidance_scale"], latents="model")
    hook = pipe.part(number)[0].register_forward_hook(
        lambda _module, _args, given, made: calls.append((given, made[0])), with_kwargs=True
    )
    try:
        latents = pipe.denoise(
            plan, start, condition, text, windows, lambda _plan, _step, t, made: steps.append((t, made))
        )
    finally:
        hook.remove()

    cos, sin = calls[0][0]["image_rotary_emb"]
    channels = start.shape[2]
    measured = {
        "video_f16": plate[:].movedim(1, 0)[None],
        "mask_u8": (255 - quadmask)[None, None],
        "mask_condition_u8": (hole(quadmask, number) * 255).round()[None, None],
        "cond_noise_f16": noise.movedim(1, 0)[None],
        "prompt_ids": pipe.tokenize(case["prompt"]),
        "prompt_embeds": prompt,
        "mask_latents": pipe.encode_quadmask(quadmask, number),
        "masked_video_latents": pipe.encode_plate(plate, noise),
        "initial_latents": start,
        "timesteps": torch.tensor([timestep for timestep, _ in steps]),
        "rope_cos": cos,
        "rope_sin": sin,
        "win0_hidden": calls[0][0]["hidden_states"][:, :, :channels],
        "win0_inpaint": calls[0][0]["hidden_states"][:, :, channels:],
        "win0_timestep": calls[0][0]["timestep"],
        "latents_step0": steps[0][1],
        "latents_mid": steps[case["latents_mid_index"]][1],
        "latents_last": latents,
        "decoded": torch.cat(list(pipe.decode(latents))).movedim(1, 0)[None],
    }
    for place in range(len(windows)):
        measured[f"win{place}_model_out"] = calls[place][1]
    if negative is not None:
        measured["negative_prompt_embeds"] = negative
    return measured


@pytest.mark.parametrize("folder", EXTRA, ids=str)
def test_named_parity_folders_hold_cases(folder: Path) -> None:
    assert (folder / "model").is_dir()
    assert list(folder.glob("cases/*/case.json"))
