"""Warped noise against the reference's stored steps, and its statistics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from safetensors.torch import load_file as load_tensors

from void_server.engine.noise_state import Moves, NoiseState, regaussianize, step
from void_server.engine.warped_noise import advance, fit_reference_noise, warped_noise
from void_server.progress import Cancelled, unwatched
from void_wire.errors import SettingsError
from void_wire.messages import Stage

VECTORS = Path(__file__).parents[2].parent / "shared" / "vectors"
REAL_SIZE = (1920, 2880)


def vectors(name: str) -> Path:
    path = VECTORS / name
    if not path.exists():
        pytest.skip(f"reference vectors {path} are not here")
    return path


def rows(planes: torch.Tensor) -> torch.Tensor:
    return planes.flatten(1).T.contiguous()


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Pan:
    """A flow that knows the answer: everything moves by (dx, dy) pixels a frame. Counts its calls."""

    name = "pan"

    def __init__(self, dx: float, dy: float = 0.0) -> None:
        self.move, self.calls, self.sizes = (dx, dy), 0, set()

    def __call__(self, first, second):
        self.calls += 1
        self.sizes.add(first.shape)
        return np.full((2, *first.shape[:2]), np.array(self.move)[:, None, None], np.float32)


def flow_field(kind: str, height: int, width: int) -> np.ndarray:
    """Forward flows with known faults to provoke: holes, merges, content that leaves the frame."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = x - (width - 1) / 2, y - (height - 1) / 2
    turn = np.deg2rad(4)
    flow = {
        "translate": [0 * x + 0.0221 * width, 0 * y - 0.0093 * height],
        "zoom": [0.12 * x, 0.12 * y],
        "zoom_out": [-0.12 * x, -0.12 * y],
        "rotate": [(np.cos(turn) - 1) * x - np.sin(turn) * y, np.sin(turn) * x + (np.cos(turn) - 1) * y],
        "occlusion": [np.where(np.hypot(x, y) < height / 4, 0.07 * width, 0), 0 * y],
    }[kind]
    return np.stack(flow).astype(np.float32)


# --- the reference's numbers ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case",
    [
        "identity",
        "translate_int",
        "translate_sub",
        "translate_half",
        "zoom_in",
        "zoom_out",
        "rotate",
        "smooth_random",
        "occlusion",
        "all_out",
    ],
)
def test_every_stored_step_of_the_reference_follows_from_the_one_before(case):
    stored = load_tensors(vectors("warped_noise/warp_steps_32x48x4.safetensors"))
    flow = stored[f"{case}.flow"]
    moves = Moves.of(flow)
    pixels = flow[0].numel()
    for i in (1, 2, 3):
        before, after = stored[f"{case}.state{i - 1}"], stored[f"{case}.state{i}"]
        # The draw lies side by side, [landing | filling]; as rows the two follow each other.
        draw = stored[f"{case}.foreign{i}"].unflatten(2, (2, -1)).transpose(1, 2).flatten(1).T.clone()
        # The reference centres all fresh pixels, used or not, as if they were one group; we draw only those
        # that are used, so the replay does the centring.
        fresh = torch.ones(2 * pixels, dtype=torch.bool)
        fresh[:pixels] = False
        fresh[moves.left] = True
        fresh[moves.holes + pixels] = False
        assert int(fresh.sum()) == moves.fresh
        draw[fresh] -= draw[fresh].mean(0)

        state = NoiseState(before[:2], before[2].flatten(), rows(before[3:]))
        made = step(state, moves, draw[moves.drawn])

        assert torch.equal(made.rest, after[:2])
        noise_off = ~torch.isclose(made.noise, rows(after[3:]), rtol=1e-4, atol=1e-5)
        weight_off = ~torch.isclose(made.weight, after[2].flatten(), rtol=1e-4, atol=1e-6)
        if case == "translate_half":
            # Half-pixel ties: which source fills a border hole depends on the last bit of the reference's
            # grid coordinates. 6.3 % of the values differ; the weights' mean, and so all weights, with them.
            assert noise_off.float().mean() < 0.07
        else:
            assert not noise_off.any()
            assert not weight_off.any()


