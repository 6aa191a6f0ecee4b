"""A benchmark's rows with where and when they were measured, as JSON."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import psutil

from void_server import __version__
from void_server.bench.row import Row
from void_wire.errors import SettingsError


@dataclass(frozen=True)
class Measured:
    """One run of one benchmark."""

    bench: str
    version: str
    machine: str
    date: str  # ISO 8601, of the day
    rows: list[Row]

    @classmethod
    def here(cls, bench: str, rows: list[Row]) -> Measured:
        """Rows that were measured just now on this machine."""
        return cls(bench, __version__, machine(), datetime.date.today().isoformat(), rows)

    @classmethod
    def read(cls, file: Path) -> Measured:
        """What `json` wrote. Raises SettingsError for a file that holds something else."""
        try:
            held = json.loads(file.read_text(encoding="utf-8"))
            return cls(**{**held, "rows": [Row(**row) for row in held["rows"]]})
        except OSError as error:
            raise SettingsError(f"{file} cannot be read: {error.strerror}.") from None
        except (ValueError, TypeError, KeyError):
            raise SettingsError(f"{file} is not what void bench NAME --json prints: measure again.") from None

    def json(self) -> str:
        """For `read`."""
        return json.dumps(dataclasses.asdict(self), indent=2)


def machine() -> str:
    """What this machine is, in a line: GPU where torch sees one, processor, cores, memory, system."""
    parts = [
        _processor(),
        f"{os.cpu_count()} cores",
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        platform.system(),
    ]
    try:
        import torch
    except ImportError:
        return ", ".join(parts)
    if torch.cuda.is_available():
        parts.insert(0, torch.cuda.get_device_name(0))
    return ", ".join([*parts, f"torch {torch.__version__}"])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
