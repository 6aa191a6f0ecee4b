"""One pass's network with all that it is shown beside the noise; and several of them, which share a step's windows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any, TypeVar

import torch

from void_server.engine.windows import Window

Item = TypeVar("Item")
Made = TypeVar("Made")


class Network:
    """A transformer on its device, for one clip and one pass.

    Args:
        transformer: the pass's.
        device: where it works.
        condition: the 32 channels [1,T,32,h,w] of the clip.
        text: what the pass reads [1,226,D], under guidance the negative prompt before it [2,226,D].
        guidance: how far from the negative prompt, with two rows of text.
        rotary: positions (cos, sin) for windows of each length in latents.
    """

    def __init__(
        self,
        transformer: Any,
        device: torch.device,
        condition: torch.Tensor,
        text: torch.Tensor,
        guidance: float,
        rotary: Mapping[int, tuple[torch.Tensor, torch.Tensor]],
    ) -> None:
        self.device = device
        self._transformer, self._guidance = transformer, guidance
        self._condition = condition.to(device, transformer.dtype)
        self._text = text.to(device, transformer.dtype)
        self._rotary = {length: (cos.to(device), sin.to(device)) for length, (cos, sin) in rotary.items()}

    @torch.no_grad()
    def predict(self, windows: Sequence[Window], noisy: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        """What it says of windows of one length [n,t,16,h,w]: float32, of the same shape, where ``noisy`` is."""
        beside = torch.cat([self._condition[:, window.latents] for window in windows])
        rows = torch.cat([noisy.to(beside), beside], dim=2).repeat(len(self._text), 1, 1, 1, 1)
        predicted: torch.Tensor = self._transformer(
            hidden_states=rows,
            encoder_hidden_states=self._text.repeat_interleave(len(windows), dim=0),
            timestep=timestep.to(self.device).expand(len(rows)),
            image_rotary_emb=self._rotary[windows[0].stop - windows[0].start],
            return_dict=False,
        )[0].float()
        if len(self._text) == 2:
            without, with_prompt = predicted.chunk(2)
            predicted = without + self._guidance * (with_prompt - without)
        return predicted.to(noisy.device)


def deal(
    networks: Sequence[Network], items: Sequence[Item], work: Callable[[Network, Item], Made]
) -> list[Made]:
    """``work`` done on each of ``items``, in order: each network, in a thread of its own, has every n-th of them.

    What work raises comes out once all threads have ended.
    """
    if len(networks) == 1:
        return [work(networks[0], item) for item in items]

    def share(first: int) -> list[Made]:
        network = networks[first]
        here = torch.cuda.device(network.device) if network.device.type == "cuda" else nullcontext()
        with here, torch.no_grad():  # both are a thread's own
            return [work(network, item) for item in items[first :: len(networks)]]

    with ThreadPoolExecutor(len(networks), "windows") as threads:
        shares = [threads.submit(share, first) for first in range(len(networks))]
    done = [one.result() for one in shares]
    return [done[place % len(networks)][place // len(networks)] for place in range(len(items))]
