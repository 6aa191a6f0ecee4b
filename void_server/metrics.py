"""``/metrics``: what a server has to do and has done, for Prometheus, on loopback alone.

No name of a shot, a job or a person is in it: whoever is on the machine may read it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from void_server import __version__
from void_server.jobs import JobStore
from void_wire.errors import SettingsError

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Load:
    """Of one moment."""

    workers: int  # processes, one a GPU
    busy: int  # workers that have a job
    connections: int  # clients


class MetricsPage:
    """Answers ``http://127.0.0.1:PORT/metrics`` on threads of its own until it is closed.

    Args:
        port: of HOST.
        store: what is told of.
        data_dir: where its disk is.
        load: called for each page, on any thread.

    Raises SettingsError when the port is taken.
    """

    def __init__(self, port: int, store: JobStore, data_dir: Path, load: Callable[[], Load]) -> None:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Told(store, data_dir, load))
        try:
            self._server, self._thread = start_http_server(port, HOST, registry)
        except OSError as error:
            raise SettingsError(
                f"Port {port} of metrics_port cannot be used ({error.strerror}): choose another with --metrics-port."
            ) from None

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Told(Collector):
    def __init__(self, store: JobStore, data_dir: Path, load: Callable[[], Load]) -> None:
        self._store = store
        self._data_dir = data_dir
        self._load = load

    def collect(self) -> Iterator[Metric]:
        stock, tally, load = self._store.stock(), self._store.tally, self._load()
        received, received_bytes = tally.received
        free = shutil.disk_usage(self._data_dir).free
        yield InfoMetricFamily("void_build", "Of this server.", {"version": __version__})
        yield _family(GaugeMetricFamily("void_jobs", "Jobs that are held.", labels=["state"]), stock.jobs)
        yield GaugeMetricFamily(
            "void_queue_oldest_seconds", "Of the job that waits longest.", stock.oldest_queued_s
        )
        yield _family(
            CounterMetricFamily("void_jobs_ended", "By how they ended.", labels=["state"]), tally.ended
        )
        yield CounterMetricFamily("void_frames_received", "Frames taken from clients.", received)
        yield CounterMetricFamily("void_received_bytes", "Bytes of frames taken.", received_bytes)
        yield _family(CounterMetricFamily("void_frames_made", "Frames written.", labels=["role"]), tally.made)
        yield GaugeMetricFamily("void_workers", "Worker processes, one a GPU.", load.workers)
        yield GaugeMetricFamily("void_workers_busy", "Workers that have a job.", load.busy)
        yield CounterMetricFamily("void_workers_lost", "Workers that ended under a job.", tally.lost)
        yield GaugeMetricFamily("void_connections", "Clients connected.", load.connections)
        yield GaugeMetricFamily("void_held_bytes", "Of the jobs' frames on disk.", stock.held_bytes)
        yield GaugeMetricFamily("void_disk_free_bytes", "On the data folder's disk.", free)


Family = TypeVar("Family", GaugeMetricFamily, CounterMetricFamily)


def _family(family: Family, values: Mapping[str, int]) -> Family:
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family
