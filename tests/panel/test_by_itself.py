"""``void panel``: the panel without a host."""

import signal
import subprocess
import sys
from typing import Any

import pytest
import zmq

from void_server.panel import open_panel
from void_wire import codec
from void_wire.connection import Connection
from void_wire.errors import SettingsError
from void_wire.messages import PROTOCOL_VERSION, Hello


def test_it_opens_greets_the_server_and_leaves_when_told(app: Any) -> None:
    context = zmq.Context()
    server = context.socket(zmq.ROUTER)
    port = server.bind_to_random_port("tcp://127.0.0.1")
    command = [sys.executable, "-m", "void_server.cli", "panel", "--server", f"127.0.0.1:{port}"]
    panel = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert server.poll(60_000), panel.communicate()[1]
        greeting, _ = codec.decode(server.recv_multipart()[1], codec.REQUESTS)
        assert greeting == Hello(PROTOCOL_VERSION, "void panel")
        panel.send_signal(signal.SIGTERM)  # while it waits for an answer that never comes
        assert panel.wait(timeout=20) == 0
    finally:
        panel.kill()
        context.destroy(linger=0)


def test_without_qt_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PySide6", None)
    with pytest.raises(SettingsError, match=r"The panel needs Qt.*pip install 'PySide6-Essentials<6"):
        open_panel(Connection("tcp://127.0.0.1:9"))
