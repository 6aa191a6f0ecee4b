"""Following a job in a terminal: a bar a stage with the time left, frames fetched as they become ready."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from void_panel.pace import outlook
from void_server.frames.sequence import output_path
from void_wire.client import ENDED, Client
from void_wire.errors import MissingFrames, SettingsError, from_code
from void_wire.messages import JobSpec, JobStatus, Role, State

console = Console(stderr=True, highlight=False)

QUEUE = "queue"


def bars() -> Progress:
    """The progress display of every command; plain lines stay readable in a log."""
    return Progress(
        TextColumn("{task.description:>10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=False,
    )


def follow(client: Client, job: str, outputs: Mapping[Role, str]) -> JobStatus:
    """Show the job's progress and bring ``outputs`` (role -> file pattern) home until it has ended.

    Raises the error the job failed with, after everything that was made is fetched.
    """
    with bars() as display:
        stages: dict[str, TaskID] = {}
        status, say = client.watch(job), saying(display)
        home = _at_home(client, status, outputs)
        while True:
            if status.state not in ENDED:
                say(status.waits)
            _show(display, stages, status)
            fetched = _fetch_ready(client, status, outputs, home)
            if status.state in ENDED:
                break
            status = client.watch(job, status.revision, 0.0 if fetched else 5.0)
    if status.state is State.FAILED:
        raise from_code(status.error_code, status.error)
    return status


def saying(display: Progress) -> Callable[[str], None]:
    """Prints why a job waits, once, and that it goes on."""
    said = False

    def say(sentence: str) -> None:
        nonlocal said
        if bool(sentence) != said:
            display.console.print(f"Waits: {sentence}" if sentence else "There is room again: it goes on.")
        said = bool(sentence)

    return say


def fetch_all(client: Client, status: JobStatus, outputs: Mapping[Role, str]) -> int:
    """Bring home what is ready now; returns how many frames are. Raises MissingFrames when there is none."""
    for role in outputs:
        if not status.ready.get(role):
            raise MissingFrames(
                f"Job {status.job} is {status.state.value} and has no frames of {role.value} (yet)."
            )
    home = _at_home(client, status, outputs)
    _fetch_ready(client, status, outputs, home)
    return sum(len(frames) for frames in home.values())


def _at_home(client: Client, status: JobStatus, outputs: Mapping[Role, str]) -> dict[Role, set[int]]:
    """What an earlier command brought, of the frames that are ready: it broke off, or its disk was full."""
    return {
        role: client.at_home(
            status.job, role, {frame: output_path(pattern, frame) for frame in status.ready.get(role, [])}
        )
        for role, pattern in outputs.items()
    }


def _fetch_ready(
    client: Client, status: JobStatus, outputs: Mapping[Role, str], home: Mapping[Role, set[int]]
) -> int:
    count = 0
    for role, pattern in outputs.items():
        wanted = [frame for frame in status.ready.get(role, []) if frame not in home[role]]
        for frame, _ in client.fetch(status.job, role, wanted, partial(output_path, pattern)):
            home[role].add(frame)
            count += 1
    return count


def _show(display: Progress, stages: dict[str, TaskID], status: JobStatus) -> None:
    queued = status.state is State.QUEUED and not status.waits
    stage = status.stage.value if status.stage else ""
    for other, task in stages.items():
        display.update(task, description=other)
        if stage not in ("", other) and not display.tasks[task].finished:  # a later one, so this is complete
            display.update(task, completed=display.tasks[task].total)
    told = outlook(status.begins_in_s, status.ends_in_s)
    if queued:
        _bar(display, stages, QUEUE, f"place {status.queue_place}", told, 0, 1)
    elif stage:
        _bar(display, stages, stage, stage, told, status.step, max(1, status.steps))


def _bar(
    display: Progress, stages: dict[str, TaskID], name: str, doing: str, told: str, step: int, steps: int
) -> None:
    if name not in stages:
        stages[name] = display.add_task(name, total=steps)
    described = f"{doing}, {told}" if told else doing
    display.update(stages[name], completed=step, total=steps, description=described)


def check_made(spec: JobSpec, outputs: Mapping[Role, str]) -> None:
    """Raise SettingsError when ``outputs`` name frames that the job does not make."""
    both = spec.void is not None and spec.void.as_run().passes == 2 and spec.void.show_pass1
    made = {Role.RESULT: True, Role.PASS1: both, Role.OVERLAY: spec.picture.overlay}
    for role, option in ((Role.PASS1, "--save-pass1"), (Role.OVERLAY, "--save-quadmask")):
        if role in outputs and not made[role]:
            raise SettingsError(
                f"Job {spec.job} was sent without {option}, so the server has no such frames: submit the shot again "
                f"with {option}, or leave it out here."
            )


def outputs_of(out: str | None, pass1_out: str | None, overlay_out: str | None) -> dict[Role, str]:
    """Role -> file pattern, of the patterns that are given. Raises SettingsError when two are the same."""
    given = {Role.RESULT: out, Role.PASS1: pass1_out, Role.OVERLAY: overlay_out}
    outputs = {role: pattern for role, pattern in given.items() if pattern}
    if len(set(outputs.values())) < len(outputs):
        raise SettingsError("Two outputs have the same file pattern: give each its own.")
    return outputs
