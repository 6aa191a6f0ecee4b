import ctypes
from types import SimpleNamespace
from typing import Any

import pytest

from void_server import devices as module
from void_server.devices import check_devices, devices, gpu_count, shown
from void_wire.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("auto", ("auto",)),
        ("cpu", ("cpu",)),
        ("cpu,cpu", ("cpu", "cpu")),
        ("cuda", ("cuda",)),
        ("cuda:0, cuda:2", ("cuda:0", "cuda:2")),
        ("cuda:0+cuda:1,cuda:2", ("cuda:0+cuda:1", "cuda:2")),
    ],
)
def test_each_device_that_is_named_is_a_worker(text: str, names: tuple[str, ...]) -> None:
    assert check_devices(text) == devices(text) == names


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gpu", "choose auto"),
        ("", "choose auto"),
        ("auto,cpu", "choose auto"),
        ("cuda:0,", "choose auto"),
        ("cuda:1,cuda:1", "names GPU 1 twice"),
        ("cuda,cuda:0", "names GPU 0 twice"),
        ("cuda:1+cuda:2,cuda:2", "names GPU 2 twice"),
        ("cpu+cuda:1", "choose auto"),
    ],
)
def test_what_is_none_is_one_sentence(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        check_devices(text)


@pytest.mark.parametrize(
    ("count", "visible", "names"),
    [
        (0, None, ("auto",)),
        (1, None, ("auto",)),
        (3, None, ("cuda:0", "cuda:1", "cuda:2")),
        (3, "2,0", ("cuda:0", "cuda:1")),
        (3, "1", ("auto",)),
    ],
)
def test_auto_is_every_gpu_that_cuda_shows(
    count: int, visible: str | None, names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "gpu_count", lambda: count)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert devices("auto") == names


@pytest.mark.parametrize(
    ("visible", "seen"),
    [("", 0), ("-1", 0), ("0,-1,1", 1), ("0,7", 1), ("GPU-1a2b,MIG-3c", 2), ("x", 0), (" 1 , 0 ", 2)],
)
def test_the_list_ends_where_an_entry_is_no_gpu(visible: str, seen: int) -> None:
    assert shown(4, visible) == seen


def test_gpus_are_counted_by_the_driver_s_library(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []

    def count(number: Any) -> int:
        number._obj.value = 4
        return 0

    library = SimpleNamespace(
        nvmlInit_v2=lambda: 0, nvmlDeviceGetCount_v2=count, nvmlShutdown=lambda: closed.append(True)
    )
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    assert gpu_count() == 4
    assert closed
    library.nvmlInit_v2 = lambda: 9  # no driver
    assert gpu_count() == 0


def test_without_the_library_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert gpu_count() == 0
