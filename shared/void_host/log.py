"""The file that VOID_LOG names: what the plugin did, for whoever looks after many artists' machines."""

from __future__ import annotations

import logging
import logging.handlers
import os
from typing import Mapping, Optional

from void_wire.errors import SettingsError

LOGGERS = ("void_host", "void_panel", "void_wire", "void_nuke", "void_resolve")
"""Of the packages that run in hosts, by the first part of their modules' names."""

_LARGEST_BYTES = 4_000_000
"""Then the file becomes name.1 and a new one begins."""

_LINE = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"


def start(environment: Mapping[str, str]) -> Optional[logging.Handler]:
    """Have VOID_LOG written from now on; returns what writes it, None when nothing is asked for.

    ``~`` and variables in the path are filled in, so that each artist can have a file of their own.

    Raises SettingsError when the file cannot be written.
    """
    asked = environment.get("VOID_LOG", "").strip()
    if not asked:
        return None
    path = os.path.expandvars(os.path.expanduser(asked))  # noqa: PTH111 - pathlib fills in no variables
    try:
        handler = logging.handlers.RotatingFileHandler(
            path, maxBytes=_LARGEST_BYTES, backupCount=1, encoding="utf-8"
        )
    except OSError as error:
        raise SettingsError(
            f"VOID_LOG is {asked}, which cannot be written ({error.strerror}): name a file in a folder that can."
        ) from None
    handler.setFormatter(logging.Formatter(_LINE))
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    return handler
