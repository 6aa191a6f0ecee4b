"""A node becomes a job, or says everything that is wrong with it."""

import os
from dataclasses import replace

import nuke_shots as shots
import pytest

from void_host import output
from void_host.box import box_of
from void_host.output import tokens
from void_nuke import host
from void_nuke.snapshot import take
from void_wire.errors import EmptyMatte, SettingsError, ShotError, SizeMismatch
from void_wire.messages import FrameRange, PictureSettings, Role, VoidSettings

SIZE = (96, 160)


@pytest.fixture
def node(nuke, tmp_path):
    nuke.root()["name"].setValue(f"{tmp_path}/sh010_comp.v004.nk")
    node = shots.comp(nuke, tmp_path, SIZE, (40, 20, 20, 20), (70, 40, 20, 20))
    node["prompt"].setValue("an empty table")
    node["first"].setValue(1001)
    node["last"].setValue(1003)
    return node


def test_a_node_as_it_comes_asks_for_the_defaults(node, tmp_path):
    shot = take(host.read(node), {})
    assert shot.spec.picture == PictureSettings()
    assert shot.spec.void == VoidSettings(show_pass1=True)  # the node shows it
    assert shot.spec.frames == FrameRange(1001, 1003)
    assert shot.spec.roles == (Role.PLATE, Role.MATTES)
    assert (shot.server, shot.owner, shot.version) == ("tcp://127.0.0.1:7801", "VOID1", 1)
    assert shot.output == f"{tmp_path}/void/sh010_comp.v004/VOID1/v001/VOID1_v001.%04d.exr"
    assert shot.spec.shot == "sh010_comp_v004_VOID1"
    assert take(host.read(node), {}).spec.job != shot.spec.job


def test_of_several_views_one_is_named(node, nuke):
    assert take(host.read(node), {}).view == ""
    nuke._session.current().views = ["left", "right"]
    with pytest.raises(SettingsError, match="the views left, right and a job is made of one"):
        take(host.read(node), {})
    node["view"].setValue("middle")
    with pytest.raises(SettingsError, match="no view middle: write one of left, right"):
        take(host.read(node), {})
    node["view"].setValue("right")
    assert take(host.read(node), {}).view == "right"
    node["output"].setValue("<folder>/<version>/a_%V.%04d.exr")
    with pytest.raises(SettingsError, match="has %V"):
        take(host.read(node), {})


def test_every_knob_arrives(node):
    asked = {
        "quality": "preview", "passes": "pass 1 only", "seed": 7, "colorspace": "ACEScg", "affected_shape": "drawn",
        "affected_first_frame": "clear", "crop": "box", "box": [10, 20, 150, 90], "crop_context": 0.5, "enlarge": True,
        "segments": "one", "model_grow": 2, "grow": 5, "feather": 6, "detail": "upscale", "regrain": False,
        "time_base": "model", "rate": 25.0, "encoding": "log", "exposure": "1.5", "layer_fill": True,
        "layer_difference": True, "server": "box:7900",
    }  # fmt: skip
    for name, value in asked.items():
        node[name].setValue(value)
    shot = take(host.read(node), {})
    assert shot.spec.picture == PictureSettings(
        colorspace="ACEScg", affected_shape="drawn", affected_first_frame="clear", grow_px=5, feather_px=6,
        segments="one", layers=("fill", "difference"), crop="10,6,140,70", crop_context=0.5, enlarge=True,
        encoding="log", exposure="1.5", model_grow_px=2, detail="upscale", regrain=False,
    )  # fmt: skip
    assert shot.spec.void == VoidSettings(
        passes=1, seed=7, preview=True, time_base="model", rate_fps=25.0, show_pass1=True
    )
    assert shot.server == "tcp://box:7900"
    assert box_of("10,6,140,70", SIZE[0]) == (10, 20, 150, 90)


def test_engine_draft_needs_no_prompt_and_gets_no_settings_it_does_not_have(node):
    for name, value in {"engine": "draft", "prompt": "", "detail": "raw", "crop": "full"}.items():
        node[name].setValue(value)
    spec = take(host.read(node), {}).spec
    assert spec.void is None
    assert spec.picture == PictureSettings()


def refused(node, kind, *words, environment=None):
    with pytest.raises(kind) as error:
        take(host.read(node), environment or {})
    for word in words:
        assert word in str(error.value)
    return str(error.value)


