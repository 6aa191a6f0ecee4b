"""Memory modes: which is chosen, and that each runs the same model."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from void_server.engine.checkpoints import load_pipeline, part_bytes
from void_server.engine.conditioning import draw
from void_server.engine.memory import (
    MODES,
    SWAPPED,
    choose_mode,
    mode_at,
    needed_bytes,
    out_of_memory,
    place,
)
from void_server.engine.pipeline import PassPlan, VoidPipeline
from void_server.engine.windows import latent_frames
from void_wire.errors import GpuMemory, SettingsError

MODEL = Path(__file__).parents[1] / "golden" / "portable" / "model"
GIB = 2**30
PUBLISHED = {
    "text_encoder": 9_524_000_000,
    "vae": 431_167_814,
    "transformer": 11_142_925_568,
    "transformer_2": 11_142_925_568,
}
"""Bytes of the published parts in bfloat16, counted from their configs."""


def chosen(free_gib: float, host_gib: float = 64, wanted: str = "auto") -> str:
    return choose_mode(
        wanted,
        device="cuda",
        sizes=PUBLISHED,
        free_bytes=int(free_gib * GIB),
        host_free_bytes=int(host_gib * GIB),
    )


def test_auto_takes_the_fastest_that_fits() -> None:
    found = [chosen(free) for free in (140, 79, 28, 27, 13, 12)]
    assert found == ["resident", "resident", "resident", "offload", "offload", "group"]


def test_auto_spares_a_small_host() -> None:
    assert [chosen(free, host_gib=24) for free in (79, 23, 12)] == ["resident", "low", "low"]


def test_a_leaner_mode_needs_less() -> None:
    needs = [needed_bytes(mode, PUBLISHED, (384, 672)) for mode in MODES]
    assert needs == sorted(needs, reverse=True)
    assert [need <= goal * GIB for need, goal in zip(needs, (36, 16, 10, 10), strict=True)] == [True] * 4
    assert needed_bytes("group", PUBLISHED, (192, 336)) < needed_bytes("offload", PUBLISHED, (192, 336))


def test_the_next_mode_with_the_same_bits_is_tried() -> None:
    raster, smaller = (384, 672), (384, 656)
    pixels = 384 * 672
    assert mode_at("resident", {}, raster) == "resident"
    assert mode_at("resident", {"resident": pixels}, raster) == "offload"
    assert mode_at("resident", {"resident": pixels}, smaller) == "resident"
    assert mode_at("resident", {"resident": 0, "offload": pixels}, (720, 1280)) == "group"
    assert mode_at("resident", dict.fromkeys(MODES[:3], 0), smaller) is None
    assert mode_at("offload", {"offload": pixels}, raster) == "group"
    assert mode_at("low", {}, raster) == "low"
    assert mode_at("low", {"low": pixels}, raster) is None
    assert mode_at("resident", {"resident": 0}, raster, "cpu") is None


def test_a_mode_asked_for_is_taken() -> None:
    assert [chosen(1, wanted=mode) for mode in MODES] == list(MODES)


def test_the_cpu_knows_resident_alone() -> None:
    for_cpu = {"device": "cpu", "sizes": PUBLISHED, "free_bytes": 0, "host_free_bytes": 0}
    assert choose_mode("auto", **for_cpu) == "resident"
    assert choose_mode("resident", **for_cpu) == "resident"
    with pytest.raises(SettingsError, match="Memory mode low moves weights to a GPU and this is the CPU"):
        choose_mode("low", **for_cpu)
    with pytest.raises(SettingsError, match="choose one of auto, resident, offload, group, low"):
        choose_mode("fast", **for_cpu)


def test_out_of_memory_says_what_was_needed_and_the_next_step() -> None:
    error = out_of_memory("resident", PUBLISHED, (720, 1088), 40 * GIB)
    assert isinstance(error, GpuMemory)
    assert str(error) == (
        "The GPU ran out of memory at raster 720 x 1088 in memory mode resident: about 40.9 GiB are needed and "
        "40.0 GiB were free; use memory mode offload, or a smaller raster."
    )
    assert "use a smaller raster" in str(out_of_memory("low", PUBLISHED, (384, 672), GIB))


@pytest.fixture(scope="module")
def frames() -> dict[str, torch.Tensor]:
    """What each mode makes of the same request on the CPU, twice."""
    made = {}
    for mode in MODES:
        pipe = load_pipeline(MODEL, dtype=torch.float32)
        pipe.set_progress_bar_config(disable=True)
        place(pipe, mode, torch.device("cpu"))
        made[mode] = run(pipe)
        assert run(pipe).equal(made[mode]), mode
    return made


def run(pipe: VoidPipeline, noise_is_made: Callable[[], None] = lambda: None) -> torch.Tensor:
    def warp(frames: torch.Tensor, _seed: int) -> torch.Tensor:
        noise_is_made()
        return draw((1, latent_frames(len(frames)), 16, 4, 6), 9)

    quadmask = torch.full((6, 32, 48), 255, dtype=torch.uint8)
    quadmask[:, 10:30, 20:40] = 0
    return pipe(
        draw((6, 3, 32, 48), 1).mul(0.2).add(0.5).clamp(0, 1),
        quadmask,
        "a table",
        raster=(32, 48),
        window_frames=13,
        pass1=PassPlan(1, 2, 1.0),
        pass2=PassPlan(2, 2, 6.0),
        warp=warp,
    ).frames


@pytest.mark.parametrize("mode", ["offload", "group"])
def test_moving_weights_changes_no_bit(frames: dict[str, torch.Tensor], mode: str) -> None:
    assert frames[mode].equal(frames["resident"])


def test_float8_weights_are_near_and_not_the_same(frames: dict[str, torch.Tensor]) -> None:
    off = float((frames["low"] - frames["resident"]).abs().max())
    assert 0 < off < 0.1


def held_bytes(pipe: VoidPipeline) -> dict[str, int]:
    return {name: sum(weight.nbytes for weight in getattr(pipe, name).parameters()) for name in PUBLISHED}


def test_weights_are_counted_before_they_are_read() -> None:
    for dtype in (torch.float32, torch.bfloat16):
        assert part_bytes(MODEL, dtype) == held_bytes(load_pipeline(MODEL, dtype=dtype))


def test_low_stores_the_transformers_and_nothing_else_as_float8() -> None:
    pipe = load_pipeline(MODEL, dtype=torch.float32)
    before = held_bytes(pipe)
    place(pipe, "low", torch.device("cpu"))
    after = held_bytes(pipe)
    stored = {p.dtype for p in pipe.transformer_2.transformer_blocks[0].attn1.parameters() if p.ndim == 2}
    assert stored == {torch.float8_e4m3fn}
    assert after["transformer"] < 0.6 * before["transformer"]
    assert (after["vae"], after["text_encoder"]) == (before["vae"], before["text_encoder"])


def test_offload_has_one_part_there_at_a_time_and_a_transformer_before_it_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Encode and decode call the VAE's inner parts: it has to come for them all the same."""
    pipe = load_pipeline(MODEL, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    place(pipe, "offload", torch.device("cpu"))
    weights = {name: next(getattr(pipe, name).parameters()) for name in SWAPPED}
    waiting = {name: weight.data_ptr() for name, weight in weights.items()}
    came, drawn = [], []

    def there() -> list[str]:
        return [name for name, weight in weights.items() if weight.data_ptr() != waiting[name]]

    for name in SWAPPED:
        bring = getattr(pipe, name)._hf_hook.pre_forward

        def note(*given: object, bring=bring, **named: object):  # type: ignore[no-untyped-def]
            made = bring(*given, **named)
            came.append(there())
            return made

        getattr(pipe, name)._hf_hook.pre_forward = note
    run(pipe, lambda: drawn.append(there()))
    order = [names for place, names in enumerate(came) if not place or came[place - 1] != names]
    assert order == [["vae"], ["transformer"], ["vae"], ["transformer_2"], ["vae"]]
    assert drawn == [["transformer_2"]]
    assert there() == []
