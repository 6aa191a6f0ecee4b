"""VOID_LOG is written where it says, and where it cannot be that is one sentence."""

import logging

import pytest

from void_host import log
from void_wire.errors import SettingsError


@pytest.fixture
def quiet():
    """Loggers as they were before."""
    yield
    for name in log.LOGGERS:
        logger = logging.getLogger(name)
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
            handler.close()
        logger.setLevel(logging.NOTSET)


def test_every_artist_has_a_file_of_their_own(quiet, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHOT", "sh010")
    assert log.start({"VOID_LOG": "~/void-$SHOT.log"}) is not None
    logging.getLogger("void_host.removal").info("VOID1: %s", "done")
    logging.getLogger("somebody.else").warning("not ours")
    (line,) = (tmp_path / "void-sh010.log").read_text().splitlines()
    assert line.endswith("INFO void_host.removal: VOID1: done")


def test_nothing_is_written_unasked_and_a_wrong_place_is_said(quiet, tmp_path):
    assert log.start({}) is None
    with pytest.raises(SettingsError, match=r"VOID_LOG is .*nowhere/x\.log, which cannot be written"):
        log.start({"VOID_LOG": str(tmp_path / "nowhere" / "x.log")})
    assert not any(logging.getLogger(name).handlers for name in log.LOGGERS)
