"""VOID as a diffusers pipeline: both passes in numbered steps, made of diffusers' and transformers' own parts.

    plate, quadmask --1 raster--2 pad--3 condition--> 32 channels --+
    prompt ---------4 T5 ------------------------------------------+--> 6 denoise in windows --> 7 decode --> frames
    seed or Pass 1's frames --5 noise--> initial latents -----------+

Pass 2 is Pass 1 again with other weights, other thresholds, guidance, and noise that follows the motion of Pass 1's
result. ``void_server.engine.void`` drives it for the server; calling it runs both passes for anyone with tensors.
"""

# No ``from __future__ import annotations``: diffusers reads the types of __init__ when it loads a saved pipeline.

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import (
    AutoencoderKLCogVideoX,
    CogVideoXDDIMScheduler,
    CogVideoXTransformer3DModel,
    DDIMScheduler,
    DiffusionPipeline,
)
from diffusers.models.embeddings import get_3d_rotary_pos_embed
from diffusers.utils import BaseOutput
from transformers import T5EncoderModel, T5Tokenizer

from void_server.engine.blending import blend
from void_server.engine.conditioning import (
    Clip,
    Drawn,
    FlipPadded,
    hole,
    in_a_file,
    noisy_plate,
    pad_by_flip,
    resize_plate,
    resize_quadmask,
    sub_seed,
)
from void_server.engine.denoising import Denoising, Redone
from void_server.engine.milestones import Milestones
from void_server.engine.network import Network
from void_server.engine.one_pass import OnePass, Request
from void_server.engine.prompt_cache import PromptCache
from void_server.engine.shortage import RanOut, memory_for
from void_server.engine.swap import Swap
from void_server.engine.together import Together
from void_server.engine.vae_decode import decode_chunks
from void_server.engine.vae_encode import encode_chunks
from void_server.engine.windows import (
    Window,
    check_window_seeds,
    cut_windows,
    latent_frames,
    padded_length,
    spans,
)
from void_wire.errors import SettingsError, SizeMismatch
from void_wire.messages import WindowSeed

TRANSFORMERS = {1: "transformer", 2: "transformer_2"}
"""The name of each pass's."""

NEGATIVE_PROMPT = ""
"""What Pass 2's guidance steers away from (void.md 2, table)."""


@dataclass(frozen=True)
class PassPlan:
    """How one pass is sampled. Defaults of the two passes are Netflix's."""

    number: int  # 1 or 2
    steps: int
    guidance: float  # 1.0: the prompt alone, one forward a step
    latents: str = "float32"  # between steps; "model": rounded to the weights' dtype, as upstream does
    foreseen: bool = False  # of a preview: some steps are told from those before, see ``foresight.py``


PASS1 = PassPlan(1, steps=30, guidance=1.0)
PASS2 = PassPlan(2, steps=50, guidance=6.0)

OnStep = Callable[[PassPlan, int, int, torch.Tensor], None]
"""Called after every step with the plan, step (1..N), timestep and the latents [1,T,16,h,w]; may raise to stop."""

Warp = Callable[[torch.Tensor, int], torch.Tensor]
"""Pass 1's frames [P,3,h,w] 0..1, padding included, and a seed -> Pass 2's initial latents [1,T,16,h/8,w/8]."""


@dataclass
class VoidPipelineOutput(BaseOutput):  # type: ignore[misc]
    """Frames [F,3,h,w] 0..1, display-referred like the plate; ``frames`` is the last pass's, ``pass1`` Pass 1's."""

    frames: torch.Tensor
    pass1: torch.Tensor


