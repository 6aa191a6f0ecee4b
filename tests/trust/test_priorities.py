"""Some keys' jobs come before others', as the server's administrator says; equals take turns."""

import re
from pathlib import Path

import pytest
from held_workers import HeldWorkers
from real_shots import ShotOnDisk, StartServer, done, running, send, wait_for

from void_server.config import Config, load
from void_server.doctor import examine
from void_server.key_folder import KeyFolder
from void_server.priorities import Priorities
from void_wire.client import Client
from void_wire.errors import SettingsError

PRIORITIES = Priorities((("anna", 0), ("bert", 5), ("carl", -5)))


@pytest.mark.parametrize("where", ["file", "environment", "flag"])
def test_they_can_be_given_in_every_way(tmp_path: Path, where: str) -> None:
    file, text = tmp_path / "void.toml", "anna=0, bert=5,carl=-5"
    file.write_text("[priorities]\nanna = 0\nbert = 5\ncarl = -5\n")
    config = load(
        file if where == "file" else None,
        {"VOID_PRIORITIES": text} if where == "environment" else {},
        {"priorities": text if where == "flag" else None},
    )
    assert config.priorities == PRIORITIES
    assert [config.priorities.of(name) for name in ("bert", "carl", "somebody", "this machine")] == [
        5,
        -5,
        0,
        0,
    ]


@pytest.mark.parametrize(
    ("given", "says"), [("anna", "anna has none"), ("anna=much", "anna has much"), ("anna=5000", "to 1000")]
)
def test_what_is_no_priority_is_one_sentence(given: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        load(None, {"VOID_PRIORITIES": given}, {})


def test_doctor_names_a_priority_that_nobody_has(
    tmp_path: Path, key_folder: KeyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for check in ("_job", "_gpu"):
        monkeypatch.setattr(f"void_server.doctor.{check}", lambda config: "not asked for here")
    key_folder.add("anna", "tcp://127.0.0.1:7801")
    config = Config(data_dir=str(tmp_path / "data"), require_keys=True, priorities=PRIORITIES)
    (keys,) = (one for one in examine(config) if one.name == "keys")
    assert not keys.fine
    assert "priorities name bert, and no key is called so" in keys.says


def test_jobs_begin_in_that_order(
    shot: ShotOnDisk,
    held: HeldWorkers,
    start_server: StartServer,
    key_folder: KeyFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VOID_PRIORITIES", str(PRIORITIES))
    server = start_server(weights=None)
    names = ("carl", "anna", "bert")
    clients = {name: Client(key_folder.add(name, server.address)) for name in names}
    jobs = {name: (f"{name}s-job-1",) for name in names} | {"bert": ("berts-job-1", "berts-job-2")}
    try:
        send(clients["carl"], shot, "carl-runs-1")
        wait_for(clients["carl"], "carl-runs-1", running)
        for name, client in clients.items():
            send(client, shot, *jobs[name])
        order = [*jobs["bert"], *jobs["anna"], *jobs["carl"]]
        places = {s.job: s.queue_place for client in clients.values() for s in client.jobs() if s.queue_place}
        assert sorted(places, key=lambda job: places[job]) == order
        held.let_go("carl-runs-1", *order)
        for name, client in clients.items():
            for job in jobs[name]:
                wait_for(client, job, done)
    finally:
        for client in clients.values():
            client.close()
    log = (tmp_path / "data" / "server.log").read_text()
    assert re.findall(r"job (\S+) starts", log) == ["carl-runs-1", *order]
