"""A connection string pasted into the panel's line: kept for the user, its secret gone from sight."""

from pathlib import Path
from typing import Any

import pytest

from void_panel.server_bar import ServerBar
from void_wire import connection, keys
from void_wire.connection import ClientKey, Connection


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv("VOID_KEY", raising=False)


def pasted(text: str) -> tuple[str, list[str]]:
    """What the line shows afterwards, and which addresses were asked for."""
    bar, asked = ServerBar("tcp://127.0.0.1:7801"), []
    bar.asked.connect(asked.append)
    bar.address.setText(text)
    bar.test.click()
    return bar.address.text(), asked


def test_it_is_kept_and_its_secret_leaves_the_line(app: Any) -> None:
    given = Connection("tcp://gpu-box:7801", ClientKey(keys.new_pair()[0], keys.new_pair()[1]))
    assert pasted(f" {given.secret_text()} ") == ("tcp://gpu-box:7801", ["tcp://gpu-box:7801"])
    assert connection.connection("gpu-box") == given


def test_half_of_one_is_left_for_whoever_connects_to_say_so(app: Any) -> None:
    given = Connection("tcp://gpu-box:7801", ClientKey(keys.new_pair()[0], keys.new_pair()[1]))
    half = given.secret_text()[:-5]
    assert pasted(half) == (half, [half])
    assert connection.connection("gpu-box").key is None
