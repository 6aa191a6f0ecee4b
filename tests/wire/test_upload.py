"""A job's frames on their way up: each arrives once, whatever is lost, repeated or damaged."""

from pathlib import Path
from typing import Any

import pytest
from strict_server import CREDIT, JOB, KEYS, SPEC, Key, StrictServer

from void_wire.client import Client
from void_wire.errors import MissingFrames, ProtocolError, ServerBusy, SettingsError, TimedOut
from void_wire.messages import FrameAck, FrameRefused, Role

pytestmark = pytest.mark.timeout(60)  # whoever waits for ever fails


def content(files: dict[Role, dict[int, Path]]) -> dict[Key, bytes]:
    return {(role, frame): files[role][frame].read_bytes() for role, frame in KEYS}


def test_everything_arrives_once_within_the_credit(server: StrictServer, client: Client, files: Any) -> None:
    seen: list[tuple[int, int]] = []
    server.reorder = True
    client.upload(SPEC, files, lambda done, total: seen.append((done, total)))
    assert server.held == content(files)
    assert set(server.came.values()) == {1}
    assert server.most_unanswered == CREDIT
    assert seen[0] == (0, 12)
    assert seen[-1] == (12, 12)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_what_the_server_holds_is_not_sent_again_and_what_changed_is(
    server: StrictServer, client: Client, files: Any
) -> None:
    server.held = content(files)
    files[Role.PLATE][2].write_bytes(b"painted over")
    del server.held[Role.REMOVE, 5]
    client.upload(SPEC, files)
    assert set(server.came) == {(Role.PLATE, 2), (Role.REMOVE, 5)}
    assert server.held == content(files)


def test_lost_acknowledgements_are_asked_for(server: StrictServer, client: Client, files: Any) -> None:
    server.answer_frame = lambda key, times: [] if key[1] in (2, 5) else [FrameAck(JOB, *key)]
    client.upload(SPEC, files)
    assert server.held == content(files)
    assert set(server.came.values()) == {1}


def test_an_old_frame_of_the_same_number_is_no_acknowledgement(
    server: StrictServer, client: Client, files: Any
) -> None:
    """The server still lists the digest of what was there before: that is not the frame that was sent."""
    server.held = content(files)
    files[Role.PLATE][2].write_bytes(b"painted over")
    old = server.held[Role.PLATE, 2]

    def lose(key: Key, times: int) -> list[Any]:
        if times == 1:
            server.cut_frames()
            return [FrameRefused(JOB, *key, "transport", "Lost with its connection: nothing is kept.")]
        return [FrameAck(JOB, *key)]

    server.answer_frame = lose
    client.upload(SPEC, files)
    assert old != server.held[Role.PLATE, 2] == b"painted over"
    assert server.came == {(Role.PLATE, 2): 2}


def test_duplicate_acknowledgements_count_once(server: StrictServer, client: Client, files: Any) -> None:
    server.answer_frame = lambda key, times: [FrameAck(JOB, *key)] * 3
    seen: list[int] = []
    client.upload(SPEC, files, lambda done, total: seen.append(done))
    assert server.held == content(files)
    assert max(seen) == seen[-1] == 12


def test_acknowledgements_of_other_jobs_count_for_nothing(
    server: StrictServer, client: Client, files: Any
) -> None:
    server.answer_frame = lambda key, times: [FrameAck("other-job", *key), FrameAck(JOB, *key)]
    client.upload(SPEC, files)
    assert server.held == content(files)


def test_frames_lost_with_their_connection_are_sent_again(
    server: StrictServer, client: Client, files: Any
) -> None:
    cuts: list[Key] = []

    def cut_some(key: Key, times: int) -> list[Any]:
        if key[1] in (2, 4) and key not in cuts:
            cuts.append(key)
            server.cut_frames()
            return [FrameRefused(JOB, *key, "transport", "Lost with its connection: nothing is kept.")]
        return [FrameAck(JOB, *key)]

    server.answer_frame = cut_some
    client.upload(SPEC, files)
    assert server.held == content(files)
    assert len(cuts) == 4
    assert max(server.came.values()) <= 1 + len(cuts)


