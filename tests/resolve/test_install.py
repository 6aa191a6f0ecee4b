"""What install/resolve.py writes, where, and that it takes all of it away again."""

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from fusion_shots import ROOT

from void_host import packages


@pytest.fixture(scope="module")
def installer():
    spec = importlib.util.spec_from_file_location("install_resolve", ROOT / "install" / "resolve.py")
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
    return folder


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "Fusion"
    (made / "Scripts" / "Comp").mkdir(parents=True)
    (made / "Scripts" / "Comp" / "mine.py").write_text("mine")
    return made


def test_it_writes_scripts_templates_and_a_folder_and_says_each(installer, folder, wheels, capsys):
    assert installer.main(["--to", str(folder), "--wheels", str(wheels)]) == 0
    said = capsys.readouterr().out
    for place in (
        "Scripts/Comp/VOID.py", "Scripts/Comp/VOID Free.lua", "Templates/Fusion/VOID/VOID.setting",
        "Templates/Edit/Effects/VOID/VOID Remove.setting",
    ):  # fmt: skip
        assert str(folder / place) in said
        assert (folder / place).is_file()
    home = folder / "VOID"
    for name in (
        "void_resolve/host/application.py",
        "void_wire/client.py",
        "void_host/removal.py",
        "VOID.setting",
        "LICENSE",
    ):
        assert (home / name).is_file()
    assert not (home / "void_nuke").exists(), "a plugin of its own"
    names = sorted(path.name for path in (home / "packages").iterdir())
    assert names == sorted(name for _, _, name in installer.vendored.targets(installer.PYTHONS))
    assert len(names) == 20
    assert f"INSTALLED = {str(home)!r}" in (folder / "Scripts/Comp/VOID.py").read_text()
    setting = "Templates/Fusion/VOID/VOID.setting"
    assert (folder / setting).read_bytes() == (ROOT / "resolve_plugin/templates/VOID.setting").read_bytes()


def test_it_takes_away_what_it_wrote_and_nothing_else(installer, folder, wheels, capsys):
    arguments = ["--to", str(folder), "--wheels", str(wheels)]
    assert installer.main(arguments) == 0
    (folder / "VOID" / "void_resolve" / "old.py").write_text("")
    assert installer.main(arguments) == 0
    assert not (folder / "VOID" / "void_resolve" / "old.py").exists(), "an earlier installation is replaced"
    assert installer.main(["--to", str(folder), "--uninstall"]) == 0
    assert f"removed {folder / 'Scripts/Comp/VOID.py'}" in capsys.readouterr().out
    assert [path for path in folder.rglob("*") if path.is_file()] == [folder / "Scripts/Comp/mine.py"]
    assert not (folder / "VOID").exists()
    assert installer.main(["--to", str(folder), "--uninstall"]) == 1
    assert "Nothing of VOID is installed" in capsys.readouterr().err


def test_what_is_not_from_here_stays(installer, folder, wheels, capsys):
    (folder / "Scripts" / "Comp" / "VOID.py").write_text("mine")
    assert installer.main(["--to", str(folder), "--wheels", str(wheels)]) == 1
    assert "is in the way" in capsys.readouterr().err
    assert (folder / "Scripts" / "Comp" / "VOID.py").read_text() == "mine"
    assert not (folder / "VOID").exists()


def test_what_is_in_the_way_is_said_before_anything_is_fetched(installer, folder, monkeypatch, capsys):
    def fetch(*_):
        raise AssertionError("nothing is asked of a network")

    monkeypatch.setattr(installer.vendored, "download", fetch)
    (folder / "VOID").mkdir()
    assert installer.main(["--to", str(folder)]) == 1
    assert f"{folder / 'VOID'} is in the way" in capsys.readouterr().err


