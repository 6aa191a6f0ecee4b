"""What the messages ask of their fields: each raises SettingsError with a sentence that names the field."""

from __future__ import annotations

from typing import Optional, Tuple

from void_wire.errors import SettingsError


def one_of(name: str, value: str, choices: Tuple[str, ...]) -> None:
    """One of ``choices``."""
    if value not in choices:
        raise SettingsError(f"{words(name)} is {value!r}; choose one of {', '.join(choices)}.")


def within(name: str, value: float, low: float, high: float) -> None:
    """From ``low`` to ``high``, both included."""
    if not low <= value <= high:
        raise SettingsError(f"{words(name)} is {value}; it goes from {low} to {high}.")


def told(name: str, value: Optional[float], high: float) -> None:
    """From 0 to ``high``, or None."""
    if value is not None:
        within(name, value, 0.0, high)


def words(name: str) -> str:
    """A field's name as a sentence begins: ``Raster height``."""
    return name.replace("_px", "").replace("_", " ").capitalize()


def text(name: str, value: str, longest: int, empty: bool = True) -> None:
    """Without NUL, ``longest`` characters at most, and some unless ``empty``."""
    if len(value) > longest or "\0" in value or not (empty or value.strip()):
        raise SettingsError(
            f"{words(name)} must be text of {0 if empty else 1} to {longest} characters without NUL."
        )
