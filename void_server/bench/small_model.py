"""A model of the published layout, small and untrained: what is measured on it is everything but the weights."""

from __future__ import annotations

import torch
from diffusers import (
    AutoencoderKLCogVideoX,
    CogVideoXDDIMScheduler,
    CogVideoXTransformer3DModel,
    DDIMScheduler,
)

from void_server.engine.pipeline import VoidPipeline


def small_pipeline(kind: type[VoidPipeline] = VoidPipeline) -> VoidPipeline:
    """Both passes with weights drawn from seed 0, 4 layers of 4 heads, float32 on the CPU; no tokenizer, no T5."""
    torch.manual_seed(0)
    transformers = [
        CogVideoXTransformer3DModel(
            num_attention_heads=4,
            attention_head_dim=64,
            in_channels=48,
            out_channels=16,
            time_embed_dim=64,
            text_embed_dim=32,
            num_layers=4,
            patch_size=2,
            patch_size_t=2,
            patch_bias=False,
            sample_height=384,
            sample_width=680,
            sample_frames=85,
            use_rotary_positional_embeddings=True,
        ).eval()
        for _ in range(2)
    ]
    schedule = {
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "clip_sample": False,
        "prediction_type": "v_prediction",
        "rescale_betas_zero_snr": True,
        "timestep_spacing": "trailing",
    }
    pipe = kind(
        tokenizer=None,
        text_encoder=None,
        vae=AutoencoderKLCogVideoX(block_out_channels=(8, 8, 8, 8), norm_num_groups=4, layers_per_block=1),
        transformer=transformers[0],
        transformer_2=transformers[1],
        scheduler=DDIMScheduler(**schedule),
        scheduler_2=CogVideoXDDIMScheduler(**schedule, snr_shift_scale=1.0),
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe
