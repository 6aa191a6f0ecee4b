"""Plate and mattes as EXR, by the node's own Write nodes: in a Nuke of its own, or in this one between two blinks.

`frames` yields each frame once its files are whole, so that they travel while later ones render. A Write of Nuke
writes beside and renames: a file that has its name is complete.
"""

from __future__ import annotations

import os
import queue
import subprocess
import threading
import time
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Union

from void_host import exr_header
from void_host.removal import Stopped
from void_host.shot import Shot
from void_nuke import host
from void_nuke.licence import COMMERCIAL, Licence
from void_wire.errors import SettingsError
from void_wire.messages import Role

WRITERS: Mapping[Role, str] = {Role.PLATE: "WritePlate", Role.MATTES: "WriteMattes"}
_POLL_S = 0.1
_SAID_LINES = 3


class NoBackground(Exception):
    """A Nuke of its own rendered nothing: no licence for it, or a version that renders no Write inside a node."""


def files(shot: Shot, folder: Path, frame: int) -> Dict[Role, Path]:
    """The files of one frame of the export."""
    return {role: folder / f"{role.value}.{frame:04d}.exr" for role in shot.spec.roles}


def frames(shot: Shot, folder: Path, stopped: Stopped, told: Callable[[str], None]) -> Iterator[int]:
    """Render the shot into ``folder``; yields the frames in order, and ends early when ``stopped``.

    First a Nuke of its own is tried. ``told`` hears in a sentence why it could not be, where this one does the work.
    Raises SettingsError when a frame cannot be rendered.
    """
    licence = host.on_main(host.licence)
    for count, frame in enumerate(_rendered(shot, folder, licence, stopped, told)):
        if count == 0:
            check_size(shot, files(shot, folder, frame)[Role.PLATE], licence)
        yield frame


def _rendered(
    shot: Shot, folder: Path, licence: Licence, stopped: Stopped, told: Callable[[str], None]
) -> Iterator[int]:
    if not host.in_gui():
        yield from _here(shot, folder, stopped)
        return
    try:
        yield from _in_background(shot, folder, licence, stopped)
    except NoBackground as error:
        told(str(error))
        yield from _here(shot, folder, stopped)


def check_size(shot: Shot, plate: Path, licence: Licence) -> None:
    """Raise SettingsError when the exported ``plate`` has another size than the node's: a result would not fit."""
    header = exr_header.read(plate)
    if header is not None and shot.size is not None and header.display != shot.size:
        (width, height), (wanted, high) = header.display, shot.size
        raise SettingsError(
            f"The plate is {wanted} x {high} and {licence.nuke} exported it as {width} x {height}, so nothing "
            "was sent. A licence with a limit writes no larger pictures: bring plate and rotos to what it writes."
        )


def background_command(executable: str, shot: Shot, script: Path, licence: Licence = COMMERCIAL) -> List[str]:
    """The command line of a Nuke that renders both Writes of the node at full size, and leaves."""
    spec = shot.spec
    writers = ",".join(f"{shot.owner}.{WRITERS[role]}" for role in spec.roles)
    span = f"{spec.frames.first}-{spec.frames.last}"
    view = ["-view", shot.view] if shot.view else []
    return [
        executable, "-x", *licence.background, "-V", "1", "-f", "-X", writers, "-F", span, *view, str(script)
    ]  # fmt: skip


def background_environment(own: Mapping[str, str], temporary: Path) -> Dict[str, str]:
    """This process's environment without what would change another Python, and a temporary folder of its own."""
    kept = {name: value for name, value in own.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    return {**kept, "NUKE_TEMP_DIR": str(temporary)}


def _in_background(shot: Shot, folder: Path, licence: Licence, stopped: Stopped) -> Iterator[int]:
    """Raises NoBackground while no frame is made, SettingsError after."""
    if not licence.has_background:
        raise NoBackground(f"{licence.nuke} renders in no background: this one exports, a frame at a time.")
    script, log = folder / f"export{licence.script}", folder / "nuke.log"
    host.on_main(host.save_copy, shot.owner, folder.as_posix(), str(script))
    command = background_command(host.executable(), shot, script, licence)
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=background_environment(os.environ, folder),
            )
        except OSError as error:
            raise NoBackground(
                f"{command[0]} cannot be started ({error.strerror}): this Nuke exports."
            ) from None
        try:
            for count, frame in enumerate(shot.spec.frames.numbers()):
                if not _appears(list(files(shot, folder, frame).values()), process, stopped):
                    if stopped():
                        return
                    said = _last_lines(log)
                    if count == 0:
                        raise NoBackground(
                            f"A Nuke in the background rendered nothing ({said}): this one exports."
                        )
                    raise SettingsError(f"Frame {frame} was not rendered for the export: {said}")
                yield frame
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def _appears(paths: Sequence[Path], process: "subprocess.Popen[bytes]", stopped: Stopped) -> bool:
    """Wait until all of them are there; False when the process ended without them, or the artist cancelled."""
    while True:
        ended = process.poll() is not None  # asked first: what it wrote last is seen after
        if all(path.is_file() for path in paths):
            return True
        if ended or stopped():
            return False
        time.sleep(_POLL_S)


def _last_lines(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " ".join(lines[-_SAID_LINES:])[-300:] or "it said nothing"


def _here(shot: Shot, folder: Path, stopped: Stopped) -> Iterator[int]:
    """A frame at a time on the main thread. In a terminal in turn with the upload, in the GUI beside it."""
    host.on_main(host.begin_export, shot.owner, folder.as_posix())
    try:
        if not host.in_gui():
            for frame in shot.spec.frames.numbers():
                if stopped() or not _render(shot, frame):
                    return
                yield frame
            return
        yield from _beside(shot, stopped)
    finally:
        host.on_main(host.end_export, shot.owner)


def _beside(shot: Shot, stopped: Stopped) -> Iterator[int]:
    done: "queue.Queue[Union[int, BaseException, None]]" = queue.Queue()
    left = threading.Event()

    def work() -> None:
        last: Optional[BaseException] = None
        try:
            for frame in shot.spec.frames.numbers():
                if left.is_set() or stopped() or not _render(shot, frame):
                    break
                done.put(frame)
        except BaseException as error:  # the one who waits for frames raises it
            last = error
        done.put(last)

    thread = threading.Thread(target=work, name=f"void export {shot.owner}", daemon=True)
    thread.start()
    try:
        while True:
            found = done.get()
            if isinstance(found, BaseException):
                raise found
            if found is None:
                return
            yield found
    finally:
        left.set()
        thread.join()


def _render(shot: Shot, frame: int) -> bool:
    """Render a frame of each Write on the main thread; False when the artist cancelled in Nuke's own window."""
    for role in shot.spec.roles:
        try:
            host.on_main(host.render, shot.owner, WRITERS[role], frame, shot.view)
        except RuntimeError as error:
            if str(error).startswith("Cancelled"):
                return False
            raise SettingsError(f"Frame {frame} could not be rendered for the export: {error}") from None
    return True
