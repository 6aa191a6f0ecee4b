"""What it changes that a shot is made in parts, and whether the joint shows: with and without ``noise_range``.

On a small untrained model, whose answer hangs on the noise far more than the published one's: how far results lie apart
is the worst case, and signs compare with the unsplit shot's alone. Pass 2 follows the motion of the true empty scene,
which is what a model that can do its work makes in Pass 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import get_args

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from void_server.bench.row import Row
from void_server.bench.small_model import small_pipeline
from void_server.engine.conditioning import pad_by_flip, sub_seed
from void_server.engine.flow import open_flow
from void_server.engine.pipeline import PassPlan, VoidPipeline
from void_server.engine.warped_noise import warped_noise
from void_server.engine.windows import latent_frames
from void_server.farm.joint import share_of_later
from void_server.frames.color import ColorTransform
from void_server.frames.geometry import Floats
from void_server.frames.matte import compose_quadmask
from void_server.progress import unwatched
from void_server.quality import decibels
from void_server.scene import Scene
from void_server.scene.scene import Camera
from void_server.signs import flicker, levels, seam
from void_wire.messages.noise_range import FRAMES_PER_LATENT, FRAMES_PER_PAIR

RASTER = (96, 160)
FRAMES, WINDOW = 61, 21
SEED, OTHER_SEED = 42, 7
PARTS, OVERLAPS = (2, 3), (8, 12, 20)
STEPS = 6
TRAVEL = 0.3  # of the picture's width: squares of the matte stay inside it from frame to frame
GROWN_PX = 9
COLORSPACE = "lin_rec709"


def rows() -> list[Row]:
    """Pass 1 in two and three parts at each overlap, then pass 2 in two with each camera; ten minutes of a core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        first = Shot("static", passes=1)
        found = [row for parts in PARTS for overlap in OVERLAPS for row in _rows(first, parts, overlap)]
        found += _rows(first, 2, 20, FRAMES_PER_LATENT)
        for camera in get_args(Camera):
            found += _rows(Shot(camera, passes=2), 2, 12)
        return found
    finally:
        torch.set_num_threads(threads)


def _rows(shot: Shot, parts: int, overlap: int, unit: int = FRAMES_PER_PAIR) -> list[Row]:
    cuts, everything = ranges(parts, overlap, unit), range(FRAMES)
    whole = shot.made(everything, SEED)
    unlike = shot.closeness(whole, shot.made(everything, OTHER_SEED), everything)
    alike = Joined(shot, cuts, [shot.made(frames, SEED, frames.start) for frames in cuts])
    alone = Joined(shot, cuts, [shot.made(frames, SEED, 0) for frames in cuts])
    name = f"split, {shot.name}, {parts} parts, {overlap} shared frames, from multiples of {unit}"
    around = [frame for joint in alike.joints for frame in range(joint.start - 1, joint.stop + 1)]
    note = (
        f"another seed's shot: {unlike:.1f} dB; {FRAMES} frames of {RASTER[0]} x {RASTER[1]}, untrained model"
    )
    beside = [shot.closeness(one.frames, whole, everything) for one in (alike, alone)]
    found = [
        _nearer(f"{name}, neighbours where they overlap", alike.agreement, alone.agreement, note),
        _nearer(f"{name}, beside the unsplit shot", beside[0], beside[1], note),
    ]
    for sign in ("flicker", "seam"):
        worst = [shot.worst(sign, frames, around) for frames in (alike.frames, alone.frames, whole)]
        found.append(
            Row(
                f"{name}, {sign} at the joint",
                worst[0],
                "",
                worst[1],
                worst[0] / worst[1],
                "at most the baseline's",
                worst[0] <= worst[1],
                f"the worst of {len(around)} frames; of the unsplit shot there {worst[2]:.3g}",
            )
        )
    return found


def _nearer(name: str, value: float, baseline: float, note: str) -> Row:
    ratio = value / baseline
    return Row(name, value, "dB", baseline, ratio, "above the baseline", value > baseline, note)


def ranges(parts: int, overlap: int, unit: int) -> list[range]:
    """Frames of each part, from multiples of ``unit`` on; each joint about where the parts would be equal."""
    best = [FRAMES * part / parts - overlap / 2 if part else 0 for part in range(parts)]
    starts = [unit * round(start / unit) for start in best]
    return [
        range(start, following + overlap)
        for start, following in zip(starts, [*starts[1:], FRAMES - overlap], strict=True)
    ]


