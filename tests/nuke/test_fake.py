"""The fake refuses what Nuke would refuse, so that a test that passes on it says something."""

import ast
import importlib.util
import inspect
import threading
from pathlib import Path

import nuke_shots as shots
import pytest
from nuke import _knobs, _scripts
from nuke._nodes import build
from nuke._render import RenderError, image
from nuke._session import Hang, WrongThread


def on_thread(call):
    """What ``call`` gives or raises on another thread; meanwhile this one does nothing."""
    box = []

    def work():
        try:
            box.append(call())
        except BaseException as error:
            box.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return box[0]


def test_only_the_main_thread_may_touch_anything(nuke):
    node = nuke.createNode("Read")
    for call in (
        nuke.root,
        lambda: nuke.createNode("Dot"),
        node.name,
        lambda: node["file"],
        lambda: node.input(0),
        nuke.Undo.begin,
        lambda: nuke.message("hello"),
        lambda: nuke.ProgressTask("late"),
    ):
        assert isinstance(on_thread(call), WrongThread)
    knob = node["file"]
    assert isinstance(on_thread(lambda: knob.setValue("x")), WrongThread)


def test_a_call_is_queued_its_exception_is_lost_and_only_a_tuple_is_unpacked(nuke):
    session, seen = nuke._session.current(), []

    def fail():
        raise ValueError("gone")

    def work():
        seen.append(nuke.executeInMainThread(seen.append, ("queued",)))
        seen.append(nuke.executeInMainThreadWithResult(fail))
        seen.append(nuke.executeInMainThreadWithResult(lambda a, b: a + b, (1, 2)))
        seen.append(nuke.executeInMainThreadWithResult(lambda a: a, [1, 2]))

    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive() or not session.calls.empty():
        session.pump(0.01)
    assert seen == [None, "queued", None, 3, [1, 2]]
    assert "gone" in session.printed[0]


def test_marshalling_from_the_main_thread_hangs_and_without_a_gui_there_is_none(nuke):
    for call in (nuke.executeInMainThread, nuke.executeInMainThreadWithResult):
        with pytest.raises(Hang):
            call(print)
    nuke._session.start(gui=False)
    assert nuke.GUI is False
    assert "non-gui" in str(on_thread(lambda: nuke.executeInMainThread(print)))
    with pytest.raises(RuntimeError):
        nuke.menu("Nodes")


def test_classes_knobs_and_choices_that_are_none_are_refused(nuke):
    with pytest.raises(RuntimeError):
        nuke.createNode("Wriite")
    write = nuke.createNode("Write")
    with pytest.raises(NameError):
        write["colourspace"]
    assert write.knob("colourspace") is None
    with pytest.raises(ValueError):
        write["datatype"].setValue("half")
    with pytest.raises(TypeError):
        write["file"].setValue(7)
    with pytest.raises(TypeError):
        write["first"].setValue(1.5)
    with pytest.raises(OverflowError):
        write["first"].setValue(2**31)
    with pytest.raises(TypeError):
        write["raw"].setValue(1.0)
    with pytest.raises(AttributeError):
        nuke.executeInMainThreadWithResults  # noqa: B018
    machine = _scripts.Machine()
    (blur,) = machine.load("Blur {\n name b\n radius 3\n}\n")
    with pytest.raises(_scripts.ScriptError):
        build(blur, machine, None)


def test_progress_takes_whole_numbers(nuke):
    task = nuke.ProgressTask("VOID")
    for bad in (0.5, 101, -1, True, "7"):
        with pytest.raises(TypeError):
            task.setProgress(bad)
    on_thread(lambda: task.setProgress(40))
    assert task.progress == 40


def test_a_read_knows_its_frames_and_a_write_writes_whole_ones(nuke, tmp_path):
    read = shots.read_node(nuke, shots.write(tmp_path, "plate", shots.plate((16, 24)), "RGBA"))
    (tmp_path / "plate.1002.exr").unlink()
    with pytest.raises(RenderError):
        image(read, 1002)
    read["on_error"].setValue("nearest frame")
    assert (image(read, 1002)["R"] == image(read, 1001)["R"]).all()
    write = nuke.nodes.Write(file=f"{tmp_path}/out/x.%04d.exr", file_type="exr", raw=True)
    write.setInput(0, read)
    with pytest.raises(RenderError):
        nuke.execute(write, 1001, 1001)
    write["create_directories"].setValue(True)
    nuke._session.current().cancel_after = 1
    with pytest.raises(RuntimeError, match="Cancelled"):
        nuke.execute(write, 1001, 1003)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["x.1001.exr"]
    write["disable"].setValue(True)
    with pytest.raises(RuntimeError):
        nuke.execute(write, 1001, 1001)


