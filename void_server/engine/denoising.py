"""The denoising of one pass: all windows of a clip, one step further at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from void_server.engine.blending import blend
from void_server.engine.foresight import Foresight, is_computed
from void_server.engine.network import Network, deal
from void_server.engine.together import batches
from void_server.engine.windows import Window


@dataclass(eq=False)
class Redone:
    """A window that is done anew: its neighbours are blended into it, and see nothing of it."""

    place: int  # in the list of windows
    latents: torch.Tensor  # [1,t,16,h,w] of its window; `Denoising.renew` takes them along from step to step


class Denoising:
    """A clip's windows in one pass. Every window takes its own scheduler step.

    Args:
        scheduler: the pass's, its timesteps set.
        networks: the pass's, one a device; the windows of a step are dealt among them.
        windows: of the clip, in order.
        kept: the type of latents between steps.
        done: how many steps were taken before.
        foreseen: some steps are told from those before, see ``foresight.py``.
    """

    def __init__(
        self,
        scheduler: Any,
        networks: Sequence[Network],
        windows: Sequence[Window],
        *,
        kept: torch.dtype,
        done: int,
        foreseen: bool,
    ) -> None:
        self._scheduler, self._networks, self._windows = scheduler, networks, windows
        self._kept, self._done = kept, done
        self._foresight = Foresight() if foreseen else None

    def step(self, step: int, latents: torch.Tensor, at_once: int = 1) -> list[torch.Tensor]:
        """The windows' latents [1,t,16,h,w] after ``step`` (1..N), of the clip's [1,T,16,h,w] before it, not blended.

        ``at_once`` windows at most are one batch.
        """

        def taken(network: Network, places: list[int]) -> torch.Tensor:
            noisy = torch.cat([latents[:, self._windows[place].latents] for place in places])
            return self._stepped(network, places, noisy, step)

        dealt = batches([window.stop - window.start for window in self._windows], at_once)
        pieces: dict[int, torch.Tensor] = {}
        for places, made in zip(dealt, deal(self._networks, dealt, taken), strict=True):
            pieces.update(zip(places, made[:, None], strict=True))
        return [pieces[place] for place in range(len(self._windows))]

    def renew(self, step: int, pieces: Sequence[torch.Tensor], redone: Sequence[Redone]) -> None:
        """Take ``redone`` along, each over the ``pieces`` of the clip after ``step`` with those before it.

        One by one: which there are must not be seen in the bits of the others.
        """
        beside = list(pieces)
        for number, anew in enumerate(redone, start=1):
            beside[anew.place] = self._stepped(self._networks[0], [anew.place], anew.latents, step, number)
            anew.latents = blend(beside, self._windows)[:, self._windows[anew.place].latents]

    def _stepped(
        self, network: Network, places: list[int], noisy: torch.Tensor, step: int, redone: int = 0
    ) -> torch.Tensor:
        """Windows of one length [n,t,16,h,w], after ``step``; ``redone`` tells which of those done anew, 0 for none."""
        timestep = self._scheduler.timesteps[step - 1]
        predicted = self._predicted(network, places, noisy, step, timestep, redone)
        stepped: torch.Tensor = self._scheduler.step(predicted, timestep, noisy, return_dict=False)[0]
        return stepped.to(self._kept)

    def _predicted(
        self,
        network: Network,
        places: list[int],
        noisy: torch.Tensor,
        step: int,
        timestep: torch.Tensor,
        redone: int,
    ) -> torch.Tensor:
        foresight = self._foresight
        if foresight is not None and not is_computed(step - self._done):
            return torch.cat([foresight.predict((redone, place), step) for place in places])
        predicted = network.predict([self._windows[place] for place in places], noisy, timestep)
        if foresight is not None:
            for place, one in zip(places, predicted[:, None], strict=True):
                foresight.saw((redone, place), step, one)
        return predicted
