"""The fake Fusion does what is written of the real one, so that a plugin which forgets it fails here."""

import inspect

import fusionscript_names
import pytest
from fusion import Comp, Fusion, Resolve, Session, _timeline
from fusion._session import InputProxy, OutputProxy, ToolProxy
from fusion_shots import SIZE, box, plate

from void_resolve import fusion_api
from void_server.frames.exr import read_plate, write_frame


@pytest.fixture
def comp():
    session = Session()
    made = session.comp = Comp(session, size=SIZE[::-1])
    made.add("MediaIn", "MediaIn1", plate())
    made.session = session
    return made


def saver(comp, path, **values):
    comp.Lock()
    made = comp.AddTool("Saver", -32768, -32768)
    comp.Unlock()
    settings = {"Clip": str(path), "CreateDir": 1, "OutputFormat": "OpenEXRFormat", "OpenEXRFormat.Depth": 2}
    for name, value in {**settings, **values}.items():
        made.SetInput(name, value)
    made.FindMainInput(1).ConnectTo(comp.FindTool("MediaIn1").FindMainOutput(1))
    return made


RENDER = {"Start": 0, "End": 1, "Wait": True, "RenderFlags": 524288}


def test_any_name_is_callable_and_a_wrong_one_gives_nothing(comp):
    assert callable(comp.NoSuchThing)
    assert comp.NoSuchThing(1, 2) is None
    assert comp.FindTool("MediaIn1").GetInput("NoSuchThing") is None
    assert comp.session.unknown == ["Comp.NoSuchThing"]
    comp.FindTool("MediaIn1").SetInput("NoSuchThing", 1)
    assert len(comp.session.unknown) == 2
    with pytest.raises(AssertionError, match="NoSuchThing"), comp.session.quiet():
        pass


def test_lists_are_dicts_that_count_from_one(comp):
    found = comp.GetToolList(False)
    assert list(found) == [1.0]
    assert found[1].Name == "MediaIn1"
    assert comp.GetToolList(False, "Saver") == {}


def test_a_new_tool_wires_itself_to_the_active_one(comp):
    comp.SetActiveTool(comp.FindTool("MediaIn1"))
    assert (
        comp.AddTool("Blur", -32768, -32768).FindMainInput(1).GetConnectedOutput().GetTool().Name
        == "MediaIn1"
    )
    comp.SetActiveTool(None)
    assert comp.AddTool("Blur", -32768, -32768).FindMainInput(1).GetConnectedOutput() is None


def test_a_saver_asks_for_its_file_unless_the_comp_is_locked(comp):
    comp.AddTool("Saver", 0, 0)
    assert len(comp.session.windows) == 1
    comp.Lock()
    comp.AddTool("Saver", 0, 0)
    assert len(comp.session.windows) == 1


def test_a_value_set_under_lock_on_what_was_built_under_lock_is_stored_and_not_rendered(comp, tmp_path):
    made = saver(comp, tmp_path / "old_0000.exr")
    comp.Lock()
    made.SetInput("Clip", str(tmp_path / "new_0000.exr"))
    comp.Unlock()
    assert "new" in made.GetInput("Clip")
    assert comp.Render(RENDER) is True
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old_0000.exr", "old_0001.exr"]
    comp.StartUndo("clears it")
    comp.EndUndo(True)
    assert comp.Render(RENDER) is True
    assert (tmp_path / "new_0001.exr").is_file()


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a_0000.exr", "a_0001.exr"),
        ("a.exr", "a0001.exr"),
        ("a12.exr", "a01.exr"),
        ("a_000000.exr", "a_000001.exr"),
    ],
)
def test_digits_at_the_end_of_a_name_are_the_numbers_width(comp, tmp_path, name, written):
    saver(comp, tmp_path / name)
    assert comp.Render({**RENDER, "Start": 1}) is True
    assert [path.name for path in tmp_path.iterdir()] == [written]
    assert (read_plate(tmp_path / written, 1).pixels == plate()(1)[::-1]).all()


def test_a_render_gives_false_and_raises_nothing(comp, tmp_path):
    assert comp.Render(RENDER) is False, "there is no Saver"
    made = saver(comp, tmp_path / "a_0000.exr")
    assert comp.Render({**RENDER, "End": 48}) is False, "beyond the comp's own range"
    made.SetAttrs({"TOOLB_PassThrough": True})
    assert comp.Render(RENDER) is False
    made.SetAttrs({"TOOLB_PassThrough": False})
    made.FindMainInput(1).ConnectTo(None)
    assert comp.Render(RENDER) is False
    assert not any(tmp_path.iterdir())
    assert comp.session.console


