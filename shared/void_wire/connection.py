"""Who a client is and which server it means: connection strings, and where a user's own are kept.

A connection string is what an artist is given, once: ``tcp://gpu-box:7801#SERVER.SECRET``. SERVER is the server's
public key, SECRET the artist's own secret one. It is in no sentence, no repr and no log.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator, Mapping, Optional, Union

import zmq
from zmq.utils import z85

from void_wire import keys, sockets
from void_wire.errors import SettingsError
from void_wire.files import write_whole

ENVIRONMENT_KEY = "VOID_KEY"

_PAIR = re.compile(r"([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})\Z")


@dataclass(frozen=True)
class ClientKey:
    """A client's secret key and the public one of the server that it is for, 32 bytes each."""

    server: bytes
    secret: bytes = field(repr=False)

    def secret_text(self) -> str:
        """Both, as they stand in a connection string."""
        return f"{keys.to_text(self.server)}.{keys.to_text(self.secret)}"

    def lock(self, socket: "zmq.Socket[bytes]") -> None:
        """Have ``socket`` speak CURVE, before it connects. Raises SettingsError where ZeroMQ was built without."""
        if not zmq.has("curve"):
            raise SettingsError(
                f"This program's pyzmq ({zmq.__version__}) knows no keys: install one of PyPI's wheels."
            )
        secret = z85.encode(self.secret)
        socket.curve_secretkey, socket.curve_publickey = secret, zmq.curve_public(secret)
        socket.curve_serverkey = z85.encode(self.server)


@dataclass(frozen=True)
class Connection:
    """Where a server is, and the key that opens it (None: it asks for none)."""

    address: str  # full
    key: Optional[ClientKey] = None

    def __str__(self) -> str:
        return self.address

    def secret_text(self) -> str:
        """The connection string, secret and all."""
        return f"{self.address}#{self.key.secret_text()}" if self.key else self.address


def parse(text: str) -> Connection:
    """An address, or a whole connection string. Raises SettingsError, which does not repeat a secret."""
    address, mark, pair = text.strip().partition("#")
    if not mark:
        return Connection(sockets.full_address(address))
    match = _PAIR.match(pair)
    try:
        if not match:
            raise ValueError
        return Connection(
            sockets.full_address(address), ClientKey(keys.from_text(match[1]), keys.from_text(match[2]))
        )
    except ValueError:
        raise SettingsError(
            f"The connection string for {address!r} is cut short or mistyped: paste it whole, or ask for a new one "
            "(void keys add)."
        ) from None


def connection(text: Union[str, Connection], environment: Optional[Mapping[str, str]] = None) -> Connection:
    """``text`` with its key: its own, else the one that VOID_KEY or the user's key file has for its address.

    Raises SettingsError for what is no address or no connection string, wherever it stands.
    """
    meant = text if isinstance(text, Connection) else parse(text)
    if meant.key is None:
        for known in _known(os.environ if environment is None else environment):
            if known.address == meant.address:
                return known
    return meant


def key_file() -> Path:
    """Where this user's connection strings are kept, one a line."""
    return Path.home() / ".void" / "keys"


def remember(text: str) -> Connection:
    """Keep a connection string in the user's key file, in place of one for the same address; an address passes by.

    Raises SettingsError for what is neither, or when the file cannot be written.
    """
    meant = parse(text)
    if meant.key is None:
        return meant
    file = key_file()
    kept = [known for known in _of_file(file) if known.address != meant.address]
    lines = "".join(f"{known.secret_text()}\n" for known in (*kept, meant))
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        write_whole(file, lines.encode("ascii"), private=True)
    except OSError as error:
        raise SettingsError(
            f"{file} cannot be written ({error.strerror}): make room for it, or put the connection string into "
            f"{ENVIRONMENT_KEY}."
        ) from None
    return meant


def _known(environment: Mapping[str, str]) -> Iterator[Connection]:
    if environment.get(ENVIRONMENT_KEY, ""):
        yield parse(environment[ENVIRONMENT_KEY])
    yield from _of_file(key_file())


def _of_file(file: Path) -> Iterator[Connection]:
    try:
        text = keys.read_private(file)
    except FileNotFoundError:
        return
    except OSError as error:
        raise SettingsError(f"{file} cannot be read ({error.strerror}).") from None
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield parse(line)
            except SettingsError:
                raise SettingsError(
                    f"Line {number} of {file} is no connection string: remove it, or ask for a new one."
                ) from None
