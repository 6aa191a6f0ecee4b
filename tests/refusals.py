"""Shots that are to be refused, and what a refusal says."""

from collections.abc import Callable

import numpy as np
from real_shots import ShotOnDisk

from void_server.frames.exr import write_frame
from void_wire.client import ENDED, Client
from void_wire.messages import JobSpec, JobStatus, Role

FRAMES = 6
SIZE = (48, 64)
DRAFT = ("--engine", "draft", "--colorspace", "lin_rec709")
VOID = ("--prompt", "a room", "--colorspace", "lin_rec709")

Say = Callable[..., tuple[int, str]]
"""Runs a command line: exit code, and what was told as one line of words."""

Refused = Callable[..., str]
"""Runs a submit that must be refused; gives the sentence."""


def sentence_of(code: int, told: str) -> str:
    """The error's sentence; what every error must be is checked."""
    assert code == 1, told
    assert "Traceback" not in told
    assert "void: " in told, told
    sentence = told.partition("void: ")[2]
    assert sentence
    return sentence


def sequences(shot: ShotOnDisk, *roles: Role) -> list[str]:
    chosen = roles or (Role.PLATE, Role.REMOVE)
    return [text for role in chosen for text in (f"--{role.value}", shot.pattern(role))]


def put(shot: ShotOnDisk, role: Role, frame: int, pixels: np.ndarray, channels: str) -> None:
    write_frame(shot.path(role, frame), frame, pixels.astype(np.float16), channels)


def plate(height: int = SIZE[0], width: int = SIZE[1]) -> np.ndarray:
    return np.full((height, width, 3), 0.2)


def matte(height: int = SIZE[0], width: int = SIZE[1]) -> np.ndarray:
    values = np.zeros((height, width, 1))
    values[height // 3 : height // 2, width // 3 : width // 2] = 1
    return values


def with_pixel(values: np.ndarray, value: float, x: int, y: int) -> np.ndarray:
    values[y, x, -1] = value
    return values


def ended(client: Client, job: str) -> JobStatus:
    status = client.watch(job)
    while status.state not in ENDED:
        status = client.watch(job, status.revision, 5.0)
    return status


def through(client: Client, shot: ShotOnDisk, spec: JobSpec) -> JobStatus:
    client.submit(spec)
    client.upload(spec, shot.files)
    return ended(client, spec.job)
