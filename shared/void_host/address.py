"""Which server an artist's job goes to."""

from __future__ import annotations

from typing import Mapping

from void_wire import sockets
from void_wire.connection import ENVIRONMENT_KEY, parse
from void_wire.errors import SettingsError

_SERVER = "VOID_SERVER"


def server_address(given: str, environment: Mapping[str, str]) -> str:
    """The full address that is meant: ``given``, else VOID_SERVER's, else VOID_KEY's, else the default one.

    For places that are saved or shown, so a connection string is refused there. Raises SettingsError.
    """
    for place, text in (
        ("the server's address", given),
        (_SERVER, environment.get(_SERVER, "")),
    ):
        if "#" in text:
            raise SettingsError(
                f"In {place} stands a connection string, and it holds a secret that others would see: put it into "
                f"{ENVIRONMENT_KEY}, or paste it once into the panel or into void keys use, and give the address "
                f"{text.partition('#')[0]} here."
            )
        if text.strip():
            return sockets.full_address(text.strip())
    if environment.get(ENVIRONMENT_KEY, ""):
        return parse(environment[ENVIRONMENT_KEY]).address
    return sockets.full_address(sockets.DEFAULT_ADDRESS)
