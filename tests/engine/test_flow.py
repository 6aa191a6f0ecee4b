"""Optical flow on textures whose motion is known."""

from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest

from void_server.engine.flow import open_flow
from void_wire.errors import SettingsError


@pytest.fixture(scope="module")
def texture() -> np.ndarray:
    noise = np.random.default_rng(0).random((360, 460, 3), dtype=np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 2.5)
    return (soft - soft.min()) / (soft.max() - soft.min())


def pair(texture, height, width, dx, dy):
    """Two windows on the texture; what is at p in the first is at p + (dx, dy) in the second."""
    moved = cv2.warpAffine(
        texture, np.float32([[1, 0, dx], [0, 1, dy]]), texture.shape[1::-1], flags=cv2.INTER_CUBIC
    )
    window = (slice(60, 60 + height), slice(60, 60 + width))
    return texture[window], moved[window]


@pytest.mark.parametrize("size", [(240, 320), (241, 323), (63, 63), (33, 47)])
@pytest.mark.parametrize("move", [(3.3, -2.2), (-1.0, 0.5), (0.0, 0.0)])
def test_dis_finds_a_known_shift(texture, size, move):
    flow = open_flow("dis")(*pair(texture, *size, *move))
    assert flow.shape == (2, *size)
    assert flow.dtype == np.float32
    assert flow.flags.c_contiguous
    for found, wanted in zip(flow, move, strict=True):
        assert abs(np.median(found) - wanted) < 0.1
        assert np.abs(found - wanted).mean() < 0.3


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (5, 200), (8, 8), (17, 9), (16, 16)])
def test_dis_takes_tiny_frames(texture, size):
    flow = open_flow("dis")(*pair(texture, *size, 0.5, 0.0))
    assert flow.shape == (2, *size)
    assert np.isfinite(flow).all()
    assert np.abs(flow).max() < 16


def test_dis_sees_in_the_dark(texture):
    """A range of two 8-bit levels: only floats still hold the picture."""
    first, second = pair(texture, 120, 160, 3.0, 1.0)
    flow = open_flow("dis")(0.002 + first * 0.008, 0.002 + second * 0.008)
    assert abs(np.median(flow[0]) - 3) < 0.1
    assert abs(np.median(flow[1]) - 1) < 0.1


def test_dis_sees_no_motion_in_flat_or_equal_frames(texture):
    dis = open_flow("dis")
    flat = np.full((40, 50, 3), 0.18, np.float32)
    assert np.array_equal(dis(flat, flat), np.zeros((2, 40, 50), np.float32))
    first, _ = pair(texture, 100, 120, 0, 0)
    assert np.array_equal(dis(first, first), np.zeros((2, 100, 120), np.float32))


def test_dis_gives_the_same_bytes_twice(texture):
    frames = pair(texture, 120, 160, 2.5, -1.5)
    assert open_flow("dis")(*frames).tobytes() == open_flow("dis")(*frames).tobytes()


def test_an_unknown_flow_is_refused():
    with pytest.raises(SettingsError, match="farneback"):
        open_flow("farneback")


def test_raft_without_torchvision_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torchvision.models.optical_flow", None)
    with pytest.raises(SettingsError, match="pip install torchvision"):
        open_flow("raft", raft_weights=tmp_path / "raft.safetensors")


def test_raft_without_a_weights_file_names_it(tmp_path):
    pytest.importorskip("torchvision.models.optical_flow", reason="torchvision is not installed")
    with pytest.raises(SettingsError, match=r"nowhere\.safetensors"):
        open_flow("raft", raft_weights=tmp_path / "nowhere.safetensors")


def test_raft_refuses_other_weights(tmp_path):
    pytest.importorskip("torchvision.models.optical_flow", reason="torchvision is not installed")
    (tmp_path / "raft.safetensors").write_bytes(b"not weights")
    with pytest.raises(SettingsError, match=r"raft\.safetensors does not hold"):
        open_flow("raft", raft_weights=tmp_path / "raft.safetensors")


def test_raft_runs_at_odd_and_tiny_sizes(tmp_path, texture):
    raft = pytest.importorskip("torchvision.models.optical_flow", reason="torchvision is not installed")
    torch = pytest.importorskip("torch")
    safetensors_torch = pytest.importorskip("safetensors.torch")
    torch.manual_seed(0)
    safetensors_torch.save_file(raft.raft_large(weights=None).state_dict(), tmp_path / "raft.safetensors")
    flow = open_flow("raft", raft_weights=tmp_path / "raft.safetensors")
    for size in ((1, 1), (63, 41), (131, 150)):
        found = flow(*pair(texture, *size, 1.0, 0.0))
        assert found.shape == (2, *size)
        assert np.isfinite(found).all()
