"""How many frames a second a plate has, and which of them the model sees."""

from __future__ import annotations

from void_server.frames.exr import Layout
from void_wire.errors import SettingsError
from void_wire.messages import VoidSettings

MODEL_FPS = 12.0
"""What the model was trained at (void.md 1)."""


def frames_per_answer(settings: VoidSettings, first: Layout) -> int:
    """1 when the model sees every frame, n when it sees every n-th.

    Args:
        settings: of the job.
        first: the first plate's header; OpenEXR's ``framesPerSecond`` counts when the job names no rate.

    Raises:
        SettingsError: nobody says what the rate is.
    """
    if settings.time_base == "native":
        return 1
    rate = settings.rate_fps or _said_by(first)
    if not rate:
        raise SettingsError(
            f"Time base model needs the plate's rate and {first} does not say it: give it, for example --rate 24."
        )
    return max(1, round(rate / MODEL_FPS))


def _said_by(layout: Layout) -> float:
    said = layout.metadata.get("framesPerSecond", 0.0)
    if isinstance(said, tuple) and len(said) == 2 and said[1]:
        said = said[0] / said[1]
    return float(said) if isinstance(said, int | float) and said > 0 else 0.0
