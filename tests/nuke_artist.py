"""An artist at the fake Nuke: a button is pressed, then its event loop goes round."""

import time

SIZE = (96, 160)
"""Height and width of the plate."""


def press(node, name):
    node[name].execute()


def live(nuke, until, seconds=60.0):
    """Nuke's event loop."""
    session, end = nuke._session.current(), time.monotonic() + seconds
    while not until():
        session.pump(0.02)
        assert time.monotonic() < end, "the job takes too long"
    session.pump()
