"""What a farm engine is given, whichever it is: steps of commands, one task or one a segment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

INDEX = "{index}"
"""In a command: the number of the task, from 0."""


@dataclass(frozen=True)
class Step:
    """Tasks that can run side by side once every task of the step before is done."""

    name: str  # letters, digits and underscores
    command: tuple[str, ...]  # program and arguments; no shell
    tasks: int = 1
    memory_mib: int = 0  # of a task; 0: what the engine gives
    gpu_memory_mib: int = 0  # of its one GPU; 0: none is needed
    licence: str = ""  # the engine's name for the licence that a task holds


@dataclass(frozen=True)
class Work:
    """A night's work: ``steps`` in order."""

    name: str
    steps: tuple[Step, ...]
    environment: Mapping[str, str] = field(default_factory=dict)  # of every command


@dataclass(frozen=True)
class Handed:
    """Files by name, and the command that hands them to the engine from their folder."""

    files: Mapping[str, str]
    command: tuple[str, ...]
