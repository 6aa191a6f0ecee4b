"""Frames on their way home: whole, each under its own number, or no file at all."""

import time
from pathlib import Path
from typing import Any

import pytest
from strict_server import JOB, Key, StrictServer, frame_of

from void_wire import codec
from void_wire.client import FETCH_CREDIT, Client
from void_wire.errors import MissingFrames, ProtocolError, SettingsError
from void_wire.messages import FrameHeader, FrameRefused, Role

pytestmark = pytest.mark.timeout(60)  # whoever waits for ever fails


def fetch(client: Client, folder: Path, frames: Any = range(1, 7)) -> dict[int, bytes]:
    homes = client.fetch(JOB, Role.PLATE, frames, lambda n: folder / f"home.{n}")
    return {frame: path.read_bytes() for frame, path in homes}


def test_answers_in_any_order_come_home(
    server: StrictServer, client: Client, results: dict[int, bytes], tmp_path: Path
) -> None:
    server.reorder = True
    assert fetch(client, tmp_path) == results
    assert set(server.asked.values()) == {1}


def test_a_frame_damaged_on_the_way_down_is_asked_for_again(
    server: StrictServer, client: Client, results: dict[int, bytes], tmp_path: Path
) -> None:
    def damaged_once(key: Key, times: int) -> list[Any]:
        head, body = frame_of(key, results[key[1]])
        return [(head, b"X" + body[1:] if key[1] == 3 and times == 1 else body)]

    server.answer_fetch = damaged_once
    assert fetch(client, tmp_path) == results
    assert server.asked[Role.PLATE, 3] == 2


def test_a_frame_damaged_every_time_is_no_file(
    server: StrictServer, client: Client, results: dict[int, bytes], tmp_path: Path
) -> None:
    server.answer_fetch = lambda key, times: [(frame_of(key, results[key[1]])[0], b"rotten")]
    with pytest.raises(ProtocolError, match=r"Frame \d of the plate arrived damaged 3 times"):
        fetch(client, tmp_path)
    assert list(tmp_path.glob("home.*")) == []


def test_answers_twice_or_for_others_change_nothing(
    server: StrictServer, client: Client, results: dict[int, bytes], tmp_path: Path
) -> None:
    def with_strangers(key: Key, times: int) -> list[Any]:
        good = frame_of(key, results[key[1]])
        other = FrameHeader("other-job", *key, 1, codec.digest(b"x")), b"x"
        never = FrameHeader(JOB, key[0], 99, 1, codec.digest(b"x")), b"x"
        return [good, other, never, good]

    server.answer_fetch = with_strangers
    assert fetch(client, tmp_path) == results
    assert sorted(path.name for path in tmp_path.glob("home.*")) == [f"home.{n}" for n in range(1, 7)]


def test_frames_asked_for_over_a_lost_connection_are_asked_for_again(
    server: StrictServer, client: Client, results: dict[int, bytes], tmp_path: Path
) -> None:
    cuts: list[int] = []

    def cut_once(key: Key, times: int) -> list[Any]:
        if key[1] == 3 and not cuts:
            cuts.append(3)
            server.cut_frames()
        return [frame_of(key, results[key[1]])]

    server.answer_fetch = cut_once
    assert fetch(client, tmp_path) == results
    assert cuts
    assert max(server.asked.values()) == 2


def test_a_fetch_left_in_the_middle_leaves_nothing_behind(
    server: StrictServer, client: Client, results: dict[int, bytes], tmp_path: Path
) -> None:
    for _home in client.fetch(JOB, Role.PLATE, range(1, 7), lambda n: tmp_path / f"home.{n}"):
        break
    while (
        sum(server.asked.values()) < FETCH_CREDIT
    ):  # the answers that nobody waits for any more are on their way
        time.sleep(0.01)
    late = {frame: payload + b" of a later take" for frame, payload in results.items()}
    server.held = {(Role.PLATE, frame): payload for frame, payload in late.items()}
    assert fetch(client, tmp_path) == late


def test_a_refused_frame_is_its_error(
    server: StrictServer, client: Client, results: dict[int, bytes], tmp_path: Path
) -> None:
    server.answer_fetch = lambda key, times: [
        (FrameRefused(JOB, *key, MissingFrames.code, "No frame 1."), b"")
    ]
    with pytest.raises(MissingFrames, match="No frame 1"):
        fetch(client, tmp_path)


def test_a_place_that_cannot_be_written_is_named(
    server: StrictServer, client: Client, results: dict[int, bytes], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(
        SettingsError, match=r"file/home.* cannot be written.*plate is safe on the server.*ask for it again"
    ):
        fetch(client, tmp_path / "file")
