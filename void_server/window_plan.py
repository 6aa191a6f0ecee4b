"""Which temporal windows a job has, counted through its segments: how an artist names one to have it done anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from void_server.engine.time_base import sampled
from void_server.engine.windows import check_window_seeds, cut_windows, name_spans, spans
from void_server.frames.segments import Segment
from void_wire.messages import VoidSettings, WindowSeed, noise_range


class WindowPlan:
    """The windows of all segments, from 1 on in their order.

    Args:
        settings: of the job.
        segments: all that the model sees, in order.
        frames: the job's frame numbers, by index.
        every: the model sees one frame in this many.

    Raises SettingsError when a window is to be done anew that is not there.
    """

    def __init__(
        self, settings: VoidSettings, segments: Sequence[Segment], frames: Sequence[int], every: int
    ) -> None:
        self.every = every
        self._settings, self._frames = settings, frames
        self._before: dict[Segment, int] = {}
        self._spans: list[tuple[int, int]] = []
        for segment in segments:
            shown = [frames[segment.first + position] for position in sampled(len(segment), every)]
            self._before[segment] = len(self._spans)
            self._spans += spans(cut_windows(len(shown), settings.window_frames), shown)
        check_window_seeds(settings.window_seeds, self._spans)
        rasters = [segment.fit.raster for segment in segments]
        self.largest = max(rasters, key=lambda raster: raster[0] * raster[1], default=(0, 0))
        """The raster of the most pixels, height and width."""

    def __str__(self) -> str:
        """``1: 1001-1085, 2: 1070-1154``."""
        return name_spans(self._spans)

    def noise_at(self, segment: Segment) -> int:
        """Where the segment's noise begins in that of the whole shot, in frames that the model sees.

        0, the beginning, for every segment of a job whose settings name no whole shot.
        """
        whole = self._settings.noise_frames()
        return noise_range.position(whole, self._frames[segment.first], self.every) if whole else 0

    def settings_of(self, segment: Segment) -> VoidSettings:
        """The settings for the engine, whose windows are those of this segment alone."""
        first = self._before[segment]
        later = [before for before in self._before.values() if before > first]
        stop = min(later, default=len(self._spans))
        own = [seed for seed in self._settings.window_seeds if first < seed.window <= stop]
        shifted = tuple(WindowSeed(seed.window - first, seed.seed) for seed in own)
        return replace(self._settings, window_seeds=shifted)
