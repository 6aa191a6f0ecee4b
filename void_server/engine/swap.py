"""Parts of the model that take turns on the device: one is there, the others wait in host memory.

The weights that wait are never written: a part that leaves is freed, and nothing is copied back. They wait in locked
memory, from which a GPU fetches them while it works on something else.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from accelerate.hooks import ModelHook, add_hook_to_module

log = logging.getLogger(__name__)

ALIGNED_BYTES = 512
"""Where a tensor may begin; as a device's own allocator has it."""
BUFFER_BYTES = 2**30
"""Of a buffer at the most, beside larger tensors: torch rounds locked memory up to a power of two."""


@dataclass(frozen=True)
class _Place:
    """Where one tensor lies in the buffers of its part."""

    buffer: int
    start: int
    like: torch.Tensor  # on the meta device

    def within(self, buffers: list[torch.Tensor]) -> torch.Tensor:
        """The tensor in ``buffers`` (uint8), or in a copy of them."""
        held = buffers[self.buffer][self.start : self.start + self.like.nbytes].view(self.like.dtype)
        return held.as_strided(self.like.size(), self.like.stride())


class _Part:
    """One module, its weights in buffers, and the buffers that it works with now."""

    def __init__(self, module: torch.nn.Module, device: torch.device) -> None:
        self._tensors = [*module.parameters(), *module.buffers()]
        self._device = device
        self._places: list[_Place] = []
        sizes: list[int] = []
        for tensor in self._tensors:
            taken = -(-tensor.nbytes // ALIGNED_BYTES) * ALIGNED_BYTES
            if not sizes or sizes[-1] + taken > BUFFER_BYTES:
                sizes.append(0)
            self._places.append(_Place(len(sizes) - 1, sizes[-1], tensor.detach().to("meta")))
            sizes[-1] += taken
        self._waiting = [_locked(size, device) for size in sizes]
        for tensor, place in zip(self._tensors, self._places, strict=True):
            held = place.within(self._waiting)
            held.copy_(tensor.detach())
            tensor.data = held
        self.nbytes = sum(sizes)

    def leave(self) -> None:
        """Free what is on the device."""
        self._use(self._waiting)

    def come(self, stream: Any) -> Any:
        """Be on the device, once the event that is returned has come: copied beside other work. On a CPU at once."""
        there = [torch.empty_like(buffer, device=self._device) for buffer in self._waiting]
        if stream is None:
            for buffer, waiting in zip(there, self._waiting, strict=True):
                buffer.copy_(waiting)
            copied = None
        else:
            stream.wait_stream(torch.cuda.current_stream(self._device))  # the memory may still be read there
            with torch.cuda.stream(stream):
                for buffer, waiting in zip(there, self._waiting, strict=True):
                    buffer.copy_(waiting, non_blocking=True)
            copied = stream.record_event()
        self._use(there)
        return copied

    def _use(self, buffers: list[torch.Tensor]) -> None:
        for tensor, place in zip(self._tensors, self._places, strict=True):
            tensor.data = place.within(buffers)


class Swap:
    """The parts of a pipeline, by name; a part comes by itself when it is called.

    For one thread at a time.

    Args:
        parts: modules that nothing holds on a device.
        device: where they work.
    """

    def __init__(self, parts: Mapping[str, torch.nn.Module], device: torch.device) -> None:
        self.device = device
        self._parts = {name: _Part(module, device) for name, module in parts.items()}
        self._stream: Any = None  # of the copies
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._here: str | None = None
        self._copied: Any = None  # the event after which it is all there
        for name, module in parts.items():
            add_hook_to_module(module, _Comes(self, name))

    def expect(self, name: str) -> None:
        """Begin to bring a part while other work goes on; none of the others is used before it."""
        if self._here != name:
            self.leave()
            self._copied = self._parts[name].come(self._stream)
            self._here = name

    def bring(self, name: str) -> None:
        """Have a part on the device: what is asked of the device from here on finds it there."""
        self.expect(name)
        self._wait()

    def leave(self) -> None:
        """Have none there."""
        if self._here is not None:
            self._wait()
            self._parts[self._here].leave()
            self._here = None
            if self.device.type == "cuda":
                torch.cuda.empty_cache()  # the next part's buffers are of other sizes

    def coming_bytes(self, name: str) -> int:
        """What a part is still going to take of the device."""
        return 0 if self._here == name else self._parts[name].nbytes

    def _wait(self) -> None:
        if self._copied is not None:
            torch.cuda.current_stream(self.device).wait_event(self._copied)
            self._copied = None


class _Comes(ModelHook):  # type: ignore[misc]
    """Brings a part before it runs; diffusers asks it for the device, and calls it for the VAE's inner parts too."""

    def __init__(self, swap: Swap, name: str) -> None:
        self.execution_device = swap.device
        self._swap, self._name = swap, name

    def pre_forward(self, _module: torch.nn.Module, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """Before the module's forward."""
        self._swap.bring(self._name)
        return args, kwargs


def _locked(size: int, device: torch.device) -> torch.Tensor:
    """Host memory for weights, locked where a GPU is to fetch them and the system lets it."""
    if device.type == "cuda":
        try:
            return torch.empty(size, dtype=torch.uint8, pin_memory=True)
        except RuntimeError as error:
            log.warning("host memory cannot be locked, so weights are fetched more slowly: %s", error)
    return torch.empty(size, dtype=torch.uint8)
