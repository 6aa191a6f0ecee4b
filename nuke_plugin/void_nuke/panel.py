"""The panel as Nuke docks it: its server is the script's, and a job is found by the node that sent it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable, Optional

from void_host.address import server_address
from void_host.output import frame_path
from void_nuke import host
from void_panel.host import Host
from void_panel.panel import VoidPanel
from void_wire import sockets
from void_wire.errors import SettingsError


class NukePanel(VoidPanel):
    """Nuke makes it without arguments, and anew for every pane that it is put in."""

    def __init__(self) -> None:
        wrong = ""
        try:
            address = server_address(os.environ.get("VOID_SERVER", "") or _newest_server(), os.environ)
        except SettingsError as error:
            address, wrong = sockets.full_address(sockets.DEFAULT_ADDRESS), str(error)
        super().__init__(address, host=Host(reveal=reveal, target=target))
        if wrong:
            self.state.say(wrong, bad=True)


def reveal(job: str) -> bool:
    """Show the node that made this job; False when none of the script did."""
    node = _node_of(job)
    if node is None:
        return False
    host.show(node)
    return True


def target(job: str) -> Optional[Callable[[int], Path]]:
    """Frame number to the file the job's node reads; None when no node of the script made the job."""
    node = _node_of(job)
    if node is None or not node["job_output"].value():
        return None
    output = str(node["job_output"].value())
    return lambda frame: frame_path(output, frame)


def _node_of(job: str) -> Any:
    return next((node for node in host.all_nodes() if job and node["job"].value() == job), None)


def _newest_server() -> str:
    """The address in the newest node that has one."""
    found = (str(node["server"].value()) for node in host.all_nodes() if "server" in node.knobs())
    return next((address for address in found if address.strip()), "")
