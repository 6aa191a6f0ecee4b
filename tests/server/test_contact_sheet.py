"""The contact sheet shows the frames worth a look, and says so."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from real_shots import make_shot

from void_server.contact_sheet import WIDTH_PX, Shown, chosen, contact_sheet, write_sheet
from void_wire.errors import SettingsError
from void_wire.messages import Role, Signs

ALARM = (255, 140, 90)


def flat(level: float, size: tuple[int, int] = (90, 160)) -> NDArray[np.float32]:
    return np.full((*size, 3), level, np.float32)


def shown(result: float = 0.5, truth: float | None = None, **more: float) -> Shown:
    remove = np.zeros((90, 160), np.float32)
    remove[30:60, 60:100] = 1.0
    picture = None if truth is None else flat(truth)
    return Shown(flat(0.5), flat(result), remove, None, truth=picture, **more)


def test_frames_are_spread_evenly_where_nothing_stands_out() -> None:
    quiet = {frame: Signs(seam=0.001) for frame in range(1001, 1025)}
    assert chosen(range(1001, 1025), quiet) == [1001, 1007, 1013, 1018, 1024]
    assert chosen([7], {}) == [7]
    assert chosen([7, 9], {}) == [7, 9]


def test_the_worst_frames_are_shown_and_not_twice_the_same_fault() -> None:
    signs = {frame: Signs(seam=0.001, residual=0.0) for frame in range(1001, 1049)}
    signs |= {
        1006: Signs(seam=0.09),
        1007: Signs(seam=0.08),
        1040: Signs(residual=0.2),
        2000: Signs(seam=1.0),
    }
    assert chosen(range(1001, 1049), signs) == [1001, 1006, 1025, 1040, 1048]


def test_rows_are_what_was_asked_what_came_out_and_what_differs() -> None:
    sheet = contact_sheet({1001: shown(0.5), 1002: shown(0.6)}, {})
    assert sheet.shape[1] == WIDTH_PX
    rows = sheet[:, WIDTH_PX // 2 + 60].astype(int)  # inside the second column, beside its matte
    levels = [int(value) for value, after in zip(rows[:, 1], rows[1:, 1], strict=False) if value == after]
    for level in (128, 153, 102):  # plate, result, and four times a tenth
        assert levels.count(level) > 100
    with_truth = contact_sheet({1001: shown(0.5, truth=0.5)}, {})
    assert with_truth.shape[0] > contact_sheet({1001: shown(0.5)}, {}).shape[0]


def test_a_sign_worth_a_look_stands_out() -> None:
    def alarmed(signs: Signs) -> bool:
        sheet = contact_sheet({1001: shown()}, {1001: signs})
        return bool((np.abs(sheet.astype(int) - ALARM).sum(axis=-1) < 30).any())

    assert alarmed(Signs(seam=0.1))
    assert not alarmed(Signs(seam=0.01, residual=0.01, flicker=1.0, drift=0.001, borrowed=1.0))
    assert not alarmed(Signs())


def test_an_anamorphic_plate_is_shown_in_its_shape() -> None:
    square, wide = (contact_sheet({1: shown(pixel_aspect=aspect)}, {}) for aspect in (1.0, 2.0))
    assert wide.shape[0] == pytest.approx(square.shape[0] / 2, rel=0.1)


def test_a_sheet_of_files(tmp_path: Path) -> None:
    shot = make_shot(tmp_path / "shot")
    spec = shot.spec("sheet-0001")
    files = {**shot.files, Role.RESULT: shot.files[Role.PLATE]}
    write_sheet(tmp_path / "sheet.png", spec, files, {1003: Signs(seam=0.2)})
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet.shape[1] == WIDTH_PX
    assert (np.abs(sheet[..., ::-1].astype(int) - ALARM).sum(axis=-1) < 30).any()
    with pytest.raises(SettingsError, match="cannot be written"):
        write_sheet(tmp_path / "none" / "sheet.png", spec, files, {})
