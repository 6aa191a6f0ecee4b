"""The client against a small strict server that loses, repeats, damages and falls silent when told to."""

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zmq

from void_wire import codec, messages, sockets
from void_wire.client import FETCH_CREDIT, Client
from void_wire.errors import (
    EngineError,
    IllegalTransition,
    MissingFrames,
    NotAuthorised,
    ProtocolError,
    ServerBusy,
    SettingsError,
    TimedOut,
    TransportError,
    UnknownJob,
    Unreachable,
    VoidError,
)
from void_wire.messages import (
    AskInventory,
    AskSigns,
    FetchFrame,
    FrameAck,
    FrameHeader,
    FrameRange,
    FrameRefused,
    Hello,
    Inventory,
    JobSpec,
    JobStatus,
    Refused,
    Role,
    Signs,
    SignTable,
    State,
    Submit,
    Watch,
    Welcome,
)

JOB = "test-job-1"
SPEC = JobSpec(job=JOB, shot="s", engine="draft", frames=FrameRange(1, 6), roles=(Role.PLATE, Role.REMOVE))
KEYS = [(role, frame) for frame in SPEC.frames.numbers() for role in SPEC.roles]
CREDIT = 3
pytestmark = pytest.mark.timeout(60)  # whoever waits for ever fails
Key = tuple[Role, int]


SIGNS = {1001: Signs(seam=0.01, borrowed=1.0), -7: Signs()}


class StrictServer:
    """One job's worth of a server. It keeps the rules and notes whoever breaks them in ``wrongs``.

    The hooks decide what happens to a frame's answer: they get the frame's key and how often it came, and
    return the answers that leave.
    """

    def __init__(self) -> None:
        self.held: dict[Key, bytes] = {}
        self.came: Counter[Key] = Counter()
        self.asked: Counter[Key] = Counter()
        self.most_unanswered = 0
        self.wrongs: list[str] = []
        self.refuse: dict[str, Refused] = {}  # kind of request -> its answer
        self.silent: set[str] = set()  # kinds that get none
        self.waits = ""  # of the job's status
        self.welcome = Welcome(
            messages.PROTOCOL_VERSION, "0", CREDIT, 1000, {"draft": "", "void": "Get weights."}
        )
        self.answer_frame: Callable[[Key, int], list[Any]] = lambda key, times: [FrameAck(JOB, *key)]
        self.answer_fetch: Callable[[Key, int], list[tuple[FrameHeader | FrameRefused, bytes]]]
        self.answer_fetch = lambda key, times: [frame_of(key, self.held[key])]
        self.reorder = False  # hold answers back until the client has nothing left to send, then last first
        self._stop = threading.Event()
        self._context = zmq.Context()
        self._control = self._bind("tcp://127.0.0.1:0")
        while True:
            self.address = self._control.getsockopt_string(zmq.LAST_ENDPOINT)
            try:
                self._data = self._bind(sockets.data_address(self.address))
                break
            except zmq.ZMQError:
                self._control = self._bind("tcp://127.0.0.1:0")
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._context.destroy(linger=0)

    def cut_frames(self) -> None:
        """Break every data connection, as a restart or a network does. From the server's thread only."""
        address = self._data.getsockopt_string(zmq.LAST_ENDPOINT)
        self._data.close(linger=0)
        while True:
            try:
                self._data = self._bind(address)
                return
            except zmq.ZMQError:
                time.sleep(0.01)

    def _bind(self, address: str) -> "zmq.Socket[bytes]":
        router = self._context.socket(zmq.ROUTER)
        sockets.prepare_for_frames(router, address, 2**20)
        try:
            router.bind(address)
        except zmq.ZMQError:
            router.close()
            raise
        return router

    def _run(self) -> None:
        kept: list[list[bytes]] = []
        while not self._stop.is_set():
            if self._control.poll(5):
                self._serve_control()
            if self._data.poll(5):
                data, peer, *parts = self._data, *self._data.recv_multipart()
                answers = self._serve_data(parts)
                kept += [[peer, *answer] for answer in answers]
                self.most_unanswered = max(self.most_unanswered, len(kept))
                if data is not self._data:
                    kept.clear()  # cut: nobody is there to answer
                if self.reorder and len(kept) < CREDIT and self._data.poll(50):
                    continue
            while kept:
                self._data.send_multipart(kept.pop())

    def _serve_control(self) -> None:
        peer, data = self._control.recv_multipart()
        request, number = codec.decode(data, codec.REQUESTS)
        if request.kind in self.silent:
            return
        answer: Any = self.refuse.get(request.kind) or self._answer(request)
        self._control.send_multipart([peer, codec.encode(answer, number)])

    def _answer(self, request: Any) -> Any:
        if isinstance(request, Hello):
            return self.welcome
        if isinstance(request, AskInventory):
            digests: dict[Role, dict[int, str]] = {}
            for (role, frame), payload in self.held.items():
                digests.setdefault(role, {})[frame] = codec.digest(payload)
            return Inventory(request.job, digests)
        if isinstance(request, AskSigns):
            return SignTable(request.job, SIGNS)
        assert isinstance(request, (Submit, Watch))
        status = JobStatus(JOB, "s", "draft", 1, State.RECEIVING, SPEC.frames, len(self.held), len(KEYS))
        return replace(status, waits=self.waits)

    def _serve_data(self, parts: list[bytes]) -> list[list[bytes]]:
        message, _ = codec.decode(parts[0], codec.DATA)
        key = (message.role, message.frame)
        if isinstance(message, FetchFrame):
            self.asked[key] += 1
            return [[codec.encode(head), body] for head, body in self.answer_fetch(key, self.asked[key])]
        payload = parts[1] if len(parts) > 1 else b""
        if not isinstance(message, FrameHeader) or message.job != JOB or key not in KEYS:
            self.wrongs.append(f"not wanted: {message}")
        elif (len(payload), codec.digest(payload)) != (message.size_bytes, message.digest):
            self.wrongs.append(f"wrong header: {message}")
        self.came[key] += 1
        answers = self.answer_frame(key, self.came[key])
        if not any(isinstance(answer, FrameRefused) for answer in answers):
            self.held[key] = payload
        return [[codec.encode(answer)] for answer in answers]


