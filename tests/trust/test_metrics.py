"""What Prometheus is told, by a real server with real jobs, read by Prometheus' own parser."""

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from real_shots import ShotOnDisk, StartServer, servers

from void_server.local_server import LocalServer
from void_wire.client import ENDED, Client
from void_wire.errors import VoidError


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def start_server(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartServer]:
    monkeypatch.setenv("VOID_METRICS_PORT", str(port))
    with servers(tmp_path / "data") as start:
        yield start


def told(port: int, path: str = "/metrics") -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as page:
        return page.read().decode()


def samples(port: int) -> dict[tuple[str, str], float]:
    """Name and label -> value."""
    return {
        (one.name, next(iter(one.labels.values()), "")): one.value
        for family in text_string_to_metric_families(told(port))
        for one in family.samples
    }


def test_jobs_are_counted_and_nobody_is_named(server: LocalServer, shot: ShotOnDisk, port: int) -> None:
    spec = shot.spec("metrics-1")
    with Client(server.address) as client:
        client.submit(spec)
        assert samples(port)["void_jobs", "receiving"] == 1
        client.upload(spec, shot.files)
        status = client.watch(spec.job)
        while status.state not in ENDED:
            status = client.watch(spec.job, status.revision, 5.0)
        unsent = shot.spec("metrics-2")
        client.submit(unsent)
        client.cancel(unsent.job)
        seen = samples(port)
    sent_bytes = sum(path.stat().st_size for files in shot.files.values() for path in files.values())
    assert seen["void_jobs", "done"] == seen["void_jobs_ended_total", "done"] == 1
    assert seen["void_jobs_ended_total", "cancelled"] == 1
    assert seen["void_frames_received_total", ""] == spec.sent_frames()
    assert seen["void_received_bytes_total", ""] == sent_bytes
    assert seen["void_frames_made_total", "result"] == len(spec.frames)
    assert seen["void_held_bytes", ""] > sent_bytes
    assert seen["void_disk_free_bytes", ""] > 0
    assert (seen["void_workers", ""], seen["void_workers_busy", ""]) == (1, 0)
    assert seen["void_workers_lost_total", ""] == 0
    assert seen["void_connections", ""] >= 1
    assert not [word for word in (spec.job, spec.shot, str(shot.folder)) if word in told(port)]


def test_it_is_told_on_loopback_alone(server: LocalServer, port: int) -> None:
    assert samples(port)["void_queue_oldest_seconds", ""] == 0
    with socket.socket() as probe:
        probe.settimeout(2)
        assert probe.connect_ex(("127.0.0.2", port)) != 0


def test_a_port_that_is_taken_is_said(start_server: StartServer, port: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(VoidError, match=f"Port {port} of metrics_port cannot be used"):
            start_server(weights=None)
