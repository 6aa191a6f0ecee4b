"""A macro's removal: `void_host` does it, this exports for it and shows it in the macro.

All of it runs on the one thread that owns the `Host`: the script has a process of its own, so Fusion's windows stay
free meanwhile. Closing Resolve ends the script and not the job: the macro's data says which job it is, and `attach`
goes on with it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional

from void_host.box import box_of
from void_host.output import frame_path, version_in
from void_host.removal import ASK_PATIENCE_S, Exported, Removal, Stopped
from void_host.shot import Shot
from void_resolve.export import Told, export
from void_resolve.host.application import Host
from void_resolve.host.macro import Macro
from void_resolve.shot import Asked, ask
from void_wire.client import ENDED, Client
from void_wire.errors import SettingsError, VoidError
from void_wire.messages import JobStatus


class Left(Exception):
    """The application was closed; the job goes on."""


@dataclass
class MacroScreen:
    """A removal as its macro shows it (`void_host.removal.Screen`), and whoever runs the script hears it.

    A Loader reads how long a sequence is when it is given it: until all frames are there it shows the newest one as a
    still, and then the sequence.
    """

    host: Host
    macro: Macro
    asked: Asked
    told: Told
    other: bool = False  # the editor has chosen other frames, which stay
    shown: str = ""  # the path whose frames are shown
    _newest: Optional[Path] = None
    said: str = ""
    _step_done: bool = False  # the one step of undo is there

    def say(self, text: str) -> None:
        """In the macro, and to whoever runs the script. Raises Left."""
        if not self.host.alive():
            raise Left
        if text != self.said:
            self.said = text
            self.told(text)
            self.macro.write({"status": text})

    def progress(self, text: str, share: float) -> None:
        """The same: the macro has no bar."""
        self.say(text)

    def accepted(self, shot: Shot) -> None:
        """In the macro's data, which is saved with the project."""
        self.macro.keep_job(shot.spec.job, shot.server, shot.output)

    def show(self, shot: Shot, path: str) -> None:
        """A still of the first frame."""
        self.shown = path
        self.look_again()

    def look_again(self) -> None:
        """A still of the newest frame, under a name of its own: at the frame's own a Loader would take all of them."""
        there = self._there()
        if not there:
            return
        file = frame_path(self.shown, there[-1])
        folder = Path(self.asked.shot.output).parent / "newest"
        still = folder / f"{file.stem}_{file.parent.name}_newest.exr"  # Pass 1's is another than the result's
        if still == self._newest:
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(file), str(still))
        except OSError:  # a preview less; the frames themselves are home
            return
        self.macro.show_still(still, self.asked.first, self.asked.last, self._step, not self._step_done)
        if self._newest is not None:
            self._newest.unlink()
        self._newest, self._step_done = still, True

    def ended(self, status: JobStatus) -> None:
        """What the server says of the memory it took, and the box where the model looked."""
        values: Dict[str, Any] = {}
        if "memory_mode" in status.record:
            values["memory"] = status.record["memory_mode"]
        box = box_of(status.record.get("crop", ""), self.asked.height_px) if self.asked.height_px else None
        if box is not None:
            left, bottom, right, top = box
            values.update(box_x=left, box_y=bottom, box_width=right - left, box_height=top - bottom)
        if values:
            self.macro.write(values)

    def warn(self, error: VoidError) -> None:
        """It was said in the macro: a window of this process would hide behind Resolve's."""

    def cancelled(self) -> bool:
        """Another script's Cancel reaches the server, and the job from there."""
        return False

    def close(self) -> None:
        """The finished frames in place of the still; of a job that broke off as many as came in a row."""
        if not self.host.alive():
            return
        there = self._there()
        if there:
            row = [number for at, number in enumerate(there) if number == there[0] + at]
            first, last = (self.asked.timing.to_comp(number) for number in (row[0], row[-1]))
            path = frame_path(self.shown, row[0])
            self.macro.show_sequence(path, first, last, self._step, not self._step_done)
        if self._newest is not None:
            shutil.rmtree(str(self._newest.parent), ignore_errors=True)

    @property
    def _step(self) -> str:
        return f"VOID result {self.asked.shot.version}"

    def _there(self) -> List[int]:
        """Frames of what is shown that are on disk: they appear whole or not at all."""
        if not self.shown or self.other:
            return []
        numbers = self.asked.shot.spec.frames.numbers()
        return [number for number in numbers if frame_path(self.shown, number).is_file()]


@dataclass
class Task:
    """A removal that can be run, or followed. ``stop`` may be called from any thread."""

    screen: MacroScreen
    removal: Removal = field(init=False)

    def __post_init__(self) -> None:
        self.removal = Removal(self.screen.asked.shot, self.screen, self.screen.host.name)

    def run(self) -> Optional[VoidError]:
        """All of it; returns what went wrong, having said so in the macro. Raises Left; bugs are raised."""
        error = self.removal.run(self._export)
        warnings = self.screen.asked.warnings
        if error is None and warnings:
            self.screen.say(" ".join([f"{self.screen.said.rstrip('.')}.", *warnings]))
        return error

    def follow(self) -> Optional[VoidError]:
        """Only from the job on that the server has."""
        return self.removal.follow()

    def _export(self, folder: Path, stopped: Stopped) -> Iterator[Exported]:
        for exported in export(
            self.screen.macro, self.screen.asked, folder, self.screen.say, self.screen.told
        ):
            if stopped():
                return
            yield exported


def start(host: Host, macro: Macro, told: Told, environment: Mapping[str, str]) -> Task:
    """The removal that a macro asks for, still to be run.

    Raises one VoidError that names all there is to mend, SettingsError while its last job is still being made.
    """
    status = _status(macro)
    if status is not None and status.state not in ENDED:
        raise SettingsError(
            f"{macro.name} is at work on a job ({status.state.value}): press Cancel first, or Go on to follow it."
        )
    asked = ask(host.see(macro), environment)
    for warning in asked.warnings:
        told(warning)
    return Task(MacroScreen(host, macro, asked, told))


def attach(host: Host, macro: Macro, told: Told) -> Task:
    """The removal of the job that a macro remembers, still to be followed.

    Raises SettingsError when it has none, and what the server says when asked for it.
    """
    job, server, output = macro.job()
    if not (job and server and output):
        raise SettingsError(f"{macro.name} has no job to go on with: press Remove.")
    with Client(server, patience_s=ASK_PATIENCE_S, name="Resolve") as client:
        spec = client.spec(job)
    seen = host.see(macro)
    shot = Shot(macro.name, server, output, version_in(output), spec)
    clip = macro.result_clip()
    other = clip != "" and Path(output).parent not in Path(clip).parents
    return Task(
        MacroScreen(host, macro, Asked(shot, seen.timing, seen.depth, [], seen.height_px), told, other)
    )


def cancel(macro: Macro) -> str:
    """Stop the macro's job, whichever script sent it; returns what is said of it. Raises VoidError."""
    job, server, _ = macro.job()
    if not (job and server):
        raise SettingsError(f"{macro.name} has no job to cancel.")
    with Client(server, patience_s=ASK_PATIENCE_S, name="Resolve") as client:
        return client.cancel(job).state.value


def _status(macro: Macro) -> Optional[JobStatus]:
    """Of the macro's last job; None where it has none, or its server does not say."""
    job, server, _ = macro.job()
    if not (job and server):
        return None
    try:
        with Client(server, patience_s=ASK_PATIENCE_S, name="Resolve") as client:
            return client.watch(job)
    except VoidError:
        return None
