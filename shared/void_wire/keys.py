"""Curve25519 keys, public and secret: 32 bytes each; as text, base64url without padding. A secret is in no sentence."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path
from typing import Tuple

import zmq
from zmq.utils import z85

from void_wire.errors import SettingsError

_KEY_BYTES = 32
_LARGEST_FILE_BYTES = 1024 * 1024


def new_pair() -> Tuple[bytes, bytes]:
    """A public key and its secret, 32 bytes each."""
    public, secret = zmq.curve_keypair()
    return z85.decode(public), z85.decode(secret)


def public_of(secret: bytes) -> bytes:
    """The public key that belongs to a secret one."""
    return z85.decode(zmq.curve_public(z85.encode(secret)))


def to_text(key: bytes) -> str:
    """32 bytes as 43 characters that no shell and no file touches."""
    return base64.urlsafe_b64encode(key).decode("ascii").rstrip("=")


def from_text(text: str) -> bytes:
    """The inverse of to_text. Raises ValueError for anything else, in words that do not repeat it."""
    try:
        key = base64.urlsafe_b64decode(text.encode("ascii") + b"=")
    except (UnicodeEncodeError, binascii.Error):
        raise ValueError("it is no key") from None
    if len(key) != _KEY_BYTES or to_text(key) != text:
        raise ValueError("it is no key")
    return key


def read_private(file: Path) -> str:
    """A file of secrets. Raises SettingsError when others can read it, OSError when nobody can."""
    with file.open("rb") as stream:
        mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
        if os.name == "posix" and mode & 0o077:
            raise SettingsError(f"{file} can be read by others (mode {mode:04o}): chmod 600 {file}")
        data = stream.read(_LARGEST_FILE_BYTES + 1)
    if len(data) > _LARGEST_FILE_BYTES:
        raise SettingsError(f"{file} has more than {_LARGEST_FILE_BYTES} bytes and is no file of keys.")
    try:
        return data.decode("ascii")
    except UnicodeDecodeError:
        raise SettingsError(f"{file} is no text and no file of keys.") from None
