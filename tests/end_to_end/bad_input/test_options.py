"""Options that make no job."""

import re
from pathlib import Path

import numpy as np
import pytest
from real_shots import ShotOnDisk
from refusals import (
    DRAFT,
    SIZE,
    VOID,
    Refused,
    Say,
    sequences,
)

from void_server import local_server
from void_server.frames.exr import write_frame
from void_wire.client import Client
from void_wire.messages import Role, VoidSettings

OPTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "range outside the files": (
        (*DRAFT, "--range", "2001-2010"),
        r"No frame of 2001-2010 is in \S*: the folder holds 1001-1006, name a range within that",
    ),
    "range partly outside": (
        (*DRAFT, "--range", "1004-1010"),
        r"Frames 1007-1010 of \S* are missing, the folder holds 1001-1006: .* name a range without it",
    ),
    "range reversed": ((*DRAFT, "--range", "1006-1001"), r"Range 1006-1001\S* holds no frames: give it as"),
    "range of words": ((*DRAFT, "--range", "all"), r"--range 'all' is no range: write 1001-1046"),
    "range beyond counting": (
        (*DRAFT, "--range", "1-99999999999999999999"),
        r"--range \S* is no range: write",
    ),
    "noise range of words": (
        (*VOID, "--noise-range", "all"),
        r"Noise range 'all' is no range: write 1001-1046",
    ),
    "noise range beside the range": (
        (*VOID, "--noise-range", "1003-1200"),
        r"Frame 1001 of range 1001-1006 lies outside noise range 1003-1200: .* for example 1001-1200",
    ),
    "range too long": ((*DRAFT, "--range", "1-999999"), r"Range 1-999999 holds 999999 frames; one job takes"),
    "no prompt": ((*VOID[2:],), r'The prompt is empty: .* for example --prompt "a wooden table"'),
    "draft with steps": (
        (*DRAFT, "--steps", "30"),
        r"Engine draft has no --steps: leave that out, or use --engine",
    ),
    "draft with more": (
        (*DRAFT, "--raster", "384x672", "--window", "85"),
        r"Engine draft has no --raster, --window: leave that out",
    ),
    "unknown engine": (("--engine", "magic"), r".*'magic'; choose one of void, draft"),
    "raster of words": ((*VOID, "--raster", "big"), r"--raster 'big' is not height x width: write 384x672"),
    "raster not of 16": (
        (*VOID, "--raster", "100x96"),
        r".* is 100; the model runs at multiples of 16, .* 96",
    ),
    "raster too small": ((*VOID, "--raster", "16x16"), r".* is 16; it goes from 32 to 2048"),
    "window too small": ((*VOID, "--window", "3"), r"Window frames is 3; it goes from 5 to 197"),
    "steps of none": ((*VOID, "--steps", "0"), r"Pass1 steps is 0; it goes from 1 to 1000"),
    "steps of three passes": (
        (*VOID, "--steps", "1,2,3"),
        r"--steps '1,2,3' is not one number, or two with a comma",
    ),
    "guidance of NaN": ((*VOID, "--guidance", "nan"), r"Pass1 guidance is nan; it goes from 1.0 to 30.0"),
    "three passes": ((*VOID, "--passes", "3"), r"Passes is 3; it goes from 1 to 2"),
    "flow without its weights": ((*VOID, "--flow", "raft"), r"The server has no RAFT weights: start it with"),
    "short job id": ((*DRAFT, "--job", "ab"), r"Job id 'ab' is not 8 to 64 letters"),
    "pass 1 of one pass": (
        (*VOID, "--passes", "1", "--save-pass1", "p.%04d.exr"),
        r"--save-pass1 is for two passes",
    ),
    "pass 1 of a preview": (
        (*VOID, "--preview", "--save-pass1", "p.%04d.exr"),
        r"with --passes 1 or --preview the result is pass 1",
    ),
    "preview of a draft": ((*DRAFT, "--preview"), r"Engine draft has no --preview: leave that out"),
    "window seeds of words": (
        (*VOID, "--window-seeds", "two"),
        r"--window-seeds 'two' are not window:seed, with commas between several: 2:77,4:9",
    ),
    "window zero": ((*VOID, "--window-seeds", "0:7"), r"Window is 0; it goes from 1 to"),
    "a layer that is none": (
        (*DRAFT, "--layers", "fill,depth"),
        r"Layers is 'depth'; choose one of fill, matte, quadmask, difference",
    ),
    "a layer twice": ((*DRAFT, "--layers", "fill,fill"), r"Layers fill, fill name one twice"),
    "a quadmask too": ((*DRAFT, "--quadmask", "q.%04d.exr"), r"No file matches q.%04d.exr: check the path"),
    "no such sample": (
        ("--sample", "nowhere"),
        r"--sample brings its own plate and quadmask: leave --plate out",
    ),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_that_make_no_job(name: str, shot: ShotOnDisk, refused: Refused, tmp_path: Path) -> None:
    options, expected = OPTIONS[name]
    sentence = refused(*options, *sequences(shot), "--out", tmp_path / "r.%04d.exr")
    assert re.search(expected, sentence), sentence


