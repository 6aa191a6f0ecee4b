"""A GPU that runs out of memory, played by the CPU under the real engine: every step is kept, and none rests."""

import math
import weakref
from collections.abc import Callable

import pytest
import torch

from void_server.engine import memory, milestones, pipeline, residence
from void_server.engine.checkpoints import MODULES
from void_server.engine.pipeline import VoidPipeline


class Card:
    """A device that has the memory modes, and none of memory where ``full`` says so.

    It is the CPU: modes are diffusers' own hooks there too. Weights lie where a device's allocator would put them, at
    round addresses: for others, as in a mapped file, the CPU's kernels have other last bits.

    Nor has it room for two models: none may be loaded while another is held.

    ``full`` gets the mode and what is done in it: "load", "step N of pass M", "decode of pass M, chunk N".
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full: Callable[[str, str], bool] = lambda mode, what: False
        self.did: list[tuple[str, str]] = []
        self._mode, self._pass, self._step = "", 0, 0
        self._held: Callable[[], VoidPipeline | None] = lambda: None
        monkeypatch.setitem(memory.MODES_OF, "cpu", memory.MODES)
        monkeypatch.setattr(milestones, "SHARE", math.inf)
        place, denoise, decode = residence.place, VoidPipeline.denoise, pipeline.decode_chunks
        load, blend = residence.load_pipeline, pipeline.blend

        def loaded(*given, **named):  # type: ignore[no-untyped-def]
            if self._held() is not None:
                raise AssertionError("the model before still takes its memory")
            pipe = load(*given, **named)
            self._held = weakref.ref(pipe)
            for part in MODULES:
                for weight in getattr(pipe, part).parameters():
                    weight.data = weight.data.clone()
            return pipe

        def placed(pipe: VoidPipeline, mode: str, device: torch.device) -> None:
            self._mode, self._pass = mode, 0
            self._do("load")
            place(pipe, mode, device)

        def denoised(pipe, plan, *given):  # type: ignore[no-untyped-def]
            self._pass, self._step = plan.number, given[6]
            return denoise(pipe, plan, *given)

        def blended(*given):  # type: ignore[no-untyped-def]
            self._step += 1
            self._do(f"step {self._step} of pass {self._pass}")
            return blend(*given)

        def decoded(*given):  # type: ignore[no-untyped-def]
            for number, chunk in enumerate(decode(*given), start=1):
                self._do(f"decode of pass {self._pass}, chunk {number}")
                yield chunk

        monkeypatch.setattr(residence, "load_pipeline", loaded)
        monkeypatch.setattr(residence, "place", placed)
        monkeypatch.setattr(VoidPipeline, "denoise", denoised)
        monkeypatch.setattr(pipeline, "blend", blended)
        monkeypatch.setattr(pipeline, "decode_chunks", decoded)

    def _do(self, what: str) -> None:
        self.did.append((self._mode, what))
        if self.full(self._mode, what):
            raise torch.OutOfMemoryError(f"CUDA out of memory in {what}")

    def steps(self, mode: str) -> list[str]:
        """Of the samplers, in a mode."""
        return [what for its, what in self.did if its == mode and what.startswith("step")]
