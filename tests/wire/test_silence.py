"""A server that does not answer, or not with frames: whoever waits is told, and what to look at."""

import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import zmq
from strict_server import JOB, SPEC, StrictServer

from void_wire import sockets
from void_wire.client import Client
from void_wire.errors import TimedOut, Unreachable
from void_wire.messages import FrameRefused, Role

pytestmark = pytest.mark.timeout(60)  # whoever waits for ever fails


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
        list(client.fetch(JOB, Role.PLATE, range(1, 7), lambda n: tmp_path / f"home.{n}"))


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
