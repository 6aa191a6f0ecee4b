import pytest

from void_wire import sockets
from void_wire.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("tcp://127.0.0.1:7801", "tcp://127.0.0.1:7801"),
        ("gpu-box", "tcp://gpu-box:7801"),
        ("gpu-box:99", "tcp://gpu-box:99"),
        ("9000", "tcp://127.0.0.1:9000"),
        ("[::1]:5", "tcp://[::1]:5"),
        ("localhost", "tcp://127.0.0.1:7801"),
        ("ipc:///run/void.sock", "ipc:///run/void.sock"),
    ],
)
def test_addresses_are_completed(text: str, full: str) -> None:
    assert sockets.full_address(text) == full


@pytest.mark.parametrize(
    "text", ["http://x", "tcp://", "host:port", "host:99999", "ipc://", "", "tcp://a:1:2", "a:²"]
)
def test_other_addresses_are_refused_by_name(text: str) -> None:
    with pytest.raises(SettingsError, match="neither tcp"):
        sockets.full_address(text)


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("tcp://127.0.0.1:1", True),
        ("tcp://127.9.9.9:1", True),
        ("tcp://[::1]:1", True),
        ("ipc:///x", True),
        ("tcp://0.0.0.0:1", False),
        ("tcp://192.168.1.4:1", False),
        ("tcp://*:1", False),
        ("tcp://gpu-box:1", False),
    ],
)
def test_only_this_machine_is_loopback(address: str, loopback: bool) -> None:
    assert sockets.is_loopback(address) is loopback
