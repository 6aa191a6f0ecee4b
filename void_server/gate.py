"""Who gets in: on loopback and ipc everybody who reaches the socket, elsewhere the keys of the key folder alone."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

import zmq
from zmq.auth.thread import ThreadAuthenticator
from zmq.utils import z85

from void_server.jobs import NOBODY
from void_server.key_folder import KeyFolder
from void_wire import sockets
from void_wire.errors import NotAuthorised, SettingsError

log = logging.getLogger(__name__)

_DOMAIN = "void"


class Gate:
    """Binds the server's sockets, and says of each message whose it is.

    ZeroMQ's CURVE and its ZAP check a key once, when a connection is made. A key that is revoked later stays connected
    and is refused message by message; so is whatever came in without ZAP's word, should that fail.

    Args:
        context: of the sockets.
        keys: whom to let in; None: whoever reaches the socket.

    Raises SettingsError when there is no server key.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], keys: KeyFolder | None) -> None:
        self._keys = keys
        self._authenticator: ThreadAuthenticator | None = None
        if keys is not None:
            self._secret = z85.encode(keys.server_secret())
            self._authenticator = ThreadAuthenticator(context, log=log)
            self._authenticator.configure_curve_callback(_DOMAIN, self)
            self._authenticator.start()

    def bind(self, socket: zmq.Socket[bytes], address: str) -> None:
        """Have ``socket`` listen at ``address`` and ask for a key. Raises zmq.ZMQError."""
        if self._keys is not None:
            socket.setsockopt(zmq.ZAP_DOMAIN, _DOMAIN.encode())
            socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
            socket.curve_secretkey, socket.curve_publickey = self._secret, zmq.curve_public(self._secret)
            socket.curve_server = True
        socket.bind(address)
        if address.startswith("ipc://"):
            Path(address[len("ipc://") :]).chmod(0o600)

    def callback(self, domain: str, key: bytes) -> bool:
        """Whether this key (Z85) may connect: asked by ZAP, on the authenticator's thread."""
        known = self._knows(z85.decode(key))
        if not known:
            log.warning("a key that is not known was turned away: %s", z85.decode(key).hex()[:16])
        return known

    def owner(self, message: zmq.Frame) -> str:
        """Whose message this is: a public key as 64 hex digits, or NOBODY where no keys are asked for.

        Raises NotAuthorised when its key has been revoked since it connected.
        """
        if self._keys is None:
            return NOBODY
        try:
            public = z85.decode(str(message.get("User-Id")).encode())
        except (zmq.ZMQError, ValueError, KeyError):  # no word of ZAP's
            public = b""
        if not self._knows(public):
            raise NotAuthorised(
                "The server no longer knows your key: ask who runs it for a new connection string (void keys add "
                "NAME)."
            )
        return public.hex()

    def admits(self, owner: str) -> bool:
        """Whether ``owner``, who was let in before, still is."""
        return self._keys is None or self._knows(bytes.fromhex(owner))

    def has_revoked(self, owner: str) -> bool:
        """Whether ``owner``'s key was taken back; not while the key folder cannot be read."""
        if self._keys is None or owner == NOBODY:
            return False
        try:
            return self._keys.name_of(bytes.fromhex(owner)) is None
        except OSError:
            return False

    def name(self, owner: str) -> str:
        """What the server's administrator calls an owner."""
        if owner == NOBODY:
            return "this machine"
        if self._keys is None:
            return "a key"
        try:
            return self._keys.name_of(bytes.fromhex(owner)) or "a revoked key"
        except OSError:
            return "a key"

    def close(self) -> None:
        """Let go; the sockets are closed by then."""
        if self._authenticator is not None:
            self._authenticator.stop()

    def _knows(self, public: bytes) -> bool:
        if self._keys is None or not public:
            return False
        try:
            return self._keys.name_of(public) is not None
        except OSError as error:
            log.error("the key folder cannot be read, so nobody gets in: %s", error)
            return False


def ready_for(address: str, keys: KeyFolder) -> None:
    """Make sure that a server may listen at ``address``.

    Raises SettingsError for an address that other machines reach where there is no server key, and for an ipc socket
    that is not in a folder of this user alone.
    """
    if address.startswith("ipc://"):
        _own_folder(address)
    elif not sockets.is_loopback(address):
        try:
            keys.server_secret()
        except SettingsError as error:
            raise SettingsError(
                f"Address {address} can be reached from other machines, so it asks everybody for a key. {error} Then "
                "add each artist there with void keys add; or use 127.0.0.1 or ipc://, which need none."
            ) from None


def _own_folder(address: str) -> None:
    path = address[len("ipc://") :]
    if path[0] in "@*":  # Linux' abstract names, and libzmq's own choice: neither has a folder that guards it
        raise SettingsError(f"Address {address} names no file: give the socket one, ipc:///path/void.sock.")
    folder = Path(path).absolute().parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = stat.S_IMODE(folder.stat().st_mode)
    except OSError as error:
        raise SettingsError(
            f"{folder}, where {address} is to be, cannot be used ({error.strerror})."
        ) from None
    if os.name == "posix" and mode & 0o077:
        raise SettingsError(
            f"Folder {folder} of {address} can be entered by others (mode {mode:04o}): name one of your own, or "
            f"chmod 700 {folder}."
        )
