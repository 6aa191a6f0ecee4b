"""A client that gives paths, commands and nonsense for names: each is refused, and no file is made."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq
from real_shots import StartServer, servers

from void_server.local_server import LocalServer
from void_wire import codec, sockets
from void_wire.messages import FrameRange, FrameRefused, JobSpec, Refused, Role

SPEC = JobSpec(
    job="good-job-1", shot="s", engine="draft", frames=FrameRange(1, 4), roles=(Role.PLATE, Role.REMOVE)
)
HEADS = (
    "../../../tmp/", "/tmp/", "..\\..\\", "C:\\", "\\\\host\\share\\", "~/", "file://", "%2e%2e%2f", "./",
    "\uff0e\uff0e\uff0f",
)  # fmt: skip
TAILS = (
    "x", "good-job-1", "passwd\0.exr", "a\nb", "a b", "\u2215x", "$HOME", "`id`", "$(id)", "x;id", "x|id", "{0}", "%s",
    "\u202ex", "x.",
)  # fmt: skip
ALONE = (
    "", ".", "..", "...", "/", "\\", "~", "-", "--data-dir", "-rf", "CON", "NUL", "COM1", "aux.exr", ".hidden-job",
    "a" * 65, "a" * 300, "a" * 7900, "good-job-1\n", "good-job-1\0", "good-job-1/", "good-job-1/../x", "good-job-1.",
    "good job 1", "good-job-\u00e9", "\ud83d\ude00", "good-job-1\r", "good-job-1:stream", "good-job-1*", "jobs.sqlite",
    "'; DROP TABLE jobs; --", '"; DROP TABLE jobs; --', "good-job-1' OR '1'='1",
)  # fmt: skip
NAMES = [*ALONE, *(head + tail for head, tail in itertools.product(HEADS, TAILS))]


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Without keys."""
    with servers(tmp_path / "data") as start:
        yield start


def packed(body: dict[str, Any]) -> bytes:
    data: bytes = msgpack.packb(body, unicode_errors="surrogatepass")
    return data


def ask(peer: "zmq.Socket[bytes]", body: dict[str, Any]) -> Any:
    peer.send(packed(body))
    assert peer.poll(5000), body
    return codec.decode(peer.recv_multipart()[0], {**codec.ANSWERS, **codec.DATA})[0]


def bodies(name: str) -> Iterator[dict[str, Any]]:
    """Requests with ``name`` wherever a client names something."""
    spec = codec.to_map(SPEC)
    another = {**spec, "job": "another-job"}
    yield {"kind": "submit", "spec": {**spec, "job": name}}
    yield {"kind": "submit", "spec": {**another, "shot": f"{name}/x"}}
    yield {"kind": "submit", "spec": {**another, "engine": name}}
    yield {"kind": "submit", "spec": {**another, "roles": ["plate", name]}}
    yield {"kind": "rerun", "job": name, "spec": another}
    yield {"kind": "rerun", "job": SPEC.job, "spec": {**spec, "job": name}}
    for kind in ("ask_inventory", "ask_spec", "ask_signs", "watch", "cancel"):
        yield {"kind": kind, "job": name}
    yield {"kind": name}


def test_some_two_hundred_names_make_no_file(server: LocalServer, tmp_path: Path) -> None:
    assert len(set(NAMES)) == len(NAMES) > 180
    nobody = {"kind": "fetch_frame", "id": 0, "job": "no-such-job", "role": "plate", "frame": 1}

    def tree() -> set[Path]:
        return {path for path in tmp_path.rglob("*") if not path.name.startswith("jobs.sqlite-")}

    with zmq.Context() as context, context.socket(zmq.DEALER) as control, context.socket(zmq.DEALER) as data:
        control.connect(server.address)
        data.connect(sockets.data_address(server.address))
        ask(control, {"kind": "submit", "id": 1, "spec": codec.to_map(SPEC)})
        before = tree()
        for name in NAMES:
            for body in bodies(name):
                assert isinstance(ask(control, {"id": 7, **body}), Refused), body
            for role, number in (("plate", 1), (name, 1), ("plate", name)):
                frame = {"id": 0, "job": name, "role": role, "frame": number}
                data.send(packed({"kind": "fetch_frame", **frame}))
                sent = {"kind": "frame", **frame, "size_bytes": 1, "digest": codec.digest(b"x")}
                data.send_multipart([packed(sent), b"x"])
        data.send(packed(nobody))
        while True:  # until the last one is answered
            assert data.poll(5000)
            answer = codec.decode(data.recv_multipart()[0], codec.DATA)[0]
            assert isinstance(answer, FrameRefused)
            if answer.job == nobody["job"]:
                break
        assert tree() == before
    assert not any(os.path.lexists(f"/tmp/{tail}") for tail in ("good-job-1", "a\nb", "$HOME"))