def test_what_is_missing_is_said(node, nuke, tmp_path):
    node["prompt"].setValue("  \n")
    refused(node, SettingsError, "prompt is empty")
    node["prompt"].setValue("a table")
    node["last"].setValue(1004)
    refused(node, ShotError, "1001-1004", "1001 to 1003")
    node["last"].setValue(1002)
    node["handles"].setValue(1)
    refused(node, ShotError, "1000-1003", "1 frames of handles")
    node["handles"].setValue(0)
    node["remove_channel"].setValue("rgba.red")
    refused(node, EmptyMatte, "remove", "rgba.red")
    node["remove_channel"].setValue("rgba.alpha")
    other = shots.write(tmp_path, "other", shots.box((64, 64), 10, 10, 8, 8), "A")
    node.setInput(2, shots.read_node(nuke, other))
    refused(node, SizeMismatch, "affected", "64 x 64", "160 x 96")
    node.setInput(2, None)
    node["crop"].setValue("box")
    node["box"].setValue([0, 0, 161, 96])
    refused(node, SettingsError, "0, 0, 161, 96")
    node["crop"].setValue("auto")
    node["exposure"].setValue("brighter")
    refused(node, SettingsError, "brighter")
    node["exposure"].setValue("auto")
    node["server"].setValue("http://box")
    refused(node, SettingsError, "http://box")
    node["server"].setValue("")
    assert take(host.read(node), {"VOID_SERVER": "farm:7801"}).server == "tcp://farm:7801"


def test_everything_is_said_at_once(node, nuke):
    nuke.root()["name"].setValue("")
    node.setInput(0, None)
    node.setInput(1, None)
    node["prompt"].setValue("")
    said = refused(node, ShotError, "Input plate is", "Input remove is", "never saved", "prompt is empty")
    assert len(said.splitlines()) == 4


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_said(node, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    refused(node, SettingsError, "locked", environment={"VOID_OUTPUT": f"{tmp_path}/locked"})


def test_a_file_in_the_way_of_the_folder_is_said(node, tmp_path):
    (tmp_path / "file").write_text("")
    refused(node, SettingsError, "file", environment={"VOID_OUTPUT": f"{tmp_path}/file"})


def test_versions_go_on_from_what_is_there(tmp_path):
    named = tokens(f"{tmp_path}/a.nk", "Group1.VOID2", {"VOID_OUTPUT": f"{tmp_path}/out"})
    pattern = "<folder>/<script>/<node>/<version>/<node>_<version>.%04d.exr"
    first, version = output.next_path(pattern, named)
    assert (first, version) == (f"{tmp_path}/out/a/Group1_VOID2/v001/Group1_VOID2_v001.%04d.exr", 1)
    output.frame_path(first, 1001).parent.mkdir(parents=True)
    (tmp_path / "out/a/Group1_VOID2/v007").mkdir()
    (tmp_path / "out/a/Group1_VOID2/v900_old").mkdir()
    assert output.next_path(pattern, named)[1] == 8
    flat = f"{tmp_path}/flat_<version>.####.exr"
    (tmp_path / "flat_v003.1001.exr").write_text("")
    assert output.next_path(flat, named) == (f"{tmp_path}/flat_v004.####.exr", 4)
    assert str(output.frame_path(f"{tmp_path}/flat_v004.####.exr", -7)).endswith("flat_v004.-007.exr")
    assert str(output.frame_path("/x/a.%04d.exr", 10000)) == "/x/a.10000.exr"


@pytest.mark.parametrize(
    ("pattern", "word"),
    [
        ("<folder>/x.%04d.exr", "<version>"),
        ("<folder>/<shot>/<version>/x.%04d.exr", "<shot>"),
        ("<folder>/<version>/x.exr", "number"),
        ("<folder>/<version>/x.%04d.png", ".exr"),
        ("results/<version>/x.%04d.exr", "absolute"),
    ],
)
def test_paths_that_cannot_be_are_refused(tmp_path, pattern, word):
    with pytest.raises(SettingsError) as error:
        output.next_path(pattern, tokens(f"{tmp_path}/a.nk", "VOID1", {}))
    assert word in str(error.value)


def test_the_state_is_frozen_and_renders_nothing(node, nuke):
    state = host.read(node)
    node["seed"].setValue(99)
    assert state.values["seed"] == 42
    with pytest.raises(AttributeError):
        state.name = "other"
    assert replace(state, name="other").name == "other"
