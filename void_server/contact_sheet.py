"""One picture of a shot: a few frames beside each other, with what was asked, what came out, and the signs.

Columns are frames, rows are plate, matte, result, the truth where it is known, and what differs. It is read at its
own size, `WIDTH_PX` wide.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from void_server.frames.color import ColorTransform
from void_server.frames.exr import read_plate
from void_server.frames.geometry import Floats, place, resize
from void_server.frames.matte import compose_quadmask
from void_server.frames.matte_files import read_mattes
from void_server.frames.overlay import overlay, write_png
from void_server.frames.sequence import output_path
from void_wire.client import Client
from void_wire.messages import WORTH_A_LOOK, JobSpec, JobStatus, Role, Signs

Picture = npt.NDArray[np.uint8]

WIDTH_PX = 1600
EVENLY, WORST = 3, 2  # frames that are shown: from first to last, and of those worth a look
GAP_PX, MARGIN_PX, LINE_PX = 6, 24, 19
DIFFERENCE = 4.0
_PAPER, _INK, _ALARM = (24, 24, 24), (235, 235, 235), (255, 140, 90)
_FONT, _SIZE = cv2.FONT_HERSHEY_SIMPLEX, 0.45


@dataclass(frozen=True, eq=False)
class Shown:
    """One frame of a shot, whole: pictures float32 (H, W, 3), display-referred 0..1."""

    plate: Floats
    result: Floats
    remove: Floats  # (H, W), 0..1
    affected: Floats | None  # the same
    truth: Floats | None = None  # the frame as it should be
    pixel_aspect: float = 1.0  # width of a pixel over its height


def chosen(frames: Iterable[int], signs: Mapping[int, Signs]) -> list[int]:
    """The frame numbers to show: some from first to last, and the worst of those worth a look."""
    numbers = sorted(frames)
    evenly = [numbers[round(at)] for at in np.linspace(0, len(numbers) - 1, EVENLY)]
    shown, apart = set(evenly), len(numbers) // 12
    worst = [frame for frame in numbers if frame in signs and _badness(signs[frame]) > 1]
    for frame in sorted(worst, key=lambda frame: -_badness(signs[frame])):
        near = min(abs(numbers.index(frame) - numbers.index(other)) for other in shown)
        if near > apart and len(shown) < EVENLY + WORST:
            shown.add(frame)
    # Where nothing stands out there is room for more of the shot.
    for at in np.linspace(0, len(numbers) - 1, EVENLY + WORST):
        if len(shown) < EVENLY + WORST:
            shown.add(numbers[round(at)])
    return sorted(shown)


def contact_sheet(frames: Mapping[int, Shown], signs: Mapping[int, Signs]) -> Picture:
    """The sheet of ``frames`` by number: uint8 (H, WIDTH_PX, 3), sRGB."""
    width = (WIDTH_PX - MARGIN_PX - GAP_PX * len(frames)) // len(frames)
    columns = [_cells(frame, width) for frame in frames.values()]
    titles = list(columns[0])
    height = max(cell.shape[0] for column in columns for cell in column.values())
    texts = [_said(number, signs.get(number, Signs())) for number in frames]
    lines = max(len(text) for text in texts)
    below = len(titles) * (height + GAP_PX)
    sheet = np.full((below + GAP_PX + lines * LINE_PX + GAP_PX, WIDTH_PX, 3), _PAPER, np.uint8)
    for row, title in enumerate(titles):
        _write_upwards(sheet[row * (height + GAP_PX) :][:height, :MARGIN_PX], title)
    for number, (column, text) in enumerate(zip(columns, texts, strict=True)):
        left = MARGIN_PX + number * (width + GAP_PX)
        for row, cell in enumerate(column.values()):
            sheet[row * (height + GAP_PX) :, left:][: cell.shape[0], :width] = cell
        for line, (words, alarm) in enumerate(text):
            at = (left, below + (line + 1) * LINE_PX)
            cv2.putText(sheet, words, at, _FONT, _SIZE, _ALARM if alarm else _INK, 1, cv2.LINE_AA)
    return sheet


def write_sheet(
    path: Path,
    spec: JobSpec,
    files: Mapping[Role, Mapping[int, Path]],
    signs: Mapping[int, Signs],
) -> None:
    """Draw the sheet of a job whose frames are on this machine.

    ``files`` has plate, mattes and result, role -> frame number -> path; what frames the result has is chosen from.

    Raises SettingsError when it cannot be written or the colour space is not known here, and what the frames' readers
    raise.
    """
    color = ColorTransform(spec.picture.colorspace)
    frames = chosen(files[Role.RESULT], signs)
    shown = {
        frame: _read(frame, spec, {role: files[role][frame] for role in files}, color) for frame in frames
    }
    write_png(path, contact_sheet(shown, signs))


def fetch_sheet(path: Path, client: Client, status: JobStatus, out: str) -> None:
    """Draw the sheet of a job whose result is here as ``out`` (a file pattern): plates and mattes come from the server.

    Raises as `write_sheet`, and what the server refuses.
    """
    spec, signs = client.spec(status.job), client.signs(status.job)
    frames = chosen(status.ready[Role.RESULT], signs)
    with tempfile.TemporaryDirectory(prefix="void-sheet-") as folder:
        files = {
            role: dict(client.fetch(status.job, role, frames, partial(_place, Path(folder), role)))
            for role in spec.roles
        }
        files[Role.RESULT] = {frame: output_path(out, frame) for frame in frames}
        write_sheet(path, spec, files, signs)


def _place(folder: Path, role: Role, frame: int) -> Path:
    return folder / f"{role.value}.{frame}.exr"


def _read(frame: int, spec: JobSpec, files: Mapping[Role, Path], color: ColorTransform) -> Shown:
    plate = read_plate(files[Role.PLATE], frame)
    result = read_plate(files[Role.RESULT], frame)
    display, data = plate.layout.display, plate.layout.data
    mattes = read_mattes({role: files[role] for role in spec.roles}, frame, display)
    return Shown(
        plate=color.encode(place(plate.rgb, data, display)),
        result=color.encode(place(result.rgb, data, display)),
        remove=mattes.remove,
        affected=mattes.affected,
        pixel_aspect=plate.layout.pixel_aspect,
    )


def _cells(frame: Shown, width: int) -> dict[str, Picture]:
    """Title -> picture, uint8 (h, width, 3), in the order of the rows."""
    rows, columns = frame.remove.shape
    size = (max(1, round(width * rows / (columns * frame.pixel_aspect))), width)
    plate, result = (_finite(resize(picture, size)) for picture in (frame.plate, frame.result))
    remove = resize(frame.remove, size)
    affected = None if frame.affected is None else resize(frame.affected, size)
    quadmask = compose_quadmask(remove, affected, affected_shape="drawn")
    cells = {"plate": _eight_bit(plate), "matte": overlay(plate, quadmask), "result": _eight_bit(result)}
    other, against = plate, "plate"
    if frame.truth is not None:
        other, against = _finite(resize(frame.truth, size)), "truth"
        cells["truth"] = _eight_bit(other)
    cells[f"x{DIFFERENCE:g} to {against}"] = _eight_bit(np.abs(result - other) * DIFFERENCE)
    return cells


def _said(frame: int, signs: Signs) -> list[tuple[str, bool]]:
    """The lines under a frame, and whether each is a reason to look."""
    lines = [(f"{frame}", False)]
    for name, limit in WORTH_A_LOOK.items():
        value = getattr(signs, name)
        if value is not None:
            lines.append(
                (f"{name} {value:.1f}" if name == "flicker" else f"{name} {value:.1%}", value > limit)
            )
    shares = [f"{name} {value:.0%}" for name in ("borrowed", "enlarged") if (value := getattr(signs, name))]
    if shares:
        lines.append((", ".join(shares), False))
    return lines


def _badness(signs: Signs) -> float:
    """The largest of the signs over its limit: above 1 the frame is worth a look."""
    return max((getattr(signs, name) or 0.0) / limit for name, limit in WORTH_A_LOOK.items())


def _write_upwards(strip: Picture, words: str) -> None:
    """``words`` from the bottom to the top of a strip (h, MARGIN_PX, 3)."""
    turned = np.full((strip.shape[1], strip.shape[0], 3), _PAPER, np.uint8)
    cv2.putText(turned, words, (4, strip.shape[1] - 8), _FONT, _SIZE, _INK, 1, cv2.LINE_AA)
    strip[:] = np.rot90(turned)


def _finite(picture: Floats) -> Floats:
    return np.nan_to_num(picture, nan=0.0, posinf=1.0, neginf=0.0)


def _eight_bit(encoded: Floats) -> Picture:
    return (np.clip(encoded, 0, 1) * 255 + 0.5).astype(np.uint8)
