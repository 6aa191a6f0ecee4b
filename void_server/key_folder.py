"""The server's keys on disk: its own pair, and the public key of everybody it lets in.

::

    keys/                    0700
        server.key           the server's secret key
        clients/
            <64 hex digits>  one file a public key; it holds the name that the key was made for

A key is let in as long as its file is there, so adding and revoking need no restart.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path

from void_wire import keys
from void_wire.connection import ClientKey, Connection
from void_wire.errors import SettingsError
from void_wire.files import write_whole

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}\Z")
_PUBLIC = re.compile(r"[0-9a-f]{64}\Z")
_LONGEST_NAME = 64


@dataclass(frozen=True)
class NamedKey:
    """A key that is let in."""

    name: str
    public: bytes  # 32
    since_s: float  # seconds since the epoch


class KeyFolder:
    """The folder at ``path``, which need not be there yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._server_file = path / "server.key"
        self._clients = path / "clients"

    def make_server(self) -> bytes:
        """Make the server's pair; returns its public key. Raises SettingsError when there is one, or no room."""
        if self._server_file.exists():
            raise SettingsError(
                f"There is a server key in {self.path} already, and every connection string names it: remove "
                f"{self._server_file.name} there first if it is to be replaced."
            )
        public, secret = keys.new_pair()
        self._write(self._server_file, keys.to_text(secret))
        return public

    def server_secret(self) -> bytes:
        """The server's secret key, 32 bytes.

        Raises SettingsError with the command that makes one, or when others can read it or add keys.
        """
        try:
            mode = stat.S_IMODE(self.path.stat().st_mode)
            if os.name == "posix" and mode & 0o077:
                raise SettingsError(
                    f"Folder {self.path} of the keys is open to others (mode {mode:04o}): chmod 700 {self.path}"
                )
            return keys.from_text(keys.read_private(self._server_file).strip())
        except FileNotFoundError:
            raise SettingsError(
                f"There is no server key in {self.path}: make one with {self._command('make')}."
            ) from None
        except OSError as error:
            raise SettingsError(f"{self._server_file} cannot be read ({error.strerror}).") from None
        except ValueError:
            raise SettingsError(
                f"{self._server_file} holds no key: put back what was there, or remove it, make another with "
                f"{self._command('make')} and give everybody a new connection string."
            ) from None

    def _command(self, what: str) -> str:
        return f"void keys {what} --keys {shlex.quote(str(self.path))}"

    def add(self, name: str, address: str) -> Connection:
        """Let a new key in under ``name``; returns what its owner is given. Only the public key is kept here.

        Args:
            name: of an artist or a farm node.
            address: the full address at which the server is reached.

        Raises SettingsError for a name in use or none, without a server key, without room.
        """
        if not _NAME.match(name):
            raise SettingsError(
                f"Name {name!r} is not 1 to {_LONGEST_NAME} letters, digits, '_', '.', '@' or '-'."
            )
        if any(known.name == name for known in self.listed()):
            raise SettingsError(
                f"{name} has a key already: {self._command(f'revoke {name}')} ends it, or choose another name."
            )
        server = keys.public_of(self.server_secret())
        public, secret = keys.new_pair()
        self._write(self._clients / public.hex(), name)
        return Connection(address, ClientKey(server, secret))

    def listed(self) -> list[NamedKey]:
        """Every key that is let in, by name. Raises SettingsError when the folder cannot be read."""
        found = []
        try:
            for file in self._clients.iterdir() if self._clients.is_dir() else ():
                if _PUBLIC.match(file.name):
                    public = bytes.fromhex(file.name)
                    found.append(NamedKey(self.name_of(public) or "?", public, file.stat().st_mtime))
        except OSError as error:
            raise SettingsError(f"{self._clients} cannot be read ({error.strerror}).") from None
        return sorted(found, key=lambda key: (key.name, key.public))

    def revoke(self, name: str) -> None:
        """Let the key of ``name`` in no more, from its next message on. Raises SettingsError when there is none."""
        mine = [key for key in self.listed() if key.name == name]
        if not mine:
            raise SettingsError(f"Nobody here is called {name}: void keys list shows who is.")
        for key in mine:
            (self._clients / key.public.hex()).unlink(missing_ok=True)

    def name_of(self, public: bytes) -> str | None:
        """Whose public key this is; None for a key that is not let in. Raises OSError when that cannot be told."""
        try:
            with (self._clients / public.hex()).open("rb") as file:
                name = file.read(_LONGEST_NAME + 1).decode("ascii", "replace").strip()
        except FileNotFoundError:
            return None
        return name if _NAME.match(name) else "?"

    def _write(self, file: Path, text: str) -> None:
        try:
            for folder in (self.path, file.parent):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(file, f"{text}\n".encode("ascii"), private=True)
        except OSError as error:
            raise SettingsError(
                f"{file} cannot be written ({error.strerror}): choose another --keys."
            ) from None
