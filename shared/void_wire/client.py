"""The client's side of the wire: submit, upload with credit, watch, fetch, cancel, re-attach.

One Client belongs to one thread. Every request may be repeated without harm, so a request that gets no answer
is sent again until ``patience_s`` is over; a server that was restarted meanwhile makes no difference.
"""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path
from typing import (
    Any,
    Callable,
    Deque,
    Dict,
    Iterable,
    List,
    Mapping,
    Optional,
    Set,
    Tuple,
    Type,
    TypeVar,
    Union,
)

import zmq

from void_wire import codec, connection, messages, sockets
from void_wire.connection import Connection
from void_wire.errors import (
    DamagedMessage,
    MissingFrames,
    ProtocolError,
    ServerBusy,
    SettingsError,
    TimedOut,
    TransportError,
    Unreachable,
    from_code,
)
from void_wire.files import write_whole
from void_wire.frame_link import FrameLink
from void_wire.handshake import Handshake
from void_wire.messages import (
    AskInventory,
    AskSigns,
    AskSpec,
    Cancel,
    FetchFrame,
    FrameAck,
    FrameHeader,
    FrameRefused,
    Hello,
    Inventory,
    JobList,
    JobSpec,
    JobStatus,
    ListJobs,
    OthersJob,
    Purge,
    Purged,
    Refused,
    Rerun,
    Role,
    Signs,
    SignTable,
    Spec,
    State,
    Submit,
    Watch,
    Welcome,
)

Files = Mapping[Role, Mapping[int, Path]]
"""What a job is made of: role -> frame number -> file."""

Sent = Callable[[int, int], None]
"""Called with (files safe on the server, files in all)."""

Waits = Callable[[str], None]
"""Called every two seconds or so while the server has no room for a frame, with its sentence. May raise to give up."""

FETCH_CREDIT = 4
"""Frames a client asks for ahead: bounds what the server may have queued for it."""

ENDED = (State.DONE, State.FAILED, State.CANCELLED)

_RESEND_S = 2.0
"""A request that is not answered is sent again after this."""

_ASK_S = 2.0
"""When no frame got through for this long, the control socket is asked what is the matter."""

_ROOM_S = 2.0
"""Between two looks whether the server has room."""

_POLL_S = 0.25

_SLOWEST = 10
"""While the server answers and the connection stands, a single frame may take this many times the patience."""

_SENDINGS = 3
"""A frame that arrives damaged this often is given up."""

_Key = Tuple[Role, int]
A = TypeVar("A")