class VoidPipeline(DiffusionPipeline):  # type: ignore[misc]
    """Netflix's VOID: takes what the quadmask marks out of a clip, with what it did to the scene.

    ``transformer`` and ``scheduler`` belong to Pass 1, ``transformer_2`` and ``scheduler_2`` to Pass 2.
    """

    model_cpu_offload_seq = "text_encoder->vae->transformer->transformer_2"
    prompts: PromptCache | None = None  # where what T5 made of them is kept
    together: Together | None = None  # which windows are one batch; None: none are
    crew: Sequence[
        "VoidPipeline"
    ] = ()  # of the same model on other devices, whose transformers share the windows
    swap: Swap | None = None  # parts that take turns on the device; None: they are where they are

    def __init__(
        self,
        tokenizer: T5Tokenizer,
        text_encoder: T5EncoderModel,
        vae: AutoencoderKLCogVideoX,
        transformer: CogVideoXTransformer3DModel,
        transformer_2: CogVideoXTransformer3DModel,
        scheduler: DDIMScheduler,
        scheduler_2: CogVideoXDDIMScheduler,
    ) -> None:
        super().__init__()
        self.register_modules(
            tokenizer=tokenizer,
            text_encoder=text_encoder,
            vae=vae,
            transformer=transformer,
            transformer_2=transformer_2,
            scheduler=scheduler,
            scheduler_2=scheduler_2,
        )

    # --- 1 and 2: raster and length -------------------------------------------------------------------

    def prepare_plate(self, plate: torch.Tensor, raster: tuple[int, int], length: int) -> Clip:
        """Plate [F,3,H,W] 0..1 at the raster, flip-padded to ``length``: [length,3,h,w]."""
        return FlipPadded(resize_plate(plate, raster), length)

    def prepare_quadmask(self, quadmask: torch.Tensor, raster: tuple[int, int], length: int) -> torch.Tensor:
        """Quadmask uint8 [F,H,W] at the raster, flip-padded to ``length``: [length,h,w]."""
        return pad_by_flip(resize_quadmask(quadmask, raster), length)

    # --- 3: what the network is conditioned on --------------------------------------------------------

    def encode_pixels(self, count: int, pixels: Callable[[slice], torch.Tensor]) -> torch.Tensor:
        """Latents [1,16,T,h/8,w/8] of ``count`` frames [n,3,h,w] each: the mode of the VAE's posterior, scaled."""

        def chunk(frames: slice) -> torch.Tensor:
            return pixels(frames).movedim(0, 1)[None].to(self._execution_device, self.vae.dtype)

        latents: torch.Tensor = encode_chunks(self.vae, count, chunk) * self.vae.config.scaling_factor
        return latents

    def encode_quadmask(self, quadmask: torch.Tensor, pass_number: int) -> torch.Tensor:
        """Mask latents [1,16,T,h/8,w/8] of a padded quadmask: the VAE sees what is kept, in 0..1 (not -1..1)."""

        def kept(frames: slice) -> torch.Tensor:
            return (1 - hole(quadmask[frames], pass_number))[:, None].expand(-1, 3, -1, -1)

        return self.encode_pixels(len(quadmask), kept)

    def encode_plate(self, plate: Clip, noise: Clip) -> torch.Tensor:
        """Video latents [1,16,T,h/8,w/8] of a padded plate: all of it, nothing hidden, with a little noise."""
        return self.encode_pixels(len(plate), lambda frames: noisy_plate(plate[frames], noise[frames]))

    def condition(
        self, plate: Clip, quadmask: torch.Tensor, pass_number: int, cond_noise: Clip
    ) -> torch.Tensor:
        """The 32 channels that go beside the noisy latents, [1,T,32,h/8,w/8]: mask latents, then video latents."""
        pair = [self.encode_quadmask(quadmask, pass_number), self.encode_plate(plate, cond_noise)]
        return torch.cat(pair, dim=1).movedim(2, 1)

    # --- 4: prompt ------------------------------------------------------------------------------------

    def tokenize(self, prompt: str) -> torch.Tensor:
        """Token ids int64 [1,226]; a longer prompt is cut there."""
        tokens = self.tokenizer(
            prompt,
            padding="max_length",
            max_length=self.transformer.config.max_text_seq_length,
            truncation=True,
            add_special_tokens=True,
            return_tensors="pt",
        )
        ids: torch.Tensor = tokens.input_ids
        return ids

    @torch.no_grad()
    def encode_prompt(self, prompt: str) -> torch.Tensor:
        """T5's embeddings [1,226,D]. Without an attention mask: the network was trained on padding that speaks."""
        kept = self.prompts.find(prompt) if self.prompts else None
        if kept is not None:
            return kept.to(self._execution_device)
        embeddings: torch.Tensor = self.text_encoder(self.tokenize(prompt).to(self._execution_device))[0]
        if self.prompts:
            self.prompts.keep(prompt, embeddings)
        return embeddings

    def encode_text(self, prompt: str, plan: PassPlan) -> torch.Tensor:
        """What a pass reads: the prompt [1,226,D], under guidance the negative prompt before it [2,226,D]."""
        if plan.guidance <= 1:
            return self.encode_prompt(prompt)
        return torch.cat([self.encode_prompt(NEGATIVE_PROMPT), self.encode_prompt(prompt)])

    # --- 5: the draws ---------------------------------------------------------------------------------

    def plate_noise(self, plate: Clip, pass_number: int, seed: int, noise_at: int = 0) -> Clip:
        """The draw for ``encode_plate``, float32 [F,3,h,w]; upstream leaves it unseeded, here it has a sub-seed."""
        return Drawn(plate.shape, sub_seed(seed, f"pass {pass_number} plate"), noise_at)

    def initial_latents(
        self, frames: int, raster: tuple[int, int], seed: int, noise_at: int = 0
    ) -> torch.Tensor:
        """Pass 1's start, float32 [1,T,16,h/8,w/8]: drawn from ``seed`` itself, as upstream does.

        Those that a longer clip has from frame ``noise_at`` on, a multiple of 4; else from the nearest one.
        """
        h, w = self.latent_size(raster)
        shape = torch.Size((latent_frames(frames), self.vae.config.latent_channels, h, w))
        return Drawn(shape, seed, (noise_at + 2) // 4)[:][None]

    def latent_size(self, raster: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the latents at a raster."""
        return raster[0] // self.latent_px, raster[1] // self.latent_px

    @property
    def latent_px(self) -> int:
        """Pixels of the raster that a latent is wide and high."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    # --- 6: denoise -----------------------------------------------------------------------------------

    def rotary(self, latents: int, latent_size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Rotary positions (cos, sin) of one window, each float32 [tokens, head]; they start at 0 in each window."""
        config = self.transformer.config
        return get_3d_rotary_pos_embed(  # type: ignore[no-any-return]
            embed_dim=config.attention_head_dim,
            crops_coords=None,
            grid_size=(latent_size[0] // config.patch_size, latent_size[1] // config.patch_size),
            temporal_size=latents // config.patch_size_t,
            grid_type="slice",
            max_size=(config.sample_height // config.patch_size, config.sample_width // config.patch_size),
            device=self._execution_device,
        )

    @torch.no_grad()
    def denoise(
        self,
        plan: PassPlan,
        latents: torch.Tensor,
        condition: torch.Tensor,
        text: torch.Tensor,
        windows: list[Window],
        on_step: OnStep | None = None,
        redone: Sequence[Redone] = (),
        done: int = 0,
    ) -> torch.Tensor:
        """All steps of one pass: initial latents [1,T,16,h,w] to clean ones, same shape, float32 or the model's dtype.

        Every window takes its own scheduler step and the stepped latents are blended, at every step. The first
        ``done`` steps were taken before: ``latents``, and those of ``redone``, are what they led to.
        ``text`` is what ``encode_text`` made: two rows mean guidance, and two forwards in one batch.
        Windows are one batch as ``together`` says, and go on one by one where the memory runs out for that.
        ``redone`` run beside the clip, each over the clip with those before it, and end up clean too; what is returned
        and what ``on_step`` gets holds nothing of them.
        """
        transformer, scheduler = self.part(plan.number)
        device = self._execution_device
        kept = torch.float32 if plan.latents == "float32" else transformer.dtype
        latents = latents.to(device, kept)
        h, w = latents.shape[-2:]
        lengths = [window.stop - window.start for window in windows]
        rotary = {length: self.rotary(length, (h, w)) for length in set(lengths)}
        networks = [Network(transformer, device, condition, text, plan.guidance, rotary)]
        for other in self.crew:
            copied = other.part(plan.number)[0]
            networks.append(Network(copied, copied.device, condition, text, plan.guidance, rotary))
        for anew in redone:
            anew.latents = anew.latents.to(device, kept)
        together, at_once = self.together, 1
        if together is not None:
            rows, pixels = len(text), h * w * self.latent_px**2
            coming = self.swap.coming_bytes(TRANSFORMERS[plan.number]) if self.swap else 0
            shared = [
                length for length in set(lengths) for _ in range(-(-lengths.count(length) // len(networks)))
            ]
            at_once = together.begin(plan.number, shared, rows, pixels, coming)
        scheduler.set_timesteps(plan.steps, device=device)
        denoising = Denoising(scheduler, networks, windows, kept=kept, done=done, foreseen=plan.foreseen)
        with self.progress_bar(total=plan.steps) as bar:
            bar.update(done)
            for step in range(done + 1, plan.steps + 1):
                where = f"at step {step} of pass {plan.number}"
                pieces: list[torch.Tensor] = []
                if together is not None and at_once > 1:
                    try:
                        with memory_for(where):
                            pieces = denoising.step(step, latents, at_once)
                    except RanOut:
                        together.ran_out(plan.number, where, max(lengths), rows, pixels)
                        at_once = 1
                with memory_for(where):
                    pieces = pieces or denoising.step(step, latents)
                    latents = blend(pieces, windows)
                    denoising.renew(step, pieces, redone)
                bar.update()
                if on_step is not None:
                    on_step(plan, step, int(scheduler.timesteps[step - 1]), latents)
        return latents

    def expect_transformer(self, pass_number: int) -> None:
        """A pass's transformer is needed next: where parts take turns on the device, it is brought there meanwhile."""
        if self.swap is not None:
            self.swap.expect(TRANSFORMERS[pass_number])

    def part(self, pass_number: int) -> tuple[Any, Any]:
        """Transformer and scheduler of a pass."""
        return (
            (self.transformer, self.scheduler) if pass_number == 1 else (self.transformer_2, self.scheduler_2)
        )

    # --- 7: decode ------------------------------------------------------------------------------------

    def decode(self, latents: torch.Tensor) -> Iterator[torch.Tensor]:
        """Frames float32 [n,3,h,w] 0..1 on the CPU, chunk by chunk: T latents make 4T-3 frames in all."""
        scaled = (
            latents.movedim(1, 2).to(self._execution_device, self.vae.dtype) / self.vae.config.scaling_factor
        )
        for chunk in decode_chunks(self.vae, scaled):
            yield (chunk[0].movedim(1, 0).float() / 2 + 0.5).clamp(0, 1).cpu()

    def decode_stages(
        self, latents: torch.Tensor, redone: Sequence[Redone], windows: list[Window]
    ) -> Generator[list[torch.Tensor], None, None]:
        """Chunks of frames as ``decode`` gives them: of the clip, then of the clip with each window done anew.

        Each stage differs from the one before in the frames of its window alone, to the bit: the decoder would let a
        window be seen in the frames after it.
        """
        stages = [latents]
        for anew in redone:
            stages.append(stages[-1].clone())
            stages[-1][:, windows[anew.place].latents] = anew.latents
        index = 0
        for chunks in zip(*map(self.decode, stages), strict=True):
            made = [chunks[0]]
            for anew, chunk in zip(redone, chunks[1:], strict=True):
                own = windows[anew.place].frames
                inside = torch.tensor([frame in own for frame in range(index, index + len(chunk))])
                made.append(torch.where(inside[:, None, None, None], chunk, made[-1]))
            index += len(chunks[0])
            yield made

    # --- both passes ----------------------------------------------------------------------------------

    def stream(
        self,
        plate: torch.Tensor,
        quadmask: torch.Tensor,
        prompt: str,
        *,
        raster: tuple[int, int] = (384, 672),
        window_frames: int = 85,
        seed: int = 42,
        window_seeds: Sequence[WindowSeed] = (),
        noise_at: int = 0,
        pass1: PassPlan = PASS1,
        pass2: PassPlan | None = PASS2,
        warp: Warp | None = None,
        on_step: OnStep | None = None,
        milestones: Milestones | None = None,
    ) -> Generator[tuple[int, torch.Tensor], None, None]:
        """What ``__call__`` does, given out as it is made: (pass, frames float32 [n,3,h,w]), the padding included.

        Each pass takes up from the last of ``milestones``, and leaves its own there.
        Whatever ends it, an exception of ``on_step`` included, leaves the pipeline ready for the next clip; Halted
        from there, and RanOut where there was no memory left, keep the step that was done last.
        """
        self.check_inputs(plate, quadmask, raster, pass2, warp)
        # 1, 2. raster and length
        length = padded_length(len(plate), window_frames)
        windows = cut_windows(len(plate), window_frames)
        check_window_seeds(window_seeds, spans(windows, range(1, len(plate) + 1)))
        seeds = [seed, *(own.seed for own in window_seeds)]
        padded = self.prepare_plate(plate, raster, length)
        quadmask = self.prepare_quadmask(quadmask, raster, length)
        request = Request(padded, quadmask, windows, seed, window_seeds, noise_at)
        try:
            passes = [
                OnePass(self, plan, request, milestones, on_step)
                for plan in (pass1, pass2)
                if plan is not None
            ]
            # 4. prompt, for both passes while the text encoder is on the device
            with memory_for("while the prompt was read"):
                for one in passes:
                    one.read(prompt)

            # 5. from the seeds, Pass 1
            first, done = [in_a_file((length, *raster, 3)) for _ in seeds], 0

            def noise_of_the_shot() -> list[torch.Tensor]:
                return [self.initial_latents(length, raster, own, noise_at) for own in seeds]

            for stages in passes[0].frames(noise_of_the_shot):
                for kept, frames in zip(first, stages, strict=True):
                    kept[done : done + len(frames)] = frames.movedim(1, -1)
                done += len(stages[-1])
                yield 1, stages[-1]
            if pass2 is None or warp is None:
                return
            # 5. from the motion of what Pass 1 made, Pass 2
            follow = warp

            def moved() -> list[torch.Tensor]:
                return [
                    follow(made[:done].movedim(-1, 1), own) for made, own in zip(first, seeds, strict=True)
                ]

            for stages in passes[1].frames(moved):
                yield 2, stages[-1]
        finally:
            self.maybe_free_model_hooks()

    def maybe_free_model_hooks(self) -> None:
        """After a clip: what was kept of it goes, and the parts that take turns on the device leave it."""
        super().maybe_free_model_hooks()
        if self.swap is not None:
            self.swap.leave()

    def check_inputs(
        self,
        plate: torch.Tensor,
        quadmask: torch.Tensor,
        raster: tuple[int, int],
        pass2: PassPlan | None,
        warp: Warp | None,
    ) -> None:
        """Raise SizeMismatch or SettingsError for what cannot run."""
        if (len(plate), *plate.shape[-2:]) != tuple(quadmask.shape) or not len(plate):
            raise SizeMismatch(
                f"The plate is {tuple(plate.shape)} and the quadmask {tuple(quadmask.shape)}: give one quadmask "
                "per frame at the plate's size, at least one frame."
            )
        unit = self.latent_px * self.transformer.config.patch_size
        if raster[0] % unit or raster[1] % unit:
            raise SettingsError(
                f"The raster is {raster[0]} x {raster[1]}; the model runs at multiples of {unit}."
            )
        if pass2 is not None and warp is None:
            raise SettingsError("Pass 2 starts from warped noise: pass warp, or pass2=None for Pass 1 alone.")

    def __call__(
        self, plate: torch.Tensor, quadmask: torch.Tensor, prompt: str, **choices: Any
    ) -> VoidPipelineOutput:
        """Remove from a clip what its quadmask marks; the output has the clip's number of frames.

        Args:
            plate: [F,3,H,W] 0..1, display-referred (sRGB or Rec.709 values).
            quadmask: uint8 [F,H,W]: 0 remove, 63 overlap, 127 affected, 255 keep.
            prompt: what the empty scene looks like.
            choices: raster: height and width the model runs at, multiples of 16; plate and quadmask of another
                size are area-averaged. window_frames: the temporal window. seed: of every draw. window_seeds:
                windows done anew, in this order; frames outside them keep their bits. noise_at: where a clip that
                is part of a longer one begins in it, in frames: Pass 1's start and the noise on the plate are what
                the longer one has there. pass1, pass2: how each is sampled (pass2=None leaves Pass 2 out). warp:
                makes Pass 2's initial latents of Pass 1's frames, needed with Pass 2. on_step: called after every
                step, may raise to stop.

        Raises:
            SizeMismatch, SettingsError: the inputs do not fit each other or the model.
        """
        made: dict[int, list[torch.Tensor]] = {1: [], 2: []}
        for number, frames in self.stream(plate, quadmask, prompt, **choices):
            made[number].append(frames)
        pass1 = torch.cat(made[1])[: len(plate)]
        return VoidPipelineOutput(frames=torch.cat(made[2])[: len(plate)] if made[2] else pass1, pass1=pass1)
