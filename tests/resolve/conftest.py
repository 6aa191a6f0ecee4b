"""A Fusion with a shot and the macro, alone or in a Resolve, and a server."""

import pytest
from fusion import Comp, Fusion, Resolve, Session
from fusion._timeline import TimelineItem
from fusion_shots import MANAGED, SIZE, fill

from void_resolve.host.application import Host


@pytest.fixture
def session():
    """Whatever was called that there is not, and every window that would wait for somebody, fails the test."""
    with Session().quiet() as session:
        yield session


@pytest.fixture
def comp(session):
    made = Comp(session, size=SIZE[::-1])
    made.macro = fill(session, made)
    return made


@pytest.fixture
def host(session):
    """Standalone Fusion."""
    return Host(Fusion(session))


@pytest.fixture
def in_resolve(session, tmp_path):
    """Makes a Resolve around the comp: settings of the project, and what the timeline says of the clip."""

    def make(settings=MANAGED, path=None, **clip):
        media = tmp_path / "media" / "A001.mov" if path is None else path
        item = TimelineItem(session, str(media), **clip)
        session.resolve_names = True
        return Host(Fusion(session), Resolve(session, settings, item))

    return make


@pytest.fixture
def server(draft_address):
    """The address of a real server without a model."""
    return draft_address
