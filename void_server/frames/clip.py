"""A sample folder of the model's authors, unpacked to EXR: ``input_video.mp4``, quadmask and ``prompt.json``.

The plate's values are the video's 8-bit codes over 255: its colour space is "sRGB" (or whichever the video is
in), and the model gets them as they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from void_server.frames.exr import write_frame
from void_server.frames.geometry import resize
from void_server.frames.matte import AFFECTED, KEEP, REMOVE, Classes, quantise
from void_wire.errors import MissingFrames, SizeMismatch, UnsupportedImage
from void_wire.messages import FrameRange

FIRST_FRAME = 1001


@dataclass(frozen=True)
class Sample:
    """An unpacked sample: patterns to send, their frames, and what the empty scene looks like."""

    plate: str
    quadmask: str
    frames: FrameRange
    prompt: str


def unpack_sample(
    folder: Path,
    out: Path,
    *,
    size: tuple[int, int] | None = None,
    unpacked: Callable[[int], None] = lambda frames: None,
) -> Sample:
    """Write plate and quadmask of a sample as half EXR, numbered from 1001.

    Args:
        folder: holds input_video.mp4, one quadmask_*.mp4 or trimask_*.mp4, and prompt.json.
        out: where the frames go; made if need be.
        size: width, height to bring both to; None keeps the video's. The quadmask's classes are found first
            and taken by the nearest pixel, so none arises between two others.
        unpacked: called with the number of frames written after each.

    Raises:
        MissingFrames: a file is not there, or plate and mask differ in length.
        UnsupportedImage: a file cannot be read.
        SizeMismatch: plate and mask differ in size.
    """
    prompt = _prompt(folder / "prompt.json")
    mask_file = _mask_file(folder)
    classes = quantise if mask_file.name.startswith("quadmask") else _quantise_trimask
    out.mkdir(parents=True, exist_ok=True)
    count = lacking_plate = lacking_mask = 0
    for plate, mask in zip_longest(_frames(folder / "input_video.mp4"), _frames(mask_file)):
        lacking_plate += plate is None
        lacking_mask += mask is None
        if plate is None or mask is None:
            continue
        if mask.shape != plate.shape:
            raise SizeMismatch(
                f"{mask_file} is {mask.shape[1]} x {mask.shape[0]} and its plate is {plate.shape[1]} x "
                f"{plate.shape[0]}: make the mask from this video."
            )
        number = FIRST_FRAME + count
        values, quadmask = plate.astype(np.float32) / np.float32(255), classes(mask[..., 0])
        if size is not None:
            values = resize(values, size[::-1])
            quadmask = cv2.resize(quadmask, size, interpolation=cv2.INTER_NEAREST_EXACT)
        write_frame(out / f"plate.{number}.exr", number, values.astype(np.float16), "RGB")
        codes = (quadmask[..., None] / 255).astype(np.float16)
        write_frame(out / f"quadmask.{number}.exr", number, codes, "Y", compression="rle")
        count += 1
        unpacked(count)
    if lacking_plate or lacking_mask:
        raise MissingFrames(
            f"{folder} has {count + lacking_mask} frames of plate and {count + lacking_plate} of {mask_file.name}: "
            "make the mask from this video."
        )
    if not count:
        raise MissingFrames(f"{folder / 'input_video.mp4'} holds no frames: export it again.")
    frames = FrameRange(FIRST_FRAME, FIRST_FRAME + count - 1)
    return Sample(str(out / "plate.%04d.exr"), str(out / "quadmask.%04d.exr"), frames, prompt)


def _frames(path: Path) -> Iterator[Classes]:
    """The pictures of a video, uint8 (h, w, 3)."""
    try:
        with av.open(str(path)) as video:
            for picture in video.decode(video=0):
                yield picture.to_ndarray(format="rgb24")
    except FileNotFoundError:
        raise MissingFrames(
            f"{path} is missing: a sample folder holds input_video.mp4 and quadmask_0.mp4."
        ) from None
    except (av.FFmpegError, IndexError) as error:
        raise UnsupportedImage(f"{path} cannot be read as a video ({error}): export it again.") from None


def _mask_file(folder: Path) -> Path:
    for kind in ("quadmask", "trimask"):
        found = sorted(folder.glob(f"{kind}_*.mp4"))
        if len(found) > 1:
            raise UnsupportedImage(
                f"{folder} holds {', '.join(path.name for path in found)}: keep the one for this job in it."
            )
        if found:
            return found[0]
    raise MissingFrames(f"{folder} holds no quadmask_0.mp4 or trimask_0.mp4: add one.")


def _prompt(path: Path) -> str:
    try:
        prompt = json.loads(path.read_text("utf-8"))["bg"]
    except FileNotFoundError:
        raise MissingFrames(
            f'{path} is missing: write it as {{"bg": "what the empty scene looks like"}}.'
        ) from None
    except (ValueError, KeyError, TypeError):
        prompt = None
    if not isinstance(prompt, str):
        raise UnsupportedImage(
            f'{path} cannot be read: write it as {{"bg": "what the empty scene looks like"}}.'
        )
    return prompt


def _quantise_trimask(codes: npt.NDArray[np.uint8]) -> Classes:
    """0..255 to the nearest of remove, affected and keep."""
    return np.select([codes <= 63, codes <= 191], [np.uint8(REMOVE), np.uint8(AFFECTED)], np.uint8(KEEP))
