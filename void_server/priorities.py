"""Which keys' jobs come before others'."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from void_wire.errors import SettingsError

LOWEST, HIGHEST = -1000, 1000


@dataclass(frozen=True)
class Priorities:
    """Name of a key -> its priority, higher comes first. Whoever is not named, or has no key, has 0."""

    of_names: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        return ",".join(f"{name}={priority}" for name, priority in self.of_names)

    def of(self, name: str) -> int:
        """The priority of the key of ``name``."""
        return dict(self.of_names).get(name, 0)

    @classmethod
    def read(cls, value: Any) -> Priorities:
        """What the config says: a table ``{anna = 10, farm = -5}``, or the text ``anna=10,farm=-5``.

        Raises SettingsError.
        """
        if isinstance(value, Mapping):
            given = list(value.items())
        else:
            parts = [entry.partition("=") for entry in str(value).split(",") if entry.strip()]
            given = [(name, said) for name, _, said in parts]
        found: dict[str, int] = {}
        for name, said in given:
            try:
                number = int(str(said))
            except ValueError:
                raise SettingsError(
                    f"priorities: {str(name).strip()} has {str(said).strip() or 'none'}; write whole numbers, as in "
                    "anna=10,farm=-5."
                ) from None
            if not LOWEST <= number <= HIGHEST:
                raise SettingsError(
                    f"priorities: {str(name).strip()} has {number}; they go from {LOWEST} to {HIGHEST}."
                )
            found[str(name).strip()] = number
        return cls(tuple(sorted(found.items())))


NONE = Priorities()
"""Everybody takes turns."""
