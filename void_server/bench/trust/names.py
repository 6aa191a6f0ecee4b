"""Row 11: a client that gives paths, commands and nonsense for names."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import msgpack
import numpy as np
import zmq

from void_server.bench.trust.ground import Ground, bring, finished, submit
from void_server.bench.trust.tried_server import TriedServer
from void_server.bench.trust.verdict import Finding
from void_wire import codec, sockets
from void_wire.client import Client
from void_wire.messages import FrameRange, FrameRefused, JobSpec, Refused, Role

SPEC = JobSpec(
    job="good-job-1", shot="s", engine="draft", frames=FrameRange(1, 4), roles=(Role.PLATE, Role.REMOVE)
)
HEADS = (
    "../../../tmp/", f"{gettempdir()}/", "..\\..\\", "C:\\", "\\\\host\\share\\", "~/", "file://", "%2e%2e%2f", "./",
    "\uff0e\uff0e\uff0f",
)  # fmt: skip
TAILS = (
    "x", "good-job-1", "passwd\0.exr", "a\nb", "a b", "\u2215x", "$HOME", "`id`", "$(id)", "x;id", "x|id", "{0}", "%s",
    "\u202ex", "x.", "x%00.exr", "x\t",
)  # fmt: skip
ALONE = (
    "", ".", "..", "...", "/", "\\", "~", "-", "--data-dir", "-rf", "CON", "NUL", "COM1", "aux.exr", ".hidden-job",
    "a" * 65, "a" * 300, "a" * 7900, "good-job-1\n", "good-job-1\0", "good-job-1/", "good-job-1/../x", "good-job-1.",
    "good job 1", "good-job-\u00e9", "\ud83d\ude00", "good-job-1\r", "good-job-1:stream", "good-job-1*", "jobs.sqlite",
    "'; DROP TABLE jobs; --", '"; DROP TABLE jobs; --', "good-job-1' OR '1'='1",
)  # fmt: skip
NAMES = [*ALONE, *(head + tail for head, tail in itertools.product(HEADS, TAILS))]
ANSWER_MS = 10_000


def path_attacks(ground: Ground, count: int) -> list[Finding]:
    """Row 11: ``count`` names wherever a client names something, on both sockets, and links where frames go."""
    chosen = np.random.default_rng(11).permutation(len(NAMES))[:count]
    with ground.server() as server, Client(server.address) as client:
        client.submit(SPEC)
        before, outside = server.files(), _names_around(ground.folder)
        asked = refused = 0
        for place in sorted(chosen):
            said = list(_ask_by_name(server, NAMES[place]))
            asked += len(said)
            refused += sum(said)
        made = server.files() - before
        strayed = _names_around(ground.folder) - outside
        through = _written_through_links(ground, server)
    return [
        Finding(f"{len(chosen)} names in {asked} requests, {refused} refused", refused == asked),
        Finding(
            f"{len(made)} files made in the data folder, {len(strayed)} beside it", not made and not strayed
        ),
        Finding(f"{through} files written through links in output folders", through == 0),
    ]


def _names_around(folder: Path) -> set[Path]:
    """What lies in the folders that the names lead to."""
    there = {folder, folder.parent, Path(gettempdir()), Path.home()}
    return {
        path for parent in there if parent.is_dir() for path in parent.iterdir() if path.name in _TAIL_NAMES
    }


_TAIL_NAMES = {tail for tail in (*TAILS, *ALONE) if tail and "\0" not in tail}


def _bodies(name: str) -> Iterator[dict[str, Any]]:
    """Requests with ``name`` wherever a client names something."""
    spec = codec.to_map(SPEC)
    another = {**spec, "job": "another-job"}
    yield {"kind": "submit", "spec": {**spec, "job": name}}
    yield {"kind": "submit", "spec": {**another, "shot": f"{name}/x"}}
    yield {"kind": "submit", "spec": {**another, "engine": name}}
    yield {"kind": "submit", "spec": {**another, "roles": ["plate", name]}}
    yield {"kind": "rerun", "job": name, "spec": another}
    yield {"kind": "rerun", "job": SPEC.job, "spec": {**spec, "job": name}}
    for kind in ("ask_inventory", "ask_spec", "ask_signs", "watch", "cancel", "purge"):
        yield {"kind": kind, "job": name}
    yield {"kind": name}


def _frame_bodies(name: str) -> Iterator[list[bytes]]:
    """Frame messages with ``name`` wherever one is."""
    for role, number in (("plate", 1), (name, 1), ("plate", name)):
        frame = {
            "id": 0,
            "job": name if (role, number) == ("plate", 1) else SPEC.job,
            "role": role,
            "frame": number,
        }
        yield [_packed({"kind": "fetch_frame", **frame})]
        yield [_packed({"kind": "frame", **frame, "size_bytes": 1, "digest": codec.digest(b"x")}), b"x"]


def _ask_by_name(server: TriedServer, name: str) -> Iterator[bool]:
    """Whether each request was refused; on the data socket nothing, or a hang-up, is a refusal too."""
    with zmq.Context() as context:
        with context.socket(zmq.DEALER) as control:
            control.connect(server.address)
            for body in _bodies(name):
                control.send(_packed({"id": 7, **body}))
                answered = bool(control.poll(ANSWER_MS))
                yield answered and isinstance(codec.decode(control.recv(), codec.ANSWERS)[0], Refused)
        for parts in _frame_bodies(name):
            with context.socket(zmq.DEALER) as data:
                data.linger = 1000
                data.connect(sockets.data_address(server.address))
                data.send_multipart(parts)
                data.send(
                    _packed(
                        {"kind": "fetch_frame", "id": 0, "job": "no-such-job", "role": "plate", "frame": 1}
                    )
                )
                while data.poll(30):  # after a hang-up nothing comes
                    answer = codec.decode(data.recv_multipart()[0], codec.DATA)[0]
                    if not isinstance(answer, FrameRefused):
                        yield False
                        break
                    if answer.job == "no-such-job":
                        yield True
                        break
                else:
                    yield True


def _packed(body: dict[str, Any]) -> bytes:
    data: bytes = msgpack.packb(body, unicode_errors="surrogatepass")
    return data


def _written_through_links(ground: Ground, server: TriedServer) -> int:
    """Files elsewhere that changed, where a result's name, at the server and at home, is a link to one."""
    spec, shot = ground.tiny_shot.spec("over-a-link-1"), ground.tiny_shot
    folder, home = ground.place("links"), ground.place("home")
    frame = shot.frames.first
    secrets = [folder / "server", folder / "home"]
    for secret in secrets:
        secret.write_bytes(b"secret")
    with Client(server.address) as client:
        client.submit(spec)
        (server.data_dir / "jobs" / spec.job / Role.RESULT.value / f"{frame}.exr").symlink_to(secrets[0])
        (home / f"{frame}.exr").symlink_to(secrets[1])
        submit(client, spec, shot)
        finished(client, spec.job)
        bring(client, spec, home)
    return sum(secret.read_bytes() != b"secret" for secret in secrets)
