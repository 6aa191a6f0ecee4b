"""Temporal windows: how a clip longer than the model's reach is cut, without torch.

Windows are cut in latents; one latent is four frames, the clip's first latent one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from void_wire.errors import SettingsError
from void_wire.messages import WindowSeed

OVERLAP_LATENTS = 4

NAMED = 100
"""Windows that a job's record spells out."""


@dataclass(frozen=True)
class Window:
    """Latents ``start``..``stop`` (exclusive) of the clip."""

    start: int
    stop: int

    @property
    def latents(self) -> slice:
        """Where its latents lie in the clip's."""
        return slice(self.start, self.stop)

    @property
    def frames(self) -> range:
        """The frames, by index, that its latents decode to; the padding's among them."""
        return range(max(0, 4 * self.start - 3), 4 * self.stop - 3)


def latent_frames(frames: int) -> int:
    """Latents of ``frames`` frames: 85 -> 22."""
    return (frames - 1) // 4 + 1


def padded_length(frames: int, window_frames: int) -> int:
    """Frames the model runs on for a clip of ``frames``: at least one window, and 8k+5.

    8k+5 frames are 2k+2 latents: the transformer joins latents in pairs, so an odd count does not fit.
    """
    wanted = max(frames, window_frames, 5)
    return wanted + (5 - wanted) % 8


def cut_windows(clip_frames: int, window_frames: int) -> list[Window]:
    """The windows of a clip of ``clip_frames``, which the model runs on padded (see `padded_length`).

    A clip that fits ``window_frames`` is one window, whatever the padding added. A longer one is cut into
    windows of an even number of latents that overlap by 4; the last may be shorter.

    Raises SettingsError when the window does not exceed the overlap.
    """
    total = latent_frames(padded_length(clip_frames, window_frames))
    length = latent_frames(window_frames) // 2 * 2
    if clip_frames <= window_frames or length >= total:
        return [Window(0, total)]
    if length <= OVERLAP_LATENTS:
        raise SettingsError(
            f"A temporal window of {window_frames} frames does not exceed the overlap of 16 that {clip_frames} "
            "frames need: use 21 or more."
        )
    starts = range(0, total - OVERLAP_LATENTS, length - OVERLAP_LATENTS)
    return [Window(start, min(start + length, total)) for start in starts]


def spans(windows: Sequence[Window], numbers: Sequence[int]) -> list[tuple[int, int]]:
    """The first and the last frame of each window; ``numbers`` are those of the clip's frames, in order."""
    last = len(numbers) - 1
    return [(numbers[window.frames[0]], numbers[min(window.frames[-1], last)]) for window in windows]


def name_spans(found: Sequence[tuple[int, int]]) -> str:
    """Which frames each window holds, for whoever wants one done anew: ``1: 1001-1085, 2: 1070-1154``."""
    named = [f"{window}: {first}-{last}" for window, (first, last) in enumerate(found, start=1)]
    if len(named) > NAMED:
        named = [*named[: NAMED - 1], f"and so on to {named[-1]}"]
    return ", ".join(named)


def check_window_seeds(seeds: Sequence[WindowSeed], found: Sequence[tuple[int, int]]) -> None:
    """Raise SettingsError when a seed is for a window that is not there; ``found`` is what `spans` gives."""
    for own in seeds:
        if own.window > len(found):
            raise SettingsError(
                f"Window {own.window} was to be done anew, and the shot has {len(found)} ({name_spans(found)}): name "
                "one of these."
            )
