"""What made a job's frames: what holds for all of them, and what differs between parts of the shot."""

from __future__ import annotations


class Record:
    """Filled while the job runs. ``whole`` holds for every frame; `part` adds what holds for some."""

    def __init__(self, whole: dict[str, str]) -> None:
        self.whole = whole
        self._parts: list[tuple[str, dict[str, str]]] = []

    def part(self, frames: str, says: dict[str, str]) -> dict[str, str]:
        """Add what holds for ``frames`` (``1001-1046``) beside the whole; gives it back, and more may be added."""
        self._parts.append((frames, says))
        return says

    def summary(self) -> dict[str, str]:
        """All of it for the job: what is the same in every part once, else with the frames it is of."""
        names = dict.fromkeys(name for _, says in self._parts for name in says)
        found = dict(self.whole)
        for name in names:
            values = [(frames, says[name]) for frames, says in self._parts if name in says]
            alike = len({value for _, value in values}) == 1 and len(values) == len(self._parts)
            found[name] = (
                values[0][1] if alike else "; ".join(f"{frames}: {value}" for frames, value in values)
            )
        return found
