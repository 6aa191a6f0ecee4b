"""Pixar's Tractor: a job script, which ``tractor-spool`` takes. It is a Tcl list, so words are quoted for Tcl."""

from __future__ import annotations

import re

from void_server.farm.engines.work import INDEX, Handed, Step, Work

FILE = "tractor.alf"


def handed(work: Work, *, gpu_service: str = "gpu", service: str = "PixarRender") -> Handed:
    """The script of ``work``.

    Args:
        work: what is to be done.
        gpu_service: the service key of blades with a GPU of the memory that the steps want.
        service: of blades for the other steps.
    """
    env = "".join(f" {_word(f'setenv {name}={value}')}" for name, value in work.environment.items())
    head = f"Job -title {_word(work.name)} -serialsubtasks 1" + (f" -envkey {{{env[1:]}}}" if env else "")
    steps = "".join(_step(step, gpu_service if step.gpu_memory_mib else service) for step in work.steps)
    return Handed({FILE: f"##AlfredToDo 3.0\n{head} -subtasks {{\n{steps}}}\n"}, ("tractor-spool", FILE))


def _step(step: Step, service: str) -> str:
    def cmds(index: int) -> str:
        words = " ".join(_word(word.replace(INDEX, str(index))) for word in step.command)
        tags = f" -tags {{{_word(step.licence)}}}" if step.licence else ""
        return f"-cmds {{\n      RemoteCmd {{{words}}} -service {_word(service)}{tags}\n    }}"

    if step.tasks == 1:
        return f"  Task {_word(step.name)} {cmds(0)}\n"
    tasks = "".join(
        f"    Task {_word(f'{step.name} {index}')} {cmds(index)}\n" for index in range(step.tasks)
    )
    return f"  Task {_word(step.name)} -subtasks {{\n{tasks}  }}\n"


def _word(text: str) -> str:
    """One word of a Tcl list, which holds when lists lie in lists."""
    if text and not re.search(r"[\s{}\[\]$\"\\;#]", text):
        return text
    if not re.search(r"[{}\\]", text):
        return f"{{{text}}}"
    return re.sub(r"([\s{}\[\]$\"\\;#])", r"\\\1", text)