def frame_of(key: Key, payload: bytes) -> tuple[FrameHeader, bytes]:
    return FrameHeader(JOB, *key, len(payload), codec.digest(payload)), payload


@pytest.fixture
def server() -> Iterator[StrictServer]:
    made = StrictServer()
    yield made
    made.close()
    assert made.wrongs == []


@pytest.fixture
def client(server: StrictServer) -> Iterator[Client]:
    with Client(server.address, patience_s=1.0) as made:
        yield made


@pytest.fixture
def files(tmp_path: Path) -> dict[Role, dict[int, Path]]:
    made = {role: {n: tmp_path / f"{role.value}.{n}" for n in SPEC.frames.numbers()} for role in SPEC.roles}
    for role, frame in KEYS:
        made[role][frame].write_bytes(f"{role.value} {frame} ".encode() * 20)
    return made


def content(files: dict[Role, dict[int, Path]]) -> dict[Key, bytes]:
    return {(role, frame): files[role][frame].read_bytes() for role, frame in KEYS}


# --- upload -----------------------------------------------------------------------------------------------


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


# --- fetch ------------------------------------------------------------------------------------------------


def fetch(client: Client, folder: Path, frames: Any = range(1, 7)) -> dict[int, bytes]:
    homes = client.fetch(JOB, Role.PLATE, frames, lambda n: folder / f"home.{n}")
    return {frame: path.read_bytes() for frame, path in homes}


@pytest.fixture
def results(server: StrictServer) -> dict[int, bytes]:
    made = {frame: f"result {frame}".encode() * 30 for frame in range(1, 7)}
    server.held = {(Role.PLATE, frame): payload for frame, payload in made.items()}
    return made


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


# --- silence and refusals ---------------------------------------------------------------------------------


def test_a_server_that_says_nothing_is_unreachable(server: StrictServer, client: Client) -> None:
    server.silent.add("hello")
    with pytest.raises(Unreachable, match="void serve"):
        client.connect()


