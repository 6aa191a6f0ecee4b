"""The process that a server was started for, and leaves with: a farm's runner that is killed tidies nothing up."""

from __future__ import annotations

import time

import psutil

from void_wire.errors import SettingsError

LOOK_S = 1.0
"""Between looks."""


class Companion:
    """One process, known by its id and when it began: another that gets the same id later is not it.

    Raises SettingsError when there is no such process.
    """

    def __init__(self, pid: int) -> None:
        try:
            self._process = psutil.Process(pid)
        except psutil.NoSuchProcess:
            raise SettingsError(
                f"exit_with is {pid}, and there is no such process: give the id of one that runs, or leave it out."
            ) from None
        self._look_at = 0.0
        self._gone = False

    def gone(self) -> bool:
        """Whether it has ended, as of the last look."""
        now = time.monotonic()
        if not self._gone and now >= self._look_at:
            self._look_at = now + LOOK_S
            try:
                self._gone = self._process.status() == psutil.STATUS_ZOMBIE or not self._process.is_running()
            except psutil.NoSuchProcess:
                self._gone = True
        return self._gone
