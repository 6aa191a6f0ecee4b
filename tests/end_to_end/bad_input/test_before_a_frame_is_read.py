"""What is told before a frame is read."""

import re
from pathlib import Path

import pytest
from real_shots import ShotOnDisk
from refusals import (
    DRAFT,
    VOID,
    Refused,
    Say,
    sentence_of,
    sequences,
)

from void_server import local_server
from void_wire.messages import Role

OUTPUTS: dict[str, tuple[str, str]] = {
    "below a file": (
        "shot/plate.1001.exr/r.%04d.exr",
        r"\S*plate.1001.exr leads through a file, not a folder: choose another place",
    ),
    "where nothing can be made": (
        "/proc/void/r.%04d.exr",
        r"/proc/void cannot be written \(.*\): choose another",
    ),
    "over the plate": (
        "shot/plate.%04d.exr",
        r"\S*plate.1001.exr would replace a file of the shot: choose another",
    ),
    "over the plate by a detour": ("shot/../shot/plate.####.exr", r"\S* would replace a file of the shot"),
    "without a number": ("r.exr", r"\S*r.exr has no place for the frame number: write it as name.%04d.exr"),
    "another format": ("r.%04d.png", r"\S*r.%04d.png does not end in .exr, which is what is written"),
    "a folder in the way": (
        "way/r.%04d.exr",
        r"\S*way/r.1003.exr is a folder: remove it, or choose another name",
    ),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_output_that_cannot_be_written(
    name: str, garbage: ShotOnDisk, refused: Refused, tmp_path: Path
) -> None:
    pattern, expected = OUTPUTS[name]
    (tmp_path / "way" / "r.1003.exr").mkdir(parents=True)
    sentence = refused(*DRAFT, *sequences(garbage), "--out", tmp_path / pattern)
    assert re.match(expected, sentence), sentence
    assert garbage.path(Role.PLATE, 1002).read_text() == "no picture"


def test_fetch_looks_at_its_outputs_too(say: Say, shot: ShotOnDisk) -> None:
    assert say("submit", *DRAFT, *sequences(shot), "--job", "fetch-outputs", "--detach")[0] == 0
    for option in ("--save-pass1", "--save-quadmask"):
        code, told = say("fetch", "fetch-outputs", option, shot.folder / "more.%04d.exr")
        assert "sent without " + option in sentence_of(code, told)
    code, told = say("fetch", "fetch-outputs", "--out", shot.path(Role.PLATE, 1001) / "r.%04d.exr")
    assert "leads through a file, not a folder" in sentence_of(code, told)


@pytest.mark.parametrize(
    ("colorspace", "expected"),
    [
        ("ACEScgg", r"Colour space 'ACEScgg' is not in ocio://\S*: did you mean 'ACEScg'"),
        ("Raw", r"Colour space 'Raw' of ocio://\S* holds data, not colour: name the space of the plate"),
    ],
)
def test_an_unknown_colour_space(
    colorspace: str,
    expected: str,
    garbage: ShotOnDisk,
    refused: Refused,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OCIO", raising=False)
    sentence = refused(
        "--engine", "draft", "--colorspace", colorspace, *sequences(garbage), "--out", tmp_path / "r.%04d.exr"
    )
    assert re.match(expected, sentence), sentence


def test_without_weights(
    garbage: ShotOnDisk, refused: Refused, server_without_weights: local_server.LocalServer, tmp_path: Path
) -> None:
    sentence = refused(
        *VOID, *sequences(garbage), "--out", tmp_path / "r.%04d.exr", address=server_without_weights.address
    )
    assert re.match(
        r"There is no folder of weights at \S*/weights. Get it with: void weights pull \S*", sentence
    )
