"""The folder for NUKE_PATH: built from wheels, started in an interpreter that has nothing else."""

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from void_host import packages

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def installer():
    spec = importlib.util.spec_from_file_location("install_nuke", ROOT / "install" / "nuke.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "install"))  # taken back after it: install/nuke.py is no Nuke
        spec.loader.exec_module(module)
    return module


@pytest.fixture
def wheels(installer, tmp_path):
    """A wheel of each package for each target; its one module says for which."""
    folder = tmp_path / "wheels"
    for _, _, name in installer.vendored.targets(installer.PYTHONS):
        (folder / name).mkdir(parents=True)
        for project, module in (("pyzmq", "zmq"), ("msgpack", "msgpack"), ("xxhash", "xxhash")):
            with zipfile.ZipFile(folder / name / f"{project}-9.9-{name}.whl", "w") as archive:
                archive.writestr(f"{module}/__init__.py", f"BUILT_FOR = {name!r}\n")
                archive.writestr(f"{project}.libs/native.bin", b"\0")
    return folder


def test_the_folder_holds_what_nuke_needs_and_says_so(installer, wheels, tmp_path, capsys):
    to = tmp_path / "share" / "void"
    assert installer.main(["--to", str(to), "--wheels", str(wheels)]) == 0
    said = capsys.readouterr().out
    for name in (
        "init.py",
        "menu.py",
        "gizmos/VOID.gizmo",
        "void_nuke/host.py",
        "void_wire/client.py",
        "void_panel/__init__.py",
        "LICENSE",
    ):
        assert (to / name).is_file()
    assert (to / "gizmos/VOID.gizmo").read_bytes() == (ROOT / "nuke_plugin/gizmos/VOID.gizmo").read_bytes()
    assert sorted(path.name for path in (to / "packages").iterdir()) == sorted(
        n for _, _, n in installer.vendored.targets(installer.PYTHONS)
    )
    assert len(list(installer.vendored.targets(installer.PYTHONS))) == 12
    assert "packages/cp310-linux_x86_64: msgpack 9.9, pyzmq 9.9, xxhash 9.9" in said
    assert f"NUKE_PATH={to}" in said
    assert not list(to.rglob("__pycache__"))
    assert not list(to.parent.glob(".*"))


def test_it_replaces_its_own_folder_and_nobody_elses(installer, wheels, tmp_path, capsys):
    to = tmp_path / "void"
    arguments = ["--to", str(to), "--wheels", str(wheels)]
    assert installer.main(arguments) == 0
    (to / "void_nuke" / "old.py").write_text("")
    assert installer.main(arguments) == 0
    assert not (to / "void_nuke" / "old.py").exists()
    other = tmp_path / "home"
    other.mkdir()
    (other / "menu.py").write_text("mine")
    capsys.readouterr()
    assert installer.main(["--to", str(other), "--wheels", str(wheels)]) == 1
    assert "are not from here" in capsys.readouterr().err
    assert (other / "menu.py").read_text() == "mine"


def test_a_missing_wheel_is_said_and_nothing_is_built(installer, wheels, tmp_path, capsys):
    next((wheels / "cp39-win_amd64").glob("pyzmq*")).unlink()
    assert installer.main(["--to", str(tmp_path / "void"), "--wheels", str(wheels)]) == 1
    assert "cp39-win_amd64 holds 0 wheels of pyzmq" in capsys.readouterr().err
    assert not (tmp_path / "void").exists()


def start(folder, code):
    """A bare interpreter with the fake Nuke's surface that init.py and menu.py use, and nothing else."""
    nuke = (
        "class Menu:\n def addMenu(self, name): return self\n def addCommand(self, *what): print(*what, sep='|')\n"
        "def menu(name): return Menu()\n"
        "def addOnScriptLoad(call): pass\n"
        "def pluginAddPath(path): print('path|' + path)\n"
    )
    folder.joinpath("fake").mkdir(exist_ok=True)
    folder.joinpath("fake", "nuke.py").write_text(nuke)
    program = f"import sys\nsys.path.insert(0, {str(folder / 'fake')!r})\n{code}"
    command = [sys.executable, "-S", "-s", "-E", "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def run(name, folder):
    """What Nuke does with a start-up file."""
    file = str(folder / name)
    return f"exec(compile(open({file!r}).read(), {file!r}, 'exec'), {{'__file__': {file!r}}})\n"


def test_init_chooses_the_packages_of_this_python(installer, wheels, tmp_path):
    to = tmp_path / "void"
    installer.main(["--to", str(to), "--wheels", str(wheels)])
    here = packages.folder_name(sys.version_info[:2], packages.system_name(sys.platform, "x86_64"))
    if not (to / "packages" / here).is_dir():
        pytest.skip(f"nothing is brought for {here}")
    ran = start(to, run("init.py", to) + "import zmq\nprint(zmq.BUILT_FOR, zmq.__file__)\n")
    assert f"path|{to}/gizmos" in ran.stdout
    assert here in ran.stdout.splitlines()[-1]
    assert not ran.stderr


def test_what_fails_is_explained_and_nuke_starts(installer, wheels, tmp_path):
    to = tmp_path / "void"
    installer.main(["--to", str(to), "--wheels", str(wheels)])
    for folder in (to / "packages").iterdir():
        folder.rename(to / "packages" / f"other-{folder.name}")
    ran = start(to, run("init.py", to) + run("menu.py", to) + "print('started')\n")
    assert ran.returncode == 0
    assert "there are no packages for" in ran.stderr
    assert "VOID is not loaded|nuke.message(" in ran.stdout
    assert "zmq" in ran.stdout
    assert ran.stdout.endswith("started\n")


@pytest.mark.parametrize(
    ("platform", "machine", "name"),
    [
        ("linux", "x86_64", "linux_x86_64"),
        ("win32", "AMD64", "win_amd64"),
        ("darwin", "arm64", "macos_arm64"),
        ("darwin", "x86_64", "macos_x86_64"),
        ("linux", "aarch64", None),
    ],
)
def test_systems(platform, machine, name):
    assert packages.system_name(platform, machine) == name


def test_a_folder_of_somebody_else_is_refused_before_anything_is_fetched(
    installer, tmp_path, monkeypatch, capsys
):
    def fetch(*_):
        raise AssertionError("nothing is asked of a network")

    monkeypatch.setattr(installer.vendored, "download", fetch)
    (tmp_path / "theirs.txt").write_text("")
    assert installer.main(["--to", str(tmp_path)]) == 1
    assert installer.main(["--to", str(tmp_path / "theirs.txt")]) == 1
    assert "theirs.txt holds files that are not from here" in capsys.readouterr().err


def test_a_folder_named_from_here_is_said_in_full(installer, wheels, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert installer.main(["--to", "void", "--wheels", str(wheels)]) == 0
    assert f"set NUKE_PATH={tmp_path / 'void'} and" in capsys.readouterr().out
