"""What the node's buttons do, and what it does when a knob changes. All of it on Nuke's main thread."""

from __future__ import annotations

import os
from typing import Any, Callable

from void_farm import hook
from void_host.address import server_address
from void_host.removal import ASK_PATIENCE_S
from void_host.settings import SETTINGS
from void_nuke import controller, farm, host
from void_nuke.knobs import BY_NAME
from void_nuke.snapshot import output_path, take
from void_wire.client import Client
from void_wire.errors import VoidError
from void_wire.messages import DRAFT_HAS_NO

_MODEL_ONLY = (
    *(
        setting.name
        for setting in SETTINGS
        if setting.sets == "prompt"
        or setting.sets.startswith("void.")
        or setting.sets.partition("picture.")[2] in DRAFT_HAS_NO
    ),
    "box",
)
"""Knobs that say nothing to engine draft."""


def from_input(node: Any) -> None:
    """The plate's range."""
    there = host.read(node).plate_range
    if there is None:
        host.say("Input plate is not connected: connect the shot.")
    else:
        host.change(node, "VOID range from input", {"first": there[0], "last": there[1]})


def colorspace_from_script(node: Any) -> None:
    """The project's working space."""
    host.change(node, "VOID colour space from script", {"colorspace": host.working_space()})


def test_connection(node: Any) -> None:
    """Ask the server who it is; the answer stands in the node."""

    def ask() -> str:
        address = server_address(node["server"].value(), os.environ)
        with Client(address, patience_s=ASK_PATIENCE_S, name="nuke") as client:
            welcome = client.connect()
        engines = [f"{name}: {lack or 'ready'}" for name, lack in welcome.engines.items()]
        return f"VOID {welcome.server} at {address}. " + " ".join(engines)

    host.write(node, {"server_says": _said(ask)})


def remove(node: Any) -> None:
    """Take a snapshot and start the job; what is wrong is said before anything renders."""
    try:
        controller.start(node, take(host.read(node), os.environ))
    except VoidError as error:
        host.write(node, {"status": str(error)})
        host.say(str(error))


def cancel(node: Any) -> None:
    """Stop the node's job; frames that are done stay."""
    controller.cancel(node)


def farm_job(node: Any) -> None:
    """Write the removal as a farm's bundle, and send it where the studio says how; what is wrong is said first."""
    try:
        folder = farm.write(take(host.read(node), os.environ))
    except VoidError as error:
        _tell(node, str(error))
        return
    written = f"Farm job written: {folder}."
    if not hook.is_named(os.environ):
        _tell(node, f"{written} {hook.NOBODY}")
        return
    host.write(node, {"status": f"{written} Sending it."})
    name = node.fullName()

    def told(said: str) -> None:
        host.soon(lambda: _tell(host.find(name), f"{written} {said}"))

    farm.send(folder, dict(os.environ), told)


def knob_changed(node: Any, knob: Any) -> None:
    """Keep the previews true and grey out what does nothing. Called for every knob, and for the panel opening."""
    name = knob.name()
    if name in ("engine", "crop", "time_base", "quality", "showPanel"):
        host.grey_out(node, _idle(node))
    if name == "inputChange" and _range_untouched(node):
        there = host.read(node).plate_range
        if there is not None:
            host.write(node, {"first": there[0], "last": there[1]})
    if name in ("output", "showPanel", "inputChange"):
        host.write(node, {"output_preview": _said(lambda: output_path(host.read(node), os.environ)[0])})


def _range_untouched(node: Any) -> bool:
    return all(node[name].value() == BY_NAME[name].value for name in ("first", "last"))


def _idle(node: Any) -> "dict[str, bool]":
    draft = node["engine"].value() == "draft"
    idle = dict.fromkeys(_MODEL_ONLY, draft)
    if not draft:
        idle["box"] = node["crop"].value() == "full"
        idle["crop_context"] = node["crop"].value() != "auto"
        idle["rate"] = node["time_base"].value() == "native"
        idle["passes"] = node["quality"].value() == "preview"
    return idle


def _tell(node: Any, said: str) -> None:
    """In the node, where it is still there, and in a window."""
    if node is not None:
        host.write(node, {"status": said})
    host.say(said)


def _said(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except VoidError as error:
        return str(error)
