"""A bundle as other engines take it: its plan and what nodes must have, as steps of commands."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from void_farm import bundle as bundles
from void_farm import plan as plans
from void_server.farm.engines.work import INDEX, Handed, Step, Work
from void_wire.errors import SettingsError
from void_wire.files import write_whole


def work(folder: Path) -> Work:
    """The steps of the bundle in ``folder``; its path is the one that nodes see. Raises SettingsError."""
    path = folder / plans.NAME
    plan, handling = plans.read(path), bundles.read_handling(folder)
    needs, export = handling.needs, handling.export
    weights = ("--weights", handling.weights) if handling.weights else ()
    steps = [Step("export", export.command, licence=_plain(export.licence))] if export is not None else []
    steps.append(
        Step(
            "remove",
            ("void", "farm", "run", "--plan", str(path), "--index", INDEX, *weights),
            tasks=len(plan.tasks()),
            memory_mib=needs.memory_mib,
            gpu_memory_mib=needs.gpu_memory_mib if needs.gpus else 0,
            licence=_plain(needs.licence),
        )
    )
    steps.append(Step("finish", ("void", "farm", "finish", "--plan", str(path))))
    return Work(plan.name, tuple(steps))


def hand(folder: Path, engine: Callable[[Work], Handed]) -> str:
    """Write what ``engine`` makes of the bundle into it; returns the command that hands it over, run there.

    Raises SettingsError when the bundle cannot be read or written, or the engine cannot be told of it.
    """
    handed = engine(work(folder))
    try:
        for name, text in handed.files.items():
            write_whole(folder / name, text.encode())
    except OSError as error:
        raise SettingsError(f"{folder} cannot be written ({error.strerror}): make room there.") from None
    return shlex.join(handed.command)


def _plain(licence: str) -> str:
    """As engines beside Open Job Description call it: ``amount.licence.nuke_r`` is nuke_r there."""
    return licence.rpartition(".")[2]