def test_a_folder_named_from_here_is_told_to_the_script_in_full(installer, wheels, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert installer.main(["--to", "Fusion", "--wheels", str(wheels)]) == 0
    home = str(tmp_path / "Fusion" / "VOID")
    assert f"INSTALLED = {home!r}" in (tmp_path / "Fusion/Scripts/Comp/VOID.py").read_text()


@pytest.mark.parametrize("other", [["--uninstall"], ["--wheels", "there"]])
def test_to_fetch_is_a_command_of_its_own(installer, other):
    with pytest.raises(SystemExit):
        installer.main(["--download", "here", *other])


def test_a_missing_wheel_is_said_and_nothing_is_written(installer, folder, wheels, capsys):
    next((wheels / "cp314-win_amd64").glob("pyzmq*")).unlink()
    assert installer.main(["--to", str(folder), "--wheels", str(wheels)]) == 1
    assert "cp314-win_amd64 holds 0 wheels of pyzmq" in capsys.readouterr().err
    assert not (folder / "VOID").exists()


def test_standalone_fusion_gets_a_macro_and_no_effect(installer, tmp_path, wheels, capsys):
    folder = tmp_path / "Fusion"
    assert installer.main(["--to", str(folder), "--fusion", "--wheels", str(wheels)]) == 0
    assert (folder / "Macros/VOID/VOID.setting").is_file()
    assert "Restart Fusion for the macro" in capsys.readouterr().out
    assert not (folder / "Templates").exists()


@pytest.mark.parametrize(
    ("system", "everybody", "standalone", "folder"),
    [
        ("linux", False, False, "/home/me/.local/share/DaVinciResolve/Fusion"),
        ("linux", True, False, "/opt/resolve/Fusion"),
        ("linux", False, True, "/home/me/.fusion/BlackmagicDesign/Fusion"),
        (
            "darwin",
            False,
            False,
            "/home/me/Library/Application Support/Blackmagic Design/DaVinci Resolve/Fusion",
        ),
        ("darwin", True, False, "/Library/Application Support/Blackmagic Design/DaVinci Resolve/Fusion"),
        (
            "win32",
            False,
            False,
            "C:/Users/me/AppData/Roaming/Blackmagic Design/DaVinci Resolve/Support/Fusion",
        ),
        ("win32", True, False, "C:/ProgramData/Blackmagic Design/DaVinci Resolve/Fusion"),
        ("win32", False, True, "C:/Users/me/AppData/Roaming/Blackmagic Design/Fusion"),
    ],
)
def test_where_it_goes(installer, system, everybody, standalone, folder):
    environment = {"APPDATA": "C:/Users/me/AppData/Roaming", "PROGRAMDATA": "C:/ProgramData"}
    found = installer.fusion_folder(system, environment, Path("/home/me"), everybody, standalone)
    assert found.as_posix() == folder


def test_a_resolve_that_is_not_there_is_said(installer, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(installer.Path, "home", lambda: tmp_path)
    assert installer.main(["--wheels", str(tmp_path)]) == 1
    assert "start Resolve once" in capsys.readouterr().err


def test_a_bare_python_starts_the_script_from_there(installer, folder, wheels):
    """An interpreter that has nothing else finds what was installed, and its own packages."""
    here = packages.folder_name(sys.version_info[:2], packages.system_name(sys.platform, "x86_64"))
    if not (wheels / here).is_dir():
        pytest.skip(f"nothing is brought for {here}")
    installer.main(["--to", str(folder), "--wheels", str(wheels)])
    code = (
        "import runpy, sys\n"
        f"runpy.run_path({str(folder / 'Scripts/Comp/VOID.py')!r}, {{'fusion': None}}, '__main__')\n"
        "import zmq; print(zmq.BUILT_FOR)"
    )
    ran = subprocess.run(
        [sys.executable, "-S", "-s", "-E", "-c", code], capture_output=True, text=True, check=False
    )
    assert "does not load in this Python" in ran.stdout, "the wheels of this test are empty"
    assert ran.stdout.splitlines()[-1] == here
