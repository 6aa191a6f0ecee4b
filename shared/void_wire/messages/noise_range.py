"""Where the frames of a job stand in the noise of the whole shot that it is a part of."""

from __future__ import annotations

from void_wire.errors import SettingsError
from void_wire.messages.shot import FrameRange

FRAMES_PER_LATENT = 4
"""The model's noise has one piece for as many of the frames that it sees."""

FRAMES_PER_PAIR = 2 * FRAMES_PER_LATENT
"""The transformer joins such pieces in pairs: parts that begin a multiple of this after the whole stay most like it."""


def check_part(whole: FrameRange, part: FrameRange, every: int = 1) -> None:
    """Raise SettingsError unless the noise of ``whole`` has one that begins where ``part`` does, and holds all of it.

    ``every``: the model sees one frame in this many.
    """
    if part.step != whole.step:
        raise SettingsError(
            f"Range {part} takes one frame in {part.step} and noise range {whole} one in {whole.step}: give the noise "
            "range the range's step."
        )
    outside = next((n for n in (part.first, part.last) if not whole.first <= n <= whole.last), None)
    if outside is not None:
        raise SettingsError(
            f"Frame {outside} of range {part} lies outside noise range {whole}: give the range of the whole shot, for "
            f"example {FrameRange(min(part.first, whole.first), max(part.last, whole.last), whole.step)}."
        )
    unit = FRAMES_PER_LATENT * every * whole.step
    beyond = (part.first - whole.first) % unit
    if beyond:
        before, after = part.first - beyond, part.first - beyond + unit
        others = f"{before}, or {after}" if after <= part.last else str(before)
        raise SettingsError(
            f"Frame {part.first}, where range {part} begins, is {part.first - whole.first} after {whole.first}, where "
            f"noise range {whole} begins, and that must be a multiple of {unit}: begin at {others}."
        )


def position(whole: FrameRange, frame: int, every: int = 1) -> int:
    """How many frames that the model sees there are in ``whole`` before ``frame``: to the nearest."""
    unit = every * whole.step
    return (frame - whole.first + unit // 2) // unit