def test_a_frame_damaged_on_the_way_up_is_sent_again(
    server: StrictServer, client: Client, files: Any
) -> None:
    def damaged_once(key: Key, times: int) -> list[Any]:
        if key == (Role.PLATE, 3) and times == 1:
            return [
                FrameRefused(JOB, *key, ProtocolError.code, "Frame 3 of the plate was damaged on the way.")
            ]
        return [FrameAck(JOB, *key)]

    server.answer_frame = damaged_once
    client.upload(SPEC, files)
    assert server.held == content(files)
    assert server.came[Role.PLATE, 3] == 2


def test_a_frame_damaged_every_time_is_given_up(server: StrictServer, client: Client, files: Any) -> None:
    sentence = "Frame 3 of the plate was damaged on the way."
    server.answer_frame = lambda key, times: (
        [FrameRefused(JOB, *key, ProtocolError.code, sentence)]
        if key == (Role.PLATE, 3)
        else [FrameAck(JOB, *key)]
    )
    with pytest.raises(ProtocolError, match=sentence):
        client.upload(SPEC, files)
    assert server.came[Role.PLATE, 3] == 3


def test_a_full_server_is_waited_for_with_its_sentence(
    server: StrictServer, client: Client, files: Any
) -> None:
    """It says that the job waits; then no more, though it refuses still; then it has room."""
    told: list[str] = []

    def waits(sentence: str) -> None:
        told.append(sentence)
        if len(told) == 4:
            server.waits = ""
        if len(told) == 6:
            server.answer_frame = lambda key, times: [FrameAck(JOB, *key)]

    server.waits = "There is no room."
    server.answer_frame = lambda key, times: [FrameRefused(JOB, *key, ServerBusy.code, "The disk is full.")]
    client.upload(SPEC, files, waits=waits)
    assert told == ["The disk is full.", *["There is no room."] * 3, *["The disk is full."] * 2]
    assert server.held == content(files)
    assert max(server.came.values()) <= 4  # and was not sent again meanwhile


def test_who_waits_for_room_can_give_up(server: StrictServer, client: Client, files: Any) -> None:
    server.waits = "There is no room."
    server.answer_frame = lambda key, times: [FrameRefused(JOB, *key, ServerBusy.code, "The disk is full.")]

    def waits(sentence: str) -> None:
        raise TimedOut(sentence)

    with pytest.raises(TimedOut, match="The disk is full"):
        client.upload(SPEC, files, waits=waits)


def test_what_is_at_home_is_told_by_its_bytes(
    server: StrictServer, client: Client, files: Any, tmp_path: Path
) -> None:
    server.held = content(files)
    here = dict(files[Role.PLATE])
    numbers = sorted(here)
    here[numbers[0]].write_bytes(b"another picture")
    here[numbers[1]] = tmp_path / "not there"
    assert client.at_home(JOB, Role.PLATE, here) == set(numbers[2:])
    assert client.at_home(JOB, Role.RESULT, here) == set()
    assert client.at_home(JOB, Role.PLATE, {}) == set()


def test_files_that_lack_are_named_before_anything_is_sent(
    server: StrictServer, client: Client, files: Any
) -> None:
    gone = files[Role.REMOVE].pop(4)
    with pytest.raises(MissingFrames, match="Frame 4 of the remove"):
        client.upload(SPEC, files)
    assert not server.came
    files[Role.REMOVE][4] = gone
    gone.unlink()
    with pytest.raises(MissingFrames, match="Frame 4 of the remove matte cannot be read"):
        client.upload(SPEC, files)


def test_a_frame_over_the_servers_limit_is_not_sent(server: StrictServer, client: Client, files: Any) -> None:
    files[Role.PLATE][1].write_bytes(bytes(1001))
    with pytest.raises(SettingsError, match="Frame 1 of the plate has"):
        client.upload(SPEC, files)
    assert not server.came
