"""Which server an artist's job goes to."""

from __future__ import annotations

from typing import Mapping

from void_wire import sockets


def server_address(given: str, environment: Mapping[str, str]) -> str:
    """The server's full address: what was given, else VOID_SERVER, else the default. Raises SettingsError."""
    return sockets.full_address(
        given.strip() or environment.get("VOID_SERVER", "") or sockets.DEFAULT_ADDRESS
    )