def test_a_server_that_falls_silent_is_timed_out(
    server: StrictServer, client: Client, files: Any, results: Any, tmp_path: Path
) -> None:
    client.connect()
    server.silent |= {"watch", "ask_inventory"}
    with pytest.raises(TimedOut, match="stopped answering 1 s ago"):
        client.watch(JOB)
    with pytest.raises(TimedOut, match="stopped answering"):
        client.upload(SPEC, files)
    server.answer_fetch = lambda key, times: []
    with pytest.raises(TimedOut, match="stopped answering"):
        fetch(client, tmp_path)


@pytest.mark.parametrize("tunnel", [False, True])
def test_frames_that_do_not_get_through_although_the_server_answers(
    server: StrictServer, client: Client, files: Any, tunnel: bool
) -> None:
    """Behind a wall that passes the control port only, or a tunnel whose far end is closed: it accepts and breaks."""
    client.connect()
    address = server._data.getsockopt_string(zmq.LAST_ENDPOINT)
    server._data.unbind(address)
    done = threading.Event()

    def listening() -> socket.socket:
        while True:
            with suppress(OSError):  # libzmq lets go of the port on a thread of its own
                return socket.create_server(sockets.host_and_port(address))

    def break_off() -> None:
        with listening() as listener:
            listener.settimeout(0.1)
            while not done.is_set():
                with suppress(TimeoutError):
                    listener.accept()[0].close()

    breaking = threading.Thread(target=break_off if tunnel else done.wait)
    breaking.start()
    try:
        with pytest.raises(TimedOut, match="is that port open, and forwarded"):
            client.upload(SPEC, files)
    finally:
        done.set()
        breaking.join()


def test_a_server_that_answers_but_takes_no_frame(server: StrictServer, files: Any) -> None:
    server.answer_frame = lambda key, times: [FrameRefused("other-job", *key, "error", "not yours")]
    with (
        Client(server.address, patience_s=0.3) as client,
        pytest.raises(TimedOut, match=r"no frame got through for 3 s.*Submit job"),
    ):
        client.upload(SPEC, files)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("job.illegal_transition", IllegalTransition),
        ("job.unknown", UnknownJob),
        ("server_busy", ServerBusy),
        ("settings", SettingsError),
        ("transport.not_authorised", NotAuthorised),
        ("engine", EngineError),
        ("a.code.of.tomorrow", VoidError),
    ],
)
def test_refusals_become_their_classes(
    server: StrictServer, client: Client, code: str, kind: type[VoidError]
) -> None:
    server.refuse["submit"] = Refused(code, "No, because.")
    with pytest.raises(VoidError, match=r"No, because\.") as caught:
        client.submit(SPEC)
    assert type(caught.value) is kind


def test_another_version_is_said_by_either_side(server: StrictServer, client: Client) -> None:
    server.welcome = Welcome(messages.PROTOCOL_VERSION + 1, "9", CREDIT, 1000, {})
    with pytest.raises(ProtocolError, match="speaks protocol 3, this program 2: update the older"):
        client.connect()
    server.refuse["hello"] = Refused(ProtocolError.code, "This server speaks protocol 3.")
    with pytest.raises(ProtocolError, match="This server speaks"):
        client.connect()


def test_an_engine_that_is_not_ready_is_said_before_the_job_is_made(
    server: StrictServer, client: Client
) -> None:
    server.welcome = Welcome(messages.PROTOCOL_VERSION, "0", CREDIT, 1000, {"draft": "Get weights."})
    server.refuse["submit"] = Refused("error", "should not have come this far")
    with pytest.raises(EngineError, match="Get weights"):
        client.submit(SPEC)


def test_an_answer_of_another_kind_is_an_error(server: StrictServer, client: Client) -> None:
    client.connect()
    server.refuse["watch"] = Inventory(JOB, {})  # type: ignore[assignment]
    with pytest.raises(TransportError, match="answered inventory to watch"):
        client.watch(JOB)


def test_signs_come_by_frame(client: Client) -> None:
    assert client.signs(JOB) == SIGNS
