"""What a removal is made of: the inputs that every host's node or macro has."""

from __future__ import annotations

from typing import Container, Iterator

from void_wire.errors import ShotError

INPUTS = ("plate", "remove", "affected")

_NEEDED = (("plate", "the shot"), ("remove", "the roto of what goes"))


def unconnected(connected: Container[str]) -> Iterator[ShotError]:
    """A sentence for each input that a removal needs and that is not among the connected ones."""
    for name, what in _NEEDED:
        if name not in connected:
            yield ShotError(f"Input {name} is not connected: connect {what}.")
