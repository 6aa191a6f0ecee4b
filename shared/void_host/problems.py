"""Everything that is wrong with one removal, found step by step and said at once."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterable, Iterator, List

from void_wire.errors import VoidError


class Problems:
    """Those found so far, in the order in which they are said."""

    def __init__(self, found: Iterable[VoidError] = ()) -> None:
        self._found: List[VoidError] = list(found)

    def add(self, error: VoidError) -> None:
        """One more."""
        self._found.append(error)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """What is wrong within is kept for `say`. What is assigned within may be missing until that was called."""
        try:
            yield
        except VoidError as error:
            self._found.append(error)

    def say(self) -> None:
        """Raise one VoidError of the first one's class with a line for each; nothing where all is well."""
        if self._found:
            raise type(self._found[0])("\n".join(str(error) for error in self._found))
