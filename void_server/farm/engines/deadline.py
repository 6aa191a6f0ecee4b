"""Deadline 10: a job of the CommandLine plugin for each step, each job held back by the one before.

Job and plugin info files as of its manual, "Manual Job Submission".
"""

from __future__ import annotations

from void_server.farm.engines.work import INDEX, Handed, Work
from void_wire.errors import SettingsError

PLACEHOLDER = "<STARTFRAME>"


def handed(
    work: Work, *, pool: str = "none", group: str = "none", gpu_group: str = "", priority: int = 50
) -> Handed:
    """The two files of every step.

    Args:
        work: what is to be done.
        pool: of every job.
        group: of steps without a GPU.
        gpu_group: of steps with one, which Deadline does not count itself; empty: ``group``.
        priority: 0 to 100.

    Raises SettingsError for an argument that cannot be written on one line, or holds a quote or a token of Deadline's.
    """
    files: dict[str, str] = {}
    command = ["deadlinecommand", "-SubmitMultipleJobs", "-Dependent"]
    for number, step in enumerate(work.steps, 1):
        info, plugin = (f"deadline_{number}_{step.name}.{kind}" for kind in ("job", "plugin"))
        files[info] = _lines(
            {
                "Plugin": "CommandLine",
                "Name": f"{work.name}: {step.name}",
                "BatchName": work.name,
                "Frames": f"0-{step.tasks - 1}" if step.tasks > 1 else "0",
                "ChunkSize": 1,
                "ConcurrentTasks": 1,
                "Pool": pool,
                "Group": (gpu_group or group) if step.gpu_memory_mib else group,
                "Priority": priority,
                **({"LimitGroups": step.licence} if step.licence else {}),
                **{
                    f"EnvironmentKeyValue{place}": f"{name}={value}"
                    for place, (name, value) in enumerate(work.environment.items())
                },
            }
        )
        program, *arguments = step.command
        files[plugin] = _lines(
            {
                "Executable": program,
                "Arguments": " ".join(map(_argument, arguments)).replace(INDEX, PLACEHOLDER),
                "Shell": "default",
                "ShellExecute": False,
                "SingleFramesOnly": True,
            }
        )
        command += ["-Job", info, plugin]
    return Handed(files, tuple(command))


def _argument(word: str) -> str:
    if any(mark in word for mark in '"<>\n\r'):
        raise SettingsError(
            f'Deadline 10 cannot be told of {word!r}: give the path a name without ", <, > and line breaks.'
        )
    return f'"{word}"' if not word or " " in word else word


def _lines(pairs: dict[str, object]) -> str:
    return "".join(f"{name}={value}\n" for name, value in pairs.items())
