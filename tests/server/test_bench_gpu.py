"""``void bench gpu`` at a tiny size on the CPU: every row comes out, and what it counts is what is done."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from void_server.bench import gpu
from void_server.bench.gpu.clock import Budget, NotMeasured
from void_server.bench.gpu.flops import forward_flops
from void_server.bench.gpu.random_model import random_pipeline, write_layout
from void_server.bench.gpu.sizes import TEXT_ENCODER, TRANSFORMER, VAE, Sizes
from void_server.bench.gpu.table import FLOOR, LOW_STEP, PASS1
from void_server.engine.checkpoints import MODULES, stored_bytes
from void_server.engine.conditioning import draw
from void_server.engine.pipeline import PassPlan
from void_server.engine.windows import Window

CPU = torch.device("cpu")
TINY = Sizes(
    transformer={**TRANSFORMER, "num_attention_heads": 2, "num_layers": 2, "time_embed_dim": 24, "text_embed_dim": 32},
    vae={**VAE, "block_out_channels": [8, 8, 16, 16], "layers_per_block": 1, "norm_num_groups": 4},
    text_encoder={**TEXT_ENCODER, "d_model": 32, "d_ff": 64, "d_kv": 8, "num_heads": 4, "num_layers": 2,
                  "vocab_size": 160},
    raster=(32, 64),
    frames=13,
    longer=(29, 45),
    window_frames=21,
    timed_steps=1,
    compared_steps=2,
    final_steps=9,
    warped_noise="corrected",
    peak_side=64,
    plate=(90, 160),
    beside=(3, 5),
)  # fmt: skip
NAMES = [f"gpu.{wanted.name}" for group in gpu.TABLE for wanted in group]


@pytest.fixture(autouse=True)
def nothing_is_compiled() -> Iterator[None]:
    """What is compiled is tried by `engine/test_speed.py`; here it would be most of the time."""
    with torch.compiler.set_stance("force_eager"):
        yield


def test_every_row_is_measured_at_a_tiny_size(tmp_path: Path) -> None:
    rows = list(gpu.Run(TINY, CPU, torch.float32, tmp_path, Budget(300)).rows())
    assert [row.name for row in rows] == NAMES
    assert not [row.note for row in rows if row.value is None or row.value <= 0]
    assert next(row for row in rows if row.name == "gpu.frames_beside_plain").holds
    assert "at once: pass 1: 4; pass 2: 4" in next(r.note for r in rows if r.name == "gpu.windows_at_once")
    json.dumps([row.value for row in rows], allow_nan=False)


def test_rows_without_time_for_them_say_so_and_never_hold(tmp_path: Path) -> None:
    rows = list(gpu.Run(TINY, CPU, torch.float32, tmp_path, Budget(0)).rows())
    assert [row.name for row in rows] == NAMES
    assert {row.holds for row in rows} == {None}
    assert rows[0].note == "not measured: it takes about 90 s, and 0 s of the run are left"
    assert rows[-1].note.startswith("not measured: ")


def test_a_row_that_breaks_costs_its_group_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried\nmore")

    monkeypatch.setattr(gpu, "parts_of", broken)
    rows = list(gpu.Run(TINY, CPU, torch.float32, tmp_path, Budget(300)).rows())
    assert [row.name for row in rows] == NAMES
    assert rows[0].note == "not measured: OutOfMemoryError: CUDA out of memory. Tried"
    assert next(row for row in rows if row.name == "gpu.memory_low").value


def test_without_a_gpu_nothing_is_measured_and_nothing_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    rows = gpu.rows()
    assert [row.name for row in rows] == NAMES
    assert {(row.value, row.holds, row.note) for row in rows} == {(None, None, "not measured: no GPU")}


@pytest.mark.parametrize("guidance", [1.0, 6.0])
def test_operations_are_those_that_torch_counts(tmp_path: Path, guidance: float) -> None:
    write_layout(tmp_path, TINY)
    pipe = random_pipeline(tmp_path, CPU, CPU, torch.float32)
    batch = 1 if guidance <= 1 else 2
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:  # others it does not see
        pipe.denoise(
            PassPlan(1, 1, guidance),
            draw((1, 4, 16, 6, 8), 1),
            draw((1, 4, 32, 6, 8), 2),
            draw((batch, 226, 32), 3),
            [Window(0, 4)],
        )
    assert forward_flops(TINY.transformer, 4, (6, 8), batch) == counter.get_total_flops()


def test_the_published_model_has_its_published_size(tmp_path: Path) -> None:
    write_layout(tmp_path, Sizes())
    bytes_of = {part: stored_bytes(part, tmp_path, torch.bfloat16) for part in MODULES}
    assert bytes_of["transformer"] == 11_142_925_568
    assert bytes_of["vae"] == 431_167_814
    assert bytes_of["text_encoder"] == pytest.approx(9_524_000_000, rel=1e-3)
    assert forward_flops(TRANSFORMER, 22, (48, 84)) == pytest.approx(1.74e14, rel=0.01)


def test_a_goal_is_judged_by_what_it_names() -> None:
    assert PASS1.row(1.0, "", 1.7).holds
    assert not PASS1.row(1.0, "", 1.5).holds
    assert FLOOR.row(61.0, "").holds
    assert not LOW_STEP.row(2.1, "", 1.0).holds


def test_a_budget_says_what_is_left() -> None:
    budget = Budget(10)
    budget.spend(5)
    with pytest.raises(NotMeasured, match="it takes about 20 s, and 10 s of the run are left"):
        budget.spend(20)
