"""Where rows are tried: a folder, small shots, servers, and what an undisturbed server makes of the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

from void_server.bench.small_shot import ShotOnDisk, make_shot
from void_server.bench.trust.tried_server import TriedServer
from void_server.bench.trust.verdict import NotMeasured
from void_server.frames.exr import read_plate
from void_wire.client import ENDED, Client
from void_wire.messages import JobSpec, JobStatus, Role, State, VoidSettings

PATIENCE_S = 120.0
"""For a job to get somewhere; above it the row fails."""

BOTH_PASSES = VoidSettings(
    pass1_steps=40,
    pass2_steps=20,
    raster_height_px=32,
    raster_width_px=64,
    window_frames=21,
    warped_noise="corrected",
)
ENDLESS = VoidSettings(passes=1, pass1_steps=1000, raster_height_px=32, raster_width_px=64, window_frames=21)

Bits = dict[int, bytes]
"""Frame number -> every channel of the frame, decoded."""


class Ground:
    """What the rows share. Servers that it starts are contexts of their own.

    Args:
        folder: everything lies in it.
        weights: of a model, tiny or whole; None: rows of engine void are not measured.
    """

    def __init__(self, folder: Path, weights: Path | None) -> None:
        self.folder = folder
        self._weights = weights
        self._places = 0
        self._undisturbed: dict[str, Bits] = {}

    @property
    def weights(self) -> Path:
        """Of the model. Raises NotMeasured when there are none."""
        if self._weights is None:
            raise NotMeasured("no weights of the model: give --weights")
        return self._weights

    def place(self, name: str) -> Path:
        """A new folder."""
        self._places += 1
        folder = self.folder / f"{self._places:04d}-{name}"
        folder.mkdir(parents=True)
        return folder

    def server(
        self,
        *,
        model: bool = False,
        settings: Mapping[str, object] | None = None,
        keys: bool = False,
        hook: str = "",
    ) -> TriedServer:
        """A server with no jobs, see TriedServer; with ``model`` one that can do jobs of engine void."""
        weights = self.weights if model else None
        return TriedServer(self.place("server") / "data", weights, settings, keys=keys, hook=hook)

    @cached_property
    def shot(self) -> ShotOnDisk:
        """Twelve small frames."""
        return make_shot(self.folder / "shot", frames=12)

    @cached_property
    def tiny_shot(self) -> ShotOnDisk:
        """Two tiny frames."""
        return make_shot(self.folder / "tiny-shot", frames=2, size=(32, 48))

    def shot_for(self, engine: str) -> ShotOnDisk:
        """The small one, or fewer frames of it for the model."""
        return self.shot if engine == "draft" else self._model_shot

    def spec(self, engine: str, job: str) -> JobSpec:
        """The job that ``undisturbed`` has the bits of."""
        return self.shot_for(engine).spec(job, BOTH_PASSES if engine == "void" else None)

    @cached_property
    def _model_shot(self) -> ShotOnDisk:
        return make_shot(self.folder / "model-shot", frames=6)

    def undisturbed(self, engine: str) -> Bits:
        """What an engine makes of `spec` when nothing happens. Raises NotMeasured for the model without weights."""
        if engine not in self._undisturbed:
            spec = self.spec(engine, f"undisturbed-{engine}")
            with self.server(model=engine == "void") as server, Client(server.address) as client:
                submit(client, spec, self.shot_for(engine))
                finished(client, spec.job)
                self._undisturbed[engine] = bits(bring(client, spec, self.place("undisturbed")))
        return self._undisturbed[engine]


def submit(client: Client, spec: JobSpec, shot: ShotOnDisk) -> None:
    """Make the job and send all of it."""
    client.submit(spec)
    client.upload(spec, shot.files)


def until(client: Client, job: str, reached: Callable[[JobStatus], bool]) -> JobStatus:
    """The first status seen that has ``reached``, or the last one of a job that ended before.

    Raises TimeoutError after PATIENCE_S.
    """
    status, deadline = client.watch(job), time.monotonic() + PATIENCE_S
    while not reached(status) and status.state not in ENDED:
        if time.monotonic() > deadline:
            raise TimeoutError(f"job {job} stays {status.state.value}, {status.stage} {status.step}")
        status = client.watch(job, status.revision, 1.0)
    return status


def finished(client: Client, job: str) -> JobStatus:
    """The job's last status. Raises TimeoutError, RuntimeError unless it is done."""
    status = until(client, job, lambda status: False)
    if status.state is not State.DONE:
        raise RuntimeError(f"job {job} is {status.state.value}: {status.error}")
    return status


def bring(client: Client, spec: JobSpec, folder: Path, role: Role = Role.RESULT) -> dict[int, Path]:
    """Every frame of ``role`` that is ready, brought home."""
    ready = client.watch(spec.job).ready.get(role, [])
    return dict(client.fetch(spec.job, role, ready, lambda frame: folder / f"{frame}.exr"))


def bits(frames: Mapping[int, Path]) -> Bits:
    """Every channel of every frame; headers, which tell jobs and times, are left out."""
    return {frame: read_plate(path, frame).pixels.tobytes() for frame, path in sorted(frames.items())}
