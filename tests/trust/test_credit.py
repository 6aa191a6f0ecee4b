"""A peer that ignores its credit is cut off; one that keeps to it may be as slow as it likes."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq
from real_shots import StartServer, servers
from zmq.utils.monitor import recv_monitor_message

from void_server.local_server import LocalServer
from void_wire import codec, sockets
from void_wire.client import FETCH_CREDIT, Client
from void_wire.messages import FetchFrame, FrameHeader, FrameRange, JobSpec, Role

SPEC = JobSpec(
    job="big-frames-1", shot="s", engine="draft", frames=FrameRange(1, 2), roles=(Role.PLATE, Role.REMOVE)
)
PAYLOAD = os.urandom(6_000_000)


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Without keys."""
    with servers(tmp_path / "data") as start:
        yield start


@pytest.fixture
def holding(server: LocalServer, tmp_path: Path) -> LocalServer:
    """A server that has one large frame."""
    (tmp_path / "frame").write_bytes(PAYLOAD)
    with Client(server.address) as client:
        client.submit(SPEC)
        one = JobSpec(**{**vars(SPEC), "frames": FrameRange(1, 1)})
        client.upload(one, {role: {1: tmp_path / "frame"} for role in SPEC.roles})
    return server


@contextmanager
def asking(server: LocalServer, times: int) -> Iterator[tuple["zmq.Socket[bytes]", "zmq.Socket[bytes]"]]:
    """A peer that has asked for the frame so often and read nothing yet, and news of its connection being lost."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        sockets.prepare_for_frames(peer, "tcp://", 2**30)
        for option, value in ((zmq.RCVHWM, 1), (zmq.RCVBUF, 65_536), (zmq.SNDHWM, 1000)):
            peer.setsockopt(option, value)
        news = peer.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        peer.connect(sockets.data_address(server.address))
        for _ in range(times):
            peer.send(codec.encode(FetchFrame(SPEC.job, Role.PLATE, 1)))
        yield peer, news
        peer.disable_monitor()
        news.close()


def test_who_asks_for_more_and_does_not_read_is_cut_off(holding: LocalServer, tmp_path: Path) -> None:
    log = tmp_path / "data" / "server.log"
    with asking(holding, 60) as (peer, news):
        until = time.monotonic() + 10
        while "more than its credit and does not read it: cut off" not in log.read_text():
            assert time.monotonic() < until
            time.sleep(0.05)
        assert log.read_text().count("cut off") == 1
        poller = zmq.Poller()
        for socket in (peer, news):
            poller.register(socket, zmq.POLLIN)
        while news not in (ready := dict(poller.poll(10_000))):  # what had left by then can still be read
            assert peer in ready
            peer.recv_multipart()
        assert recv_monitor_message(news)["event"] == zmq.EVENT_DISCONNECTED
    with Client(holding.address, patience_s=5) as client:
        assert client.watch(SPEC.job).received == 2


def test_who_keeps_to_the_credit_may_be_slow(holding: LocalServer) -> None:
    with asking(holding, FETCH_CREDIT) as (peer, news):
        time.sleep(1.0)
        for _ in range(12):  # each answer that is read lets another be asked for
            assert peer.poll(5000)
            header, payload = peer.recv_multipart()
            assert isinstance(codec.decode(header, codec.DATA)[0], FrameHeader)
            assert payload == PAYLOAD
            peer.send(codec.encode(FetchFrame(SPEC.job, Role.PLATE, 1)))
        assert not news.poll(0)
