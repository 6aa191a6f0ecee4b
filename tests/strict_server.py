"""A small strict server for the client: it loses, repeats, damages and falls silent when told to."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import zmq

from void_wire import codec, messages, sockets
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
SIGNS = {1001: Signs(seam=0.01, borrowed=1.0), -7: Signs()}
CREDIT = 3
Key = tuple[Role, int]


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
