"""A panel without a screen, over real servers. Tests of widgets are skipped where Qt does not load."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from real_shots import StartServer, servers

from void_panel import client_thread, control, farm
from void_wire.client import Client

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

WITHIN_S = 60.0


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts servers on the test's own data folder."""
    with servers(tmp_path / "data") as start:
        yield start


@pytest.fixture(scope="session")
def app() -> Any:
    qt = pytest.importorskip(
        "PySide6.QtWidgets",
        exc_type=ImportError,
        reason="Qt does not load: PySide6-Essentials, or libegl1, libgl1, libxkbcommon0, libfontconfig1, libdbus-1-3",
    )
    return qt.QApplication.instance() or qt.QApplication([])


@pytest.fixture
def until(app: Any) -> Callable[..., None]:
    """``until(condition)``: lets Qt work until it holds."""

    def wait(condition: Callable[[], object], told: Callable[[], object] = lambda: "") -> None:
        deadline = time.monotonic() + WITHIN_S
        while not condition():
            assert time.monotonic() < deadline, told()
            app.processEvents()
            time.sleep(0.005)

    return wait


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str]]]:
    """What the panel asked of its Clients, and on which thread. None may be on the panel's own."""
    made: list[tuple[str, str]] = []

    def noted(name: str) -> Any:
        def call(self: Client, *args: Any, **kwargs: Any) -> Any:
            made.append((name, threading.current_thread().name))
            return getattr(Client, name)(self, *args, **kwargs)

        return call

    public = [name for name in vars(Client) if callable(getattr(Client, name)) and not name.startswith("_")]
    noting = type("NotingClient", (Client,), {name: noted(name) for name in [*public, "__init__"]})
    monkeypatch.setattr(client_thread, "Client", noting)
    monkeypatch.setattr(farm, "Client", noting)
    monkeypatch.setattr(control, "BUSY_S", 0.1)
    monkeypatch.setattr(control, "IDLE_S", 0.2)
    monkeypatch.setattr(control, "PATIENCE_S", 1.0)
    yield made
    assert {"__init__", "connect", "jobs"} <= {name for name, _ in made}
    assert threading.main_thread().name not in {thread for _, thread in made}
