"""Steps of a preview that are not computed: what the network would predict is told from its last two predictions.

The sums are those of diffusers' ``TaylorSeerCacheConfig(use_lite_mode=True, cache_interval=2, max_order=1)``, the one
of its caches that leaves out a whole forward. Its hooks have the blocks make zeros and extrapolate what the last layer
makes; a prediction is that, in another order, so here it is extrapolated itself, and nothing is hung into the model.
"""

from __future__ import annotations

from collections.abc import Hashable

import torch

WARM_UP = 3
"""Steps at the beginning that are all computed; from there on it is every second one."""


def is_computed(step: int) -> bool:
    """Whether step 1..N of a pass goes through the network."""
    return step <= WARM_UP or (step - WARM_UP) % 2 == 0


def computed_of(steps: int) -> int:
    """How many of a pass's steps do: 6 of 10."""
    return sum(map(is_computed, range(1, steps + 1)))


class Foresight:
    """The last two predictions for each window of a clip, whatever names it."""

    def __init__(self) -> None:
        self._known: dict[Hashable, list[tuple[int, torch.Tensor]]] = {}

    def saw(self, window: Hashable, step: int, predicted: torch.Tensor) -> None:
        """Take in what the network predicted, of any shape; a step that is done again takes its own place."""
        before = [known for known in self._known.get(window, []) if known[0] < step]
        self._known[window] = [*before[-1:], (step, predicted)]

    def predict(self, window: Hashable, step: int) -> torch.Tensor:
        """What it would at a later step, along the line through both."""
        (before, one), (last, other) = self._known[window]
        return other + (other - one) / (last - before) * (step - last)
