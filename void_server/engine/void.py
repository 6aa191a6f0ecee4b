"""The engine ``void``: what a worker holds, with the model loaded once and warm from job to job."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import diffusers
import numpy as np
import torch
from numpy.typing import NDArray

from void_server import __version__
from void_server.engine.conditioning import sub_seed
from void_server.engine.flow import open_flow
from void_server.engine.foresight import computed_of
from void_server.engine.milestones import Milestones, request_key
from void_server.engine.pipeline import PassPlan
from void_server.engine.prompt_cache import PromptCache
from void_server.engine.residence import Residence
from void_server.engine.shortage import RanOut
from void_server.engine.warped_noise import warped_noise
from void_server.engine.weights import quick_digest, text_encoder_digest, void_file
from void_server.engine.windows import latent_frames
from void_server.progress import Progress, unwatched
from void_wire.errors import SettingsError
from void_wire.messages import Stage, VoidSettings

ADAPTED = ("memory_mode", "windows_at_once", "windows_shared_by")
"""Of the record: what follows from the memory there is, and makes no other result, beside rounding."""


@dataclass(frozen=True)
class Decoded:
    """Frames that came out of the model, in order, each index exactly once per pass."""

    passes: int  # the pass that made them, 1 or 2
    first: int  # index of the first frame
    frames: NDArray[np.float32]  # [n,h,w,3] 0..1, display-referred as the plate was


class VoidEngine:
    """Both passes of VOID. Not for several threads at once."""

    STAGES: ClassVar = {1: Stage.PASS1, 2: Stage.PASS2}

    def __init__(
        self,
        folder: Path,
        *,
        device: str = "auto",
        memory: str = "auto",
        speed: str = "plain",
        prompts: Path | None = None,
        raft_weights: Path | None = None,
    ) -> None:
        """Nothing is loaded yet.

        Args:
            folder: the published layout (see ``weights.py``).
            device: "auto" (a GPU where there is one), "cpu", "cuda" or "cuda:N"; several joined by "+" share the
                temporal windows of a shot.
            memory: "auto" or a mode of ``memory.py``.
            speed: one of ``speed.py``.
            prompts: folder for what the text encoder makes of prompts; None keeps it nowhere.
            raft_weights: torchvision's RAFT-large weights, for jobs whose flow is "raft".

        Raises:
            SettingsError: no such device.
        """
        devices = [_device(name) for name in device.split("+")]
        self._device = devices[0]
        self.device = str(self._device)
        self._folder, self._raft_weights = folder, raft_weights
        self._model = Residence(folder, devices, memory, speed)
        self._noise_on = "cpu" if speed == "plain" else self.device
        self._prompts_folder = prompts
        self._prompts: PromptCache | None = None
        self._digests: dict[str, str] = {}
        self._foreseen: dict[str, str] = {}  # what is said of a preview's steps

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        device: str = "auto",
        memory: str = "auto",
        speed: str = "plain",
        prompts: Path | None = None,
        raft_weights: Path | None = None,
        progress: Progress = unwatched,
    ) -> VoidEngine:
        """The engine of a folder of weights, settled for the default raster."""
        engine = cls(
            folder, device=device, memory=memory, speed=speed, prompts=prompts, raft_weights=raft_weights
        )
        engine.settle(progress=progress)
        return engine

    def settle(self, raster: tuple[int, int] = (384, 672), progress: Progress = unwatched) -> None:
        """Before the clips of a job, of this raster at the most: load the model if it is not, see `Residence`.

        Raises:
            CheckpointError: the weights are not whole.
            SettingsError: no such memory mode, or not on this device.
            GpuMemory: the model does not fit.
        """
        self._model.settle(raster, progress)
        self._digests = self._digests or {
            f"void_pass{n}": quick_digest(void_file(self._folder, n)) for n in (1, 2)
        }
        if self._prompts_folder is not None and self._prompts is None:
            encoder = f"{text_encoder_digest(self._folder)} {self._model.pipe.vae.dtype} {self._device.type}"
            self._prompts = PromptCache(self._prompts_folder, encoder)

    @property
    def memory_mode(self) -> str:
        """Of ``memory.py``."""
        return self._model.mode

    @property
    def record(self) -> dict[str, str]:
        """What makes the frames: versions, digests, the machine, and where the model lay."""
        cuda, together, crew = self._device.type == "cuda", self._model.pipe.together, self._model.pipe.crew
        return {
            "engine": "void",
            **self._digests,
            "memory_mode": self._model.told,
            "speed": self._model.speed,
            **self._foreseen,
            "windows_at_once": "1" if together is None else together.told,
            "dtype": str(self._model.pipe.vae.dtype).removeprefix("torch."),
            "device": torch.cuda.get_device_name(self._device) if cuda else platform.processor() or "cpu",
            **({"windows_shared_by": str(1 + len(crew))} if crew else {}),
            "torch": torch.__version__,
            "diffusers": diffusers.__version__,
        }

    def remove(
        self,
        plate: NDArray[np.float32],
        quadmask: NDArray[np.uint8],
        prompt: str,
        settings: VoidSettings,
        progress: Progress = unwatched,
        milestones: Path | None = None,
        noise_at: int = 0,
    ) -> Iterator[Decoded]:
        """Both passes over a clip (or Pass 1 alone), frames as they are decoded.

        A ``progress`` that raises stops the job within a step; the engine is ready for the next one. Where the GPU runs
        out of memory the model is loaded anew in a leaner mode that gives the same bits, and the run goes on from its
        last step; ``record`` says so.

        Args:
            plate: [F,h,w,3] 0..1 at the raster, display-referred.
            quadmask: [F,h,w] at the raster: 0 remove, 63 overlap, 127 affected, 255 keep.
            prompt: what the empty scene looks like.
            settings: everything else; the raster is the plate's own size.
            progress: told every step of Stage.PASS1, NOISE and PASS2, and of LOAD where it is loaded anew.
            milestones: a folder where the run leaves how far it has come; the same request takes up from there.
            noise_at: which frame of the whole shot's noise the clip's first frame has, counted as the clip's are.

        Raises:
            SizeMismatch, SettingsError: plate, quadmask and settings do not fit each other.
            GpuMemory: the GPU ran out in every mode.
        """
        raster = (plate.shape[1], plate.shape[2])
        given = {1: 0, 2: 0}
        while True:
            try:
                for made in self._run(plate, quadmask, prompt, settings, progress, milestones, noise_at):
                    new = made.frames[max(0, given[made.passes] - made.first) :]
                    if len(new):
                        yield Decoded(made.passes, made.first + len(made.frames) - len(new), new)
                        given[made.passes] = made.first + len(made.frames)
                return
            except RanOut as shortage:
                where = shortage.where
            # only here, where nothing holds the run's tensors any more
            self._model.retreat(where, raster, progress)

    def _run(
        self,
        plate: NDArray[np.float32],
        quadmask: NDArray[np.uint8],
        prompt: str,
        settings: VoidSettings,
        progress: Progress,
        milestones: Path | None,
        noise_at: int,
    ) -> Iterator[Decoded]:
        """See `remove`. Raises RanOut."""
        raster, pipe = (plate.shape[1], plate.shape[2]), self._model.pipe
        pipe.prompts = self._prompts
        if pipe.together is not None:
            pipe.together.forget()
        steps = {1: settings.pass1_steps, 2: settings.pass2_steps}
        guidance = {1: settings.pass1_guidance, 2: settings.pass2_guidance}
        plans = {
            n: PassPlan(n, steps[n], guidance[n], latents=settings.latents, foreseen=settings.preview)
            for n in (1, 2)
        }
        self._foreseen = {}
        if settings.preview:
            told = f"{computed_of(steps[1])} of {steps[1]}, the others extrapolated from them"
            self._foreseen = {"computed_steps": told}

        flow = open_flow(settings.flow, raft_weights=self._raft_weights, device=self.device)

        def warp(frames: torch.Tensor, seed: int) -> torch.Tensor:
            noise = warped_noise(
                frames.movedim(1, -1).numpy(),
                latent_frames=latent_frames(len(frames)),
                latent_channels=pipe.vae.config.latent_channels,
                latent_size=pipe.latent_size(raster),
                seed=sub_seed(seed, "warped noise"),
                mode=settings.warped_noise,
                flow=flow,
                progress=progress,
                device=self._noise_on,
            )
            progress(Stage.PASS2, 0, settings.pass2_steps)
            return torch.from_numpy(noise)[None]

        def on_step(plan: PassPlan, step: int, _timestep: int, _latents: torch.Tensor) -> None:
            progress(self.STAGES[plan.number], step, plan.steps)

        def key() -> str:
            made_by = {name: value for name, value in self.record.items() if name not in ADAPTED}
            rounded = self.memory_mode == "low"  # the other modes have the same bits
            decides = replace(settings, show_pass1=False, noise_range="")
            said = [__version__, str(made_by), str(rounded), prompt, str(decides), str(noise_at)]
            return request_key(said, [plate, quadmask])

        progress(Stage.PASS1, 0, settings.pass1_steps)
        stream = pipe.stream(
            torch.from_numpy(plate).movedim(-1, 1),
            torch.from_numpy(quadmask),
            prompt,
            raster=raster,
            window_frames=settings.window_frames,
            seed=settings.seed,
            window_seeds=settings.window_seeds,
            noise_at=noise_at,
            pass1=plans[1],
            pass2=plans[2] if settings.passes == 2 else None,
            warp=warp,
            on_step=on_step,
            milestones=None if milestones is None else Milestones(milestones, key()),
        )
        done = {1: 0, 2: 0}
        with closing(stream):
            for number, frames in stream:
                wanted = frames[: len(plate) - done[number]]
                if len(wanted):
                    made = np.ascontiguousarray(wanted.movedim(1, -1).numpy())
                    yield Decoded(number, done[number], made)
                    done[number] += len(wanted)


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise SettingsError(f"Device is {name!r}; choose auto, cpu, cuda or cuda:N.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SettingsError(
            f"Device is {name!r} and torch sees {torch.cuda.device_count()} GPUs: use auto or cpu, or install "
            "torch for this machine's GPU and its driver."
        )
    return torch.device("cuda", device.index or 0) if device.type == "cuda" else device
