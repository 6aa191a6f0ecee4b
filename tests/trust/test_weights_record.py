"""Weights that are not the recorded ones are refused, by the server and by void weights check."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from real_shots import TINY_MODEL

from void_server import cli, weights_record
from void_server.engine.weights import check_weights
from void_server.engines import missing_engine_parts
from void_wire.errors import CheckpointError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(TINY_MODEL, tmp_path / "model")
    weights_record.write(tmp_path / "model", check_weights(tmp_path / "model"))
    return tmp_path / "model"


def flip(file: Path, at: int) -> None:
    """Another bit, and everything else of the file as before."""
    before = file.stat()
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["void", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_recorded_weights_are_ready(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert weights_record.changed(folder) == ""
    assert missing_engine_parts(folder)["void"] == ""
    assert run(monkeypatch, "weights", "check", str(folder)) == 0


def test_another_file_of_the_same_layout_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "void_pass2.safetensors"
    flip(file, -1)
    assert f"{file} is not the file that was recorded" in missing_engine_parts(folder)["void"]
    assert run(monkeypatch, "weights", "check", str(folder)) == 1
    assert f"{file} has sha256" in capsys.readouterr().err
    assert run(monkeypatch, "weights", "check", str(folder), "--record") == 0
    assert weights_record.changed(folder) == ""


def test_a_file_that_was_not_recorded_is_refused(folder: Path) -> None:
    path = folder / weights_record.NAME
    whole = json.loads(path.read_text())
    del whole["files"]["vae/diffusion_pytorch_model.safetensors"]
    path.write_text(json.dumps(whole))
    assert "is not in void_digests.json" in weights_record.changed(folder)


def test_a_file_beside_the_folder_is_recorded_too(folder: Path) -> None:
    (folder / "void_pass1.safetensors").rename(folder.parent / "void_pass1.safetensors")
    assert "is not in void_digests.json" in weights_record.changed(folder)
    weights_record.write(folder, check_weights(folder))
    assert weights_record.changed(folder) == ""
    flip(folder.parent / "void_pass1.safetensors", -1)
    assert "is not the file" in weights_record.changed(folder)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["format", "files", "sha256", "size_bytes", "quick"]), inner)
        ),
    ).map(lambda value: json.dumps(value).encode())
    | st.just(b'{"format": 1, "files": {"a": {"sha256": 1, "size_bytes": "2", "quick": null}}}')
)
def test_a_wild_record_is_a_sentence_with_the_command_that_makes_it_anew(tmp_path: Path, wild: bytes) -> None:
    (tmp_path / weights_record.NAME).write_bytes(wild)
    said, found = "", None
    try:
        found = weights_record.read(tmp_path)
    except CheckpointError as error:
        said = str(error)
    assert found == {} or "void weights check --record" in said
