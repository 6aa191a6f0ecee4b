"""A session of the fake Nuke, with the plugin's folders on its paths."""

import os
import sys
from pathlib import Path

import nuke_shots as shots
import pytest
from nuke import _session
from nuke_artist import SIZE

from void_nuke import buttons

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def nuke():
    """``import nuke`` in the GUI, nothing loaded; ``nuke._session.current()`` is the session."""
    import nuke

    session = _session.start(gui=True)
    session.plugin_path.append(str(ROOT / "nuke_plugin" / "gizmos"))
    return nuke


@pytest.fixture
def terminal_nuke(nuke):
    """The same without the GUI."""
    _session.start(gui=False).plugin_path.append(str(ROOT / "nuke_plugin" / "gizmos"))
    return nuke


@pytest.fixture
def node(nuke, tmp_path):
    """A VOID node with the engine without a model, on a saved script's plate and moving matte."""
    nuke.root()["name"].setValue(f"{tmp_path}/sh010.nk")
    node = shots.comp(nuke, tmp_path, SIZE, (40, 20, 20, 20), None)
    buttons.from_input(node)
    node["engine"].setValue("draft")
    node["colorspace"].setValue("lin_rec709")
    return node


@pytest.fixture
def server(draft_address):
    """The address of a real server without a model."""
    return draft_address


@pytest.fixture
def background(nuke, tmp_path, monkeypatch):
    """A program that this Nuke starts as a Nuke of its own."""
    program = tmp_path / "Nuke15.0"
    program.write_text(
        f'#!/bin/sh\n[ -z "$PYTHONPATH" ] || exit 3\nPYTHONPATH={os.pathsep.join(sys.path)} '
        f'exec {sys.executable} -m nuke "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setattr(nuke, "EXE_PATH", str(program))
    return program
