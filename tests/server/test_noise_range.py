"""What only the plate's header tells of a part of a shot is checked before the plate is read."""

from dataclasses import replace
from pathlib import Path

import pytest
from real_shots import make_shot

from void_server.submission import check_rate
from void_wire.errors import SettingsError
from void_wire.messages import VoidSettings


def test_a_part_begins_where_the_model_sees_a_frame_of_the_whole(tmp_path: Path) -> None:
    shot = make_shot(tmp_path, frames=1, size=(16, 16))  # its files say 24 frames a second
    spec = shot.spec("part-0001", VoidSettings(time_base="model", noise_range="993-1200"))
    check_rate(spec, shot.files)
    off = replace(spec, void=VoidSettings(time_base="model", noise_range="997-1200"))
    with pytest.raises(SettingsError, match=r"is 4 after 997, .* must be a multiple of 8: begin at 997"):
        check_rate(off, shot.files)
