"""What the workers run on: one each of the devices that the config names."""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Sequence

from void_wire.errors import SettingsError

_NVML = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"


def check_devices(device: str) -> tuple[str, ...]:
    """The devices that ``device`` names, parted by commas; "auto" stands for itself.

    GPUs joined by "+" are one device: they share the work on one shot.

    Raises SettingsError for what is none, and for a GPU that is named twice.
    """
    names = tuple(name.strip() for name in device.split(","))
    if names == ("auto",):
        return names
    if not all(re.fullmatch(r"cpu|cuda(:\d+)?(\+cuda:\d+)*", name) for name in names):
        raise SettingsError(
            f"device is {device!r}; choose auto, or cpu, cuda or cuda:N, several parted by commas, or joined by + to "
            "share a shot."
        )
    gpus = gpu_numbers(names)
    for gpu in gpus:
        if gpus.count(gpu) > 1:
            raise SettingsError(
                f"device is {device!r} and names GPU {gpu} twice: one worker has it, name it once."
            )
    return names


def gpu_numbers(names: Sequence[str]) -> list[int]:
    """The GPUs that ``names`` have, in order."""
    gpus = [gpu for name in names if name not in ("auto", "cpu") for gpu in name.split("+")]
    return [int(gpu.removeprefix("cuda").lstrip(":") or 0) for gpu in gpus]


def devices(device: str) -> tuple[str, ...]:
    """One name a worker: those that ``device`` has, and of "auto" every GPU that CUDA would show.

    Where there is none or one, "auto" stays, and the worker looks for itself. Raises what `check_devices` raises.
    """
    names = check_devices(device)
    if names != ("auto",) or (count := shown(gpu_count(), os.environ.get("CUDA_VISIBLE_DEVICES"))) < 2:
        return names
    return tuple(f"cuda:{number}" for number in range(count))


def gpu_count() -> int:
    """The GPUs that NVIDIA's driver manages, asked of its own library (NVML): no CUDA, no torch. 0 without it."""
    try:
        nvml = ctypes.CDLL(_NVML)
        if nvml.nvmlInit_v2():
            return 0
    except (OSError, AttributeError):
        return 0
    count = ctypes.c_uint(0)
    failed = nvml.nvmlDeviceGetCount_v2(ctypes.byref(count))
    nvml.nvmlShutdown()
    return 0 if failed else count.value


def shown(count: int, visible: str | None) -> int:
    """How many of ``count`` GPUs CUDA shows to a process whose CUDA_VISIBLE_DEVICES is ``visible``.

    The list ends at the first entry that is no GPU (CUDA C++ Programming Guide, "CUDA environment variables").
    """
    if visible is None:
        return count
    entries = [entry.strip() for entry in visible.split(",")]
    good = [
        entry.startswith(("GPU-", "MIG-")) or (entry.isdecimal() and int(entry) < count) for entry in entries
    ]
    return good.index(False) if False in good else len(good)
