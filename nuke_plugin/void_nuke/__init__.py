"""The Nuke node: knobs, snapshot, export, results. Python 3.9 syntax; only `host` touches Nuke."""

from __future__ import annotations

from typing import Any, Optional


def render(node: Any) -> Optional[Exception]:
    """Make the node's removal in the foreground, for scripts of ``nuke -t`` and ``-x``.

    Returns what went wrong, having said so in the node; None when all frames are home.
    """
    from void_nuke import controller  # here, because half of this package needs no Nuke

    return controller.render(node)
