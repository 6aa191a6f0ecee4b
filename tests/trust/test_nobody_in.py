"""Who reaches a server that asks for keys, and what a key reaches of another's jobs."""

import os
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zmq
from real_shots import ShotOnDisk, StartServer, void

from void_server import local_server
from void_server import server as server_module
from void_server.config import Config
from void_server.jobs import NOBODY, JobStore
from void_server.key_folder import KeyFolder
from void_server.limits import Limits
from void_server.local_server import LocalServer
from void_server.server import Server
from void_wire import codec, keys, sockets
from void_wire.client import Client
from void_wire.connection import ClientKey, Connection
from void_wire.errors import (
    IllegalTransition,
    NotAuthorised,
    SettingsError,
    TransportError,
    UnknownJob,
    VoidError,
)
from void_wire.messages import (
    PROTOCOL_VERSION,
    AskInventory,
    AskSigns,
    AskSpec,
    Cancel,
    FetchFrame,
    FrameHeader,
    FrameRange,
    FrameRefused,
    Hello,
    JobSpec,
    Refused,
    Rerun,
    Role,
    State,
    Submit,
    Watch,
)

Give = Callable[[str, LocalServer], Connection]
HELLO = codec.encode(Hello(protocol=PROTOCOL_VERSION, client="test"), 1)
SPEC = JobSpec(
    job="annas-job-1", shot="s", engine="draft", frames=FrameRange(1, 2), roles=(Role.PLATE, Role.REMOVE)
)
PAYLOAD = b"as much of an exr as the wire knows"


@contextmanager
def dealer(to: Connection, data: bool = False) -> Iterator["zmq.Socket[bytes]"]:
    """A socket that sends whatever it is told to."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        sockets.prepare_for_frames(peer, "tcp://", 2**20)
        if to.key is not None:
            to.key.lock(peer)
        peer.connect(sockets.data_address(to.address) if data else to.address)
        yield peer


def ask(peer: "zmq.Socket[bytes]", message: Any, *payload: bytes) -> Any:
    peer.send_multipart([codec.encode(message, 5), *payload])
    assert peer.poll(5000), message
    return codec.decode(peer.recv_multipart()[0], {**codec.ANSWERS, **codec.DATA})[0]


def with_frames(client: Client, spec: JobSpec, folder: Path, numbers: tuple[int, ...] = (1,)) -> None:
    """Make the job and send ``numbers`` of it; with fewer than all it stays ``receiving``."""
    path = folder / "frame"
    path.write_bytes(PAYLOAD)
    client.submit(spec)
    part = replace(spec, frames=FrameRange(numbers[0], numbers[-1]))
    client.upload(part, {role: dict.fromkeys(numbers, path) for role in spec.roles})


def test_who_is_not_let_in_is_told_why(server: LocalServer, give: Give) -> None:
    right = give("anna", server)
    assert right.key is not None
    plain = Connection(right.address)
    stranger = replace(right, key=replace(right.key, secret=keys.new_pair()[1]))
    elsewhere = replace(right, key=replace(right.key, server=keys.new_pair()[0]))
    for wrong, says in ((plain, "asks for a key"), (stranger, "does not know your key")):
        with Client(wrong, patience_s=5) as client, pytest.raises(NotAuthorised, match=says):
            client.connect()
    with Client(elsewhere, patience_s=1) as client, pytest.raises(TransportError, match="not the one"):
        client.connect()


def test_a_key_where_none_is_asked_for(
    tmp_path: Path, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VOID_REQUIRE_KEYS")
    server = start_server(weights=None)
    key = ClientKey(keys.new_pair()[0], keys.new_pair()[1])
    with (
        Client(Connection(server.address, key)) as client,
        pytest.raises(NotAuthorised, match="takes no keys"),
    ):
        client.connect()


def serve(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "void_server.cli", "serve", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("address", ["tcp://0.0.0.0:0", "tcp://*:0", "tcp://[::]:0", "tcp://gpu-box:7801"])
def test_no_server_elsewhere_without_a_key_of_its_own(tmp_path: Path, address: str) -> None:
    ended = serve("--address", address, "--data-dir", tmp_path / "other")
    assert ended.returncode == 1
    assert "can be reached from other machines" in ended.stderr
    assert f"void keys make --keys {tmp_path / 'other' / 'keys'}. " in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stdout == ""


def test_no_server_is_started_for_a_key_that_it_would_not_know(tmp_path: Path) -> None:
    """The line through a tunnel is down: a server of this machine's own at its port is not what was meant."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    anna = Connection(f"tcp://127.0.0.1:{port}", ClientKey(bytes(32), bytes(range(32))))
    with pytest.raises(TransportError, match="a key of its own"):
        local_server.ensure(anna, data_dir=tmp_path / "data", weights=None)
    assert not (tmp_path / "data").exists()