def test_sequences_that_make_no_shot(shot: ShotOnDisk, refused: Refused, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "r.%04d.exr")
    assert "What to remove? Give --plate with" in refused(*DRAFT, *sequences(shot, Role.REMOVE), *out)
    both = refused(*DRAFT, *sequences(shot), "--quadmask", shot.pattern(Role.AFFECTED), *out)
    assert both.endswith("this one names plate, quadmask, remove.")
    folder = refused(*DRAFT, "--plate", shot.folder, "--remove", shot.pattern(Role.REMOVE), *out)
    assert re.match(r"\S*shot is a folder: name the files in it, for example \S*shot/plate.%04d.exr", folder)
    assert "There is no folder nowhere" in refused("--sample", "nowhere", *out)


RERUNS: dict[str, tuple[tuple[str, ...], str]] = {
    "of no job": (("nowhere-1",), r"The server has no job nowhere-1: see its jobs with: void jobs"),
    "of a draft": (
        ("draft-rerun-1", "--final"),
        r"is of engine draft, which has no previews, seeds, windows",
    ),
    "of nothing": (
        ("void-rerun-1",),
        r"What is to change\? Give --final, --seed, --window with --seed, or --prompt",
    ),
    "of a window without a seed": (
        ("void-rerun-1", "--window", "2"),
        r"From which seed\? Give --seed beside --window 2",
    ),
    "final of no preview": (("void-rerun-1", "--final"), r"Job void-rerun-1 is no preview, it ran in full"),
    "before the frames are there": (
        ("void-rerun-1", "--seed", "7"),
        r"Job void-rerun-1 never received frame 1001 of the plate and 17 more: send the shot",
    ),
    "to nowhere": (
        ("void-rerun-1", "--seed", "7", "--out", "r.exr"),
        r"r.exr has no place for the frame number",
    ),
}


@pytest.mark.parametrize("name", RERUNS)
def test_reruns_that_cannot_be(
    name: str, shot: ShotOnDisk, server: local_server.LocalServer, say: Say
) -> None:
    arguments, expected = RERUNS[name]
    with Client(server.address) as client:
        for spec in (shot.spec("draft-rerun-1"), shot.spec("void-rerun-1", VoidSettings(window_frames=21))):
            client.submit(spec)
        before = {status.job for status in client.jobs()}
        code, sentence = say("rerun", *arguments, *(() if "--out" in arguments else ("--detach",)))
        assert code == 1
        assert re.search(expected, sentence), sentence
        assert {status.job for status in client.jobs()} == before


def test_a_plate_that_has_a_layer_of_that_name(shot: ShotOnDisk, refused: Refused, tmp_path: Path) -> None:
    pixels = np.full((*SIZE, 4), 0.5, np.float16)
    write_frame(shot.path(Role.PLATE, 1002), 1002, pixels, ("R", "G", "B", "matte.A"))
    sentence = refused(*DRAFT, "--layers", "matte", *sequences(shot), "--out", tmp_path / "r.%04d.exr")
    assert re.search(r"Frame 1002 \(plate.1002.exr\) has a layer matte already", sentence)
