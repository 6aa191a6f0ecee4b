"""Full disks, at either end."""

import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from real_shots import ShotOnDisk, void, wait_for
from refusals import (
    DRAFT,
    FRAMES,
    Say,
    ended,
    sentence_of,
    sequences,
    through,
)

from void_server import local_server
from void_wire.client import Client
from void_wire.messages import Role, State

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")


def fill(path: Path) -> None:
    """The next file that is written whole at ``path`` finds the disk full."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(path.name + ".part").symlink_to("/dev/full")


@needs_full
def test_a_full_disk_at_the_client(shot: ShotOnDisk, say: Say, tmp_path: Path) -> None:
    out = tmp_path / "home" / "r.%04d.exr"
    fill(tmp_path / "home" / "r.1003.exr")
    code, told = say("submit", *DRAFT, *sequences(shot), "--out", out, "--job", "full-client-1")
    sentence = sentence_of(code, told)
    assert re.search(r"\S*r.1003.exr cannot be written \(No space left on device\)", sentence)
    assert "void fetch full-client-1 --out" in sentence
    assert not list(out.parent.glob("r.1003.*"))
    assert not list(out.parent.glob("*.part"))
    assert say("fetch", "full-client-1", "--out", out)[0] == 0
    assert len(list(out.parent.glob("r.*.exr"))) == FRAMES


def test_a_disk_that_fills_up_at_the_client(
    shot: ShotOnDisk, server: local_server.LocalServer, tmp_path: Path
) -> None:
    """Files may grow to less than a frame: each write stops in the middle, as on a disk that fills up."""
    out = tmp_path / "result" / "r.%04d.exr"
    limit = shot.path(Role.PLATE, 1001).stat().st_size // 2
    command = [
        sys.executable, "-m", "void_server.cli", "submit", "--server", server.address, *DRAFT, *sequences(shot),
        "--out", str(out), "--job", "full-client-2",
    ]  # fmt: skip
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert re.search(r"r.1001.exr cannot be written \(File too large\)", done.stderr)
    assert not list(out.parent.iterdir())
    again = void("fetch", "full-client-2", "--server", server.address, "--out", out)
    assert again.returncode == 0, again.stderr
    assert len(list(out.parent.iterdir())) == FRAMES


@needs_full
def test_a_full_disk_at_the_server_is_waited_for(
    shot: ShotOnDisk, say: Say, data_dir: Path, tmp_path: Path
) -> None:
    received = data_dir / "jobs" / "full-server-1" / "plate"
    fill(received / "1003.exr")
    code, told = say(
        "submit", *DRAFT, *sequences(shot), "--out", tmp_path / "r.%04d.exr", "--job", "full-server-1"
    )
    assert code == 0, told
    assert "Waits: The server cannot write to its data folder (No space left on device)" in " ".join(
        told.split()
    )
    assert len(list(tmp_path.glob("r.*.exr"))) == FRAMES
    assert sorted(path.name for path in received.iterdir()) == [
        f"{frame}.exr" for frame in shot.frames.numbers()
    ]


@needs_full
def test_a_job_whose_result_finds_the_disk_full_waits_and_lets_others_pass(
    shot: ShotOnDisk, server: local_server.LocalServer, data_dir: Path
) -> None:
    with Client(server.address) as client:
        spec = shot.spec("full-server-2")
        made = data_dir / "jobs" / spec.job / "result"
        fill(made / "1004.exr")
        client.submit(spec)
        client.upload(spec, shot.files)
        status = wait_for(client, spec.job, lambda status: bool(status.waits))
        assert re.search(r"make room\. The job goes on by itself, and what is there is kept", status.waits)
        assert status.ready[Role.RESULT] == [1001, 1002, 1003]
        assert not (made / "1004.exr").exists()
        assert through(client, shot, shot.spec("full-server-3")).state is State.DONE
        client.cancel(spec.job)
        ended(client, spec.job)