def test_a_render_that_is_not_quiet_says_so_in_a_window(comp, tmp_path):
    saver(comp, tmp_path / "a_0000.exr")
    comp.Render({**RENDER, "RenderFlags": 0})
    assert comp.session.windows == ["Render completed!"]


def test_a_new_clip_takes_a_loaders_trims_away(comp, tmp_path):
    for frame in range(1001, 1005):
        write_frame(tmp_path / f"a.{frame}.exr", frame, plate()(frame)[..., :3], "RGB")
    comp.Lock()
    loader = comp.AddTool("Loader", 0, 0)
    comp.Unlock()
    loader.SetInput("Clip", str(tmp_path / "a.1001.exr"))
    assert loader.GetAttrs()["TOOLIT_Clip_Length"][1] == 4
    assert (loader.GetInput("GlobalIn"), loader.GetInput("GlobalOut")) == (0, 3)
    loader.SetInput("GlobalIn", 5)
    assert loader.GetInput("GlobalIn") == 0, "it may not pass GlobalOut"
    loader.SetInput("GlobalOut", 8)
    loader.SetInput("GlobalIn", 5)
    loader.SetInput("Loop", 1)
    loader.SetInput("Clip", str(tmp_path / "a.1001.exr"))
    assert (loader.GetInput("GlobalIn"), loader.GetInput("GlobalOut"), loader.GetInput("Loop")) == (0, 3, 0)


def test_undo_takes_a_step_back_whole_and_a_step_that_is_not_kept_is_none(comp):
    mask = comp.add("PolylineMask", "Polygon1", box(1, 1, 5, 5))
    comp.undo.clear()
    comp.StartUndo("both")
    mask.SetInput("Level", 0.5)
    mask.SetInput("SoftEdge", 0.1)
    comp.EndUndo(True)
    comp.StartUndo("nobody sees it")
    mask.SetInput("Level", 0.25)
    comp.EndUndo(False)
    assert [name for name, _ in comp.undo] == ["both"]
    assert comp.undo_last() == "both"
    assert mask.GetInput("Level") is None


def test_without_its_application_a_proxy_gives_nothing(comp):
    fusion = Fusion(comp.session)
    assert fusion.Test is not None
    comp.session.close()
    assert fusion.Test is None
    assert fusion.GetCurrentComp() is None
    assert comp.GetAttrs() is None


# --- beside what is written down ------------------------------------------------------------------------------

PROXIES = {
    fusion_api.Comp: Comp,
    fusion_api.Tool: ToolProxy,
    fusion_api.Input: InputProxy,
    fusion_api.Output: OutputProxy,
    fusion_api.Fusion: Fusion,
}


@pytest.mark.parametrize("written", PROXIES, ids=lambda cls: cls.__name__)
def test_the_fake_has_every_call_that_is_written_down_and_no_other(written):
    fake = PROXIES[written]
    names = {name for name in {**vars(written), **written.__annotations__} if name[0].isupper()}
    assert names <= {name for name in dir(fake) if name[0].isupper()}
    extra = {name for name in vars(fake) if name[0].isupper()} - names
    assert not extra
    for name in names:
        call = getattr(written, name, None)
        if inspect.isfunction(call):
            assert list(inspect.signature(call).parameters) == list(
                inspect.signature(getattr(fake, name)).parameters
            )
            assert "[" in (call.__doc__ or ""), f"{name} has no source"


def test_resolves_own_calls_are_those_of_the_public_stubs():
    stubs = fusionscript_names.classes()
    fakes = {
        "Resolve": Resolve,
        "ProjectManager": _timeline.ProjectManager,
        "Project": _timeline.Project,
        "Timeline": _timeline.Timeline,
        "TimelineItem": _timeline.TimelineItem,
        "MediaPoolItem": _timeline.PoolItem,
    }
    for name, fake in fakes.items():
        for call in vars(fake):
            if call[0].isupper():
                assert call in stubs[name], f"{name}.{call}"
                assert list(inspect.signature(getattr(fake, call)).parameters)[1:] == stubs[name][call][
                    : len(inspect.signature(getattr(fake, call)).parameters) - 1
                ] or call in ("GetClipProperty", "GetSetting")
