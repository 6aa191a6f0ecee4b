"""``void bench preview`` at a tiny size: every shortcut is measured, and what is measured on is left as it was."""

from dataclasses import replace
from pathlib import Path

import torch

from void_server.bench import preview
from void_server.bench.gpu.passes import Shot
from void_server.bench.gpu.random_model import random_pipeline, write_layout
from void_server.bench.gpu.shortcuts import NAMES, measure_shortcuts
from void_server.engine.pipeline import PassPlan

STEPS = 14
TINY = replace(
    preview.SMALL,
    transformer={**preview.SMALL.transformer, "num_attention_heads": 1, "num_layers": 2},
    raster=(32, 64),
    frames=5,
    window_frames=5,
    final_steps=STEPS,
)


def test_each_shortcut_has_its_seconds_and_its_deviation() -> None:
    rows = preview.rows(TINY)
    assert len(rows) == 2 * len(NAMES)
    for seconds, off in zip(rows[::2], rows[1::2], strict=True):
        assert (seconds.unit, off.unit) == ("s", "levels")
        assert off.name == f"{seconds.name}, off"
        assert 0 < off.value < 255
        assert off.ratio == off.value / off.baseline
    steps_alone, extrapolated = rows[1], rows[3]
    assert steps_alone.value < steps_alone.baseline  # nearer than another seed
    assert extrapolated.value < extrapolated.baseline


def test_the_pipeline_is_left_as_it_was_and_every_run_is_counted(tmp_path: Path) -> None:
    write_layout(tmp_path, TINY)
    cpu = torch.device("cpu")
    pipe, shot = random_pipeline(tmp_path, cpu, cpu, torch.float32), Shot(TINY, TINY.frames, cpu)
    plan, runs = PassPlan(1, 2, 1.0), []
    before = shot.frames(pipe, plan, shot.condition(pipe, 1))
    counted = pipe.transformer.patch_embed.register_forward_hook(lambda *_: runs.append(1))
    list(measure_shortcuts(pipe, shot))
    counted.remove()
    assert len(runs) == 3 * STEPS + 8 + 10 + 6
    assert shot.frames(pipe, plan, shot.condition(pipe, 1)).equal(before)