def test_with_one_it_listens_there_to_keys_alone(
    start_server: StartServer, give: Give, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VOID_REQUIRE_KEYS")
    server = start_server("tcp://0.0.0.0:0", weights=None)
    here = f"tcp://127.0.0.1:{sockets.host_and_port(server.address)[1]}"
    with Client(here, patience_s=5) as client, pytest.raises(NotAuthorised):
        client.connect()
    with Client(replace(give("anna", server), address=here)) as client:
        assert client.connect().protocol == PROTOCOL_VERSION


@pytest.mark.skipif(os.name != "posix", reason="ipc is POSIX'")
def test_an_ipc_socket_is_ours_alone(
    tmp_path: Path, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VOID_REQUIRE_KEYS")
    address = f"ipc://{tmp_path / 'run' / 'void.sock'}"
    server = start_server(address, weights=None)
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o700
    for name in ("void.sock", "void.sock.data"):
        assert stat.S_IMODE((tmp_path / "run" / name).stat().st_mode) == 0o600
    with Client(server.address) as client:
        assert client.connect().protocol == PROTOCOL_VERSION
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    for where, says in (
        (f"{tmp_path / 'open'}/s", "entered by others (mode 0755)"),
        ("@void", "names no file"),
    ):
        ended = serve("--address", f"ipc://{where}", "--data-dir", tmp_path / "other")
        assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1)
        assert says in ended.stderr


def test_a_revoked_key_is_refused_from_its_next_message_on(
    server: LocalServer, give: Give, key_folder: KeyFolder, tmp_path: Path
) -> None:
    anna, ben = give("anna", server), give("ben", server)
    with Client(anna) as client, Client(ben) as other, dealer(anna, data=True) as data:
        with_frames(client, SPEC, tmp_path)
        other.connect()
        fetch = FetchFrame(SPEC.job, Role.PLATE, 1)
        assert isinstance(ask(data, fetch), FrameHeader)
        key_folder.revoke("anna")
        with pytest.raises(NotAuthorised, match="no longer knows your key"):
            client.watch(SPEC.job)
        with pytest.raises(NotAuthorised, match="no longer knows your key"):
            list(client.fetch(SPEC.job, Role.PLATE, [1], lambda n: tmp_path / "home"))
        for message, payload in (
            (fetch, ()),
            (FrameHeader(SPEC.job, Role.PLATE, 2, len(PAYLOAD), codec.digest(PAYLOAD)), (PAYLOAD,)),
        ):
            refused = ask(data, message, *payload)
            assert isinstance(refused, FrameRefused)
            assert refused.code == "transport.not_authorised"
        assert other.jobs() == []  # ben is none the wiser
    with Client(anna, patience_s=5) as client, pytest.raises(NotAuthorised, match="does not know your key"):
        client.connect()
    again = give(
        "anna", server
    )  # another key of the same name, without a restart; the jobs were the old key's
    with Client(again) as client:
        assert client.jobs() == []
        with pytest.raises(UnknownJob):
            client.watch(SPEC.job)


def test_every_request_for_another_s_job_is_refused_as_for_none(
    server: LocalServer, give: Give, tmp_path: Path
) -> None:
    anna, ben = give("anna", server), give("ben", server)
    with ExitStack() as stack:
        owner = stack.enter_context(Client(anna))
        with_frames(owner, SPEC, tmp_path)
        control, data = stack.enter_context(dealer(ben)), stack.enter_context(dealer(ben, data=True))
        nothing = "annas-job-2"

        def said(message: Any, *payload: bytes) -> tuple[str, str]:
            on_data = isinstance(message, (FetchFrame, FrameHeader))
            answer = ask(data if on_data else control, message, *payload)
            assert isinstance(answer, (Refused, FrameRefused)), message
            return answer.code, answer.sentence.replace(message.job, "JOB")

        mine = replace(SPEC, job="bens-job-1")
        requests: list[Any] = [AskSpec, AskInventory, AskSigns, Watch, Cancel]
        for make in requests:
            assert said(make(SPEC.job)) == said(make(nothing))
        assert said(Rerun(SPEC.job, mine)) == said(Rerun(nothing, mine))
        for role in Role:
            for frame in (1, 2, 99):
                assert said(FetchFrame(SPEC.job, role, frame)) == said(FetchFrame(nothing, role, frame))
                for payload in (PAYLOAD, b"other"):

                    def header(
                        job: str, role: Role = role, frame: int = frame, payload: bytes = payload
                    ) -> Any:
                        return FrameHeader(job, role, frame, len(payload), codec.digest(payload))

                    assert said(header(SPEC.job), payload) == said(header(nothing), payload)
        assert said(Watch(SPEC.job))[0] == "job.unknown"
        taken = ask(control, Submit(SPEC))  # that an id is taken cannot be hidden; nothing else of it is told
        assert isinstance(taken, Refused)
        assert taken.code == "job.illegal_transition"
        with Client(ben) as client:
            assert (client.jobs(), client.others()) == ([], [])
        status = owner.watch(SPEC.job)
        assert (status.state, status.received) == (State.RECEIVING, 2)
        assert owner.spec(SPEC.job) == SPEC


def test_others_jobs_are_listed_where_the_config_says_so(
    start_server: StartServer, give: Give, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOID_LIST_OTHERS", "yes")
    server = start_server(weights=None)
    anna, ben = give("anna", server), give("ben", server)
    with Client(anna) as client, Client(ben) as other:
        client.submit(replace(SPEC, prompt="a secret scene"))
        assert other.jobs() == []
        (listed,) = other.others()
        assert (listed.owner, listed.job, listed.state) == ("anna", SPEC.job, State.RECEIVING)
        assert "secret" not in repr(listed)
        assert client.others() == []
        with pytest.raises(UnknownJob):
            other.spec(SPEC.job)
        other.submit(replace(SPEC, job="bens-job-1"))
    mine, theirs = void("jobs", "--server", ben.secret_text()).stdout.split("Of others:")
    assert ("bens-job-1" in mine, SPEC.job in mine) == (True, False)
    assert ("bens-job-1" in theirs, SPEC.job in theirs, "anna" in theirs) == (False, True, True)


def test_jobs_of_a_release_without_keys_are_the_machine_s_own(tmp_path: Path) -> None:
    store = JobStore(tmp_path, limits=Limits(queue=9), changed=lambda job: None)
    store.submit(SPEC, NOBODY)
    store.close()
    with closing(sqlite3.connect(tmp_path / "jobs.sqlite")) as old:
        old.execute("ALTER TABLE jobs DROP COLUMN owner")
    for _ in range(2):
        store = JobStore(tmp_path, limits=Limits(queue=9), changed=lambda job: None)
        assert [status.job for status in store.statuses(NOBODY)] == [SPEC.job]
        assert store.statuses("ab" * 32) == []
        with pytest.raises(IllegalTransition):
            store.submit(SPEC, "ab" * 32)
        store.close()


def test_every_command_takes_the_connection_string(
    server: LocalServer, give: Give, shot: ShotOnDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, ben = give("anna", server), give("ben", server)
    assert anna.key is not None
    out = tmp_path / "result.%04d.exr"
    patterns = [f"--{role.value}={shot.pattern(role)}" for role in shot.files]
    given = ["submit", *patterns, "--engine", "draft", "--colorspace", "lin_rec709", "--job", "annas-job-1"]
    monkeypatch.setenv("VOID_KEY", anna.secret_text())
    ended = void(*given, "--out", out)
    assert ended.returncode == 0, ended.stderr
    assert len(list(tmp_path.glob("result.*.exr"))) == 2
    monkeypatch.delenv("VOID_KEY")
    assert "annas-job-1" in void("jobs", "--server", anna.secret_text()).stdout
    assert "annas-job-1" not in void("jobs", "--server", ben.secret_text()).stdout
    for command in (["fetch", "annas-job-1", "--out", out], ["cancel", "annas-job-1"]):
        ended = void(*command, "--server", ben.secret_text())
        assert (ended.returncode, ended.stderr) == (
            1,
            "void: The server has no job annas-job-1: see its jobs with: void jobs\n",
        )
    assert "asks for a key" in void("jobs", "--server", server.address).stderr
    kept = void("keys", "use", anna.secret_text())
    assert kept.returncode == 0
    assert keys.to_text(anna.key.secret) not in kept.stdout
    assert "annas-job-1" in void("jobs", "--server", server.address).stdout


def test_what_void_keys_prints_lets_in(server: LocalServer, tmp_path: Path) -> None:
    there = ("--data-dir", tmp_path / "data")
    added = void("keys", "add", "ben", "--at", server.address, *there)
    assert added.returncode == 0, added.stderr
    assert "ben" in void("keys", "list", *there).stdout
    with Client(added.stdout.strip()) as client:
        assert client.jobs() == []
    assert void("keys", "revoke", "ben", *there).returncode == 0
    with Client(added.stdout.strip(), patience_s=5) as client, pytest.raises(NotAuthorised):
        client.jobs()
    assert "ben" not in void("keys", "list", *there).stdout


def test_without_zap_s_word_a_message_is_nobody_s(
    tmp_path: Path, key_folder: KeyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were the authenticator to let everybody in, each message would still be refused."""
    monkeypatch.setattr(server_module.Gate, "callback", lambda self, domain, key: True)
    config = Config(address="tcp://127.0.0.1:0", data_dir=str(tmp_path / "data"), require_keys=True)
    with Server(config) as server:
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            right = key_folder.add("anna", server.address)
            assert right.key is not None
            stranger = replace(right, key=replace(right.key, secret=keys.new_pair()[1]))
            with dealer(stranger) as peer:
                answer = ask(peer, Hello(PROTOCOL_VERSION, "stranger"))
                assert isinstance(answer, Refused)
                assert answer.code == "transport.not_authorised"
        finally:
            server.stop()
            thread.join()


def test_without_the_authenticator_nobody_gets_in(tmp_path: Path, key_folder: KeyFolder) -> None:
    """ZeroMQ lets everybody in when nobody answers its question, unless it is told not to."""
    config = Config(address="tcp://127.0.0.1:0", data_dir=str(tmp_path / "data"), require_keys=True)
    with Server(config) as server:
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            right = key_folder.add("anna", server.address)
            server._gate.close()
            for data in (False, True):
                with dealer(right, data) as peer:
                    peer.send(HELLO)
                    assert not peer.poll(1000)
        finally:
            server.stop()
            thread.join()


def test_a_broken_key_folder_lets_nobody_in(
    server: LocalServer, give: Give, key_folder: KeyFolder, tmp_path: Path
) -> None:
    anna = give("anna", server)
    (key_folder.path / "clients").rename(tmp_path / "gone")
    with Client(anna, patience_s=5) as client, pytest.raises(VoidError):
        client.connect()
    (tmp_path / "gone").rename(key_folder.path / "clients")
    with Client(anna) as client:
        assert client.connect().protocol == PROTOCOL_VERSION


def test_a_server_key_that_is_none_is_said_at_the_start(tmp_path: Path) -> None:
    folder = KeyFolder(tmp_path / "data" / "keys")
    folder.make_server()
    (folder.path / "server.key").write_text("not a key")
    config = Config(address="tcp://127.0.0.1:0", data_dir=str(tmp_path / "data"), require_keys=True)
    with pytest.raises(SettingsError, match="holds no key"):
        Server(config)