def test_undo_takes_back_one_chunk_and_nothing_while_it_is_disabled(nuke):
    read = nuke.createNode("Read")
    nuke.Undo.begin()
    read["first"].setValue(5)
    read["last"].setValue(9)
    nuke.Undo.end()
    nuke.Undo.disable()
    read["label"].setValue("progress")
    nuke.Undo.enable()
    nuke.Undo.undo()
    assert (read["first"].value(), read["last"].value(), read["label"].value()) == (1, 1, "progress")


def test_callbacks_know_node_and_knob(nuke):
    seen = []
    call = lambda: seen.append((nuke.thisNode().name(), nuke.thisKnob().name()))  # noqa: E731
    nuke.addKnobChanged(call, nodeClass="Read")
    nuke.createNode("Read")["first"].setValue(3)
    nuke.createNode("Write")["first"].setValue(3)
    assert seen == [("Read1", "first")]
    with pytest.raises(ValueError):
        nuke.removeKnobChanged(call)
    nuke.removeKnobChanged(call, nodeClass="Read")


def test_a_saved_copy_is_the_same_script_and_changes_no_name(nuke, tmp_path):
    node = shots.comp(nuke, tmp_path, (64, 96), (30, 8, 20, 20), (50, 30, 20, 20))
    node["prompt"].setValue('a "quoted" [word] $1\nand a {second} line')
    node["export_folder"].setValue("/somewhere")
    nuke.scriptSaveToTemp(str(tmp_path / "copy.nk"))
    assert nuke.root()["name"].value() == ""
    machine = _scripts.Machine(user_classes=("VOID",))
    nodes = machine.load((tmp_path / "copy.nk").read_text())
    (copy,) = [one for one in nodes if one.cls == "VOID"]
    assert copy.knobs["prompt"] == node["prompt"].value()
    assert copy.knobs["export_folder"] == "/somewhere"
    assert [source.knobs["file"] for source in copy.inputs] == [
        node.input(i)["file"].value() for i in range(3)
    ]


@pytest.fixture(scope="module")
def stubs():
    """Nuke 13.2's own names, by the public stubs: module names, and class -> (bases, methods)."""
    found = importlib.util.find_spec("nuke-stubs")
    if found is None:
        pytest.skip("types-nuke is not installed")
    names, classes = set(), {}
    for file in Path(found.submodule_search_locations[0]).glob("*.pyi"):
        for statement in ast.parse(file.read_text()).body:
            target = getattr(getattr(statement, "target", None), "id", None)
            names |= {getattr(statement, "name", None), target}
            names |= {alias.asname or alias.name for alias in getattr(statement, "names", [])}
            if isinstance(statement, ast.ClassDef):
                methods = {part.name for part in statement.body if isinstance(part, ast.FunctionDef)}
                classes[statement.name] = ([getattr(base, "id", "") for base in statement.bases], methods)
    return names, classes


def test_its_names_are_nukes(nuke, stubs):
    names, _ = stubs
    assert set(nuke.__all__) - names <= {"nodes"}  # made at run time, and in every manual


def test_its_classes_have_the_methods_of_nukes(nuke, stubs):
    _, classes = stubs

    def methods(name):
        bases, own = classes.get(name, ((), set()))
        return own.union(*map(methods, bases))

    kinds = [nuke.Node, nuke.Group, nuke.Gizmo, nuke.Root, nuke.Menu, nuke.ProgressTask, nuke.Undo]
    for kind in [*kinds, *_knobs.BY_CLASS.values()]:
        name = "String_Knob" if kind is _knobs.Multiline_Knob else kind.__name__
        has = {member for member, _ in inspect.getmembers(kind, inspect.isfunction) if member[0] != "_"}
        assert name in classes
        assert has <= methods(name), name