def test_regaussianize_gives_the_references_numbers():
    stored = load_tensors(vectors("warped_noise/regaussianize_4x16x16.safetensors"))
    values, group = torch.unique(rows(stored["in"]), dim=0, return_inverse=True)
    counts = torch.bincount(group)
    assert torch.equal(counts[group].float(), stored["counts"].flatten())
    made = regaussianize(rows(stored["in"]), group, counts, rows(stored["foreign"]))
    torch.testing.assert_close(made, rows(stored["out"]), rtol=1e-4, atol=1e-5)
    sums = torch.zeros_like(values).index_add_(0, group, made)
    torch.testing.assert_close(sums, 2 * values, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("case", ["pipeline/cases/p2_pillow_cfg_w13_s4", "portable/cases/pp_p2_cfg_w13_s4"])
def test_stored_noise_reaches_the_latent_grid_as_in_the_reference(case):
    folder = vectors(case)
    stored = load_file(folder / "inputs.safetensors")["warped_noise_npy"]
    expected = load_file(folder / "expected.safetensors")["initial_latents"][0]
    frames, _, height, width = expected.shape
    for layout in (stored, np.moveaxis(stored, 3, 1)):
        fitted = fit_reference_noise(layout, latent_frames=frames, latent_size=(height, width))
        assert fitted.dtype == np.float32
        assert np.abs(fitted - expected).max() < 1e-5


def test_stored_noise_without_sixteen_channels_is_refused():
    with pytest.raises(SettingsError, match=r"\(5, 4, 6, 8\)"):
        fit_reference_noise(np.zeros((5, 4, 6, 8), np.float16), latent_frames=2, latent_size=(2, 3))


# --- one step, by hand ---------------------------------------------------------------------------------


def test_two_pixels_that_meet_are_merged_by_weight():
    """Pixel 0 moves onto pixel 1; pixel 0 is left bare of content from inside: p - flow is outside."""
    flow = torch.zeros(2, 1, 4)
    flow[0, 0, 0] = 1
    moves = Moves.of(flow)
    state = NoiseState(
        torch.zeros(2, 1, 4), torch.tensor([3.0, 4, 1, 1]), torch.tensor([[0.5], [-1], [2], [7]])
    )
    assert moves.target.tolist() == [1, 1, 2, 3]
    assert moves.bare.tolist() == [0]
    made = step(state, moves, torch.tensor([[0.25]]))
    torch.testing.assert_close(made.noise[:, 0], torch.tensor([0.25, (3 * 0.5 - 4) / 5, 2, 7]))
    weight = torch.tensor([1 / 4, 7, 1, 1])  # four filling pixels are fresh, one of them used
    torch.testing.assert_close(made.weight, (weight / weight.mean() + 1e-5) ** 0.9999)


def test_a_hole_shares_the_noise_of_its_source():
    """Pixel 1 moves to 2 and pixel 2 to 3: pixel 1 is empty and takes from pixel 0, which stays."""
    flow = torch.zeros(2, 1, 4)
    flow[0, 0] = torch.tensor([0, 1, 1, 1.0])
    moves = Moves.of(flow)
    assert moves.holes.tolist() == [1]
    assert moves.source.tolist() == [0]
    assert moves.left.tolist() == [3]
    state = NoiseState.first((1, 4), 1, generator(0))
    draw = torch.tensor([[0.3], [-0.9], [0.0]])  # pixel 0, its copy, the pixel that left
    made = step(state, moves, draw)
    shared = state.noise[0] / 2**0.5
    torch.testing.assert_close(made.noise[0], shared + 0.6)
    torch.testing.assert_close(made.noise[1], shared - 0.6)
    assert torch.equal(made.noise[2], state.noise[1])


def test_no_motion_returns_the_identical_noise():
    state = NoiseState.first((24, 40), 5, generator(3))
    still = np.zeros((2, 6, 10), np.float32)
    for keep_rest in (True, False):
        later = state
        for _ in range(3):
            later = advance(later, still, generator(1), keep_rest=keep_rest)
        assert torch.equal(later.noise, state.noise)


def test_motion_under_half_a_pixel_adds_up_when_the_rest_is_kept():
    state = NoiseState.first((64, 96), 4, generator(5))
    slow = np.full((2, 64, 96), 0.4, np.float32)
    slow[1] = -0.1
    kept = lost = state
    for i in range(10):
        kept = advance(kept, slow, generator(i), keep_rest=True)
        lost = advance(lost, slow, generator(i), keep_rest=False)
    assert torch.equal(lost.noise, state.noise)
    before, after = (s.noise.view(64, 96, 4)[8:-8, 8:-8] for s in (state, kept))
    assert torch.equal(after[:-1, 4:], before[1:, :-4])  # ten times (0.4, -0.1) is (4, -1)


# --- statistics ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep_rest", [False, True])
@pytest.mark.parametrize("kind", ["zoom", "zoom_out", "rotate", "occlusion"])
def test_every_pixel_has_unit_variance_over_256_seeds(kind, keep_rest):
    """4096 samples a pixel: the variance has a standard error of 0.022; five of them over 192 pixels."""
    flow = 2 * flow_field(kind, 12, 16)
    states = []
    for seed in range(256):
        draws = generator(seed)
        state = NoiseState.first((12, 16), 16, draws)
        for _ in range(3):
            state = advance(state, flow, draws, keep_rest=keep_rest)
        states.append(state.noise)
    noise = torch.stack(states, 1).flatten(1)
    assert (noise.var(1) - 1).abs().max() < 5 * 0.0221
    assert noise.mean(1).abs().max() < 5 / 4096**0.5
    beside = (noise.view(12, 16, -1)[:, 1:] * noise.view(12, 16, -1)[:, :-1]).mean(2)
    assert beside.abs().max() < 5 / 4096**0.5


@pytest.mark.parametrize("kind", ["translate", "zoom", "zoom_out", "rotate", "occlusion"])
def test_noise_stays_white_at_the_real_size(kind):
    """The README's figures in every frame, on the state; pooled, where 5400 x 4 values are few, 4.5 sigma."""
    draws = generator(11)
    state = NoiseState.first(REAL_SIZE, 4, draws)
    flow = flow_field(kind, 240, 360)
    for _ in range(2):
        state = advance(state, flow, draws, keep_rest=False)
        assert_white(state.noise.view(*REAL_SIZE, 4), mean=0.003, std=(0.997, 1.002), lag=0.007)
        pooled = state.noise.view(60, 32, 90, 32, 4).sum((1, 3)) / 32
        sigma = pooled.numel() ** -0.5
        assert_white(pooled, mean=4.5 * sigma, std=(1 - 3.2 * sigma, 1 + 3.2 * sigma), lag=4.5 * sigma)


def assert_white(noise: torch.Tensor, mean: float, std: tuple[float, float], lag: float) -> None:
    assert abs(noise.mean().item()) < mean
    assert std[0] < noise.std().item() < std[1]
    for beside, here in ((noise[1:], noise[:-1]), (noise[:, 1:], noise[:, :-1])):
        assert abs((beside * here).mean().item()) < lag


def test_noise_follows_a_flow_of_one_latent_pixel_a_frame():
    draws = generator(2)
    state = first = NoiseState.first(REAL_SIZE, 2, draws)
    one_latent_px = np.zeros((2, 240, 360), np.float32)
    one_latent_px[0] = 4  # times 8 is 32 state pixels
    for _ in range(3):
        state = advance(state, one_latent_px, draws, keep_rest=False)
    before, after = (s.noise.view(60, 32, 90, 32, 2).sum((1, 3)) / 32 for s in (first, state))
    correlation = (before[:, :-3] * after[:, 3:]).mean() / before.std() / after.std()
    assert correlation > 0.975


def test_noise_moves_as_far_as_the_references_at_the_real_size():
    """Its draws are not stored, but how much of frame 0 is found where in frames 1 to 3 is."""
    name = "warped_noise/void_size_240x360_rf8_ds32_c16_translate3.3px_seed5_T4.safetensors"
    stored = load_file(vectors(name))
    theirs = np.moveaxis(stored["noises_THWC"], 3, 1)
    draws = generator(6)
    state = NoiseState.first(REAL_SIZE, 8, draws)
    ours = []
    for flow in [None, *stored["flows"]]:
        if flow is not None:
            state = advance(state, flow, draws, keep_rest=False)
        ours.append(state.noise.view(60, 32, 90, 32, 8).sum((1, 3)).permute(2, 0, 1).numpy() / 32)
    for frame in (1, 2, 3):
        for dy in (-2, -1, 0):
            for dx in (0, 1, 2, 3):
                found = [
                    (noise[0][:, 2:, : 90 - dx] * noise[frame][:, 2 + dy : 60 + dy, dx:]).mean()
                    for noise in (theirs, ours)
                ]
                assert abs(found[0] - found[1]) < 0.025, (frame, dy, dx, found)


def test_noise_stays_white_over_eighty_frames():
    draws = generator(4)
    state = NoiseState.first((480, 720), 4, draws)
    kinds = [flow_field(kind, 60, 90) for kind in ("zoom", "rotate", "zoom_out", "translate", "occlusion")]
    for i in range(80):
        state = advance(state, kinds[i % 5], draws, keep_rest=True)
        # 345600 pixels, 4 channels: the standard deviation has a standard error of 0.0006.
        assert_white(state.noise.view(480, 720, 4), mean=0.005, std=(0.997, 1.003), lag=0.005)
        assert state.weight.min() > 0


# --- both modes ----------------------------------------------------------------------------------------


def make(frames, flow, *, mode="corrected", seed=1, latents=3, channels=2, size=(6, 10), progress=unwatched):
    return warped_noise(
        frames,
        latent_frames=latents,
        latent_channels=channels,
        latent_size=size,
        seed=seed,
        mode=mode,
        flow=flow,
        progress=progress,
    )


def clip(count: int, height: int = 48, width: int = 80) -> np.ndarray:
    return np.random.default_rng(0).random((count, height, width, 3), dtype=np.float32)


def test_corrected_noise_moves_with_the_whole_picture():
    """Two pixels a frame are eight a latent frame, which is one latent pixel."""
    noise = make(clip(9), Pan(2), size=(6, 10), channels=16)
    assert noise.shape == (3, 16, 6, 10)
    assert noise.dtype == np.float32
    # Pixels about to leave stay once, with next to no weight, under what arrives: hence the tolerance.
    np.testing.assert_allclose(noise[1][:, :, 1:], noise[0][:, :, :-1], atol=1e-4)
    np.testing.assert_allclose(noise[2][:, :, 2:], noise[0][:, :, :-2], atol=1e-4)
    assert abs(noise.std() - 1) < 0.06


def test_same_seed_same_bytes():
    frames = clip(9)
    one, two, other = (make(frames, Pan(1.3, 0.4), seed=seed).tobytes() for seed in (1, 1, 2))
    assert one == two
    assert one != other


def test_the_number_of_threads_does_not_show():
    flow, made, before = 4 * flow_field("zoom_out", 60, 90), [], torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            draws = generator(0)
            state = NoiseState.first((240, 360), 3, draws)
            for _ in range(3):
                state = advance(state, flow, draws, keep_rest=True)
            made.append(state.noise.numpy().tobytes())
    finally:
        torch.set_num_threads(before)
    assert made[0] == made[1] == made[2]


def test_a_flow_that_fails_ahead_fails_the_noise():
    def broken(first, second):
        raise SettingsError("no flow")

    with pytest.raises(SettingsError, match="no flow"):
        make(clip(9), broken)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("kind", ["translate", "zoom", "zoom_out", "rotate", "occlusion"])
def test_noise_on_a_gpu_is_white_and_the_same_every_time(kind):
    made = []
    for _ in range(2):
        draws = torch.Generator("cuda").manual_seed(1)
        state = NoiseState.first((480, 720), 3, draws)
        for _ in range(4):
            state = advance(state, flow_field(kind, 240, 360), draws, keep_rest=True)
        made.append(state.noise.cpu())
    assert made[0].equal(made[1])
    assert abs(float(made[0].mean())) < 0.01
    assert abs(float(made[0].std()) - 1) < 0.01


@pytest.mark.parametrize(
    ("count", "latents", "calls"), [(1, 1, 0), (1, 3, 0), (9, 3, 8), (85, 22, 84), (30, 2, 4)]
)
def test_corrected_takes_any_number_of_frames(count, latents, calls):
    flow = Pan(0.7)
    noise = make(clip(count, 16, 24), flow, latents=latents, size=(2, 3))
    assert noise.shape == (latents, 2, 2, 3)
    assert np.isfinite(noise).all()
    assert flow.calls == calls


def test_frames_past_the_end_are_the_flip_padding():
    class Numbers:
        name = "numbers"
        seen: list[tuple[int, int]]

        def __call__(self, first, second):
            self.seen.append((round(float(first[0, 0, 0])), round(float(second[0, 0, 0]))))
            return np.zeros((2, 8, 8), np.float32)

    flow = Numbers()
    flow.seen = []
    frames = np.ones((4, 8, 8, 3), np.float32) * np.arange(4, dtype=np.float32)[:, None, None, None]
    make(frames, flow, latents=3, size=(1, 1))
    # 0 1 2 3 3 2 1 0 0: the repeated ends do not move and need no flow.
    assert flow.seen == [(0, 1), (1, 2), (2, 3), (3, 2), (2, 1), (1, 0)]


def test_a_large_raster_is_pooled_less_and_stays_unit_normal():
    noise = make(np.zeros((1, 8, 8, 3), np.float32), Pan(0), latents=1, channels=1, size=(256, 256))
    assert noise.shape == (1, 1, 256, 256)
    assert abs(noise.std() - 1) < 0.01


def test_as_reference_takes_72_frames_of_the_middle_at_240x360():
    frames = clip(3, 96, 168)
    steps: list[tuple[Stage, int, int]] = []
    flow = Pan(1.65)
    noise = make(
        frames,
        flow,
        mode="as_reference",
        channels=1,
        latents=5,
        size=(48, 84),
        progress=lambda *done: steps.append(done),
    )
    assert noise.shape == (5, 1, 48, 84)
    assert steps == [(Stage.NOISE, i, 71) for i in range(72)]
    assert flow.sizes == {(240, 360, 3)}
    assert flow.calls == 2  # three frames shown 24 times each
    assert np.array_equal(noise[0], noise[1])  # both still show frame 0
    assert 0.63 < noise.std() < 0.69  # the bilinear resize of the reference


def test_as_reference_never_sees_the_outer_seven_percent():
    class Seen:
        name = "seen"

        def __call__(self, first, second):
            self.first = first
            return np.zeros((2, *first.shape[:2]), np.float32)

    whole = np.zeros((2, 384, 672, 3), np.float32)
    whole[:, :, :47] = whole[:, :, -47:] = 1
    whole[:, :, 49:52] = 1
    flow = Seen()
    make(whole, flow, mode="as_reference", channels=1, latents=1)
    columns = flow.first.mean((0, 2))
    assert columns[-1] == 0
    assert columns[0] < 0.6
    assert columns[:3].max() > 0.9


@pytest.mark.parametrize("mode", ["as_reference", "corrected"])
def test_cancel_stops_after_the_frame(mode):
    flow = Pan(1)

    def stop(stage, done, steps):
        if done == 1:
            raise Cancelled

    with pytest.raises(Cancelled):
        make(clip(200, 16, 24), flow, mode=mode, channels=1, progress=stop)
    assert flow.calls <= 2  # one is found ahead


def test_an_unknown_mode_is_refused():
    with pytest.raises(SettingsError, match="sideways"):
        make(clip(1), Pan(0), mode="sideways")
