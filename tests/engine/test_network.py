"""Several devices share a step's windows: the bits of one device, and its errors."""

import threading
from pathlib import Path

import pytest
import torch
from tiny_clips import MODEL, joined, settings, shot

from void_server.engine import residence
from void_server.engine.network import Network, deal
from void_server.engine.void import VoidEngine
from void_wire.errors import GpuMemory
from void_wire.messages import WindowSeed

FRAMES = 53  # two windows of 8 latents and one of 6


def networks(count: int) -> list[Network]:
    still = torch.nn.Identity()
    still.dtype = torch.float32
    nothing = torch.zeros(1, 1, 1, 1, 1), torch.zeros(1, 1, 1)
    return [Network(still, torch.device("cpu"), *nothing, 1.0, {}) for _ in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("items", [0, 1, 5])
def test_each_item_is_done_once_and_comes_back_in_its_place(count: int, items: int) -> None:
    crew = networks(count)
    made = deal(crew, range(items), lambda network, item: (crew.index(network), item))
    assert made == [(item % count, item) for item in range(items)]


def test_networks_work_at_the_same_time_without_gradients() -> None:
    both = threading.Barrier(2, timeout=10)

    def work(_network: Network, item: int) -> bool:
        both.wait()
        return torch.is_grad_enabled()

    assert deal(networks(2), [1, 2], work) == [False, False]


def test_what_one_raises_comes_out() -> None:
    def work(_network: Network, item: int) -> int:
        if item == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return item

    with pytest.raises(torch.OutOfMemoryError):
        deal(networks(2), [0, 1, 2], work)


def run(engine: VoidEngine) -> bytes:
    wanted = settings(window_frames=29, passes=1, window_seeds=(WindowSeed(2, 5),))
    return joined(list(engine.remove(*shot(FRAMES, (16, 32)), "a table", wanted)), 1).tobytes()


def test_two_devices_make_what_one_makes_and_the_record_says_so() -> None:
    one, two = VoidEngine.load(MODEL, device="cpu"), VoidEngine.load(MODEL, device="cpu+cpu")
    assert (one.device, two.device) == ("cpu", "cpu")
    before = run(one)
    seen: list[int] = []
    for place, pipe in enumerate([two._model.pipe, *two._model.pipe.crew]):
        pipe.transformer.register_forward_pre_hook(lambda *_, place=place: seen.append(place))
    assert run(two) == before
    assert sorted(seen) == [0] * 6 + [1] * 2  # of each step two windows and the one done anew; one
    assert two.record["windows_shared_by"] == "2"
    assert "windows_shared_by" not in one.record


def test_a_device_that_has_no_room_for_its_copy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    load = residence.load_pipeline

    def loaded(folder: Path, **named):  # type: ignore[no-untyped-def]
        if "vae" not in named["onto"]:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return load(folder, **named)

    monkeypatch.setattr(residence, "load_pipeline", loaded)
    with pytest.raises(GpuMemory, match="in memory mode resident"):
        VoidEngine.load(MODEL, device="cpu+cpu")