class Client:
    """A connection to one server.

    Args:
        address: tcp://host:port, host:port or ipc:///path, whose key is looked up; or a connection string.
        patience_s: how long a silent server is waited for before Unreachable or TimedOut.
        name: what the server's log calls this client.
    """

    def __init__(
        self, address: Union[str, Connection], *, patience_s: float = 30.0, name: str = "void"
    ) -> None:
        self._connection = connection.connection(address)
        self.address = self._connection.address
        self._patience_s = patience_s
        self._name = name
        self._context = zmq.Context()
        self._control = self._context.socket(zmq.DEALER)
        self._handshake = Handshake(self._control, self._connection)
        self._open()
        self._link: Optional[FrameLink] = None
        self._number = 0
        self._welcome: Optional[Welcome] = None

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave. Jobs go on."""
        self._context.destroy(linger=0)

    def connect(self) -> Welcome:
        """Greet the server. Raises Unreachable when nobody answers, ProtocolError for another version."""
        if self._welcome is None:
            hello = Hello(protocol=messages.PROTOCOL_VERSION, client=self._name)
            welcome = self._request(hello, Welcome)
            if welcome.protocol != messages.PROTOCOL_VERSION:
                raise ProtocolError(
                    f"The server at {self.address} speaks protocol {welcome.protocol}, this program "
                    f"{messages.PROTOCOL_VERSION}: update the older of the two."
                )
            self._welcome = welcome
        return self._welcome

    def submit(self, spec: JobSpec) -> JobStatus:
        """Make the job, or find it made already.

        Raises what the server refuses it for, before a frame is sent: EngineError when the engine is not
        ready, IllegalTransition when the id belongs to another job.
        """
        self._check_engine(spec.engine)
        return self._request(Submit(spec), JobStatus)

    def rerun(self, job: str, spec: JobSpec) -> JobStatus:
        """Make the job ``spec`` of the frames that the server holds of ``job``: nothing is uploaded.

        Raises what `submit` raises, UnknownJob, and MissingFrames when the server does not hold them all.
        """
        self._check_engine(spec.engine)
        return self._request(Rerun(job, spec), JobStatus)

    def spec(self, job: str) -> JobSpec:
        """What the job was asked to be. Raises UnknownJob."""
        return self._request(AskSpec(job), Spec).spec

    def upload(
        self,
        spec: JobSpec,
        files: Files,
        sent: Sent = lambda done, total: None,
        waits: Waits = lambda sentence: None,
    ) -> None:
        """Send every file the server does not hold yet; returns when all are safe there.

        At most the server's credit of frames is on the way. When nothing is acknowledged for a while the server
        is asked what it holds; when the connection broke, what it lacks is sent again. While the server has no room it
        is waited for, as long as it takes. Raises MissingFrames when ``files`` lacks a frame or a file went away, the
        server's own refusal, TimedOut when it stays silent.
        """
        credit, link = self.connect().credit, self._frame_link()
        wanted = [(role, frame) for frame in spec.frames.numbers() for role in spec.roles]
        for role, frame in wanted:
            if frame not in files.get(role, {}):
                raise MissingFrames(f"Frame {frame} of the {role.label} is not among the files to send.")
        held = self._held(spec.job)
        waiting: Deque[_Key] = deque(key for key in wanted if not _same(held.get(key), files[key[0]][key[1]]))
        on_the_way: Dict[_Key, str] = {}
        damaged: Dict[_Key, int] = {}

        def count() -> None:
            sent(len(wanted) - len(waiting) - len(on_the_way), len(wanted))

        count()
        heard = asked = time.monotonic()
        busy = ""
        try:
            while waiting or on_the_way:
                if busy and not on_the_way:
                    self._wait_for_room(spec.job, busy, waits)
                    busy, heard = "", time.monotonic()
                broke = link.broke()
                if broke or time.monotonic() - max(heard, asked) > _ASK_S:
                    held, asked = self._held(spec.job), time.monotonic()
                    for key, digest in list(on_the_way.items()):
                        if held.get(key) == digest:
                            heard = asked
                            del on_the_way[key]
                        elif broke:
                            waiting.append(key)
                            del on_the_way[key]
                    count()
                    self._check_silence(
                        heard, f"Submit job {spec.job} again to go on; what was sent is kept."
                    )
                while waiting and not busy and len(on_the_way) < credit and link.has_room():
                    key = waiting.popleft()
                    on_the_way[key] = self._send_frame(spec.job, key, files[key[0]][key[1]])
                answer = link.receive(_POLL_S)
                if answer is None or getattr(answer[0], "job", None) != spec.job:
                    continue
                if isinstance(answer[0], (FrameAck, FrameRefused)):
                    heard, key = time.monotonic(), (answer[0].role, answer[0].frame)
                    if on_the_way.pop(key, None) is None:
                        continue
                    if isinstance(answer[0], FrameRefused) and answer[0].code == ServerBusy.code:
                        waiting.appendleft(key)
                        busy = answer[0].sentence
                    elif isinstance(answer[0], FrameRefused):
                        damaged[key] = damaged.get(key, 0) + 1
                        if answer[0].code != ProtocolError.code or damaged[key] == _SENDINGS:
                            raise from_code(answer[0].code, answer[0].sentence)
                        waiting.append(key)
                    count()
        finally:
            if on_the_way:
                link.renew()

    def watch(self, job: str, after: int = -1, within_s: float = 0.0) -> JobStatus:
        """The job's status once its revision exceeds ``after``, or as it is after ``within_s``."""
        return self._request(Watch(job=job, after=after, within_s=within_s), JobStatus, slack_s=within_s)

    def cancel(self, job: str) -> JobStatus:
        """Stop the job at its next step; finished frames stay fetchable."""
        return self._request(Cancel(job), JobStatus)

    def purge(self, job: str) -> int:
        """Delete a job that has ended, with all its frames; returns the bytes that they had.

        Raises IllegalTransition while it has not ended. A job that is not there had none.
        """
        return self._request(Purge(job), Purged).size_bytes

    def jobs(self) -> List[JobStatus]:
        """Every job of this client's key, newest first."""
        return self._request(ListJobs(), JobList).jobs

    def others(self) -> List[OthersJob]:
        """The jobs of other keys, newest first, where the server's config has them listed; else none."""
        return self._request(ListJobs(), JobList).others

    def signs(self, job: str) -> Dict[int, Signs]:
        """What is known of the quality of each frame of the result: frame number -> signs."""
        return self._request(AskSigns(job), SignTable).frames

    def inventory(self, job: str) -> Dict[Role, Dict[int, str]]:
        """The digest of every frame that the server holds of the job, sent or made: role -> frame number -> digest."""
        return self._request(AskInventory(job), Inventory).digests

    def at_home(self, job: str, role: Role, files: Mapping[int, Path]) -> Set[int]:
        """The frames of ``role`` whose files are here as the server has them: `fetch` need not bring these again."""
        there = {frame: path for frame, path in files.items() if path.is_file()}
        held = self._held(job) if there else {}
        return {frame for frame, path in there.items() if _same(held.get((role, frame)), path)}

    def fetch(
        self, job: str, role: Role, frames: Iterable[int], target: Callable[[int], Path]
    ) -> Iterable[Tuple[int, Path]]:
        """Bring frames home; yields (frame, path) for each as it is whole on disk.

        Files appear under their final name only when their digest is right. Raises SettingsError when a path
        cannot be written (naming it and the reason), ProtocolError when a frame arrives damaged again and again,
        the server's refusal, TimedOut.
        """
        self.connect()
        link = self._frame_link()
        waiting: Deque[int] = deque(frames)
        asked: Set[int] = set()
        damaged: Dict[int, int] = {}
        heard = checked = time.monotonic()
        try:
            while waiting or asked:
                if link.broke():
                    waiting.extendleft(sorted(asked, reverse=True))
                    asked.clear()
                if time.monotonic() - max(heard, checked) > _ASK_S:
                    self.watch(job)
                    checked = time.monotonic()
                    self._check_silence(
                        heard, f"The job goes on there; fetch it later with: void fetch {job}"
                    )
                while waiting and len(asked) < FETCH_CREDIT:
                    asked.add(waiting[0])
                    link.send(FetchFrame(job=job, role=role, frame=waiting.popleft()))
                received = link.receive(_POLL_S)
                if received is None:
                    continue
                answer, payload = received
                if (getattr(answer, "job", None), getattr(answer, "role", None)) != (job, role):
                    continue
                if isinstance(answer, FrameRefused):
                    raise from_code(answer.code, answer.sentence)
                if not isinstance(answer, FrameHeader) or answer.frame not in asked:
                    continue
                frame = answer.frame
                asked.remove(frame)
                if codec.digest(payload) != answer.digest:
                    damaged[frame] = damaged.get(frame, 0) + 1
                    if damaged[frame] == _SENDINGS:
                        raise ProtocolError(
                            f"Frame {frame} of the {role.label} arrived damaged {_SENDINGS} times: the server's "
                            f"disk or the network is faulty. Submit the shot again, or ask who runs {self.address}."
                        )
                    waiting.appendleft(frame)
                    continue
                path = target(frame)
                _write(path, payload, job, role)
                yield frame, path
                heard = time.monotonic()
        finally:
            if asked:
                link.renew()

    # --- inside ------------------------------------------------------------------------------------------

    def _check_engine(self, engine: str) -> None:
        missing = self.connect().engines.get(engine, f"This server has no engine {engine!r}.")
        if missing:
            raise from_code("engine", missing)

    def _open(self) -> None:
        sockets.prepare(self._control, self.address, codec.MAX_MESSAGE_BYTES)
        if self._connection.key is not None:
            self._connection.key.lock(self._control)
        try:
            self._control.connect(self.address)
        except zmq.ZMQError as error:
            raise SettingsError(f"Address {self.address!r} cannot be used: {error}.") from None
        self._poller = zmq.Poller()
        self._poller.register(self._control, zmq.POLLIN)
        self._poller.register(self._handshake.monitor, zmq.POLLIN)

    def _frame_link(self) -> FrameLink:
        if self._link is None:
            self._link = FrameLink(self._context, sockets.data_address(self.address), self._connection.key)
        return self._link

    def _held(self, job: str) -> Dict[_Key, str]:
        return {(role, n): d for role, frames in self.inventory(job).items() for n, d in frames.items()}

    def _send_frame(self, job: str, key: _Key, path: Path) -> str:
        """Queue the file; returns its digest."""
        role, frame = key
        try:
            payload = path.read_bytes()
        except OSError as error:
            raise MissingFrames(
                f"Frame {frame} of the {role.label} cannot be read any more ({path.name}: {error.strerror}). "
                f"Put it back and submit job {job} again; what was sent is kept."
            ) from None
        largest = self.connect().max_frame_bytes
        if len(payload) > largest:
            raise SettingsError(
                f"Frame {frame} of the {role.label} has {len(payload) / 1e6:.0f} MB; this server takes "
                f"{largest / 1e6:.0f} MB a frame. Write it with ZIP compression or without the layers not needed."
            )
        digest = codec.digest(payload)
        self._frame_link().send(FrameHeader(job, role, frame, len(payload), digest), payload)
        return digest

    def _wait_for_room(self, job: str, sentence: str, waits: Waits) -> None:
        """Return once the server says that the job waits no longer; it may have forgotten that, and be asked again."""
        waits(sentence)
        status = self.watch(job)
        while True:
            status = self.watch(job, status.revision, _ROOM_S)
            if not status.waits:
                return
            waits(status.waits)

    def _check_silence(self, heard: float, what_now: str) -> None:
        """Raise TimedOut when frames do not get through although the server answers control messages."""
        link, now = self._frame_link(), time.monotonic()
        if link.down_since is not None and now - max(heard, link.down_since) > self._patience_s:
            raise TimedOut(
                f"The server at {self.address} answers, but frames do not get through to {link.address}: is that "
                f"port open, and forwarded where a tunnel is used? {what_now}"
            )
        if now - heard > _SLOWEST * self._patience_s:
            raise TimedOut(
                f"The server at {self.address} answers, but no frame got through for "
                f"{_SLOWEST * self._patience_s:.0f} s. {what_now}"
            )

    def _request(self, message: Any, expected: Type[A], slack_s: float = 0.0) -> A:
        """Send until answered. Raises the error the server names, Unreachable or TimedOut when it is silent."""
        self._number += 1
        data = codec.encode(message, self._number)
        deadline = time.monotonic() + self._patience_s + slack_s
        while True:
            if self._control.poll(0, zmq.POLLOUT):
                self._control.send(data)
            resend_at = min(deadline, time.monotonic() + _RESEND_S + slack_s)
            while self._answered(max(0.0, resend_at - time.monotonic())):
                try:
                    answer, number = codec.decode(self._control.recv(), codec.ANSWERS)
                except DamagedMessage:
                    break
                if number != self._number:
                    continue  # the answer to an earlier sending
                if isinstance(answer, Refused) and answer.code == DamagedMessage.code:
                    break
                if isinstance(answer, Refused):
                    raise from_code(answer.code, answer.sentence)
                if not isinstance(answer, expected):
                    raise ProtocolError(f"The server answered {answer.kind} to {message.kind}.")
                return answer
            if time.monotonic() >= deadline:
                raise self._silent()

    def _answered(self, within_s: float) -> bool:
        """Whether a message is there, soon. Raises NotAuthorised when the server does not let this client in."""
        until = time.monotonic() + within_s
        while not self._control.poll(0):
            left = until - time.monotonic()
            if left <= 0:
                return False
            self._poller.poll(int(left * 1000) + 1)
            self._handshake.check()
        return True

    def _silent(self) -> TransportError:
        self._handshake.give_up()
        if self._welcome is None:
            return Unreachable(
                f"No VOID server answers at {self.address}. Start one there with: void serve --address {self.address}"
            )
        return TimedOut(
            f"The server at {self.address} stopped answering {self._patience_s:.0f} s ago. Nothing it received is "
            "lost; try again when it is back."
        )


def _same(held: Optional[str], path: Path) -> bool:
    """Whether the server's digest is that of the file as it is now."""
    if held is None:
        return False
    try:
        return codec.digest(path.read_bytes()) == held
    except OSError:
        return False


def _write(path: Path, payload: memoryview, job: str, role: Role) -> None:
    again = f"then: void fetch {job} --out PATTERN" if role is Role.RESULT else "then ask for it again."
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, payload)
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be written ({error.strerror}). The {role.label} is safe on the server; make room or choose "
            f"another place, {again}"
        ) from None