@dataclass(frozen=True, eq=False)
class Joined:
    """A shot out of its parts, which go over into each other evenly, as light."""

    shot: Shot
    cuts: Sequence[range]
    made: Sequence[Floats]  # light (F, h, w, 3) of each

    @property
    def joints(self) -> list[range]:
        """Frames that two parts have."""
        return [range(later.start, earlier.stop) for earlier, later in pairwise(self.cuts)]

    @property
    def agreement(self) -> float:
        """How close neighbours are where they overlap, in dB."""
        pairs = [
            (earlier[joint.start - before.start :], later[: len(joint)], joint)
            for (before, _), (earlier, later), joint in zip(
                pairwise(self.cuts), pairwise(self.made), self.joints, strict=True
            )
        ]
        ends = [np.concatenate([pair[side] for pair in pairs]) for side in (0, 1)]
        return self.shot.closeness(ends[0], ends[1], [frame for *_, joint in pairs for frame in joint])

    @cached_property
    def frames(self) -> Floats:
        """Light (F, h, w, 3)."""
        joined = self.made[0]
        for joint, later in zip(self.joints, self.made[1:], strict=True):
            shares = np.array([share_of_later(frame, joint[0], joint[-1]) for frame in joint], np.float32)
            before, after = joined[joint.start :], later[: len(joint)]
            mixed = before + (after - before) * shares[:, None, None, None]
            joined = np.concatenate([joined[: joint.start], mixed, later[len(joint) :]])
        return joined


class Shot:
    """A scene at the raster, and the model that makes it without what goes."""

    def __init__(self, camera: Camera, passes: int) -> None:
        scene, indices = Scene(*RASTER, FRAMES, camera, travel=TRAVEL), range(FRAMES)
        self.name = f"pass {passes}, camera {camera}"
        self._passes, self._color, self._pipe = passes, ColorTransform(COLORSPACE), small_pipeline(_Wordless)
        self._truths = torch.from_numpy(
            np.stack([self._color.encode(scene.truth(index)) for index in indices])
        )
        self._made: dict[tuple[range, int, int], Floats] = {}
        self._light = np.stack([scene.plate(index) for index in indices])
        removes, affecteds = ([part(index) for index in indices] for part in (scene.remove, scene.affected))
        grown = np.ones((GROWN_PX, GROWN_PX), np.uint8)
        self._mattes = np.stack([cv2.dilate(both, grown) for both in np.maximum(removes, affecteds)])
        self._plates = np.stack([self._color.encode(plate) for plate in self._light])
        self._quadmasks = np.stack(
            [compose_quadmask(one, other) for one, other in zip(removes, affecteds, strict=True)]
        )

    def made(self, frames: range, seed: int, noise_at: int = 0) -> Floats:
        """Light (F, h, w, 3) of ``frames``, the answer over the plate."""
        asked = (frames, seed, noise_at)
        if asked not in self._made:
            self._made[asked] = self._answered(frames, seed, noise_at)
        return self._made[asked]

    def _answered(self, frames: range, seed: int, noise_at: int) -> Floats:
        part, flow = slice(frames.start, frames.stop), open_flow("dis")

        def warp(first: torch.Tensor, own: int) -> torch.Tensor:
            return torch.from_numpy(
                warped_noise(
                    pad_by_flip(self._truths[part], len(first)).numpy(),
                    latent_frames=latent_frames(len(first)),
                    latent_channels=16,
                    latent_size=(RASTER[0] // 8, RASTER[1] // 8),
                    seed=sub_seed(own, "warped noise"),
                    mode="corrected",
                    flow=flow,
                    progress=unwatched,
                )
            )[None]

        answers = self._pipe(
            torch.from_numpy(self._plates[part]).movedim(-1, 1),
            torch.from_numpy(self._quadmasks[part]),
            "",
            raster=RASTER,
            window_frames=WINDOW,
            seed=seed,
            noise_at=noise_at,
            pass1=PassPlan(1, STEPS if self._passes == 1 else 1, 1.0),
            pass2=PassPlan(2, STEPS, 1.0) if self._passes == 2 else None,
            warp=warp,
        ).frames.movedim(1, -1)
        light = np.stack([self._color.decode(answer) for answer in answers.numpy()])
        return np.asarray(self._light[part] + (light - self._light[part]) * self._mattes[part, ..., None])

    def closeness(self, one: Floats, other: Floats, frames: Sequence[int]) -> float:
        """PSNR in dB of ``frames`` as encoded for a display, inside the matte."""
        squares = [
            np.square(self._color.encode(first) - self._color.encode(second))[self._mattes[frame] >= 1]
            for first, second, frame in zip(one, other, frames, strict=True)
        ]
        return decibels(
            (float(sum(part.sum() for part in squares)), float(sum(part.size for part in squares)))
        )

    def worst(self, sign: str, light: Floats, frames: Sequence[int]) -> float:
        """The greatest of a sign over ``frames``."""
        pictures: NDArray[np.float32] = levels(light)
        if sign == "seam":
            found = [seam(pictures[frame], self._mattes[frame]) for frame in frames]
        else:
            found = [
                flicker(
                    (before, now, after),
                    (self._mattes[frame - 1], self._mattes[frame], self._mattes[frame + 1]),
                )
                for frame in frames
                for before, now, after in [pictures[frame - 1 : frame + 2]]
            ]
        return max(value for value in found if value is not None)


class _Wordless(VoidPipeline):
    """The small model has no text encoder: every prompt reads the same."""

    def encode_text(self, prompt: str, plan: PassPlan) -> torch.Tensor:
        """Zeros [1,226,32]."""
        return torch.zeros(1, 226, 32)
