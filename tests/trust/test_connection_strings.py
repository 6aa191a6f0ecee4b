"""Connection strings, the files they lie in, and that their secret is never repeated."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from void_host.address import server_address
from void_server.key_folder import KeyFolder
from void_wire import connection, keys
from void_wire.connection import ClientKey, Connection
from void_wire.errors import SettingsError

posix = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX'")
ADDRESS = "tcp://gpu-box:7801"
in_any_order = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def made(address: str = ADDRESS) -> Connection:
    return Connection(address, ClientKey(keys.new_pair()[0], keys.new_pair()[1]))


def refusal(work: Callable[[], object]) -> str:
    """The sentence that ``work`` is refused with, "" when it is not."""
    try:
        work()
    except SettingsError as error:
        return str(error)
    return ""


def secret_of(one: Connection) -> str:
    assert one.key is not None
    return keys.to_text(one.key.secret)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_what_is_written_is_read(server: bytes, secret: bytes) -> None:
    whole = Connection(ADDRESS, ClientKey(server, secret))
    assert connection.parse(whole.secret_text()) == whole
    assert connection.parse(f" {whole.secret_text()}\n") == whole


@given(st.text(max_size=120) | st.from_regex(r"tcp://h:1#[A-Za-z0-9_.-]{80,90}"))
@settings(max_examples=500)
def test_anything_else_is_one_sentence_or_an_address(text: str) -> None:
    pair, said = text.partition("#")[2], refusal(lambda: connection.parse(text))
    assert len(pair) < 8 or pair not in said
    if not said:
        found = connection.parse(text)
        assert connection.parse(found.secret_text()) == found


@given(st.binary(max_size=80))
def test_a_key_s_text_is_its_only_one(wild: bytes) -> None:
    text = wild.decode("latin-1")
    try:
        key = keys.from_text(text)
    except ValueError:
        return
    assert keys.to_text(key) == text


def test_every_mistyped_character_is_noticed_or_another_key() -> None:
    whole = made()
    text = whole.secret_text()
    for at in range(text.index("#") + 1, len(text)):
        for other in "A_!":
            changed = text[:at] + other + text[at + 1 :]
            said = refusal(lambda changed=changed: connection.parse(changed))  # type: ignore[misc]
            assert said or changed == text or connection.parse(changed) != whole
            assert secret_of(whole)[:10] not in said
    for cut in range(text.index("#"), len(text)):
        with pytest.raises(SettingsError, match=r"cut short or mistyped|neither tcp"):
            connection.parse(text[:cut] + "#" if cut == text.index("#") else text[:cut])


def test_no_secret_is_printed() -> None:
    whole = made()
    for shown in (repr(whole), str(whole), repr(whole.key), f"{whole}"):
        assert secret_of(whole) not in shown


def test_a_key_is_found_for_its_address_alone(home: Path) -> None:
    mine, older, elsewhere = made(), made(), made("tcp://other:1")
    connection.remember(older.secret_text())
    connection.remember(elsewhere.secret_text())
    assert connection.connection("gpu-box", {}) == older
    assert connection.connection("other:1", {}) == elsewhere
    assert connection.connection("gpu-box:7802", {}).key is None
    assert connection.connection("gpu-box", {"VOID_KEY": mine.secret_text()}) == mine
    assert connection.connection(mine.secret_text(), {"VOID_KEY": older.secret_text()}) == mine
    assert connection.remember(mine.secret_text()) == mine  # takes the older one's place
    assert connection.connection("gpu-box", {}) == mine
    assert (home / ".void" / "keys").read_text().count("gpu-box") == 1
    assert connection.remember("gpu-box").key is None


def test_which_server_is_meant() -> None:
    mine = made()
    both = {"VOID_SERVER": "farm:1", "VOID_KEY": mine.secret_text()}
    assert server_address("box:2", both) == "tcp://box:2"
    assert server_address(" ", both) == "tcp://farm:1"
    assert server_address("", {"VOID_KEY": mine.secret_text()}) == ADDRESS
    assert server_address("", {}) == "tcp://127.0.0.1:7801"
    for given_, environment in ((mine.secret_text(), {}), ("", {"VOID_SERVER": mine.secret_text()})):
        with pytest.raises(
            SettingsError, match="holds a secret"
        ) as raised:  # a script would be saved with it
            server_address(given_, environment)
        assert secret_of(mine) not in str(raised.value)


@posix
def test_what_holds_secrets_is_ours_alone(home: Path, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        connection.remember(made().secret_text())
        folder = KeyFolder(tmp_path / "keys")
        folder.make_server()
        folder.add("anna", ADDRESS)
    finally:
        os.umask(old)
    for top in (home / ".void", tmp_path / "keys"):
        for path in (top, *top.rglob("*")):
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


@posix
def test_what_others_can_read_is_not_used(home: Path, tmp_path: Path) -> None:
    connection.remember(made().secret_text())
    (home / ".void" / "keys").chmod(0o640)
    with pytest.raises(SettingsError, match=r"read by others \(mode 0640\): chmod 600"):
        connection.connection("gpu-box", {})
    folder = KeyFolder(tmp_path / "keys")
    folder.make_server()
    (tmp_path / "keys" / "server.key").chmod(0o644)
    with pytest.raises(SettingsError, match=r"read by others \(mode 0644\)"):
        folder.server_secret()
    (tmp_path / "keys" / "server.key").chmod(0o600)
    (tmp_path / "keys").chmod(0o770)
    with pytest.raises(SettingsError, match="chmod 700"):
        folder.server_secret()


@in_any_order
@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_a_wild_key_file_is_one_sentence_that_names_it(home: Path, wild: bytes) -> None:
    file = home / ".void" / "keys"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(wild)
    file.chmod(0o600)
    said = refusal(lambda: connection.connection("gpu-box", {}))
    assert not said or str(file) in said


@in_any_order
@given(st.binary(max_size=100))
def test_a_wild_server_key_is_one_sentence_that_names_it(tmp_path: Path, wild: bytes) -> None:
    folder = KeyFolder(tmp_path / "wild")
    (tmp_path / "wild").mkdir(exist_ok=True, mode=0o700)
    file = tmp_path / "wild" / "server.key"
    file.write_bytes(wild)
    file.chmod(0o600)
    if said := refusal(folder.server_secret):
        assert str(file) in said
    else:
        assert keys.to_text(folder.server_secret()).encode() == wild.strip()


@in_any_order
@given(wild=st.binary(max_size=200), name=st.from_regex(r"[0-9a-fA-F]{62,66}|[^/\0]{1,40}", fullmatch=True))
def test_a_wild_clients_folder_lists_keys_alone(tmp_path: Path, wild: bytes, name: str) -> None:
    folder = KeyFolder(tmp_path / "guests")
    clients = tmp_path / "guests" / "clients"
    clients.mkdir(parents=True, exist_ok=True)
    for path in clients.iterdir():
        path.unlink()
    try:
        if name not in (".", ".."):
            (clients / name).write_bytes(wild)
    except (OSError, UnicodeEncodeError):
        return
    listed = folder.listed()
    assert len(listed) <= 1
    for key in listed:
        assert key.public.hex() == name
        assert key.name.isascii()
        assert key.name.isprintable()


def test_one_name_one_key(tmp_path: Path) -> None:
    folder = KeyFolder(tmp_path / "keys")
    with pytest.raises(SettingsError, match="void keys make"):
        folder.add("anna", ADDRESS)
    folder.make_server()
    with pytest.raises(SettingsError, match="already"):
        folder.make_server()
    first = folder.add("anna", ADDRESS)
    with pytest.raises(SettingsError, match="void keys revoke anna"):
        folder.add("anna", ADDRESS)
    for name in ("", "../anna", "a b", "a\n", "-a", "x" * 65, "ä"):
        with pytest.raises(SettingsError, match="is not 1 to 64"):
            folder.add(name, ADDRESS)
    assert first.key is not None
    public = keys.public_of(first.key.secret)
    assert [(key.name, key.public) for key in folder.listed()] == [("anna", public)]
    assert folder.name_of(public) == "anna"
    folder.revoke("anna")
    assert (folder.listed(), folder.name_of(public)) == ([], None)
    with pytest.raises(SettingsError, match="Nobody here is called anna"):
        folder.revoke("anna")
