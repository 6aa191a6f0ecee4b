"""Which windows of a step go through the transformer together.

The windows of one step know nothing of each other, so those of one length can be one batch: the weights are read, or
brought to the device, once for all of them. The products are then of other sizes, so results differ by rounding; speed
plain takes one window at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from void_server.engine.memory import denoise_bytes, free_bytes, vae_bytes


class Together:
    """How many windows of a length are taken at once, and what became of it.

    As many as there is memory for, and no more than take what decoding takes anyway: so a memory mode needs no more
    than it is said to. Where they ran out all the same they go one by one, for as long as the model stays loaded.

    Args:
        device: where the transformers run.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._limit_bytes: float = float("inf")  # what windows that ran out have left to the others
        self._said: dict[int, str] = {}  # pass -> how many, and why no more

    def forget(self) -> None:
        """Before a run: `told` is of it alone."""
        self._said.clear()

    @property
    def told(self) -> str:
        """For the record of a result: ``pass 1: 3; pass 2: 2``."""
        return "; ".join(f"pass {number}: {said}" for number, said in sorted(self._said.items())) or "1"

    def begin(
        self, pass_number: int, lengths: Sequence[int], rows: int, pixels: int, coming_bytes: int
    ) -> int:
        """How many windows are taken at once throughout a pass.

        Args:
            pass_number: 1 or 2.
            lengths: of the windows, in latents.
            rows: of each window in a batch: 2 under guidance.
            pixels: of the raster.
            coming_bytes: of weights that are still to be brought to the device.
        """
        room = min(free_bytes(self._device) - coming_bytes, vae_bytes(pixels), self._limit_bytes)
        fit = int(room // denoise_bytes(pixels, max(lengths), rows))
        count = max(1, min(fit, max(lengths.count(length) for length in lengths)))
        self._said[pass_number] = str(count)
        return count

    def ran_out(self, pass_number: int, where: str, length: int, rows: int, pixels: int) -> None:
        """Windows of ``length`` that were taken together did ``where``: one by one from here on, as are larger ones."""
        self._limit_bytes = min(self._limit_bytes, denoise_bytes(pixels, length, rows))
        self._said[pass_number] += f", then 1 as they ran out of memory {where}"


def batches(lengths: Sequence[int], at_once: int) -> list[list[int]]:
    """Places of windows that are taken together: of one length each, in order, ``at_once`` at the most."""
    by_length: dict[int, list[int]] = {}
    for place, length in enumerate(lengths):
        by_length.setdefault(length, []).append(place)
    return [
        places[first : first + at_once]
        for places in by_length.values()
        for first in range(0, len(places), at_once)
    ]
