"""What came of a row: one finding for each thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass


class NotMeasured(Exception):
    """This machine lacks what a row needs; the message says what."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    says: str  # with the figure
    holds: bool | None  # None: not measured here
    timed: bool = False  # a busy machine can spoil it


@dataclass(frozen=True)
class Verdict:
    """One row of the table."""

    row: int
    wanted: str
    count: int  # how often it was tried
    findings: tuple[Finding, ...]

    @property
    def seen(self) -> str:
        """All findings, the ones that do not hold marked."""
        return "; ".join(f"NOT: {one.says}" if one.holds is False else one.says for one in self.findings)

    @property
    def holds(self) -> bool | None:
        """Whether everything that was wanted was seen; None when some of it could not be measured."""
        return _all(self.findings)

    @property
    def sound(self) -> bool | None:
        """`holds`, without the figures that a busy machine can spoil."""
        return _all(tuple(one for one in self.findings if not one.timed))


def _all(findings: tuple[Finding, ...]) -> bool | None:
    if any(one.holds is False for one in findings):
        return False
    return None if not findings or any(one.holds is None for one in findings) else True


def at_most(says: str, value: float, limit: float, unit: str) -> Finding:
    """A figure with its bound that depends on the machine's speed."""
    return Finding(f"{says} {value:.3g} {unit} (<= {limit:g})", value <= limit, timed=True)
