"""``void panel``: the panel without a host, and the pictures it makes."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq
from real_shots import make_shot

from void_panel.pictures import WIDTH_PX
from void_server.frames.exr import write_frame
from void_server.frames.geometry import Box
from void_server.panel import open_panel, picture_of
from void_wire import codec
from void_wire.errors import SettingsError, UnsupportedImage
from void_wire.messages import PROTOCOL_VERSION, Hello


def test_it_opens_greets_the_server_and_leaves_when_told(app: Any) -> None:
    context = zmq.Context()
    server = context.socket(zmq.ROUTER)
    port = server.bind_to_random_port("tcp://127.0.0.1")
    command = [sys.executable, "-m", "void_server.cli", "panel", "--server", f"127.0.0.1:{port}"]
    panel = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert server.poll(60_000), panel.communicate()[1]
        greeting, _ = codec.decode(server.recv_multipart()[1], codec.REQUESTS)
        assert greeting == Hello(PROTOCOL_VERSION, "void panel")
        panel.send_signal(signal.SIGTERM)  # while it waits for an answer that never comes
        assert panel.wait(timeout=20) == 0
    finally:
        panel.kill()
        context.destroy(linger=0)


def test_without_qt_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PySide6", None)
    with pytest.raises(SettingsError, match=r"The panel needs Qt.*pip install 'void-compositor\[panel\]'"):
        open_panel("tcp://127.0.0.1:9")


def write(path: Path, pixels: Any, display: Box, origin: tuple[int, int] = (0, 0), **metadata: Any) -> Path:
    write_frame(
        path, 1001, np.asarray(pixels, np.float16), "RGB", display=display, origin=origin, metadata=metadata
    )
    return path


def test_a_picture_is_small_shown_whole_and_as_a_display_has_it(tmp_path: Path) -> None:
    grey = np.full((100, 1280, 3), 0.18)
    grey[:, 640:] = 40.0
    picture = picture_of(write(tmp_path / "a.exr", grey, Box(0, 0, 1280, 200)), 1001, "lin_rec709")
    assert (picture.width, picture.height) == (WIDTH_PX, 100)
    shown = np.frombuffer(picture.rgb, np.uint8).reshape(100, WIDTH_PX, 3)
    assert abs(int(shown[10, 10, 0]) - 118) <= 3  # sRGB of 18 % grey
    assert shown[10, 600].tolist() == [255, 255, 255] or shown[10, 600].min() > 240
    assert shown[80].max() == 0  # the data window ends


def test_pixels_are_made_square_and_no_value_breaks_a_picture(tmp_path: Path) -> None:
    odd = np.full((100, 200, 3), np.nan)
    odd[:, :100] = np.inf
    path = write(tmp_path / "a.exr", odd, Box(0, 0, 200, 100), PixelAspectRatio=2.0)
    picture = picture_of(path, 1001, "lin_rec709")
    assert (picture.width, picture.height) == (200, 50)
    assert {picture.rgb[0], picture.rgb[-1]} == {0, 255}


def test_a_file_that_is_no_frame_or_an_unknown_space_is_said(tmp_path: Path) -> None:
    shot = make_shot(tmp_path / "shot", 1)
    plate = next(shot.folder.glob("plate.*"))
    with pytest.raises(SettingsError, match="Colour space 'nowhere'"):
        picture_of(plate, 1001, "nowhere")
    (tmp_path / "no.exr").write_bytes(b"no")
    with pytest.raises(UnsupportedImage):
        picture_of(tmp_path / "no.exr", 1001, "lin_rec709")
