"""Fetching the weights from a hub: a small one on this machine that speaks the hub's HTTP."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from void_server.engine.weights import BASE_REPOSITORY, VOID_REPOSITORY, missing_weights, pull_weights
from void_wire.errors import SettingsError

MODEL = Path(__file__).parents[1] / "golden" / "portable" / "model"
COMMITS = {VOID_REPOSITORY: "1" * 40, BASE_REPOSITORY: "2" * 40}


class Hub(BaseHTTPRequestHandler):
    """The two repositories, cut out of the tiny model; ``fetched`` notes what was downloaded."""

    protocol_version = "HTTP/1.1"
    fetched: list[str]

    def files(self, repository: str) -> dict[str, Path]:
        every = {str(file.relative_to(MODEL)): file for file in MODEL.rglob("*") if file.is_file()}
        extra = {
            "README.md": MODEL / "model_index.json",
            "text_encoder/pytorch_model.bin": MODEL / "model_index.json",
        }
        void = {name: file for name, file in every.items() if name.startswith("void_pass")}
        base = {name: file for name, file in every.items() if name not in void}
        return {VOID_REPOSITORY: void, BASE_REPOSITORY: base | extra}[repository]

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        parts = self.path.split("?")[0].strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            repository = "/".join(parts[2:4])
            files = self.files(repository)
            if "tree" in parts:
                listed = [
                    {"type": "file", "path": n, "size": f.stat().st_size, "oid": "1"}
                    for n, f in files.items()
                ]
            else:
                siblings = [
                    {"rfilename": n, "size": f.stat().st_size, "blobId": "1"} for n, f in files.items()
                ]
                listed = {"id": repository, "sha": COMMITS[repository], "siblings": siblings}
            self.send(json.dumps(listed).encode(), "application/json", body, repository)
            return
        repository, name = "/".join(parts[:2]), "/".join(parts[4:])
        if repository not in COMMITS:
            self.send_error(404)
            return
        file = self.files(repository)[name]
        if body:
            self.fetched.append(name)
        self.send(file.read_bytes(), "application/octet-stream", body, repository)

    def send(self, data: bytes, kind: str, body: bool, repository: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMITS[repository])
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[ThreadingHTTPServer]:
    Hub.fetched = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def pull(folder: Path, hub: ThreadingHTTPServer) -> str:
    """What pulling into ``folder`` says."""
    program = f"from pathlib import Path; from void_server.engine.weights import *; pull_weights(Path({str(folder)!r}))"
    here = {**os.environ, "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}", "HF_HUB_DISABLE_XET": "1"}
    here.pop("HF_HUB_OFFLINE", None)
    done = subprocess.run(
        [sys.executable, "-c", program], env=here, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_pull_says_sizes_fetches_what_lacks_and_only_that(tmp_path: Path, hub: ThreadingHTTPServer) -> None:
    folder = tmp_path / "weights"
    said = pull(folder, hub)
    assert "netflix/void-model: void_pass2.safetensors, 0.00 GB" in said
    assert f"0.0 GB to fetch into {folder}" in said
    assert missing_weights(folder) == ""
    assert (folder / "void_pass1.safetensors").read_bytes() == (MODEL / "void_pass1.safetensors").read_bytes()
    for unwanted in (
        "transformer/diffusion_pytorch_model.safetensors",
        "text_encoder/pytorch_model.bin",
        "README.md",
    ):
        assert unwanted not in Hub.fetched

    (folder / "void_pass2.safetensors").unlink()
    Hub.fetched.clear()
    pull(folder, hub)
    assert Hub.fetched == ["void_pass2.safetensors"]
    assert missing_weights(folder) == ""


def test_a_folder_that_cannot_be_made_is_said_before_the_hub_is_asked(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SettingsError, match=r"cannot be made .* name a folder you may write to"):
        pull_weights(tmp_path / "file" / "weights")
