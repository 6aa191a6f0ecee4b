"""How many frames a second a plate has, and which of them the model sees."""

from __future__ import annotations

from void_server.frames.exr import Layout
from void_wire.errors import SettingsError
from void_wire.messages import VoidSettings


def frames_per_answer(settings: VoidSettings, first: Layout) -> int:
    """1 when the model sees every frame, n when it sees every n-th.

    Args:
        settings: of the job.
        first: the first plate's header; OpenEXR's ``framesPerSecond`` counts when the job names no rate.

    Raises:
        SettingsError: nobody says what the rate is.
    """
    found = settings.frames_per_answer(_said_by(first))
    if found is None:
        raise SettingsError(
            f"Time base model needs the plate's rate and {first} does not say it: give it, for example --rate 24."
        )
    return found


def _said_by(layout: Layout) -> float:
    said = layout.metadata.get("framesPerSecond", 0.0)
    if isinstance(said, tuple) and len(said) == 2 and said[1]:
        said = said[0] / said[1]
    return float(said) if isinstance(said, int | float) and said > 0 else 0.0
