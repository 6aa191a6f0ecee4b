"""A key that is taken back has no jobs on the server any more that are going to be done."""

from pathlib import Path

import pytest
from held_workers import HeldWorkers
from real_shots import ShotOnDisk, StartServer, done, running, send, wait_for

from void_server.gate import Gate
from void_server.key_folder import KeyFolder
from void_wire.client import Client
from void_wire.messages import State


def test_they_are_stopped_in_whatever_state_and_others_go_on(
    shot: ShotOnDisk,
    held: HeldWorkers,
    start_server: StartServer,
    key_folder: KeyFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VOID_LIST_OTHERS", "yes")
    server = start_server(weights=None)
    with (
        Client(key_folder.add("anna", server.address)) as anna,
        Client(key_folder.add("bert", server.address)) as bert,
    ):
        send(anna, shot, "annas-runs-1")
        wait_for(anna, "annas-runs-1", running)
        send(anna, shot, "annas-waits-1")
        anna.submit(shot.spec("annas-comes-1"))
        send(bert, shot, "berts-job-1")
        held.let_go("berts-job-1")
        assert bert.watch("berts-job-1").queue_place == 1
        assert {one.state for one in bert.others()} == {State.RUNNING, State.QUEUED, State.RECEIVING}
        key_folder.revoke("anna")
        wait_for(bert, "berts-job-1", done)  # in anna's worker
        assert {one.job: one.state for one in bert.others()} == dict.fromkeys(
            ("annas-runs-1", "annas-waits-1", "annas-comes-1"), State.CANCELLED
        )
    log = (tmp_path / "data" / "server.log").read_text()
    assert log.count("has been revoked, so it was stopped") == 3


def test_a_key_folder_that_cannot_be_read_revokes_nothing(
    key_folder: KeyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    import zmq

    connection = key_folder.add("anna", "tcp://127.0.0.1:7801")
    assert connection.key is not None
    (anna,) = (key.public.hex() for key in key_folder.listed())
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    gate = Gate(context, key_folder)

    def broken(public: bytes) -> str:
        raise OSError("Input/output error")

    try:
        assert not gate.has_revoked(anna)
        assert not gate.has_revoked("")  # of a time without keys
        with monkeypatch.context() as patch:
            patch.setattr(key_folder, "name_of", broken)
            assert not gate.has_revoked(anna)
        key_folder.revoke("anna")
        assert gate.has_revoked(anna)
    finally:
        gate.close()
        context.destroy(linger=0)
