"""Optical flow between two frames: one interface, OpenCV DIS built in, RAFT where its weights are."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from void_wire.errors import SettingsError

RAFT_STRIDE = 8
"""RAFT sees frames at an eighth: both sides of a frame must be multiples of this (Teed and Deng, 2020)."""
RAFT_LEAST_PX = 128
"""Smallest side torchvision's raft_large takes (four levels of its correlation pyramid)."""
DIS_LEAST_PX = 32
"""DIS matches 8-pixel patches over a pyramid; below this side it fails or returns noise, so it sees more."""


class Flow(Protocol):
    """Forward flow between two frames.

    Called with two frames (H, W, 3), 0..1, display-referred, float32; returns (2, H, W) float32, [dx, dy] in
    pixels: what is at p in the first is at p + flow in the second.
    """

    name: str

    def __call__(self, first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
        """(2, H, W), the flow from ``first`` to ``second``."""
        ...


def open_flow(name: str, *, raft_weights: Path | None = None, device: str = "cpu") -> Flow:
    """The flow called ``name``, ready to be called.

    Args:
        name: "dis" or "raft".
        raft_weights: torchvision's raft_large state dict as safetensors; "raft" alone needs it.
        device: where RAFT runs; DIS runs on the CPU.

    Raises:
        SettingsError: unknown name, torchvision not installed, or no weights file that RAFT can take.
    """
    if name == "dis":
        return DisFlow()
    if name == "raft":
        return RaftFlow(raft_weights, device)
    raise SettingsError(f"flow is {name!r}; choose one of dis, raft.")


class DisFlow:
    """Dense inverse search (Kroeger et al., 2016) as OpenCV has it, at its most careful preset.

    OpenCV's DIS takes 8-bit grey only. The two frames are brought to it in memory: Rec.709 luma of the floats,
    stretched together from their joint least and greatest value to 0..255, so that a dark or flat pair
    keeps as many levels as a bright one. The same stretch for both keeps brightness comparable.
    """

    name = "dis"

    def __init__(self) -> None:
        self._own = threading.local()  # OpenCV's object works for one thread at a time

    def __call__(self, first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
        """See Flow. Frames under 32 px a side are mirrored outwards first, and the flow cut back."""
        greys = [frame @ np.array([0.2126, 0.7152, 0.0722], np.float32) for frame in (first, second)]
        low = min(float(grey.min()) for grey in greys)
        spread = max(float(grey.max()) for grey in greys) - low
        height, width = greys[0].shape
        if spread == 0.0:
            return np.zeros((2, height, width), np.float32)
        bottom, right = max(0, DIS_LEAST_PX - height), max(0, DIS_LEAST_PX - width)
        levels = [
            np.pad(
                np.rint((grey - low) * (255 / spread)).astype(np.uint8),
                ((0, bottom), (0, right)),
                "symmetric",
            )
            for grey in greys
        ]
        flow = self._of_thread().calc(levels[0], levels[1], None)
        return np.ascontiguousarray(np.moveaxis(flow[:height, :width], 2, 0), dtype=np.float32)

    def _of_thread(self) -> Any:
        if not hasattr(self._own, "dis"):
            self._own.dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
            self._own.dis.setFinestScale(0)
        return self._own.dis


class RaftFlow:
    """RAFT-large (Teed and Deng, 2020) of torchvision, float32, 12 updates."""

    name = "raft"

    def __init__(self, weights: Path | None, device: str) -> None:
        try:
            from safetensors.torch import load_file
            from torchvision.models.optical_flow import raft_large
        except (ImportError, RuntimeError) as missing:  # RuntimeError: built for another torch
            raise SettingsError(
                "Flow raft needs the torchvision that goes with the installed torch: run "
                "`pip install torchvision`, or choose flow dis."
            ) from missing
        if weights is None or not weights.is_file():
            given = "was given no weights file" if weights is None else f"finds no weights file at {weights}"
            raise SettingsError(
                f"Flow raft {given}: start the server with --raft-weights raft_large_C_T_SKHT_V2-ff5fadd5.safetensors, "
                "or choose flow dis."
            )
        model = raft_large(weights=None)
        try:
            model.load_state_dict(load_file(weights), strict=True)
        except Exception as unreadable:
            raise SettingsError(
                f"{weights} does not hold the weights of torchvision's raft_large as safetensors (a .pth is a pickle "
                "and is not read): give raft_large_C_T_SKHT_V2-ff5fadd5.safetensors, or choose flow dis."
            ) from unreadable
        self._model = model.to(device).eval()
        self._device = device

    def __call__(self, first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
        """See Flow. Frames are extended at the bottom and right to what RAFT takes, and the flow cut back."""
        import torch
        from torch.nn import functional

        height, width = first.shape[:2]
        bottom = max(RAFT_LEAST_PX - height, -height % RAFT_STRIDE)
        right = max(RAFT_LEAST_PX - width, -width % RAFT_STRIDE)
        pair = torch.from_numpy(np.stack([first, second])).permute(0, 3, 1, 2) * 2 - 1
        pair = functional.pad(pair, (0, right, 0, bottom), mode="replicate").to(self._device)
        with torch.inference_mode():
            flow = self._model(pair[:1], pair[1:])[-1][0]
        return np.ascontiguousarray(flow[:, :height, :width].cpu().numpy(), dtype=np.float32)
