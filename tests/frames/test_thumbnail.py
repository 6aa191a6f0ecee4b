"""Thumbnails show what a display shows, the plate on the left and what was made on the right."""

from pathlib import Path
from typing import Any

import numpy as np

from void_server.frames.color import ColorTransform
from void_server.frames.exr import PlateFrame, read_plate, write_frame
from void_server.frames.geometry import Box
from void_server.frames.thumbnail import WIDTH_PX, thumbnail

ENCODE = ColorTransform("lin_rec709").encode


def plate(
    path: Path, pixels: Any, display: Box, origin: tuple[int, int] = (0, 0), **metadata: Any
) -> PlateFrame:
    write_frame(
        path, 1001, np.asarray(pixels, np.float16), "RGB", display=display, origin=origin, metadata=metadata
    )
    return read_plate(path, 1001)


def small(plate: PlateFrame, made: float = 0.0, changed: Any = False) -> Any:
    size = plate.pixels.shape[:2]
    rgb = np.full((*size, 3), made, np.float32)
    return thumbnail(plate, rgb, np.broadcast_to(np.asarray(changed), size), ENCODE)


def test_it_is_small_shown_whole_and_as_a_display_has_it(tmp_path: Path) -> None:
    grey = np.full((100, 1280, 3), 0.18)
    grey[:, 640:] = 40.0
    frame = plate(tmp_path / "a.exr", grey, Box(0, 0, 1280, 200))
    where = np.arange(1280) < 300
    seen = small(frame, 0.0, where)
    before, after = seen[:, :WIDTH_PX], seen[:, WIDTH_PX:]
    assert seen.shape == (60, 2 * WIDTH_PX, 3)
    assert abs(int(before[10, 10, 0]) - 118) <= 3  # sRGB of 18 % grey
    assert before[10, 300].min() > 240
    assert before[50].max() == 0  # the data window ends
    edge = 300 * WIDTH_PX // 1280
    assert after[10, : edge - 1].max() == 0
    assert (after[:, edge + 1 :] == before[:, edge + 1 :]).all()


def test_pixels_are_made_square_and_no_value_breaks_it(tmp_path: Path) -> None:
    odd = np.full((100, 200, 3), np.nan)
    odd[:, :100] = np.inf
    frame = plate(tmp_path / "a.exr", odd, Box(0, 0, 200, 100), PixelAspectRatio=2.0)
    seen = small(frame, np.nan, True)
    assert seen.shape == (50, 400, 3)
    assert (seen[:, 0].min(), seen[:, 199].max(), seen[:, 200:].max()) == (255, 0, 0)


def test_a_data_window_elsewhere_and_a_plate_of_a_few_pixels(tmp_path: Path) -> None:
    frame = plate(tmp_path / "a.exr", np.ones((4, 4, 3)), Box(0, 0, 6, 4), origin=(4, 0))
    seen = small(frame)
    assert seen.shape == (4, 12, 3)
    assert [int(column.max()) > 0 for column in seen.swapaxes(0, 1)] == [False] * 4 + [True] * 2 + [
        False
    ] * 4 + [True] * 2
