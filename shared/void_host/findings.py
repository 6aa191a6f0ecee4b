"""What a host answered to a plugin's questions: one finding a claim, and the report of them all."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Mapping, Tuple

NAME = "void-selftest"
"""Of the report's files."""


class Answer(str, Enum):
    """What a probe found."""

    CONFIRMED = "confirmed"
    CONTRADICTED = "contradicted"
    NOT_TRIED = "not tried"


Found = Tuple[Answer, str]
"""The answer, and what was seen or why nothing was."""


@dataclass(frozen=True)
class Finding:
    """The answer to one claim, and what was seen or why nothing was."""

    claim: str
    answer: Answer
    saw: str


@dataclass(frozen=True)
class Report:
    """What is sent back."""

    title: str
    about: Mapping[str, str]
    findings: Tuple[Finding, ...]

    @property
    def good(self) -> bool:
        """Whether nothing was contradicted."""
        return all(one.answer is not Answer.CONTRADICTED for one in self.findings)

    def text(self) -> str:
        """For reading."""
        lines = [self.title, ""]
        lines += [f"{name}: {value}" for name, value in self.about.items()]
        lines += ["", *(f"[{one.answer.value}] {one.claim}\n    {one.saw}" for one in self.findings), ""]
        return "\n".join(lines)

    def write(self, folder: Path) -> Path:
        """Both files; returns the one for reading. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        told = {"about": dict(self.about), "findings": [asdict(one) for one in self.findings]}
        (folder / f"{NAME}.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        path = folder / f"{NAME}.txt"
        path.write_text(self.text(), encoding="utf-8")
        return path
