"""How large everything is: the published model and shot, or smaller ones of the same layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SCHEDULER: Mapping[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "set_alpha_to_one": True,
    "snr_shift_scale": 1.0,
    "timestep_spacing": "trailing",
}

TRANSFORMER: Mapping[str, Any] = {
    "num_attention_heads": 48,
    "attention_head_dim": 64,
    "in_channels": 33,
    "out_channels": 16,
    "time_embed_dim": 512,
    "ofs_embed_dim": None,
    "text_embed_dim": 4096,
    "num_layers": 42,
    "sample_height": 384,
    "sample_width": 680,
    "sample_frames": 85,
    "patch_size": 2,
    "patch_size_t": 2,
    "patch_bias": False,
    "max_text_seq_length": 226,
    "use_rotary_positional_embeddings": True,
}

VAE: Mapping[str, Any] = {
    "block_out_channels": [128, 256, 256, 512],
    "down_block_types": ["CogVideoXDownBlock3D"] * 4,
    "up_block_types": ["CogVideoXUpBlock3D"] * 4,
    "layers_per_block": 3,
    "norm_num_groups": 32,
    "latent_channels": 16,
    "scaling_factor": 0.7,
}

TEXT_ENCODER: Mapping[str, Any] = {
    "d_model": 4096,
    "d_ff": 10240,
    "d_kv": 64,
    "num_heads": 64,
    "num_layers": 24,
    "vocab_size": 32128,
    "feed_forward_proj": "gated-gelu",
    "is_encoder_decoder": False,
    "use_cache": False,
    "tie_word_embeddings": False,
}


@dataclass(frozen=True)
class Sizes:
    """Model, shot, and how much of the work is timed. Defaults: the published model and the shot of the goals."""

    transformer: Mapping[str, Any] = field(default_factory=lambda: TRANSFORMER)
    vae: Mapping[str, Any] = field(default_factory=lambda: VAE)
    text_encoder: Mapping[str, Any] = field(default_factory=lambda: TEXT_ENCODER)
    raster: tuple[int, int] = (384, 672)
    frames: int = 85
    longer: tuple[int, int] = (141, 197)
    window_frames: int = 85
    timed_steps: int = 3  # of each pass, after one that is not counted
    compared_steps: int = 3  # of the run whose frames are compared
    final_steps: int = 30  # of the pass that the shortcuts of a preview are compared with
    warped_noise: str = "as_reference"
    peak_side: int = 8192  # of the matrices that the device's peak is measured with
    plate: tuple[int, int] = (1080, 1920)
    beside: tuple[int, int] = (13, 37)  # frames of the jobs that the server's own time is told from
