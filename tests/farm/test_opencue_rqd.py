"""A bundle's segments done by OpenCue's real RQD, under a Cuebot of our own.

RQD wants another psutil than we do, so it lives in an environment of its own, whose interpreter VOID_RQD_PYTHON names;
``.ci/run`` makes one.
"""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from real_shots import make_shot, void

from void_wire.messages import Role

RQD_PYTHON = os.environ.get("VOID_RQD_PYTHON", "")
CUEBOT = Path(__file__).parents[1] / "fakes" / "cuebot.py"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Of this node's user. The node's server, which would stay a while for the next task, is stopped."""
    home = tmp_path / "home"
    for name in ("HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(home))
    yield home
    for process in psutil.process_iter(["cmdline"]):
        if any(str(home) in word for word in process.info["cmdline"] or ()):
            process.terminate()
            process.wait(20)


@pytest.mark.usefixtures("home")
@pytest.mark.skipif(not RQD_PYTHON, reason="VOID_RQD_PYTHON names no interpreter that has opencue_rqd")
def test_a_night_by_rqd_and_a_frame_that_lacks_a_plate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
    shots = {
        name: make_shot(tmp_path / name, 3, (32, 48), seed) for seed, name in enumerate(("sh010", "sh020"))
    }
    with (tmp_path / "night.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("shot", "engine", "colorspace", "plate", "remove", "out"))
        for name, shot in shots.items():
            files = (shot.pattern(Role.PLATE), shot.pattern(Role.REMOVE), tmp_path / f"out/{name}.%04d.exr")
            table.writerow((name, "draft", "lin_rec709", *files))
    bundle = tmp_path / "the night"
    written = void("farm", "write", tmp_path / "night.csv", "--out", bundle)
    assert written.returncode == 0, written.stderr
    told = void("farm", "opencue", bundle, "--show", "testing", "--user", "farm", "--uid", 1000)
    assert told.returncode == 0, told.stderr

    lost = shots["sh020"].path(Role.PLATE, 1002)
    lost.rename(lost.with_suffix(".away"))
    frames = _by_rqd(bundle, tmp_path)
    assert {(one["layer"], one["frame"]): one["exit"] for one in frames} == {
        ("remove", 0): 0,
        ("remove", 1): 1,
    }
    assert "1002" in void("farm", "status", bundle).stdout

    lost.with_suffix(".away").rename(lost)
    frames = _by_rqd(bundle, tmp_path)
    assert [(one["layer"], one["exit"]) for one in frames] == [("remove", 0), ("remove", 0), ("finish", 0)]
    for name in shots:
        assert len(list((tmp_path / "out").glob(f"{name}.*.exr"))) == 3


def _by_rqd(bundle: Path, folder: Path) -> list[dict[str, object]]:
    """What became of each frame, the last try of each."""
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    command = [RQD_PYTHON, str(CUEBOT), str(bundle / "opencue.xml"), str(logs)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert ran.stdout, ran.stderr
    tries = [json.loads(line) for line in ran.stdout.splitlines()]
    return list({(one["layer"], one["frame"]): one for one in tries}.values())
